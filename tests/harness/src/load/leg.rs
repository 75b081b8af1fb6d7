//! One run of one shape against one fresh stack, from its first process to its last figure.

use super::k6::{self, Summary};
use super::machine::{self, Ticks};
use super::reconcile::{self, Found};
use super::watch::{self, Sample};
use crate::control::Status;
use crate::figures::{self, Batch};
use crate::kits::Kit;
use crate::settling::{Told, settled};
use crate::stack::{Info, Stack, StackOptions, poll_until};
use crate::{Error, database, demo, kits, progress, sandbox};
use backoff::{Clock as _, Random, SystemClock};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;
use xtask::cli::{LoadTest, Shape, Without};
use xtask::{out, workspace};

/// What the provider allows each endpoint, in calls a second: what one asks Stripe for before a campaign.
const QUOTA_PER_S: u32 = 100;

/// Orders that the shelves hold out for.
const ORDERS: usize = 1_000_000;

/// How long to wait for the orders queue to empty.
const DRAIN_LIMIT: Duration = Duration::from_secs(120);

/// How long is watched after that, for the picture.
const AFTER: Duration = Duration::from_secs(3);

/// The longest wait for payments: three times as long as the quota needs for them, and this.
const SETTLE_LIMIT_LEAST: Duration = Duration::from_secs(120);

/// How long the shape lasts in whose middle the provider fails, unless it is said otherwise.
const PROVIDER_DOWN_S: u64 = 60;

/// Rates at which the generator itself is tried, and for how long each: on a queue that nobody reads.
const OWN_RATES: &str = "LADDER_PER_S=1000,1500,2000,2500,3000,3500,4000";
const OWN_STEP: [&str; 2] = ["LADDER_STEP_S=4", "LADDER_GAP_S=1"];

/// What to run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings<'a> {
    /// The command.
    pub(super) options: &'a LoadTest,
    /// k6.
    pub(super) program: &'a Path,
    /// What is taken away in this leg.
    pub(super) without: Option<Without>,
}

/// What a leg has left.
#[derive(Debug, Clone, Default)]
pub(super) struct Leg {
    /// What k6 says.
    pub(super) summary: Summary,
    /// What the database and the queues hold.
    pub(super) found: Found,
    /// What the function that accepts says of its batches.
    pub(super) batches: Vec<Batch>,
    /// Once a second, from before the load to after the drain.
    pub(super) samples: Vec<Sample>,
    /// What was done to the stack meanwhile.
    pub(super) moments: Vec<Moment>,
    /// When the load ended, in Unix milliseconds.
    pub(super) ended_at_ms: u64,
    /// Seconds from there until the orders queue was empty; none when that was not waited for.
    pub(super) drained_s: Option<f64>,
    /// Seconds of one core that k6 used.
    pub(super) generator_cpu_s: Option<f64>,
    /// Which share of all cores was busy during the load.
    pub(super) busy: Option<f64>,
    /// The most messages a second that k6 could put on a queue that nobody reads, where that was tried.
    pub(super) own_limit_per_s: Option<f64>,
    /// Payments, where they were waited for.
    pub(super) settled: Option<Settled>,
    /// The figures of all parts at the end.
    pub(super) status: Status,
    /// What the local Data API adds to every call, in milliseconds.
    pub(super) data_api_rtt_ms: u64,
}

/// Something that was done to the stack.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// When, in Unix milliseconds.
    pub(super) at_ms: u64,
    /// What.
    pub(super) what: &'static str,
}

/// What became of the payments.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub(super) struct Settled {
    /// Seconds from the end of the load to the last payment.
    pub(super) seconds: f64,
    /// Paid orders.
    pub(super) confirmed: u64,
    /// Accepted orders that are neither paid nor declined.
    pub(super) unfinished: u64,
    /// Orders from which money was taken more than once, by the provider's ledger.
    pub(super) double_charged: u64,
    /// Calls beyond the provider's quota.
    pub(super) answered_429: u64,
}

/// Starts a stack, offers the load, waits for the drain, counts, and ends the stack.
pub(super) async fn run(settings: &Settings<'_>) -> Result<Leg, Error> {
    let what = settings.without.map_or(String::new(), |without| format!(" without {}", without.as_str()));
    out::note(&format!("Starting a stack{what} …"));
    let state = workspace::private().join(format!("load-{}", std::process::id()));
    let mut arguments = vec!["--provider-rate".to_owned(), QUOTA_PER_S.to_string()];
    if let Some(without) = settings.without {
        arguments.extend(["--settings".to_owned(), changed_settings(without)?.display().to_string()]);
    }
    let servers = settings.options.servers.from.as_str();
    let options = StackOptions { stage: "local", state, servers, arguments, ..StackOptions::default() };
    let stack = Stack::start(options).await?;
    let leg = tokio::select! {
        leg = on(&stack, settings) => leg,
        () = demo::interrupted() => Err(Error::Interrupted),
    };
    stack.end_or_say().await;
    leg
}

