//! `deploy-check`: what CDK synthesizes, deployed by CDK to an emulator that is not ours, and used there.
//!
//! The queues, their redrive, the event sources, the functions with their roles and secrets, and the schedule are the
//! emulator's. What it lacks is `local-cloud`'s: the Data API over PostgreSQL, Redis, the payment provider. In order:
//! both start; `cdk` bootstraps, deploys the stateful stack, a person puts the provider's key, `cdk` deploys the
//! processing stack, whose deploy steps create the database users and run the migrations; the services' APIs are asked
//! whether all is as `infra/settings.json` says; orders go through the deployed queue while the provider fails; `cdk`
//! deploys half the batch size in the middle of the work, and batches must become as small; the verdict on all orders
//! is that of `campaign`; `cdk` deletes both stacks, and nothing may be left.

#![expect(clippy::indexing_slicing, reason = "a JSON value that is asked for what it has not answers null")]

mod adapted;
mod cdk;
mod emulator;
mod facts;
mod result;
mod settings;

use crate::campaign::{allow_giving_up, rest, trouble};
use crate::children::Address;
use crate::orders::{Plan, Repricing, Variety};
use crate::sender::{self, Run};
use crate::sent::Changed;
use crate::stack::{Info, Stack, StackOptions, poll_until};
use crate::verdict::judge;
use crate::{Error, database, demo, evidence, figures, kits, progress, sandbox, stack};
use adapted::{UNKNOWN_TYPES, refused_types};
use cdk::{Cdk, STAGE};
use emulator::{ACCOUNT_ID, Emulator};
use facts::{Facts, PREFIX};
use result::{Outcome, Update};
use serde_json::Value;
use settings::{Settings, UPDATED};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_postgres::Client;
use xtask::{cli, infra, out, workspace};

/// The cluster's master user, by the template.
const MASTER_USER: &str = "orderflow_admin";

/// A key of the form that the payment sandbox takes, put where a person puts the provider's.
const PROVIDER_KEY: &str = "sk_test_deploy";

/// Orders that show how large batches are: enough to fill many.
const BURST_ORDERS: usize = 100;

/// How fast they come: faster than they are worked on.
const BURST_RATE: u32 = 1_000;

/// How long a burst's orders and the lines about them may take.
const LOGGED_LIMIT: Duration = Duration::from_secs(60);

/// A part of what is sent.
#[derive(Debug, Clone, Copy)]
struct Part {
    name: &'static str,
    /// Where the command line gives none; far from what anybody gives, because the ids of the parts must differ.
    seed: u64,
}

/// The orders of the command line.
const SHOP: Part = Part { name: "shop", seed: 0 };

/// A burst at the batch size that was deployed first.
const BEFORE: Part = Part { name: "before-update", seed: u64::MAX };

/// A burst at the batch size of the update.
const AFTER: Part = Part { name: "after-update", seed: u64::MAX - 1 };

/// Runs the check; an `Ok` means that it passed.
///
/// # Errors
/// [`Error::Found`] when it did not pass and has said why; whatever stops the run before that.
pub async fn run(options: &cli::DeployCheck) -> Result<(), Error> {
    infra::install().map_err(Error::Task)?;
    out::note("Starting PostgreSQL, Redis, the Data API and the payment provider …");
    let address = Address::free()?;
    let state = workspace::private().join(format!("deploy-{}", std::process::id()));
    let stack = Stack::start(stack_options(options, &address, state.clone())?).await?;
    let result = Box::pin(beside(&stack.info, options, &address, &state)).await;
    if result.is_ok() {
        stack.end_or_say().await;
    } else {
        out::note(&format!("What cdk and ministack said is in {}.", workspace::shown(&state)));
        drop(stack);
    }
    let outcome = result?;
    if options.json {
        out::line(&outcome.json(options));
        out::note(&outcome.verdict());
    } else {
        out::line(&outcome.table());
        out::line(&outcome.verdict());
    }
    if outcome.passed() { Ok(()) } else { Err(Error::Found) }
}

