//! What one run did: the summary that is its answer, and the line that it leaves in the log. Both have the same numbers.
//!
//! Counts only: no id, no customer. Lines about single orders are written where something is wrong with one.

use std::time::Duration;

use order_store::Backlog;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use telemetry::{Emf, Field, Metric, catalogue};

/// What one run did, duty by duty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Events that were not published.
    pub events: Events,
    /// Orders that nobody could pay in time.
    pub expiries: Expiries,
    /// Payments whose outcome was not known.
    pub unknown: Unknown,
    /// Failed attempts whose holds were looked for.
    pub sweeps: Sweeps,
    /// The provider's charges, held against the rows.
    pub compare: Compare,
    /// What waited before parked payments were published; `None` where it could not be counted.
    pub backlog: Option<Backlog>,
    /// Parked payments.
    pub pump: Pump,
    /// Calls to the provider that were asked for, second attempts aside.
    pub provider_calls: u32,
    /// Duties that stopped before their work was done, each with its reason.
    pub stopped: Vec<(&'static str, &'static str)>,
}

/// Events that were not published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Events {
    /// Read as unsent.
    pub unsent: usize,
    /// Taken by the queue.
    pub published: usize,
}

/// Orders that nobody could pay in time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expiries {
    /// Ended by this run.
    pub expired: usize,
}

/// Payments whose outcome was not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unknown {
    /// Taken by this run.
    pub taken: usize,
    /// Moved, because the provider has said what stands.
    pub moved: usize,
    /// Given up after the quarantine.
    pub given_up: usize,
    /// Still unknown.
    pub waiting: usize,
    /// Charges canceled beside the one that a moved row names.
    pub canceled: usize,
}

/// Failed attempts whose holds were looked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sweeps {
    /// Taken by this run.
    pub taken: usize,
    /// Holds canceled.
    pub canceled: usize,
    /// Attempts whose charges the provider did not show.
    pub unseen: usize,
}

/// The provider's charges, held against the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compare {
    /// Windows compared as a whole.
    pub windows: usize,
    /// Charges in them that name an attempt of ours.
    pub charges: usize,
    /// Where provider and rows disagreed, orphan holds included.
    pub differences: usize,
    /// Orphan holds canceled.
    pub canceled: usize,
    /// What is left to compare, in seconds of the provider's time, the lag aside.
    pub behind_s: u64,
}

/// Parked payments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pump {
    /// Turns in which the store was asked.
    pub turns: usize,
    /// Requests published.
    pub published: usize,
    /// Rows that were waiting at the last turn.
    pub waiting: u64,
}

impl Summary {
    /// Every count by its name.
    fn counts(&self) -> [(&'static str, u64); 18] {
        let Self { events, expiries, unknown, sweeps, compare, pump, .. } = self;
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        [
            ("events.unsent", count(events.unsent)),
            ("events.published", count(events.published)),
            ("expiries.expired", count(expiries.expired)),
            ("unknown.taken", count(unknown.taken)),
            ("unknown.moved", count(unknown.moved)),
            ("unknown.given_up", count(unknown.given_up)),
            ("unknown.waiting", count(unknown.waiting)),
            ("unknown.canceled", count(unknown.canceled)),
            ("sweeps.taken", count(sweeps.taken)),
            ("sweeps.canceled", count(sweeps.canceled)),
            ("sweeps.unseen", count(sweeps.unseen)),
            ("compare.windows", count(compare.windows)),
            ("compare.charges", count(compare.charges)),
            ("compare.differences", count(compare.differences)),
            ("compare.canceled", count(compare.canceled)),
            ("pump.turns", count(pump.turns)),
            ("pump.published", count(pump.published)),
            ("pump.waiting", pump.waiting),
        ]
    }

    /// What an alarm looks at, run by run. Zeros are said as well: they end an alarm.
    fn gauges(&self) -> impl Iterator<Item = (&'static Metric, u64)> + use<> {
        let of = |backlog: Backlog| {
            [
                (&catalogue::PARKED_WAITING, backlog.parked),
                (&catalogue::PARKED_AGE, backlog.parked_s),
                (&catalogue::UNKNOWN_WAITING, backlog.unknown),
                (&catalogue::UNKNOWN_AGE, backlog.unknown_s),
                (&catalogue::REVIEW_WAITING, backlog.review),
                (&catalogue::CAPTURED_NOT_CONFIRMED, backlog.captured_not_confirmed),
                (&catalogue::EVENTS_UNSENT, backlog.unsent),
            ]
        };
        let behind = (&catalogue::COMPARE_BEHIND, self.compare.behind_s);
        self.backlog.map(of).into_iter().flatten().chain([behind])
    }
}

/// The answer: one flat object.
impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, count) in self.counts() {
            map.serialize_entry(name, &count)?;
        }
        for (metric, value) in self.gauges() {
            map.serialize_entry(metric.name, &value)?;
        }
        map.serialize_entry("provider.calls", &self.provider_calls)?;
        let stopped: Vec<String> =
            self.stopped.iter().map(|(duty, reason)| format!("{duty}: {reason}")).collect();
        map.serialize_entry("stopped", &stopped)?;
        map.end()
    }
}

