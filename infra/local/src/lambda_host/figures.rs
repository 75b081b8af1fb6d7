//! What a function has done so far, for `/status` and for load reports.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::clock;

/// A duration beyond this counts as this: the longest that Lambda lets a function run.
const DURATION_US_MAX: u64 = 900_000_000;
/// Three significant digits: a p99 of 12.3 ms is told from 12.4.
const SIGNIFICANT_DIGITS: u8 = 3;

/// How often memory is read while invocations run.
const MEMORY_READ_EVERY: Duration = Duration::from_secs(1);

/// The running count of one function.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) cold_starts: u64,
    pub(super) invocations: u64,
    pub(super) errors: u64,
    pub(super) timeouts: u64,
    pub(super) crashes: u64,
    pub(super) throttles: u64,
    memory_kb_max: u64,
    /// When an invocation last had memory read.
    memory_read_at: Option<clock::Instant>,
    /// None only if the bounds above were wrong.
    durations_us: Option<Histogram<u64>>,
    init_us: Option<Histogram<u64>>,
}

impl Tally {
    pub(super) fn new() -> Self {
        let histogram = || Histogram::new_with_bounds(1, DURATION_US_MAX, SIGNIFICANT_DIGITS).ok();
        Self {
            cold_starts: 0,
            invocations: 0,
            errors: 0,
            timeouts: 0,
            crashes: 0,
            throttles: 0,
            memory_kb_max: 0,
            memory_read_at: None,
            durations_us: histogram(),
            init_us: histogram(),
        }
    }

    pub(super) fn record_duration(&mut self, duration: Duration) {
        record(self.durations_us.as_mut(), duration);
    }

    pub(super) fn record_init(&mut self, duration: Duration) {
        self.cold_starts += 1;
        record(self.init_us.as_mut(), duration);
    }

    /// Whether memory should be read again; each reading costs a system call or three.
    pub(super) fn memory_is_due(&self) -> bool {
        self.memory_read_at.is_none_or(|read_at| read_at.elapsed() > MEMORY_READ_EVERY)
    }

    pub(super) fn record_memory(&mut self, memory_kb_max: Option<u64>) {
        self.memory_read_at = Some(clock::now());
        self.memory_kb_max = self.memory_kb_max.max(memory_kb_max.unwrap_or_default());
    }

    /// The figures, with what is there now.
    pub(super) fn figures(&self, now: Now) -> FunctionFigures {
        FunctionFigures {
            instances: now.instances,
            busy: now.busy,
            cold_starts: self.cold_starts,
            invocations: self.invocations,
            errors: self.errors,
            timeouts: self.timeouts,
            crashes: self.crashes,
            throttles: self.throttles,
            memory_kb: now.memory_kb,
            memory_kb_max: self.memory_kb_max,
            open_handles: now.open_handles,
            duration_ms: quantiles(self.durations_us.as_ref()),
            init_ms: quantiles(self.init_us.as_ref()),
        }
    }
}

/// What is there when the figures are asked for, and is not counted along the way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Now {
    pub(super) instances: usize,
    pub(super) busy: usize,
    pub(super) memory_kb: u64,
    pub(super) open_handles: u64,
}

/// What one function has done.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FunctionFigures {
    /// Processes that exist, starting ones included.
    pub instances: usize,
    /// Processes that work on an invocation.
    pub busy: usize,
    /// Processes that came up.
    pub cold_starts: u64,
    /// Invocations handed to an instance, or refused one that could not start.
    pub invocations: u64,
    /// Invocations that ended in a function error of any kind; timeouts and crashes are among them.
    pub errors: u64,
    /// Invocations killed at their deadline.
    pub timeouts: u64,
    /// Processes that ended by themselves while starting or working.
    pub crashes: u64,
    /// Invocations refused because of the cap or the throttle fault.
    pub throttles: u64,
    /// The most memory that an instance has resident now; 0 when there is none.
    pub memory_kb: u64,
    /// The most memory any instance has had resident.
    pub memory_kb_max: u64,
    /// The most files, sockets and the like that an instance has open now; 0 when there is none.
    pub open_handles: u64,
    /// Invocation durations, without start-up.
    pub duration_ms: Quantiles,
    /// From spawning a process until it asked for its first event.
    pub init_ms: Quantiles,
}

/// A distribution in milliseconds; zeros when there was nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Quantiles {
    /// The median.
    pub p50: f64,
    /// One in a hundred was longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

fn record(histogram: Option<&mut Histogram<u64>>, duration: Duration) {
    let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    if let Some(histogram) = histogram {
        histogram.saturating_record(duration_us);
    }
}

fn quantiles(histogram: Option<&Histogram<u64>>) -> Quantiles {
    let Some(histogram) = histogram.filter(|histogram| !histogram.is_empty()) else {
        return Quantiles::default();
    };
    let ms = |duration_us: u64| Duration::from_micros(duration_us).as_secs_f64() * 1_000.0;
    Quantiles {
        p50: ms(histogram.value_at_quantile(0.5)),
        p99: ms(histogram.value_at_quantile(0.99)),
        max: ms(histogram.max()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_become_milliseconds() {
        let mut tally = Tally::new();
        for duration_ms in 1..=100 {
            tally.record_duration(Duration::from_millis(duration_ms));
        }
        let figures = tally.figures(Now::default());
        assert!((figures.duration_ms.p50 - 50.0).abs() < 0.1, "{figures:?}");
        assert!((figures.duration_ms.max - 100.0).abs() < 0.2, "{figures:?}");
        assert_eq!(figures.init_ms, Quantiles::default());
    }

    #[test]
    fn only_the_most_memory_outlasts_a_reading() {
        let mut tally = Tally::new();
        for memory_kb_max in [Some(9_000), Some(8_000), None] {
            tally.record_memory(memory_kb_max);
        }
        let figures = tally.figures(Now { memory_kb: 7_000, open_handles: 12, ..Now::default() });
        let found = (figures.memory_kb_max, figures.memory_kb, figures.open_handles);
        assert_eq!(found, (9_000, 7_000, 12));
    }
}