/// A stack beside the emulator, of the stage that is deployed there.
fn stack_options(
    options: &cli::DeployCheck,
    address: &Address,
    state: PathBuf,
) -> Result<StackOptions, Error> {
    let settings = settings::checkout()?;
    let region = settings["region"].as_str().unwrap_or_default();
    let cluster = format!("arn:aws:rds:{region}:{ACCOUNT_ID}:cluster:{PREFIX}orders");
    let arguments = ["--beside", &address.url, "--cluster-arn", &cluster, "--master-user", MASTER_USER];
    Ok(StackOptions {
        stage: STAGE,
        state,
        servers: options.servers.from.as_str(),
        arguments: arguments.map(str::to_owned).to_vec(),
        ..StackOptions::default()
    })
}

/// Everything that needs the emulator, and its end.
async fn beside(
    info: &Info,
    options: &cli::DeployCheck,
    address: &Address,
    state: &Path,
) -> Result<Outcome, Error> {
    out::note("Starting ministack …");
    let emulator = Emulator::start(address, info, state).await?;
    let result = tokio::select! {
        result = deployed(info, options, &emulator, state) => result,
        () = demo::interrupted() => Err(Error::Interrupted),
    };
    emulator.end().await;
    result
}

async fn deployed(
    info: &Info,
    options: &cli::DeployCheck,
    emulator: &Emulator,
    state: &Path,
) -> Result<Outcome, Error> {
    let mut settings = Settings::read(info, state)?;
    let functions = match &options.functions {
        Some(folder) => workspace::root().join(folder),
        None => packaged(&settings, state)?,
    };
    let cdk =
        Cdk { url: emulator.url.clone(), region: info.region.clone(), state: state.to_owned(), functions };
    let mut outcome = Outcome { outdated: deploy(&cdk, emulator, &settings).await?, ..Outcome::default() };
    let facts = facts(emulator).await?;
    outcome.live = facts.summary();
    outcome.differences = facts.differences(&settings);
    out::note(&format!("Live: {}.", outcome.live));
    outcome.update.size_before = facts.batch_size(UPDATED).unwrap_or_default();
    let mut there = info.clone();
    there.sqs_url.clone_from(&emulator.url);
    there.queues = facts.queues();
    there.queues_elsewhere = true;
    let sql = there.sql().await?;
    let used = Used { there: &there, sql: &sql, cdk: &cdk, emulator };
    Box::pin(used.orders(options, &mut settings, &mut outcome)).await?;
    out::note("Deleting both stacks …");
    cdk.destroy().await?;
    outcome.left = emulator.ask(&["left", PREFIX], "").await?;
    Ok(outcome)
}

/// How the provider fails: as in a campaign, but for the failures that it saves under their key. A row that met one
/// rests for ten minutes, and that is not what a deployment is tried with.
fn faults() -> Vec<Value> {
    let saved = |fault: &Value| fault["kind"].as_str().is_some_and(|kind| kind.starts_with("error_500"));
    trouble::faults().into_iter().filter(|fault| !saved(fault)).collect()
}

/// The functions of this build as Lambda wants them, one folder each.
fn packaged(settings: &Settings, state: &Path) -> Result<PathBuf, Error> {
    let folder = state.join("functions");
    for name in settings.names(&["functions"]) {
        let path = folder.join(name);
        let failed = |source| Error::File { path: path.clone(), source };
        std::fs::create_dir_all(&path).map_err(failed)?;
        std::fs::copy(stack::programs().join(name), path.join("bootstrap")).map_err(failed)?;
    }
    Ok(folder)
}

/// Deploys both stacks, with a person's part in between; returns what of our list the emulator contradicts.
async fn deploy(cdk: &Cdk, emulator: &Emulator, settings: &Settings) -> Result<Vec<String>, Error> {
    out::note("Synthesizing the stacks …");
    let unchanged = cdk.synthesize(&settings.file).await?;
    out::note("Bootstrapping the account, and showing it the unchanged templates …");
    let bucket = cdk.bootstrap().await?;
    let outdated = outdated(emulator, &bucket, &unchanged).await?;
    out::note("Deploying the stateful stack, and with it the database's users …");
    cdk.deploy("stateful").await?;
    let key = ["put-secret", &format!("{PREFIX}provider"), "key"].map(str::to_owned);
    emulator.ask::<Value>(&key, PROVIDER_KEY).await?;
    out::note("Deploying the processing stack, and with it the migrations …");
    cdk.deploy("processing").await?;
    Ok(outdated)
}

