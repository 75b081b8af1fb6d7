//! How long to wait before the same key is sent again: pure arithmetic.

use std::time::Duration;

use backoff::{Random, full_jitter};

use crate::decision::{Again, SOON};

/// Attempts beyond the first that one invocation makes; more is the queue's business.
pub(super) const RETRIES_MAX: u32 = 2;

/// Bound of the first pause; doubles with the second.
const BASE: Duration = Duration::from_millis(100);

/// No jittered pause is longer.
const CAP: Duration = Duration::from_secs(2);

/// How much longer than the jittered pause a `Retry-After` may make us wait. Longer waits are the queue's.
const EXTRA_MAX: Duration = Duration::from_secs(5);

/// The pause before retry number `retry`, counted from 0; `None` where there is to be none.
pub(super) fn before_retry(
    random: &Random,
    again: Again,
    retry_after: Option<Duration>,
    retry: u32,
) -> Option<Duration> {
    if retry >= RETRIES_MAX {
        return None;
    }
    let least = match again {
        Again::Never => return None,
        Again::AtOnce if retry == 0 => return Some(Duration::ZERO),
        Again::Soon if retry_after.is_some_and(|wait| wait > SOON) => return None,
        Again::AtOnce | Again::Soon => Duration::ZERO,
        Again::Backoff(least) => least,
    };
    let pause = least + full_jitter(random, BASE, CAP, retry);
    Some(retry_after.unwrap_or_default().clamp(pause, pause + EXTRA_MAX))
}

#[cfg(test)]
mod tests {
    use super::{BASE, CAP, EXTRA_MAX, before_retry};
    use crate::decision::{Again, SOON};
    use backoff::Random;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
    use std::time::Duration;

    proptest! {
        #[test]
        fn a_pause_is_at_least_what_is_asked_for_and_never_much_longer(
            seed in any::<u64>(), least_ms in 0_u64..1_000, asked_ms in 0_u64..20_000, retry in 0_u32..2,
        ) {
            let (least, asked) = (Duration::from_millis(least_ms), Duration::from_millis(asked_ms));
            let pause = before_retry(&Random::seeded(seed), Again::Backoff(least), Some(asked), retry).unwrap();
            let jitter_max = (BASE * 2_u32.pow(retry)).min(CAP);
            prop_assert!(pause >= least);
            prop_assert!(pause >= asked.min(EXTRA_MAX));
            prop_assert!(pause <= least + jitter_max + EXTRA_MAX);
            prop_assert!(pause <= asked.max(least + jitter_max));
        }

        #[test]
        fn without_a_wish_of_the_provider_a_pause_is_full_jitter(seed in any::<u64>(), retry in 0_u32..2) {
            let pause = before_retry(&Random::seeded(seed), Again::Backoff(Duration::ZERO), None, retry).unwrap();
            prop_assert!(pause <= BASE * 2_u32.pow(retry));
        }

        #[test]
        fn there_are_two_retries_and_no_more(seed in any::<u64>(), retry in 2_u32.., asked_ms in 0_u64..1_000) {
            let asked = Some(Duration::from_millis(asked_ms));
            for again in [Again::Never, Again::AtOnce, Again::Soon, Again::Backoff(Duration::ZERO)] {
                prop_assert_eq!(before_retry(&Random::seeded(seed), again, asked, retry), None);
            }
        }
    }

    #[test]
    fn a_frozen_socket_is_replaced_at_once_and_only_once() {
        let random = Random::seeded(1);
        assert_eq!(before_retry(&random, Again::AtOnce, None, 0), Some(Duration::ZERO));
        assert!((0..100).any(|_| before_retry(&random, Again::AtOnce, None, 1) > Some(Duration::ZERO)));
    }

    #[test]
    fn a_throttled_attempt_is_repeated_only_where_the_wait_is_short() {
        let random = Random::seeded(1);
        assert!(before_retry(&random, Again::Soon, Some(SOON), 0) >= Some(SOON));
        assert_eq!(before_retry(&random, Again::Soon, Some(SOON + Duration::from_millis(1)), 0), None);
        assert!(before_retry(&random, Again::Soon, None, 0).is_some());
        assert_eq!(before_retry(&random, Again::Never, None, 0), None);
    }
}
