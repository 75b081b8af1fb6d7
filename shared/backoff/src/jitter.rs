//! Full jitter, for pauses inside an invocation and for messages that go back to their queue.

use std::time::Duration;

use crate::Random;

/// The longest that a message is hidden after a transient failure: long enough that an outage costs few receives,
/// short enough that recovery is noticed within minutes.
pub const VISIBILITY_MAX_S: u32 = 300;

/// A pause before attempt number `attempt` + 1: uniform from nothing to `base` × 2^`attempt`, at most `cap`.
#[must_use]
pub fn full_jitter(random: &Random, base: Duration, cap: Duration, attempt: u32) -> Duration {
    let bound = base.saturating_mul(2_u32.saturating_pow(attempt)).min(cap);
    // 584 years fit into 64 bits of nanoseconds.
    let bound_ns = u64::try_from(bound.as_nanos()).unwrap_or(u64::MAX);
    Duration::from_nanos(random.between(0, bound_ns))
}

/// How long a message whose record failed for now stays hidden, in seconds, given how often it was received: full
/// jitter up to min(2^receives, 300), never below 1, since 0 would hand it straight to the next poller.
#[must_use]
pub fn transient_visibility_s(random: &Random, receive_count: u32) -> u32 {
    let bound_s = 2_u32.saturating_pow(receive_count).min(VISIBILITY_MAX_S);
    u32::try_from(random.between(1, u64::from(bound_s))).unwrap_or(VISIBILITY_MAX_S)
}

#[cfg(test)]
mod tests {
    use super::{full_jitter, transient_visibility_s};
    use crate::Random;
    use proptest::prelude::{any, prop_assert, proptest};
    use std::time::Duration;

    proptest! {
        #[test]
        fn a_pause_stays_below_its_bound_and_its_cap(
            seed in any::<u64>(), base_ms in 0_u64..100_000, cap_ms in 0_u64..100_000, attempt in any::<u32>(),
        ) {
            let (base, cap) = (Duration::from_millis(base_ms), Duration::from_millis(cap_ms));
            let pause = full_jitter(&Random::seeded(seed), base, cap, attempt);
            prop_assert!(pause <= cap);
            prop_assert!(pause <= base.saturating_mul(2_u32.saturating_pow(attempt)));
        }

        #[test]
        fn a_message_is_hidden_for_1_to_300_s_and_at_most_2_to_the_receives(seed in any::<u64>(), receives in any::<u32>()) {
            let hidden_s = transient_visibility_s(&Random::seeded(seed), receives);
            prop_assert!((1..=300).contains(&hidden_s));
            prop_assert!(hidden_s <= 2_u32.saturating_pow(receives).max(1));
        }
    }

    #[test]
    fn pauses_use_their_whole_range() {
        let random = Random::seeded(1);
        let pauses: Vec<u128> = (0..1_000)
            .map(|_| full_jitter(&random, Duration::from_millis(25), Duration::MAX, 2).as_millis())
            .collect();
        assert!(pauses.iter().any(|&ms| ms < 5) && pauses.iter().any(|&ms| ms > 95));
        let hidden: Vec<u32> = (0..5_000).map(|_| transient_visibility_s(&random, 20)).collect();
        assert!(hidden.contains(&1) && hidden.contains(&300));
    }
}
