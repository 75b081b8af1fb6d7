//! A gate that grants everything, unless the test has written something else down, and that remembers what it heard.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use backoff::Deadline;
use payments::{Denial, Endpoint, Gate, Grant, Permit, Report};

/// The gate's next answers and what it was asked and told.
#[derive(Debug, Default)]
pub(crate) struct Script {
    permits: Mutex<VecDeque<Permit>>,
    retries: Mutex<VecDeque<Permit>>,
    heard: Mutex<Heard>,
}

/// What the gate was asked and told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    /// Endpoint, permits wanted, longest wait.
    pub(crate) asked: Vec<(Endpoint, usize, Duration)>,
    pub(crate) retries: usize,
    /// One entry for each call.
    pub(crate) reports: Vec<(Endpoint, Vec<Report>)>,
}

pub(crate) const GO: Permit = Permit::Go(Grant { after: Duration::ZERO, probe: false });
pub(crate) const PROBE: Permit = Permit::Go(Grant { after: Duration::ZERO, probe: true });

pub(crate) const fn denied(why: Denial) -> Permit {
    Permit::Denied { why, retry_after: Duration::from_secs(3) }
}

impl Script {
    /// Answers to the first permits, and to the first retries.
    pub(crate) fn of(permits: &[Permit], retries: &[Permit]) -> Self {
        let queue = |permits: &[Permit]| Mutex::new(permits.iter().copied().collect());
        Self { permits: queue(permits), retries: queue(retries), heard: Mutex::default() }
    }

    pub(crate) fn heard(&self) -> Heard {
        self.heard.lock().unwrap().clone()
    }

    /// All reports so far of one endpoint.
    pub(crate) fn reports(&self, endpoint: Endpoint) -> Vec<Report> {
        let heard = self.heard();
        heard.reports.into_iter().filter(|(of, _)| *of == endpoint).flat_map(|(_, reports)| reports).collect()
    }
}

impl Gate for Script {
    async fn permits(
        &self,
        endpoint: Endpoint,
        wanted: usize,
        most_wait: Duration,
        _: Deadline,
    ) -> Vec<Permit> {
        self.heard.lock().unwrap().asked.push((endpoint, wanted, most_wait));
        let mut permits = self.permits.lock().unwrap();
        (0..wanted).map(|_| permits.pop_front().unwrap_or(GO)).collect()
    }

    async fn retry_permit(&self, _: Endpoint, _: Deadline) -> Permit {
        self.heard.lock().unwrap().retries += 1;
        self.retries.lock().unwrap().pop_front().unwrap_or(GO)
    }

    async fn report(&self, endpoint: Endpoint, reports: &[Report], _: Deadline) {
        self.heard.lock().unwrap().reports.push((endpoint, reports.to_vec()));
    }

    async fn spare_per_s(&self, _: Deadline) -> u32 {
        17
    }
}
