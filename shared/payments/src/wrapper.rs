//! The wrapper: the gate in front, single attempts behind, the decision table in between.
//!
//! - Attempts are made only with a permit, and every permit comes back as one report, used or not: also where the
//!   caller lets go in the middle, whose reports go with the next step's.
//! - One key per request, on every attempt; none is sent from [`KEY_LIFE`](crate::KEY_LIFE) on, and nothing is ever sent
//!   twice at the same time.
//! - No attempt starts that the deadline does not leave [`Timeouts::least`] for, and none outlives the deadline.
//! - Once an attempt may have been executed, no later one that was refused makes the outcome "never executed".

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backoff::{Clock, Deadline, Random};
use futures_util::{Stream, stream};
use order::ProviderRef;

use crate::{
    Charge, Counts, Endpoint, Found, Gate, Later, ListCharges, ListPage, LookUps, Outcome, Payments, Permit,
    Provider, Request,
};

mod attempts;
mod conclude;
mod pause;
mod reports;
mod step;

use attempts::{Call, Sent};
use conclude::denied;
use reports::Reports;
use step::Step;

/// The longest place in the limiter's line that a request waits for: a billed function waits worse than the queue.
const MOST_WAIT: Duration = Duration::from_secs(2);

/// How long attempts may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// What changes something: card authorizations take up to seconds.
    pub change: Duration,
    /// Reads and lists.
    pub look_up: Duration,
    /// The attempt by which the breaker learns whether the provider is back.
    pub probe: Duration,
    /// The least time in which an attempt can succeed. With less left, none is started.
    pub least: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            change: Duration::from_secs(5),
            look_up: Duration::from_secs(2),
            probe: Duration::from_secs(2),
            least: Duration::from_secs(1),
        }
    }
}

/// Implements [`Payments`] and [`LookUps`] over a gate and a provider.
#[derive(Debug)]
pub struct Wrapper<G, P, C> {
    gate: G,
    provider: P,
    clock: C,
    random: Random,
    stage: String,
    timeouts: Timeouts,
    reports: Reports,
    counts: Mutex<Counts>,
}

impl<G: Gate, P: Provider, C: Clock> Wrapper<G, P, C> {
    /// `stage` is the first part of every idempotency key.
    pub fn new(gate: G, provider: P, time: (C, Random), stage: &str) -> Self {
        let (clock, random) = time;
        Self {
            gate,
            provider,
            clock,
            random,
            stage: stage.to_owned(),
            timeouts: Timeouts::default(),
            reports: Reports::default(),
            counts: Mutex::default(),
        }
    }

    /// The same with other timeouts, for a stage whose functions have less time than an attempt may take.
    #[must_use]
    pub fn with_timeouts(self, timeouts: Timeouts) -> Self {
        Self { timeouts, ..self }
    }

    /// The gate, for those who want to know how it is.
    pub const fn gate(&self) -> &G {
        &self.gate
    }

    /// What was done since this was last called.
    pub fn take_counts(&self) -> Counts {
        self.count(std::mem::take)
    }

    /// Counts are whole after every critical section, so a panic elsewhere does not spoil them.
    fn count<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The longest wait for a permit that leaves time for an attempt; `None` where there is no time for one at all.
    fn most_wait(&self, deadline: Deadline) -> Option<Duration> {
        let spare = deadline.remaining(&self.clock).checked_sub(self.timeouts.least)?;
        Some(spare.min(MOST_WAIT))
    }

    /// Hands the gate all reports that wait.
    async fn flush(&self, deadline: Deadline) {
        for endpoint in Endpoint::ALL {
            let reports = self.reports.take(endpoint);
            if !reports.is_empty() {
                self.gate.report(endpoint, &reports, deadline).await;
            }
        }
    }

    /// A look-up with its permit, its attempts and its report.
    async fn look_up(&self, call: Call<'_>, deadline: Deadline) -> Result<Sent, Later> {
        let most_wait = self.most_wait(deadline).ok_or(Later::NoTime)?;
        let permits = self.gate.permits(Endpoint::LookUp, 1, most_wait, deadline).await;
        let sent = match permits.first() {
            Some(Permit::Go(grant)) => self.make(call, *grant, deadline).await,
            Some(Permit::Denied { why, .. }) => Err(denied(*why)),
            None => Err(Later::RateLimited),
        };
        self.flush(deadline).await;
        sent
    }
}

impl<G: Gate, P: Provider, C: Clock> Payments for Wrapper<G, P, C> {
    fn send<'a>(
        &'a self,
        requests: &'a [Request],
        deadline: Deadline,
    ) -> impl Stream<Item = (usize, Outcome)> + Send + 'a {
        let step = Step::new(self, requests, deadline);
        stream::unfold(step, |mut step| async move { Some((step.next().await?, step)) })
    }
}

impl<G: Gate, P: Provider, C: Clock> LookUps for Wrapper<G, P, C> {
    async fn read(&self, payment_id: &ProviderRef, deadline: Deadline) -> Result<Option<Charge>, Later> {
        let sent = self.look_up(Call::Read(payment_id), deadline).await?;
        match sent.answer.found {
            Found::Charge(charge) => Ok(Some(charge)),
            _ if sent.is_missing() => Ok(None),
            _ => Err(sent.later()),
        }
    }

    async fn list(&self, query: &ListCharges, deadline: Deadline) -> Result<ListPage, Later> {
        let sent = self.look_up(Call::List(query), deadline).await?;
        match sent.answer.found {
            Found::Page(page) => Ok(page),
            _ => Err(sent.later()),
        }
    }

    async fn spare_per_s(&self, deadline: Deadline) -> u32 {
        self.gate.spare_per_s(deadline).await
    }
}
