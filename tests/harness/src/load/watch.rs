//! A look at the stack once a second: what has arrived, what is done, what waits and for how long, who works.

use crate::Error;
use crate::control::Status;
use crate::progress;
use crate::report::float;
use crate::stack::Info;
use backoff::{Clock as _, SystemClock};
use std::cell::RefCell;
use std::convert::Infallible;
use std::time::Duration;

/// How often is looked.
const PERIOD: Duration = Duration::from_secs(1);

/// The function that accepts orders.
const ACCEPTS: &str = "process-orders";

/// What was seen at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Sample {
    /// When, in Unix milliseconds.
    pub(super) at_ms: u64,
    /// Messages that have come into the orders queue so far.
    pub(super) arrived: u64,
    /// Messages that are done with so far.
    pub(super) processed: u64,
    /// Messages in the queue, those in hand included.
    pub(super) backlog: u64,
    /// The age of the oldest of them that was received once, in milliseconds; 0 when there is none.
    pub(super) oldest_age_ms: u64,
    /// Instances of the function that accepts orders.
    pub(super) instances: u64,
    /// Payment requests in their queue.
    pub(super) to_pay: u64,
    /// The most memory that one of these instances has, in KiB.
    pub(super) memory_kb: u64,
    /// The most memory that an instance has had so far, in KiB.
    pub(super) memory_kb_max: u64,
    /// The most files, sockets and the like that one of these instances has open.
    pub(super) open_handles: u64,
}

impl Sample {
    /// What arrived is what is done and what is still there: the queue's own count, not the generator's.
    fn of(status: &Status, at_ms: u64) -> Self {
        let source = status.event_sources.get(ACCEPTS).copied().unwrap_or_default();
        let function = status.functions.get(ACCEPTS).cloned().unwrap_or_default();
        let backlog = status.depth("orders").total();
        Self {
            at_ms,
            arrived: source.deleted + backlog,
            processed: source.deleted,
            backlog,
            oldest_age_ms: source.oldest_age_ms.unwrap_or_default(),
            instances: function.instances,
            to_pay: status.depth("payments").total(),
            memory_kb: function.memory_kb,
            memory_kb_max: function.memory_kb_max,
            open_handles: function.open_handles,
        }
    }

    /// Messages a second since an earlier look: arrived, and done.
    pub(super) fn rates_since(&self, before: &Self) -> (f64, f64) {
        let seconds = (float(self.at_ms.saturating_sub(before.at_ms)) / 1_000.0).max(0.001);
        let rate = |now: u64, before: u64| float(now.saturating_sub(before)) / seconds;
        (rate(self.arrived, before.arrived), rate(self.processed, before.processed))
    }
}

/// Looks once a second until the caller has enough; `tick` is called each time.
pub(super) async fn watch(
    info: &Info,
    samples: &RefCell<Vec<Sample>>,
    tick: impl Fn(),
) -> Result<Infallible, Error> {
    let start = SystemClock.monotonic();
    for nth in 0.. {
        SystemClock.sleep((start + PERIOD * nth).saturating_sub(SystemClock.monotonic())).await;
        tick();
        let sample = Sample::of(&info.status().await?, SystemClock.now_ms());
        let before = samples.borrow().last().copied().unwrap_or(sample);
        progress::print(&line(&sample, sample.rates_since(&before), nth));
        samples.borrow_mut().push(sample);
    }
    std::future::pending().await
}

fn line(sample: &Sample, (arrived, processed): (f64, f64), seconds: u32) -> String {
    let Sample { backlog, oldest_age_ms, instances, to_pay, .. } = sample;
    format!(
        "{seconds:>4} s   offered {arrived:>5.0}/s   processed {processed:>5.0}/s   backlog {backlog:>5}   oldest {oldest_age_ms:>5} ms   instances {instances:>2}   to pay {to_pay:>6}"
    )
}

#[cfg(test)]
mod tests {
    use super::Sample;
    use serde_json::json;

    #[test]
    fn what_arrived_is_done_or_still_there() {
        let status = serde_json::from_value(json!({
            "queues": {"orders": {"visible": 3, "in_flight": 20, "delayed": 0}, "payments": {"visible": 7}},
            "functions": {"process-orders": {
                "instances": 4, "memory_kb": 8000, "memory_kb_max": 9000, "open_handles": 12,
            }},
            "event_sources": {"process-orders": {"deleted": 100, "oldest_age_ms": 55}},
        }))
        .unwrap();
        let before = Sample { at_ms: 1_000, arrived: 73, processed: 60, ..Sample::default() };
        let sample = Sample::of(&status, 1_500);
        let expected = Sample {
            at_ms: 1_500,
            arrived: 123,
            processed: 100,
            backlog: 23,
            oldest_age_ms: 55,
            instances: 4,
            to_pay: 7,
            memory_kb: 8_000,
            memory_kb_max: 9_000,
            open_handles: 12,
        };
        assert_eq!(sample, expected);
        assert_eq!(sample.rates_since(&before), (100.0, 80.0));
    }
}
