//! `outage`: the payment provider goes away under load, comes back, and what that cost is measured.
//!
//! The load goes on before, during and after at one rate, as customers do. Measured is what others would feel: calls
//! that reach a provider which cannot serve them, the pace at which it is met when it is back, how soon the backlog is
//! gone, and what the waiting functions cost. With `--naive` the same load runs against the payment code that most
//! people would write, in a stack of its own.

mod load;
mod measured;
mod print;

use crate::evidence;
use crate::orders::{Plan, Repricing, Variety};
use crate::sender::{self, Run};
use crate::settling::{Told, settled};
use crate::stack::{Info, Stack, StackOptions, programs};
use crate::verdict::judge;
use crate::{Error, database, demo, figures, kits, progress, sandbox};
use load::Moments;
use measured::{Measured, Watched};
use std::cell::Cell;
use std::path::Path;
use std::time::Duration;
use xtask::{cli, out, workspace};

/// The function that speaks to the provider.
const SETTLES: &str = "settle-payments";

/// The program that plays it with `--naive`.
const NAIVE: &str = "naive-settle";

/// How long to wait for the end of everything after the load has ended.
const END_LIMIT: Duration = Duration::from_secs(300);

/// Runs the outage; an `Ok` means that every goal was met.
///
/// # Errors
/// [`Error::QuotaTooSmall`] when no backlog could ever drain; [`Error::Found`] when a goal was missed and has been
/// printed; whatever stops the run before that.
pub async fn run(options: &cli::Outage) -> Result<(), Error> {
    if load::spare_per_s(options) <= 0.0 {
        return Err(Error::QuotaTooSmall { quota: options.quota, rate: options.rate });
    }
    let ours = stack(options, None).await?;
    let naive = if options.naive { Some(stack(options, Some(NAIVE)).await?) } else { None };
    let goals = measured::goals(options, &ours);
    if options.json {
        out::line(&print::json(options, (&ours, naive.as_ref()), &goals));
    } else {
        out::line(&print::table(options, (&ours, naive.as_ref()), &goals));
    }
    if goals.iter().all(|goal| goal.met) { Ok(()) } else { Err(Error::Found) }
}

/// One run in a stack of its own, with this program in the place of the function that settles.
async fn stack(options: &cli::Outage, settle_with: Option<&'static str>) -> Result<Measured, Error> {
    let adapter = settle_with.unwrap_or(SETTLES);
    out::note(&format!("Starting a stack that settles with {adapter} …"));
    let stack = Stack::start(StackOptions {
        stage: "local",
        state: workspace::private().join(format!("outage-{}", std::process::id())),
        servers: options.servers.from.as_str(),
        arguments: vec!["--provider-rate".to_owned(), options.quota.to_string()],
        instead: settle_with.map(|peer| (SETTLES, programs().join(peer))).into_iter().collect(),
        ..StackOptions::default()
    })
    .await?;
    let file = stack.state().join("sent.jsonl");
    let result = tokio::select! {
        result = on(&stack.info, options, &file) => result,
        () = demo::interrupted() => Err(Error::Interrupted),
    };
    stack.end_or_say().await;
    let measured = Measured { adapter, ..result? };
    out::note(&print::brief(&measured));
    Ok(measured)
}

async fn on(info: &Info, options: &cli::Outage, file: &Path) -> Result<Measured, Error> {
    let units = load::orders_at_most(options);
    let (kits, plenty) = (kits::catalog(), kits::plenty(units));
    let sql = info.sql().await?;
    database::seed(&sql, &kits, plenty).await?;
    sandbox::set_quota(info, options.quota).await?;
    let (reprice, variety) = (Repricing::Never, Variety::GoodOrders);
    let plan = Plan { units, seed: options.seed, start: demo::now(), reprice, variety };
    let (sent, enough) = (Cell::new(0), Cell::new(false));
    let (queues, orders, rate) = (&info.sqs(), info.queue("orders")?, options.rate);
    let products = info.queue("products")?;
    let run = Run { queues, orders, products, sql: &sql, rate, file, progress: &sent, enough: &enough };
    let work = async {
        let (sent, moments) =
            tokio::join!(sender::send(run, &plan), load::outage(info, &sql, options, &enough));
        sent.and(moments)
    };
    let moments = tokio::select! {
        moments = work => moments,
        error = progress::show(info, &sql, &sent) => error.map(|never| match never {}),
    };
    progress::end();
    let moments = moments?;
    out::note("The load has ended; waiting for what is still on its way …");
    settled(info, &sql, Told::Published, END_LIMIT).await?;
    let evidence = evidence::collect(info, file, &kits, plenty).await?;
    let watched = watched(info, moments).await?;
    Ok(Measured::new(options, &evidence.sent, judge(&evidence), &watched))
}

/// All counts, once everything has come to rest.
async fn watched(info: &Info, moments: Moments) -> Result<Watched, Error> {
    let status = info.status().await?;
    let log = figures::read(&info.log_dir.join(format!("{SETTLES}.log")))?;
    let function = status.functions.get(SETTLES).cloned().unwrap_or_default();
    let dead = status.depth("payments-dlq").total() + status.depth("orders-dlq").total();
    Ok(Watched { moments, log, function, dead, provider: sandbox::figures(info).await? })
}