/// The line of one run: its summary, and what only the invocation knows.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// What the run did.
    pub summary: &'a Summary,
    /// When it ended, Unix milliseconds.
    pub now_ms: u64,
    /// From the event's arrival to its answer.
    pub duration: Duration,
    /// Data API calls since the line before, second attempts included.
    pub data_api: data_api::Counts,
    /// What calls to the provider came to since the line before.
    pub provider: payments::Counts,
    /// Commands sent to Redis.
    pub redis_calls: u64,
    /// Whether the gate had to go on without Redis, on this instance's share of the limit.
    pub redis_degraded: bool,
    /// Whether this was the instance's first run.
    pub cold_start: bool,
}

impl From<&Line<'_>> for Emf {
    fn from(line: &Line<'_>) -> Self {
        let Line { summary, .. } = line;
        let mut emf = Self::new("run ended", line.now_ms);
        for (name, count) in summary.counts() {
            emf.field(name, Field::Number(count));
        }
        emf.field("provider.calls", Field::Number(summary.provider_calls.into()));
        emf.invocation(line.duration, line.cold_start);
        for (metric, value) in summary.gauges() {
            emf.gauge(metric, value);
        }
        emf.count(&catalogue::ORDERS_UNPAID, summary.expiries.expired);
        emf.count(&catalogue::DIFFERENCES, summary.compare.differences);
        for (duty, _) in &summary.stopped {
            emf.count_by(&catalogue::DUTIES_STOPPED, duty, 1_u64);
        }
        line.provider.write(&mut emf);
        line.data_api.write(&mut emf);
        emf.count(&catalogue::REDIS_CALLS, line.redis_calls);
        emf.count(&catalogue::GATE_DEGRADED, u64::from(line.redis_degraded));
        emf
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use order_store::Backlog;
    use telemetry::Emf;

    use super::{Line, Pump, Summary};

    #[test]
    fn the_line_has_every_number_of_the_answer() {
        let pump = Pump { turns: 1, published: 7, waiting: 3 };
        let backlog = Some(Backlog { parked: 3, parked_s: 90, ..Backlog::default() });
        let stopped = vec![("sweeps", "breaker_open")];
        let summary = Summary { pump, backlog, stopped, provider_calls: 2, ..Summary::default() };
        let answer = serde_json::to_value(&summary).unwrap();
        assert_eq!((&answer["pump.published"], &answer["payments.parked.age"]), (&7.into(), &90.into()));
        assert_eq!(answer["stopped"], serde_json::json!(["sweeps: breaker_open"]));
        let line = Line {
            summary: &summary,
            now_ms: 0,
            duration: Duration::ZERO,
            data_api: data_api::Counts::default(),
            provider: payments::Counts::default(),
            redis_calls: 3,
            redis_degraded: false,
            cold_start: true,
        };
        let emf = Emf::from(&line);
        let said: Vec<&str> = emf.names().collect();
        let missing = answer.as_object().unwrap().keys().filter(|name| !said.contains(&name.as_str()));
        assert_eq!(missing.collect::<Vec<_>>(), ["stopped"], "which is counted by duty");
        assert!(said.contains(&"reconcile.duties.stopped.sweeps"), "{said:?}");
    }
}
