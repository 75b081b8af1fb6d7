//! The numbers of the limiter, all derived from the provider's quota: what the shared state and a local share go by.
//!
//! The rule they keep: **no sliding second ever holds more permits than the quota**, although permits are used a
//! little later than they are for. At 0.9 of the quota, a quota of permits spans 1.11 s; of the 110 ms beyond the
//! second, [`TOLERANCE`] may be made up for after a pause, and the other 90 ms are for the jitter of sending.

use std::time::Duration;

use crate::Endpoint;
use crate::gate::GateSettings;
use crate::gate::window::Share;

/// How much of a missed interval may be made up for: the burst. Little, because jitter needs the rest.
pub(super) const TOLERANCE: Duration = Duration::from_millis(20);

/// The longest reservation: longer, and the queue is the better place to wait.
pub(super) const RESERVED_MAX: Duration = Duration::from_secs(2);

/// What the limiter goes by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    rate_per_s: u64,
    global_rate_per_s: u64,
    instances_max: u64,
}

impl Limits {
    /// A quota of 0 is taken for 1: paying stops by its own switch, not by a limit.
    pub(super) fn new(settings: &GateSettings) -> Self {
        Self {
            rate_per_s: u64::from(settings.rate_per_s.max(1)),
            global_rate_per_s: u64::from(settings.global_rate_per_s.max(1)),
            instances_max: u64::from(settings.instances_max.max(1)),
        }
    }

    /// The time between two permits of an endpoint, in the whole fleet.
    pub(super) fn interval(&self) -> Duration {
        interval(self.rate_per_s, 1)
    }

    /// How many permits of all endpoints a window of 1.1 s may hold for `endpoint` to get one more. Whatever ends a
    /// doubt or a hold goes first, then what brings orders in, then what can wait for hours.
    pub(super) fn window(&self, endpoint: Endpoint) -> u64 {
        let percent = match endpoint {
            Endpoint::LookUp | Endpoint::Cancel | Endpoint::Capture => 99,
            Endpoint::Authorize => 90,
            Endpoint::Refund => 60,
        };
        (self.global_rate_per_s * percent / 100).max(1)
    }

    /// What one process that knows nothing of the others may send to an endpoint: a whole number of permits in a window
    /// of a second and its jitter, so that the sum over all processes and endpoints stays within both quotas. With more
    /// processes than permits a second, the sum does so on average only.
    ///
    /// Of the quota over all endpoints, the two that every order needs may use most.
    pub(super) fn local_share(&self, endpoint: Endpoint) -> Share {
        let percent = match endpoint {
            Endpoint::Authorize | Endpoint::Capture => 35,
            Endpoint::Cancel | Endpoint::Refund | Endpoint::LookUp => 10,
        };
        let quota = self.rate_per_s.min(self.global_rate_per_s * percent / 100).max(1);
        match quota / self.instances_max {
            0 => Share { size: 1, length: interval(quota, self.instances_max) },
            size => Share { size: u32::try_from(size).unwrap_or(u32::MAX), length: interval(1, 1) },
        }
    }
}

/// The time between two permits where `parts` callers each get 0.9 of their part of the quota.
fn interval(quota_per_s: u64, parts: u64) -> Duration {
    Duration::from_micros((parts * 10_000_000).div_ceil(quota_per_s * 9))
}

#[cfg(test)]
mod tests {
    use super::{Limits, Share, TOLERANCE};
    use crate::Endpoint;
    use crate::configured::number;
    use proptest::prelude::{prop_assert, proptest};
    use std::time::Duration;

    fn limits(rate_per_s: u64, global_rate_per_s: u64, instances_max: u64) -> Limits {
        Limits { rate_per_s, global_rate_per_s, instances_max }
    }

    #[test]
    fn nine_tenths_of_the_quota_are_used() {
        assert_eq!(limits(25, 100, 4).interval(), Duration::from_micros(44_445));
        assert_eq!(limits(1_000, 4_000, 26).interval(), Duration::from_micros(1_112));
        let share = |instances, endpoint| {
            let share = limits(25, 100, instances).local_share(endpoint);
            (share.size, share.length.as_micros())
        };
        assert_eq!(share(4, Endpoint::Capture), (6, 1_111_112));
        assert_eq!(share(4, Endpoint::LookUp), (2, 1_111_112), "a tenth of all, not a quarter");
        assert_eq!(share(50, Endpoint::Capture), (1, 2_222_223));
        assert_eq!(limits(25, 100, 4).window(Endpoint::Capture), 99);
        assert_eq!(limits(25, 100, 4).window(Endpoint::Authorize), 90);
        assert_eq!(limits(1, 1, 1).window(Endpoint::Refund), 1);
    }

    #[test]
    fn the_share_of_the_settings_is_used_and_no_second_holds_more() {
        // An interval is the time between two permits: at 1,000 a second and all of it used, 1 ms.
        let used_percent = number("/provider/used_percent");
        let interval = Duration::from_micros(100_000_u64.div_ceil(used_percent));
        assert_eq!(limits(1_000, 4_000, 26).interval(), interval);
        assert_eq!(number("/provider/burst"), 0, "a quota of permits always spans more than a second");
    }

    proptest! {
        #[test]
        fn a_quota_of_permits_and_one_more_spans_over_a_second(
            rate in 1_u64..5_000, factor in 1_u64..10, instances in 1_u64..100,
        ) {
            let limits = limits(rate, rate * factor, instances);
            let jitter = Duration::from_millis(90);
            let spans = |interval: Duration, permits: u64| interval * u32::try_from(permits).unwrap() - TOLERANCE;
            prop_assert!(spans(limits.interval(), rate) > Duration::from_secs(1) + jitter);
            let shares = Endpoint::ALL.map(|endpoint| limits.local_share(endpoint));
            for share in shares {
                prop_assert!(share.length > Duration::from_secs(1) + jitter);
                prop_assert!(u64::from(share.size) * instances <= rate.max(instances));
            }
            let per_million_s =
                |share: &Share| u128::from(share.size) * 1_000_000_000_000 / share.length.as_micros();
            let sum = shares.iter().map(per_million_s).sum::<u128>() * u128::from(instances);
            prop_assert!(sum <= u128::from((rate * factor).max(5)) * 1_000_000);
        }
    }
}