/// Writes a copy of the settings for a stack that lacks something; the functions themselves stay as they are. The folder of
/// a stack is emptied before it starts, so the copy stands beside it.
fn changed_settings(without: Without) -> Result<PathBuf, Error> {
    let file = workspace::private().join(format!("load-without-{}.json", without.as_str()));
    let mut settings = ours()?;
    let (place, value) = change(without);
    if let Some(setting) = settings.pointer_mut(place) {
        *setting = value;
    }
    std::fs::write(&file, settings.to_string())
        .map_err(|source| Error::File { path: file.clone(), source })?;
    Ok(file)
}

/// The settings of the checkout.
fn ours() -> Result<Value, Error> {
    let path = workspace::root().join("infra/settings.json");
    let text = std::fs::read_to_string(&path).map_err(|source| Error::File { path: path.clone(), source })?;
    serde_json::from_str(&text)
        .map_err(|source| Error::Unreadable { what: path.display().to_string(), source })
}

/// What the stage `local` adds to every Data API call, in milliseconds.
fn data_api_rtt_ms(settings: &Value) -> u64 {
    let places = ["/local/data_api_rtt_ms/local", "/local/data_api_rtt_ms/value"];
    places.iter().find_map(|place| settings.pointer(place)?.as_u64()).unwrap_or_default()
}

/// Where the settings are changed, and into what.
fn change(without: Without) -> (&'static str, Value) {
    match without {
        // Nobody listens on port 1: every look-up is refused at once and goes to the database.
        Without::Cache => {
            ("/functions/process-orders/environment/ORDERFLOW_REDIS_URL", json!("redis://127.0.0.1:1"))
        }
        Without::Batching => (
            "/functions/process-orders/event_source/batch_size",
            json!({"value": 1, "reason": "to see what batching is worth"}),
        ),
    }
}

async fn on(stack: &Stack, settings: &Settings<'_>) -> Result<Leg, Error> {
    let (info, kits): (&Info, Vec<Kit>) = (&stack.info, kits::catalog());
    let sql = info.sql().await?;
    database::seed(&sql, &kits, kits::plenty(ORDERS)).await?;
    sandbox::set_quota(info, QUOTA_PER_S).await?;
    let catalog = k6::catalog(stack.state(), &kits)?;
    if settings.options.shape == Shape::Smoke {
        k6::check(settings.program, stack.state(), &catalog).await?;
    }
    let own_limit_per_s = match settings.options.shape {
        Shape::Ladder => Some(own_limit(stack, settings, &catalog).await?),
        _ => None,
    };
    let prefix = run_name();
    let mut variables = vec![catalog, format!("RUN={prefix}"), format!("SEED={}", settings.options.seed)];
    variables
        .extend([format!("SQS_URL={}", info.sqs_url), format!("QUEUE_URL={}", info.queue("orders")?.url)]);
    if settings.options.shape == Shape::ProviderDown {
        variables.push(format!("BASELINE_S={PROVIDER_DOWN_S}"));
    }
    variables.extend(settings.options.set.iter().cloned());
    let (program, script) = (settings.program, settings.options.shape.as_str());
    out::note(&format!("k6 offers {script} to it."));
    let run = k6::Run { program, script, folder: stack.state(), variables };
    let mut leg = Leg { own_limit_per_s, ..offered(info, settings.options, &run).await? };
    progress::end();
    leg.found = reconcile::found(info, &sql, &prefix).await?;
    if settings.options.settle {
        leg.settled = Some(paid(info, &sql, &prefix, &leg).await?);
    }
    let log = info.log_dir.join("process-orders.log");
    let text = std::fs::read_to_string(&log).map_err(|source| Error::File { path: log, source })?;
    leg.batches = figures::batches(&text);
    leg.status = info.status().await?;
    leg.data_api_rtt_ms = data_api_rtt_ms(&ours()?);
    Ok(leg)
}

/// A name that no other run of the same stack has: letters, because digits may look like card numbers.
fn run_name() -> String {
    crate::orders::bodies::letters(&Random::seeded(SystemClock.now_ms()), 6)
}

/// How long the shape lasts in whose middle the provider fails.
fn provider_down_s(options: &LoadTest) -> u64 {
    let said = options.set.iter().filter_map(|variable| variable.strip_prefix("BASELINE_S="));
    said.filter_map(|seconds| seconds.parse().ok()).next_back().unwrap_or(PROVIDER_DOWN_S)
}

