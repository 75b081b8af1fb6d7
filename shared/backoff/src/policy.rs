//! How often, how fast and for how long each callee is tried: one documented policy per callee.

use std::time::Duration;

use crate::{Clock, Deadline, Random, full_jitter};

/// How long opening a connection to a service of AWS may take. In a region it takes 5 ms with TLS; the SDK's default of
/// 3.1 s would use up an attempt. One value for all of them, because their HTTP client keeps a pool for each.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// The bounds of trying one callee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Attempts in all, the first included; at least one is always made if the deadline allows it.
    pub attempts: u32,
    /// Bound of the first pause; doubles with each further one.
    pub base: Duration,
    /// No pause is longer.
    pub cap: Duration,
    /// The most that one attempt may take. Whoever makes the attempt enforces it: see [`Policy::attempt_limit`].
    pub attempt_timeout: Duration,
    /// The least time in which an attempt can succeed. With less left, none is started.
    pub attempt_least: Duration,
}

impl Policy {
    /// The RDS Data API. One retry: it heals a dropped connection, a deadlock or a failing front end; what lasts
    /// longer goes back to its queue, which waits better than a billed function does. The pauses are short because an
    /// order should be accepted within 100 ms. An attempt ends half a second after the database has stopped the
    /// statement itself (`statement_timeout` 3 s), so that a second one never runs beside the first. A warm call
    /// takes 15 ms in the middle and up to 80 ms: with less than 100 ms left, one would end as unknown.
    #[must_use]
    pub const fn data_api() -> Self {
        Self {
            attempts: 2,
            base: Duration::from_millis(25),
            cap: Duration::from_millis(100),
            attempt_timeout: Duration::from_millis(3_500),
            attempt_least: Duration::from_millis(100),
        }
    }

    /// Publishing to SQS. One retry of what was not taken: entries of a batch fail one by one, and most pass a moment
    /// later. A send takes 10 ms; one that took a second is lost.
    #[must_use]
    pub const fn sqs_publish() -> Self {
        Self {
            attempts: 2,
            base: Duration::from_millis(25),
            cap: Duration::from_millis(100),
            attempt_timeout: Duration::from_secs(1),
            attempt_least: Duration::from_millis(50),
        }
    }

    /// The pause before attempt number `attempt`, counted from 0 (which nobody waits for).
    #[must_use]
    pub fn pause(&self, random: &Random, attempt: u32) -> Duration {
        match attempt.checked_sub(1) {
            None => Duration::ZERO,
            Some(retry) => full_jitter(random, self.base, self.cap, retry),
        }
    }

    /// How long an attempt that starts now may take: the attempt timeout, or what the deadline leaves of it.
    #[must_use]
    pub fn attempt_limit(&self, clock: &impl Clock, deadline: Deadline) -> Duration {
        self.attempt_timeout.min(deadline.remaining(clock))
    }
}

#[cfg(test)]
mod tests {
    use super::Policy;
    use crate::{Deadline, ManualClock, Random};
    use std::time::Duration;

    #[test]
    fn the_first_attempt_waits_for_nothing_and_later_ones_for_at_most_twice_as_long_each() {
        let (random, policy) = (Random::seeded(1), Policy::data_api());
        let longest = |attempt| (0..2_000).map(|_| policy.pause(&random, attempt).as_millis()).max();
        assert_eq!(longest(0), Some(0));
        for (attempt, bound_ms) in [(1, 25), (2, 50), (3, 100), (4, 100)] {
            assert!(longest(attempt).is_some_and(|ms| ms <= bound_ms && ms >= bound_ms - bound_ms / 10));
        }
    }

    #[test]
    fn an_attempt_is_limited_by_its_timeout_and_by_the_deadline() {
        let (clock, policy) = (ManualClock::at_ms(0), Policy::data_api());
        let limit = |ahead| policy.attempt_limit(&clock, Deadline::after(&clock, ahead));
        assert_eq!(limit(Duration::from_secs(10)), policy.attempt_timeout);
        assert_eq!(limit(Duration::from_secs(1)), Duration::from_secs(1));
    }
}
