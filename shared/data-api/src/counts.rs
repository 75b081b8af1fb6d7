//! What calls to the Data API cost, counted: the metrics that every function has.

use std::collections::BTreeMap;
use std::time::Duration;

use telemetry::{Emf, catalogue};

use crate::Fault;

/// A batch makes a handful of calls, and a run of the reconciler some hundred; beyond this, times are not kept.
const TIMES_MAX: usize = 1_024;

/// What was done since the counts were last taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls, second attempts and all operations included.
    pub calls: u64,
    /// Second attempts among them.
    pub retries: u64,
    /// Calls that failed, by [`Fault::class`].
    pub failures: BTreeMap<&'static str, u64>,
    /// How long each call took, in the order of their ends; the first 1,024.
    pub took: Vec<Duration>,
}

impl Counts {
    pub(crate) fn begin(&mut self, again: bool) {
        self.calls += 1;
        self.retries += u64::from(again);
    }

    pub(crate) fn end(&mut self, took: Duration, fault: Option<&Fault>) {
        if let Some(fault) = fault {
            *self.failures.entry(fault.class()).or_default() += 1;
        }
        if self.took.len() < TIMES_MAX {
            self.took.push(took);
        }
    }

    /// Says them in the invocation's line.
    pub fn write(&self, emf: &mut Emf) {
        emf.count(&catalogue::DATA_API_CALLS, self.calls);
        emf.count(&catalogue::DATA_API_RETRIES, self.retries);
        for (class, n) in &self.failures {
            emf.count_by(&catalogue::DATA_API_FAILURES, class, *n);
        }
        emf.observe(&catalogue::DATA_API_DURATION, self.took.iter().copied());
    }
}