/// The load from its beginning until the queue is empty, watched all the time.
async fn offered(info: &Info, options: &LoadTest, run: &k6::Run<'_>) -> Result<Leg, Error> {
    let samples = RefCell::new(Vec::new());
    let ticks = Ticks::now();
    let child = run.start()?;
    let pid = child.id().unwrap_or_default();
    let generator_cpu_s = RefCell::new(None);
    let watching = watch::watch(info, &samples, || {
        // A process that has ended tells nothing any more: its last figure stays.
        let used = machine::cpu_s(pid);
        used.inspect(|used| *generator_cpu_s.borrow_mut() = Some(*used));
    });
    let work = async {
        let (summary, moments) = tokio::join!(run.end(child), provider_down(info, options));
        let moments = moments?;
        let (summary, ended) = (summary?, SystemClock.monotonic());
        let (ended_at_ms, busy) =
            (SystemClock.now_ms(), ticks.and_then(|before| Some(Ticks::now()?.busy_since(before))));
        let empty = async || Ok(info.status().await?.depth("orders").total() == 0);
        let drained = poll_until("an empty orders queue", DRAIN_LIMIT, empty).await;
        let after_s = SystemClock.monotonic().saturating_sub(ended).as_secs_f64();
        let drained_s = match drained {
            Ok(()) => Some(after_s),
            Err(Error::Never { .. }) => None,
            Err(error) => return Err(error),
        };
        SystemClock.sleep(AFTER).await;
        Ok(Leg { summary, moments, ended_at_ms, drained_s, busy, ..Leg::default() })
    };
    let leg = tokio::select! {
        leg = work => leg?,
        error = watching => return error.map(|never| match never {}),
    };
    Ok(Leg { samples: samples.take(), generator_cpu_s: generator_cpu_s.take(), ..leg })
}

/// Lets the provider fail in the middle half of a baseline, where that is the shape, and says when.
async fn provider_down(info: &Info, options: &LoadTest) -> Result<Vec<Moment>, Error> {
    if options.shape != Shape::ProviderDown {
        return Ok(Vec::new());
    }
    let quarter = Duration::from_secs(provider_down_s(options)) / 4;
    let seed = options.seed.into();
    SystemClock.sleep(quarter).await;
    sandbox::set_faults(info, seed, &[sandbox::fault("error_503", "*", 1.0)]).await?;
    let down = Moment { at_ms: SystemClock.now_ms(), what: "the provider fails" };
    SystemClock.sleep(2 * quarter).await;
    sandbox::set_faults(info, seed, &[]).await?;
    Ok(vec![down, Moment { at_ms: SystemClock.now_ms(), what: "the provider is back" }])
}

/// What k6 can do by itself on this machine: the most it could put on a queue that nobody reads, without being late once.
async fn own_limit(stack: &Stack, settings: &Settings<'_>, catalog: &str) -> Result<f64, Error> {
    out::note("k6 shows what it can do by itself, on a queue that nobody reads …");
    let queues = stack.info.sqs();
    let url = queues.create("generator-limit").await?;
    let mut variables = vec![catalog.to_owned(), format!("SQS_URL={}", stack.info.sqs_url)];
    variables.extend([format!("QUEUE_URL={url}"), OWN_RATES.to_owned()]);
    variables.extend(OWN_STEP.map(str::to_owned));
    let (program, script) = (settings.program, settings.options.shape.as_str());
    let run = k6::Run { program, script, folder: stack.state(), variables };
    let summary = run.end(run.start()?).await?;
    queues.remove(&url).await?;
    let kept_up = summary.steps.iter().take_while(|step| step.dropped == 0);
    Ok(kept_up.map(|step| crate::report::float(step.messages) / step.seconds()).fold(0.0, f64::max))
}

/// Waits for the payments, and looks at them.
async fn paid(info: &Info, sql: &tokio_postgres::Client, prefix: &str, leg: &Leg) -> Result<Settled, Error> {
    out::note("Waiting until everything is paid, at the provider's pace …");
    let needed = Duration::from_secs(leg.found.accepted / u64::from(QUOTA_PER_S));
    settled(info, sql, Told::Published, 3 * needed + SETTLE_LIMIT_LEAST).await?;
    let ended_ms = SystemClock.now_ms();
    let found = reconcile::found(info, sql, prefix).await?;
    Ok(Settled {
        seconds: crate::report::float(ended_ms.saturating_sub(leg.ended_at_ms)) / 1_000.0,
        confirmed: found.confirmed,
        unfinished: found.accepted.saturating_sub(found.confirmed + found.declined),
        double_charged: count(sandbox::ledger(info).await?.double_captures.len()),
        answered_429: sandbox::figures(info).await?.answered_429,
    })
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{change, data_api_rtt_ms};
    use serde_json::Value;
    use xtask::cli::Without;

    #[test]
    fn what_is_taken_away_is_a_setting_that_exists() {
        let text = include_str!("../../../../infra/settings.json");
        let settings: Value = serde_json::from_str(text).unwrap();
        for without in [Without::Cache, Without::Batching] {
            let (place, value) = change(without);
            let setting = settings.pointer(place).unwrap_or_else(|| panic!("{place} is not there"));
            assert_ne!(*setting, value);
        }
        assert!(data_api_rtt_ms(&settings) > 0);
    }
}