/// What the emulator refuses of the unchanged templates must be what is taken out of them, to the letter.
async fn outdated(emulator: &Emulator, bucket: &str, templates: &[PathBuf]) -> Result<Vec<String>, Error> {
    let mut question = vec!["refused".to_owned(), bucket.to_owned()];
    question.extend(templates.iter().map(|template| template.display().to_string()));
    let answers: Vec<String> = emulator.ask(&question, "").await?;
    answers.iter().for_each(|answer| out::note(&format!("  refused: {answer}")));
    let refused: BTreeSet<String> = answers.iter().flat_map(|answer| refused_types(answer)).collect();
    let listed: BTreeSet<String> = UNKNOWN_TYPES.map(str::to_owned).into();
    let needless =
        listed.difference(&refused).map(|kind| format!("{kind}: taken out, though the emulator takes it"));
    let missing = refused.difference(&listed).map(|kind| format!("{kind}: refused, and not on the list"));
    Ok(needless.chain(missing).collect())
}

async fn facts(emulator: &Emulator) -> Result<Facts, Error> {
    emulator.ask(&["show", PREFIX], "").await
}

/// What was deployed, in use.
struct Used<'a> {
    there: &'a Info,
    sql: &'a Client,
    cdk: &'a Cdk,
    emulator: &'a Emulator,
}

