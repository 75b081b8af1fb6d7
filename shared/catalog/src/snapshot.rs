//! The first layer: what this process learned in the last half second.
//!
//! It holds at most [`ENTRIES_MAX`] products, each for at most [`FRESH_MS`]. It exists for bursts: under load an
//! instance answers many batches a second, and hot SKUs then cost no call at all. It is short because nothing tells
//! it of changes.

use std::collections::BTreeMap;
use std::time::Duration;

use data_api::Clock;
use order::{Known, Sku};

/// How old an entry may be. Half a second bounds how long a changed price is doubted, and still spares an instance
/// that answers 40 batches a second 19 of 20 Redis calls.
pub(crate) const FRESH_MS: u64 = 500;

/// How many products are kept: ten times a large meal-kit catalog, and under 1 MB.
pub(crate) const ENTRIES_MAX: usize = 2_000;

/// A point in time on both clocks.
///
/// A frozen Lambda sandbox may come back with a monotonic clock that did not run, and a wall clock may be set back:
/// an entry is fresh only if both say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    monotonic: Duration,
    unix_ms: u64,
}

impl Moment {
    pub(crate) fn now(clock: &impl Clock) -> Self {
        Self { monotonic: clock.monotonic(), unix_ms: clock.now_ms() }
    }

    /// Whether something learned at `earlier` may still be used now.
    fn finds_fresh(self, earlier: Self) -> bool {
        let unix_age_ms = self.unix_ms.checked_sub(earlier.unix_ms);
        let monotonic_age = self.monotonic.saturating_sub(earlier.monotonic);
        unix_age_ms.is_some_and(|age_ms| age_ms <= FRESH_MS)
            && monotonic_age <= Duration::from_millis(FRESH_MS)
    }
}

/// The products seen lately. Plain data: the lock around it is `memory.rs`'s.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    entries: BTreeMap<Sku, (Known, Moment)>,
}

impl Snapshot {
    /// What is known of `sku`, if that is fresh.
    pub(crate) fn get(&self, now: Moment, sku: &Sku) -> Option<Known> {
        let (known, learned) = self.entries.get(sku)?;
        now.finds_fresh(*learned).then(|| known.clone())
    }

    /// Keeps what was just learned. A snapshot that is full of fresh entries drops it instead: it is an
    /// optimisation, and a bounded one.
    pub(crate) fn keep(&mut self, now: Moment, sku: &Sku, known: &Known) {
        if self.entries.len() >= ENTRIES_MAX && !self.entries.contains_key(sku) {
            self.entries.retain(|_, (_, learned)| now.finds_fresh(*learned));
        }
        if self.entries.len() < ENTRIES_MAX || self.entries.contains_key(sku) {
            self.entries.insert(sku.clone(), (known.clone(), now));
        }
    }

    /// Drops what is known of `sku`.
    pub(crate) fn drop_sku(&mut self, sku: &Sku) {
        self.entries.remove(sku);
    }
}

#[cfg(test)]
mod tests {
    use super::{ENTRIES_MAX, FRESH_MS, Moment, Snapshot};
    use order::{Known, Sku};
    use std::time::Duration;

    const START: Moment = Moment { monotonic: Duration::from_secs(5), unix_ms: 1_800_000_000_000 };

    fn sku(n: usize) -> Sku {
        Sku::parse(&format!("kit-{n}")).expect("a usable SKU")
    }

    /// A moment at which the two clocks say that so much time has passed since `START`.
    fn later(monotonic_ms: u64, unix_ms: i64) -> Moment {
        Moment {
            monotonic: START.monotonic + Duration::from_millis(monotonic_ms),
            unix_ms: START.unix_ms.saturating_add_signed(unix_ms),
        }
    }

    #[track_caller]
    fn check(now: Moment, fresh: bool) {
        let mut snapshot = Snapshot::default();
        snapshot.keep(START, &sku(1), &Known::Unknown);
        assert_eq!(snapshot.get(now, &sku(1)).is_some(), fresh);
    }

    #[test]
    fn an_entry_is_fresh_while_both_clocks_say_so() {
        check(START, true);
        check(later(500, 500), true);
        check(later(501, 501), false);
        check(later(0, 501), false); // Thawed: the monotonic clock stood still.
        check(later(501, 0), false); // The wall clock stood still, or was set back a little.
        check(later(10, -1), false); // The wall clock was set back behind the entry.
    }

    #[test]
    fn a_full_snapshot_keeps_what_is_fresh_and_takes_no_more() {
        let mut snapshot = Snapshot::default();
        for n in 0..ENTRIES_MAX + 100 {
            snapshot.keep(START, &sku(n), &Known::Unknown);
        }
        assert_eq!(snapshot.entries.len(), ENTRIES_MAX);
        assert_eq!(snapshot.get(START, &sku(ENTRIES_MAX)), None);
        snapshot.keep(START, &sku(7), &Known::Unread);
        assert_eq!(snapshot.get(START, &sku(7)), Some(Known::Unread), "what is there is replaced");
    }

    #[test]
    fn a_full_snapshot_makes_room_by_dropping_what_is_stale() {
        let mut snapshot = Snapshot::default();
        for n in 0..ENTRIES_MAX {
            snapshot.keep(START, &sku(n), &Known::Unknown);
        }
        let now = later(FRESH_MS + 1, 501);
        snapshot.keep(now, &sku(ENTRIES_MAX), &Known::Unknown);
        assert_eq!(snapshot.entries.len(), 1);
        assert_eq!(snapshot.get(now, &sku(ENTRIES_MAX)), Some(Known::Unknown));
    }
}
