//! What the clock invokes: a schedule per function, with the event that EventBridge Scheduler sends.
//!
//! A tick invokes the function whether or not the run before has ended, as AWS does; one that finds the function at
//! its cap is skipped and counted. A run that fails is not repeated: the next tick is soon.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::{
    clock,
    lambda_host::{Answer, Host, Refusal},
    sqs::ACCOUNT_ID,
};

/// A function's schedule. Dropping or stopping it ends the ticks; runs go on.
#[derive(Debug)]
pub struct Schedule {
    shared: Arc<Shared>,
    ticking: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    function: String,
    every: Duration,
    region: String,
    host: Host,
    enabled: AtomicBool,
    tally: Mutex<Tally>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    runs: u64,
    skipped: u64,
    failed: u64,
    last_run_at_ms: Option<u64>,
    last_duration_ms: Option<u64>,
}

/// What a schedule has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScheduleFigures {
    /// Whether the clock invokes the function now.
    pub enabled: bool,
    /// Seconds between two ticks.
    pub every_s: u64,
    /// Runs that ended, by the clock and on demand.
    pub runs: u64,
    /// Ticks without a run, because the function was at its cap or throttled.
    pub skipped: u64,
    /// Runs that ended in a function error.
    pub failed: u64,
    /// When the last run that ended had begun, in Unix milliseconds.
    pub last_run_at_ms: Option<u64>,
    /// How long it took.
    pub last_duration_ms: Option<u64>,
}

impl Schedule {
    /// Invokes `function` of `host` every `every`, the first time after that much time.
    #[must_use]
    pub fn start(function: &str, every: Duration, region: &str, host: Host) -> Self {
        let shared = Arc::new(Shared {
            function: function.to_owned(),
            every,
            region: region.to_owned(),
            host,
            enabled: AtomicBool::new(true),
            tally: Mutex::default(),
        });
        let ticking = tokio::spawn(tick(Arc::clone(&shared)));
        Self { shared, ticking }
    }

    /// Runs the function now, also while the schedule is disabled, and waits for its answer.
    ///
    /// # Errors
    /// [`Refusal`], when the function was not run.
    pub async fn run(&self) -> Result<Answer, Refusal> {
        self.shared.run().await
    }

    /// Lets the clock invoke the function, or not.
    pub fn set_enabled(&self, enabled: bool) {
        self.shared.enabled.store(enabled, Ordering::Relaxed);
    }

    /// What the schedule has done.
    #[must_use]
    pub fn figures(&self) -> ScheduleFigures {
        let Tally { runs, skipped, failed, last_run_at_ms, last_duration_ms } = *self.shared.tally();
        ScheduleFigures {
            enabled: self.shared.enabled.load(Ordering::Relaxed),
            every_s: self.shared.every.as_secs(),
            runs,
            skipped,
            failed,
            last_run_at_ms,
            last_duration_ms,
        }
    }

    /// Ends the ticks.
    pub fn stop(&self) {
        self.ticking.abort();
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Ticks until it is aborted.
async fn tick(shared: Arc<Shared>) {
    loop {
        clock::sleep(shared.every).await;
        if shared.enabled.load(Ordering::Relaxed) {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move { shared.run().await });
        }
    }
}

impl Shared {
    async fn run(&self) -> Result<Answer, Refusal> {
        let (began, began_at_ms) = (clock::now(), clock::now_ms());
        let answered =
            self.host.invoke(&self.function, event(&self.function, &self.region, began_at_ms)).await;
        let mut tally = self.tally();
        match &answered {
            Ok(answer) => {
                tally.runs += 1;
                tally.failed += u64::from(answer.failure.is_some());
                tally.last_run_at_ms = Some(began_at_ms);
                tally.last_duration_ms = Some(clock::whole_ms(began.elapsed()));
            }
            Err(_) => tally.skipped += 1,
        }
        answered
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The event of a schedule without an input of its own. Source: EventBridge Scheduler, "Managing a schedule's
/// targets".
fn event(function: &str, region: &str, now_ms: u64) -> Bytes {
    let seconds = i64::try_from(now_ms / 1_000).unwrap_or_default();
    let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    let event = json!({
        "version": "0",
        "id": uuid::Uuid::new_v4().to_string(),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": ACCOUNT_ID,
        "time": time.to_string(),
        "region": region,
        "resources": [format!("arn:aws:scheduler:{region}:{ACCOUNT_ID}:schedule/default/{function}")],
        "detail": "{}",
    });
    Bytes::from(event.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_event_is_that_of_a_scheduler() {
        let event: Value =
            serde_json::from_slice(&event("probe", "eu-central-1", 1_795_500_000_999)).unwrap();
        assert_eq!(event["source"], "aws.scheduler");
        assert_eq!(event["time"], "2026-11-24T06:00:00Z");
        assert_eq!(event["detail"], "{}", "a string, as AWS sends it");
        let arn = "arn:aws:scheduler:eu-central-1:000000000000:schedule/default/probe";
        assert_eq!(event["resources"], json!([arn]));
    }
}
