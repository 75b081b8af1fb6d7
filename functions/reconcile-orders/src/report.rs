//! What one run did: the summary that is its answer, and the line that it leaves in the log. Both have the same numbers.
//!
//! Counts only: no id, no customer. Lines about single orders are written where something is wrong with one.

use std::time::Duration;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use telemetry::{fields, rfc3339};

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
    fn counts(&self) -> [(&'static str, u64); 19] {
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
            ("compare.behind_s", compare.behind_s),
            ("pump.turns", count(pump.turns)),
            ("pump.published", count(pump.published)),
            ("pump.waiting", pump.waiting),
        ]
    }

    fn serialize_into<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        for (name, count) in self.counts() {
            map.serialize_entry(name, &count)?;
        }
        map.serialize_entry("provider.calls", &self.provider_calls)?;
        let stopped: Vec<String> =
            self.stopped.iter().map(|(duty, reason)| format!("{duty}: {reason}")).collect();
        map.serialize_entry("stopped", &stopped)
    }
}

/// The answer: one flat object.
impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.serialize_into(&mut map)?;
        map.end()
    }
}

/// The log line of one run: its summary, and what only the invocation knows.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// What the run did.
    pub summary: &'a Summary,
    /// When it ended, Unix milliseconds.
    pub now_ms: u64,
    /// From the event's arrival to its answer.
    pub duration: Duration,
    /// Data API calls of this invocation, second attempts included.
    pub data_api_calls: u64,
    /// Commands sent to Redis.
    pub redis_calls: u64,
    /// Whether this was the instance's first run.
    pub cold_start: bool,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("timestamp", &rfc3339(self.now_ms))?;
        line.serialize_entry("level", "INFO")?;
        line.serialize_entry("message", "run ended")?;
        line.serialize_entry("function", "reconcile-orders")?;
        self.summary.serialize_into(&mut line)?;
        line.serialize_entry(fields::DURATION_MS, &self.duration.as_millis())?;
        line.serialize_entry(fields::DATA_API_CALLS, &self.data_api_calls)?;
        line.serialize_entry(fields::REDIS_CALLS, &self.redis_calls)?;
        line.serialize_entry("cold_start", &self.cold_start)?;
        line.end()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::{Line, Pump, Summary};

    #[test]
    fn the_line_has_every_number_of_the_answer() {
        let pump = Pump { turns: 1, published: 7, waiting: 3 };
        let stopped = vec![("sweeps", "breaker_open")];
        let summary = Summary { pump, stopped, provider_calls: 2, ..Summary::default() };
        let answer = serde_json::to_value(&summary).unwrap();
        let line = Line {
            summary: &summary,
            now_ms: 0,
            duration: Duration::ZERO,
            data_api_calls: 9,
            redis_calls: 3,
            cold_start: true,
        };
        let line = serde_json::to_value(&line).unwrap();
        assert_eq!(answer["pump.published"], 7);
        assert_eq!(answer["stopped"], serde_json::json!(["sweeps: breaker_open"]));
        let missing =
            |(name, value): (&String, &Value)| (line.get(name) != Some(value)).then(|| name.clone());
        assert_eq!(answer.as_object().unwrap().iter().filter_map(missing).collect::<Vec<_>>(), [""; 0]);
    }
}
