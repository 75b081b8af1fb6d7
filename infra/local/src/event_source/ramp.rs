//! How many batches may be in flight: five at first, up to 300 more a minute, down again when idle.
//!
//! Lambda's documented rules for a standard queue. Without `ReportBatchItemFailures` a failed invocation
//! reduces the number; with it, Lambda deliberately does not slow down.

use std::time::Duration;

use crate::clock::Instant;

/// Lambda starts with this many concurrent batches.
const FIRST: usize = 5;
/// One more batch after this time of all being busy: 300 a minute.
const STEP: Duration = Duration::from_millis(200);
/// Nothing in flight for this long, and the number is back at the first.
const IDLE: Duration = Duration::from_secs(15);
/// Failures never reduce it below this.
const LEAST: usize = 2;

/// The allowance of one event source.
#[derive(Debug, Clone)]
pub(super) struct Ramp {
    maximum: usize,
    allowed: usize,
    /// Since when all have been busy without another being allowed.
    full_since: Option<Instant>,
    /// Since when none has been busy.
    idle_since: Option<Instant>,
}

impl Ramp {
    /// With `maximum` as `MaximumConcurrency`.
    pub(super) fn new(maximum: u64) -> Self {
        let maximum = usize::try_from(maximum).unwrap_or(usize::MAX);
        Self { maximum, allowed: FIRST.min(maximum), full_since: None, idle_since: None }
    }

    /// Batches that may be in flight.
    pub(super) fn allowed(&self) -> usize {
        self.allowed
    }

    /// Time has passed until `now`, and `busy` batches are in flight.
    pub(super) fn pass(&mut self, now: Instant, busy: usize) {
        if busy > 0 {
            self.idle_since = None;
        } else if now.duration_since(*self.idle_since.get_or_insert(now)) >= IDLE {
            self.allowed = self.allowed.min(FIRST);
        }
        if busy < self.allowed {
            self.full_since = None;
            return;
        }
        let full_since = *self.full_since.get_or_insert(now);
        if now.duration_since(full_since) >= STEP && self.allowed < self.maximum {
            self.allowed += 1;
            self.full_since = Some(full_since + STEP);
        }
    }

    /// An invocation failed as a whole and the function does not report single failures.
    pub(super) fn failed(&mut self) {
        self.allowed = self.allowed.saturating_sub(1).max(LEAST.min(self.maximum));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    /// The allowance after `busy_for` of all being busy.
    #[track_caller]
    fn check(maximum: u64, busy_for: Duration, expected: usize) {
        let mut ramp = Ramp::new(maximum);
        let start = clock::now();
        let mut passed = Duration::ZERO;
        while passed <= busy_for {
            ramp.pass(start + passed, ramp.allowed());
            passed += STEP;
        }
        assert_eq!(ramp.allowed(), expected, "maximum {maximum} after {busy_for:?}");
    }

    #[test]
    fn it_starts_with_five_or_the_maximum() {
        check(50, Duration::ZERO, 5);
        check(4, Duration::ZERO, 4);
        check(4, Duration::from_secs(60), 4);
    }

    #[test]
    fn it_grows_by_300_a_minute_up_to_the_maximum() {
        check(1_000, Duration::from_secs(1), 10);
        check(1_000, Duration::from_secs(60), 305);
        check(50, Duration::from_secs(60), 50);
    }

    #[test]
    fn it_does_not_grow_while_a_worker_waits_for_messages() {
        let mut ramp = Ramp::new(50);
        let start = clock::now();
        for second in 0..60 {
            ramp.pass(start + Duration::from_secs(second), 4);
        }
        assert_eq!(ramp.allowed(), 5);
    }

    #[test]
    fn it_falls_back_when_idle_and_shrinks_on_failures() {
        let mut ramp = Ramp { allowed: 40, ..Ramp::new(50) };
        ramp.failed();
        assert_eq!(ramp.allowed(), 39);
        let start = clock::now();
        ramp.pass(start, 0);
        ramp.pass(start + IDLE, 0);
        assert_eq!(ramp.allowed(), 5);
        for _ in 0..10 {
            ramp.failed();
        }
        assert_eq!(ramp.allowed(), 2);
    }
}
