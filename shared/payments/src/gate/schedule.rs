//! One endpoint's places in time, spaced by an interval: the limiter (GCRA) as plain arithmetic, without a burst at
//! its beginning. `permits.lua` does it inside Redis; the property test of the model holds it against this one.

use std::time::Duration;

use super::limits::TOLERANCE;

/// Which place is the next free one. Times are those of one monotonic clock.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Schedule {
    next: Duration,
}

impl Schedule {
    /// Gives no place before this moment.
    pub(super) fn not_before(&mut self, moment: Duration) {
        self.next = self.next.max(moment);
    }

    /// Takes the next place and says how long to wait for it.
    ///
    /// # Errors
    /// How much too far away that place is; it stays free.
    pub(super) fn reserve(
        &mut self,
        now: Duration,
        interval: Duration,
        most_wait: Duration,
    ) -> Result<Duration, Duration> {
        let place = self.next.max(now.saturating_sub(TOLERANCE));
        let wait = place.saturating_sub(now);
        if wait > most_wait {
            return Err(wait.saturating_sub(most_wait));
        }
        self.next = place.saturating_add(interval);
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;
    use proptest::prelude::{prop_assert, proptest};
    use std::time::Duration;

    const INTERVAL: Duration = Duration::from_millis(100);
    const MOST: Duration = Duration::from_millis(250);

    fn at(ms: u64) -> Duration {
        Duration::from_secs(10) + Duration::from_millis(ms)
    }

    #[test]
    fn places_are_an_interval_apart_and_a_pause_is_made_up_for_by_the_tolerance_only() {
        let mut schedule = Schedule::default();
        schedule.not_before(at(0));
        let mut reserve = |ms| schedule.reserve(at(ms), INTERVAL, MOST).map_err(|beyond| beyond.as_millis());
        let wait = |ms| Ok(Duration::from_millis(ms));
        assert_eq!([reserve(0), reserve(0), reserve(0)], [wait(0), wait(100), wait(200)]);
        assert_eq!(reserve(0), Err(50));
        assert_eq!(reserve(50), wait(250));
        assert_eq!([reserve(1_000), reserve(1_000)], [wait(0), wait(80)]);
    }

    proptest! {
        #[test]
        fn no_sliding_second_holds_more_than_the_rate(steps in proptest::collection::vec((0_u64..400, 1_usize..6), 1..60)) {
            let mut schedule = Schedule::default();
            let (mut now, mut used) = (at(0), Vec::new());
            for (pause_ms, wanted) in steps {
                now += Duration::from_millis(pause_ms);
                used.extend((0..wanted).filter_map(|_| Some(now + schedule.reserve(now, INTERVAL, MOST).ok()?)));
            }
            for (i, start) in used.iter().enumerate() {
                let held = used[i..].iter().filter(|time| **time <= *start + Duration::from_secs(1)).count();
                prop_assert!(held <= 11, "{held} in a closed second");
            }
        }
    }
}
