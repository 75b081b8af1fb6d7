//! Ids of events that are published and not yet marked as sent.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most ids that are remembered. What is forgotten is published once more by the reconciler, under the same id.
const REMEMBERED_MAX: usize = 1_000;

/// What an instance has published since its last statement. The next one marks it in passing, which saves a call.
#[derive(Debug, Default)]
pub struct SentEvents {
    ids: Mutex<VecDeque<String>>,
}

impl SentEvents {
    /// All of them, oldest first, for the next statement.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        self.lock().drain(..).collect()
    }

    /// Remembers ids: new ones, or those of a statement that failed.
    pub fn add(&self, ids: impl IntoIterator<Item = String>) {
        let mut known = self.lock();
        known.extend(ids);
        let excess = known.len().saturating_sub(REMEMBERED_MAX);
        known.drain(..excess);
    }

    /// Ids are whole after every critical section, so a panic elsewhere does not spoil them.
    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{REMEMBERED_MAX, SentEvents};

    #[test]
    fn ids_are_handed_out_once_and_the_oldest_are_forgotten() {
        let sent = SentEvents::default();
        sent.add((0..=REMEMBERED_MAX).map(|number| number.to_string()));
        let taken = sent.take();
        assert_eq!((taken.len(), taken.first().map(String::as_str)), (REMEMBERED_MAX, Some("1")));
        assert_eq!(sent.take(), [""; 0]);
    }
}
