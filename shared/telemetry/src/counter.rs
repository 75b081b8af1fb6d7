//! A counter that any task may advance.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts something. Read it before and after a batch: the difference is the batch's share where batches do not
/// overlap.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// A counter at 0.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Counts one.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Counts `n`; wraps after 2^64.
    pub fn add(&self, n: u64) {
        // Relaxed: a count orders nothing else.
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// The count so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::Counter;

    #[test]
    fn threads_lose_no_count() {
        let counter = Counter::new();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| counter.increment()));
            }
        });
        counter.add(5);
        assert_eq!(counter.value(), 4_005);
    }
}
