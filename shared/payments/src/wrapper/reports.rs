//! Reports that wait for the gate, and the ticket that makes sure that there is one for every grant.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::{Endpoint, Grant, Report, Verdict};

/// Reports by endpoint. They outlive the step that made them, because a dropped stream cannot send any.
#[derive(Debug, Default)]
pub(super) struct Reports(Mutex<Vec<(Endpoint, Report)>>);

impl Reports {
    /// Takes all of an endpoint.
    pub(super) fn take(&self, endpoint: Endpoint) -> Vec<Report> {
        let mut waiting = self.lock();
        if waiting.is_empty() {
            return Vec::new();
        }
        let taken = waiting.iter().filter(|(of, _)| *of == endpoint).map(|(_, report)| *report).collect();
        waiting.retain(|(of, _)| *of != endpoint);
        taken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// A vector is whole after every critical section, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Vec<(Endpoint, Report)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A grant in hand. Dropped unspent, it reports that it was not used.
#[derive(Debug)]
pub(super) struct Ticket<'a> {
    reports: &'a Reports,
    endpoint: Endpoint,
    report: Report,
}

impl<'a> Ticket<'a> {
    pub(super) const fn new(reports: &'a Reports, endpoint: Endpoint, grant: Grant) -> Self {
        let report = Report { verdict: Verdict::Neutral, probe: grant.probe, took: Duration::ZERO };
        Self { reports, endpoint, report }
    }

    /// Reports what the attempt was worth.
    pub(super) fn spend(mut self, verdict: Verdict, took: Duration) {
        self.report = Report { verdict, took, ..self.report };
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.reports.lock().push((self.endpoint, self.report));
    }
}
