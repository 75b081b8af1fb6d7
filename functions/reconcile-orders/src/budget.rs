//! The provider's door with the calls of one run counted: bounded, and closed once the provider does not answer.
//!
//! A run must not spend its time, or the quota of those who settle, on a provider that is slow or away: the first
//! look-up without an answer ends all look-ups of the run, so that the pump starts, and notices the recovery, early.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use backoff::Deadline;
use futures_util::stream::{self, Stream, StreamExt};
use order::ProviderRef;
use payments::{Charge, Later, ListCharges, ListPage, LookUps, Outcome, Payments, Request};

/// Calls to the provider that one run may cause, retries aside: 5 a second over a minute, a twentieth of the
/// provider's default quota, so that reconciling never competes with settling.
pub const PROVIDER_CALLS_MAX: u32 = 300;

/// The provider, as far as one run may ask it.
#[derive(Debug)]
pub(crate) struct Budgeted<'a, P> {
    inner: &'a P,
    calls: AtomicU32,
    closed: Mutex<Option<Later>>,
}

impl<'a, P> Budgeted<'a, P> {
    pub(crate) fn new(inner: &'a P) -> Self {
        Self { inner, calls: AtomicU32::new(0), closed: Mutex::new(None) }
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Takes at most `wanted` calls from what is left, and says how many.
    fn take(&self, wanted: usize) -> usize {
        let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
        let granted = wanted.min(PROVIDER_CALLS_MAX.saturating_sub(self.calls()));
        // One task drives a run, so nobody takes calls in between.
        self.calls.fetch_add(granted, Ordering::Relaxed);
        usize::try_from(granted).unwrap_or(0)
    }

    /// The leave to look something up.
    fn may_look_up(&self) -> Result<(), Later> {
        match *self.closed.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(why) => Err(why),
            None if self.take(1) == 1 => Ok(()),
            None => Err(Later::RateLimited),
        }
    }

    /// Hands an answer on, and closes the door after one that says the next look-up would fare no better.
    fn noticed<T>(&self, answer: Result<T, Later>) -> Result<T, Later> {
        answer.inspect_err(|why| match why {
            Later::RateLimited
            | Later::BreakerOpen
            | Later::NotConnected
            | Later::Unauthorized
            | Later::Throttled
            | Later::NoAnswer => {
                *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = Some(*why);
            }
            Later::NoTime | Later::KeyTooOld | Later::InFlight => {}
        })
    }
}

impl<P: Payments> Payments for Budgeted<'_, P> {
    fn send<'a>(
        &'a self,
        requests: &'a [Request],
        deadline: Deadline,
    ) -> impl Stream<Item = (usize, Outcome)> + Send + 'a {
        let (sent, unsent) = requests.split_at(self.take(requests.len()).min(requests.len()));
        let first_unsent = sent.len();
        let denied = move |(at, _): (usize, &Request)| {
            (first_unsent + at, Outcome::Later { why: Later::RateLimited, not_before: None })
        };
        self.inner.send(sent, deadline).chain(stream::iter(unsent.iter().enumerate().map(denied)))
    }
}

impl<P: LookUps> LookUps for Budgeted<'_, P> {
    async fn read(&self, payment_id: &ProviderRef, deadline: Deadline) -> Result<Option<Charge>, Later> {
        self.may_look_up()?;
        self.noticed(self.inner.read(payment_id, deadline).await)
    }

    async fn list(&self, query: &ListCharges, deadline: Deadline) -> Result<ListPage, Later> {
        self.may_look_up()?;
        self.noticed(self.inner.list(query, deadline).await)
    }

    async fn spare_per_s(&self, deadline: Deadline) -> u32 {
        self.inner.spare_per_s(deadline).await
    }
}
