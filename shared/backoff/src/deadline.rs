//! The moment by which an invocation must have answered.

use std::time::Duration;

use crate::Clock;

/// A moment in unix time. Cheap to copy, handed down every call path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
}

impl Deadline {
    /// The deadline that the Lambda runtime announces, in unix milliseconds.
    ///
    /// One that is not in the future says nothing: `cargo lambda watch` always sends 600000, ten minutes into 1970.
    /// The deadline is then `configured_timeout` from now, as for a host that announces none.
    #[must_use]
    pub fn from_lambda(clock: &impl Clock, deadline_ms: u64, configured_timeout: Duration) -> Self {
        if deadline_ms > clock.now_ms() {
            Self { at_ms: deadline_ms }
        } else {
            Self::after(clock, configured_timeout)
        }
    }

    /// The deadline that lies `duration` ahead.
    #[must_use]
    pub fn after(clock: &impl Clock, duration: Duration) -> Self {
        Self { at_ms: clock.now_ms().saturating_add(whole_ms(duration)) }
    }

    /// How much time is left; nothing once it has passed.
    #[must_use]
    pub fn remaining(self, clock: &impl Clock) -> Duration {
        Duration::from_millis(self.at_ms.saturating_sub(clock.now_ms()))
    }

    /// Whether something that takes `duration` would end in time.
    #[must_use]
    pub fn allows(self, clock: &impl Clock, duration: Duration) -> bool {
        duration <= self.remaining(clock)
    }

    /// The deadline `reserve` earlier: what is handed down where the caller has work left to do afterwards.
    #[must_use]
    pub fn earlier(self, reserve: Duration) -> Self {
        Self { at_ms: self.at_ms.saturating_sub(whole_ms(reserve)) }
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Deadline;
    use crate::ManualClock;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use std::time::Duration;

    const NOW_MS: u64 = 1_790_000_000_000;
    const TIMEOUT: Duration = Duration::from_secs(10);

    #[track_caller]
    fn check(deadline_ms: u64, remaining_ms: u64) {
        let clock = ManualClock::at_ms(NOW_MS);
        let deadline = Deadline::from_lambda(&clock, deadline_ms, TIMEOUT);
        assert_eq!(deadline.remaining(&clock), Duration::from_millis(remaining_ms));
    }

    #[test]
    fn a_deadline_ahead_is_taken_and_one_that_is_not_means_the_configured_timeout() {
        check(NOW_MS + 3_000, 3_000);
        check(NOW_MS + 1, 1);
        check(NOW_MS, 10_000);
        check(NOW_MS - 1, 10_000);
        check(600_000, 10_000);
        check(0, 10_000);
    }

    proptest! {
        #[test]
        fn time_passes_and_is_never_negative(ahead_ms in 0_u64..1_000_000, passed_ms in 0_u64..2_000_000, reserve_ms in any::<u64>()) {
            let clock = ManualClock::at_ms(NOW_MS);
            let deadline = Deadline::after(&clock, Duration::from_millis(ahead_ms));
            clock.advance(Duration::from_millis(passed_ms));
            let remaining = deadline.remaining(&clock);
            prop_assert_eq!(remaining, Duration::from_millis(ahead_ms.saturating_sub(passed_ms)));
            prop_assert!(deadline.allows(&clock, remaining));
            prop_assert!(!deadline.allows(&clock, remaining + Duration::from_nanos(1)));
            let earlier = deadline.earlier(Duration::from_millis(reserve_ms)).remaining(&clock);
            prop_assert_eq!(earlier, remaining.saturating_sub(Duration::from_millis(reserve_ms)));
        }
    }
}
