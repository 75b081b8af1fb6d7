//! One endpoint's places in time for a process that is alone: at most so many in any window, wherever in it they are.
//!
//! A process pays a batch in two steps, so it uses each endpoint for a part of the time only. Of places that are spaced
//! evenly, those would be lost that pass while it is at the other step; here they are still there when it comes back.

use std::collections::VecDeque;
use std::time::Duration;

/// A share of a limit: no window of this length holds more places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Share {
    /// Places, at least one.
    pub(super) size: u32,
    /// The length of the window.
    pub(super) length: Duration,
}

/// The latest places, as many as a window may hold, the oldest first. Times are those of one monotonic clock.
#[derive(Debug, Clone)]
pub(super) struct Window {
    share: Share,
    places: VecDeque<Duration>,
}

impl Window {
    /// A window that nobody has used.
    pub(super) fn new(share: Share) -> Self {
        Self { share, places: (0..share.size).map(|_| Duration::ZERO).collect() }
    }

    /// The time between two places if they were spaced evenly.
    pub(super) fn interval(&self) -> Duration {
        self.share.length / self.share.size.max(1)
    }

    /// How many places a second has on average, at least one.
    pub(super) fn per_second(&self) -> u32 {
        let per_s = 1_000_000 / self.interval().as_micros().max(1);
        u32::try_from(per_s).unwrap_or(u32::MAX).max(1)
    }

    /// Gives no place before this moment, and from then on one after the other: whoever begins has not been idle.
    pub(super) fn begin(&mut self, moment: Duration) {
        let Share { size, length } = self.share;
        for (at, place) in (0..size).zip(&mut self.places) {
            let free = moment.saturating_add(length * at / size);
            *place = free.saturating_sub(length).max(*place);
        }
    }

    /// How long to wait for the next place.
    pub(super) fn wait(&self, now: Duration) -> Duration {
        let oldest = self.places.front().copied().unwrap_or_default();
        oldest.saturating_add(self.share.length).saturating_sub(now)
    }

    /// Takes the next place and says how long to wait for it.
    ///
    /// # Errors
    /// How much too far away that place is; it stays free.
    pub(super) fn reserve(&mut self, now: Duration, most_wait: Duration) -> Result<Duration, Duration> {
        let wait = self.wait(now);
        if wait > most_wait {
            return Err(wait.saturating_sub(most_wait));
        }
        self.places.pop_front();
        self.places.push_back(now.saturating_add(wait));
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::{Share, Window};
    use proptest::prelude::{prop_assert, proptest};
    use std::time::Duration;

    const SHARE: Share = Share { size: 3, length: Duration::from_millis(900) };
    const MOST: Duration = Duration::from_millis(500);

    fn at(ms: u64) -> Duration {
        Duration::from_secs(10) + Duration::from_millis(ms)
    }

    #[test]
    fn places_are_given_at_once_and_again_when_their_window_has_passed() {
        let mut window = Window::new(SHARE);
        let mut reserve = |ms| window.reserve(at(ms), MOST).map_err(|beyond| beyond.as_millis());
        let wait = |ms| Ok(Duration::from_millis(ms));
        assert_eq!([reserve(0), reserve(0), reserve(100)], [wait(0), wait(0), wait(0)]);
        assert_eq!(reserve(100), Err(300));
        assert_eq!([reserve(400), reserve(900)], [wait(500), wait(0)]);
        assert_eq!(reserve(950), wait(50), "the third was taken at 100");
    }

    #[test]
    fn it_begins_with_one_place_after_the_other() {
        let mut window = Window::new(SHARE);
        window.begin(at(200));
        let waits = [(); 4].map(|()| window.reserve(at(0), Duration::from_secs(2)).unwrap().as_millis());
        assert_eq!(waits, [200, 500, 800, 1_100]);
    }

    proptest! {
        #[test]
        fn no_window_holds_more_places_than_the_share(
            steps in proptest::collection::vec((0_u64..700, 1_usize..6, 0_u8..20), 1..60),
        ) {
            let mut window = Window::new(SHARE);
            let (mut now, mut used) = (at(0), Vec::new());
            for (pause_ms, wanted, begins) in steps {
                now += Duration::from_millis(pause_ms);
                if begins == 0 {
                    window.begin(now);
                }
                used.extend((0..wanted).filter_map(|_| Some(now + window.reserve(now, MOST).ok()?)));
            }
            for (i, start) in used.iter().enumerate() {
                let held = used[i..].iter().filter(|time| **time < *start + SHARE.length).count();
                prop_assert!(held <= 3, "{held} in a window");
            }
        }
    }
}