impl Used<'_> {
    /// Sends the orders while the provider fails, deploys an update, sends more, lets all come to rest, and judges.
    async fn orders(
        &self,
        options: &cli::DeployCheck,
        settings: &mut Settings,
        outcome: &mut Outcome,
    ) -> Result<(), Error> {
        let units = usize::try_from(options.orders).unwrap_or(usize::MAX);
        let (kits, plenty) = (kits::catalog(), kits::plenty(units + 2 * BURST_ORDERS));
        database::seed(self.sql, &kits, plenty).await?;
        let (faults, changes) = self.while_provider_fails(options, units).await?;
        outcome.faults = faults;
        out::note(&format!("The provider is well. Sending {BURST_ORDERS} orders at once …"));
        let before = self.burst(BEFORE).await?;
        outcome.update = self.update(settings, outcome.update).await?;
        let after = self.burst(AFTER).await?;
        let largest = |sizes: &[u64]| sizes.iter().copied().max().unwrap_or_default();
        (outcome.update.largest_before, outcome.update.largest_after) = (largest(&before), largest(&after));
        out::note("Waiting for the end of every order, and for the sweep …");
        let (limit, sent) = (Duration::from_secs(options.wait_s.into()), Cell::new(units + 2 * BURST_ORDERS));
        Box::pin(self.shown(rest(self.there, self.sql, limit), &sent)).await?;
        let file = self.all_sent()?;
        let mut evidence = evidence::collect(self.there, &file, &kits, plenty).await?.with_changes(changes);
        outcome.given_up = allow_giving_up(&mut evidence);
        outcome.judgement = judge(&evidence);
        outcome.redis_calls = figures::of(&self.log(UPDATED).await?).redis_calls;
        outcome.scheduled_runs = figures::runs(&self.log("reconcile-orders").await?);
        Ok(())
    }

    /// Sends a shop's day until most of it is paid; returns the calls that the provider failed, by kind, and the changes of
    /// the catalog.
    async fn while_provider_fails(
        &self,
        options: &cli::DeployCheck,
        units: usize,
    ) -> Result<(BTreeMap<String, u64>, Vec<Changed>), Error> {
        let cli::DeployCheck { rate, seed, .. } = *options;
        out::note(&format!(
            "Sending {units} orders at {rate} a second to the deployed queue, while the provider fails …"
        ));
        sandbox::set_faults(self.there, seed, &faults()).await?;
        let (reprice, variety) = (Repricing::InTheMiddle, Variety::Shop);
        let plan = Plan { units, seed, start: demo::now(), reprice, variety };
        let sent = Cell::new(0);
        let work = async {
            let changes = self.send(SHOP, &plan, rate, &sent).await?;
            trouble::mostly_paid(self.sql, rate).await?;
            Ok(changes)
        };
        let changes = self.shown(work, &sent).await?;
        let faults = sandbox::figures(self.there).await?.refused_by_fault;
        sandbox::set_faults(self.there, seed, &[]).await?;
        Ok((faults, changes))
    }

    /// Shows how all stands while something is going on.
    async fn shown<T>(
        &self,
        work: impl Future<Output = Result<T, Error>>,
        sent: &Cell<usize>,
    ) -> Result<T, Error> {
        let end = tokio::select! {
            end = work => end,
            error = progress::show(self.there, self.sql, sent) => error.map(|never| match never {}),
        };
        progress::end();
        end
    }

    /// Deploys half the batch size of one event source.
    async fn update(&self, settings: &mut Settings, before: Update) -> Result<Update, Error> {
        let wanted = settings.halve_batches()?;
        out::note(&format!("Deploying a batch size of {wanted} instead of {} …", before.size_before));
        self.cdk.synthesize(&settings.file).await?;
        self.cdk.deploy("processing").await?;
        let size_after = facts(self.emulator).await?.batch_size(UPDATED).unwrap_or_default();
        Ok(Update { size_after, wanted, ..before })
    }

    /// Sends good orders faster than they are worked on, so that batches fill, and returns the sizes of the batches.
    async fn burst(&self, which: Part) -> Result<Vec<u64>, Error> {
        let earlier = figures::batch_sizes(&self.log(UPDATED).await?).len();
        let (reprice, variety) = (Repricing::Never, Variety::GoodOrders);
        let plan = Plan { units: BURST_ORDERS, seed: which.seed, start: demo::now(), reprice, variety };
        self.send(which, &plan, BURST_RATE, &Cell::new(0)).await?;
        let all = u64::try_from(BURST_ORDERS).unwrap_or(u64::MAX);
        let mut sizes = Vec::new();
        poll_until("the lines of the burst's batches in their log group", LOGGED_LIMIT, async || {
            sizes = figures::batch_sizes(&self.log(UPDATED).await?);
            sizes.drain(..earlier.min(sizes.len()));
            Ok(sizes.iter().sum::<u64>() >= all)
        })
        .await?;
        Ok(sizes)
    }

    async fn send(
        &self,
        part: Part,
        plan: &Plan,
        rate: u32,
        sent: &Cell<usize>,
    ) -> Result<Vec<Changed>, Error> {
        let (queues, file, enough) = (self.there.sqs(), self.file(part), Cell::new(false));
        let orders = self.there.queue("orders")?;
        let run = Run {
            queues: &queues,
            orders,
            products: self.there.queue("products")?,
            sql: self.sql,
            rate,
            file: &file,
            progress: sent,
            enough: &enough,
        };
        sender::send(run, plan).await
    }

    fn file(&self, part: Part) -> PathBuf {
        self.cdk.state.join(format!("sent-{}.jsonl", part.name))
    }

    /// One sender's file of all parts.
    fn all_sent(&self) -> Result<PathBuf, Error> {
        let mut all = String::new();
        for part in [SHOP, BEFORE, AFTER] {
            let path = self.file(part);
            all += &std::fs::read_to_string(&path).map_err(|source| Error::File { path, source })?;
        }
        let path = self.cdk.state.join("sent.jsonl");
        std::fs::write(&path, all).map_err(|source| Error::File { path: path.clone(), source })?;
        Ok(path)
    }

    /// The log of a function, from its log group.
    async fn log(&self, function: &str) -> Result<String, Error> {
        let lines: Vec<String> =
            self.emulator.ask(&["logs", &format!("/orderflow/{STAGE}/{function}")], "").await?;
        Ok(lines.join("\n"))
    }
}
