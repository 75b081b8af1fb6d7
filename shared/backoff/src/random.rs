//! The source of randomness: seeded where a run must be repeatable.

use std::sync::{Arc, Mutex, PoisonError};

/// A cheap, not cryptographic source. Clones share one stream, so that one seed decides a whole simulation.
#[derive(Debug, Clone)]
pub struct Random {
    stream: Arc<Mutex<fastrand::Rng>>,
}

impl Random {
    /// A source that gives the same numbers for the same seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { stream: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))) }
    }

    /// A source that differs in each process: what production jitter needs, or instances that started together would
    /// come back together.
    #[must_use]
    pub fn from_entropy() -> Self {
        Self { stream: Arc::new(Mutex::new(fastrand::Rng::new())) }
    }

    /// A number in `0..n`, uniform; 0 where `n` is 0.
    #[must_use]
    pub fn below(&self, n: u64) -> u64 {
        self.between(0, n.saturating_sub(1))
    }

    /// A number in `low..=high`, uniform; `low` where the range is empty.
    #[must_use]
    pub fn between(&self, low: u64, high: u64) -> u64 {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        stream.u64(low..=high.max(low))
    }
}

#[cfg(test)]
mod tests {
    use super::Random;
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    fn numbers(random: &Random) -> Vec<u64> {
        (0..20).map(|_| random.between(0, u64::MAX)).collect()
    }

    #[test]
    fn one_seed_is_one_stream_and_clones_share_it() {
        let random = Random::seeded(7);
        let first = numbers(&random);
        assert_eq!(numbers(&Random::seeded(7)), first);
        assert_ne!(numbers(&random.clone()), first, "a clone goes on where the original stands");
        assert_ne!(numbers(&Random::seeded(8)), first);
        assert_ne!(numbers(&Random::from_entropy()), numbers(&Random::from_entropy()));
    }

    proptest! {
        #[test]
        fn numbers_stay_in_their_range(seed in any::<u64>(), low in any::<u64>(), high in any::<u64>()) {
            let random = Random::seeded(seed);
            let number = random.between(low, high);
            prop_assert!((low..=high.max(low)).contains(&number));
            prop_assert!(random.below(high) < high.max(1));
            prop_assert_eq!(random.below(0), 0);
        }
    }
}
