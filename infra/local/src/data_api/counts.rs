//! How many calls there were, by caller and operation, and how many there are right now.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

/// Calls by caller, then by operation.
pub(super) type Calls = BTreeMap<String, BTreeMap<String, u64>>;

/// The counts of one server.
#[derive(Debug, Default)]
pub(super) struct Counts {
    calls: Mutex<Calls>,
    in_flight: AtomicU64,
}

/// A call that is being worked on, until it is dropped.
#[derive(Debug)]
pub(super) struct InFlight<'a>(&'a AtomicU64);

impl Counts {
    /// Counts a call.
    pub(super) fn begin(&self, caller: String, operation: &str) -> InFlight<'_> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(caller).or_default().entry(operation.to_owned()).or_default() += 1;
        drop(calls);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(&self.in_flight)
    }

    pub(super) fn calls(&self) -> Calls {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
