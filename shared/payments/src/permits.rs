//! The gate's door: permits before attempts, reports after them. What decides about them (the shared limiter, the
//! breaker, the retry budget) is behind it.

use std::future::Future;
use std::time::Duration;

use backoff::Deadline;

use crate::Endpoint;

/// Leave for one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The place in the limiter's reservation: wait this long, then send.
    pub after: Duration,
    /// Whether the breaker learns from this attempt if the provider is back: a short timeout, and no retry.
    pub probe: bool,
}

/// The gate's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// Send.
    Go(Grant),
    /// Do not send.
    Denied {
        /// Why.
        why: Denial,
        /// When asking again is worth it.
        retry_after: Duration,
    },
}

/// Why an attempt may not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denial {
    /// The limiter's next free place is too far away.
    RateLimited,
    /// The provider is failing; somebody else is probing it.
    BreakerOpen,
    /// The fleet has retried enough for now.
    NoRetryBudget,
}

/// What an attempt says about the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It answers as it should, a decline included.
    Success,
    /// It fails, or does not answer.
    ProviderFault,
    /// It limits us.
    Throttled(Throttle),
    /// Nothing: a refusal that is about the request, or a permit that was not used.
    Neutral,
}

/// What the provider limits. Source: Stripe, "Rate limits", the values of `Stripe-Rate-Limited-Reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Throttle {
    /// Calls a second of the account.
    GlobalRate,
    /// Calls a second to one endpoint.
    EndpointRate,
    /// Calls of the account at the same time.
    GlobalConcurrency,
    /// Calls to one endpoint at the same time.
    EndpointConcurrency,
    /// Calls on one object.
    ResourceSpecific,
}

/// What became of one permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// What the attempt says about the provider.
    pub verdict: Verdict,
    /// As in the [`Grant`].
    pub probe: bool,
    /// From sending to the end of the attempt; nothing for a permit that was not used.
    pub took: Duration,
}

/// Decides who may send, and when. Never fails: without its shared state it goes on with this process's share.
pub trait Gate: Sync {
    /// `wanted` answers, in order. No grant asks for a longer wait than `most_wait`.
    fn permits(
        &self,
        endpoint: Endpoint,
        wanted: usize,
        most_wait: Duration,
        deadline: Deadline,
    ) -> impl Future<Output = Vec<Permit>> + Send;

    /// One more attempt of something that was sent already: takes one token of the fleet's retry budget as well.
    fn retry_permit(&self, endpoint: Endpoint, deadline: Deadline) -> impl Future<Output = Permit> + Send;

    /// Every grant comes back as one report, used or not.
    fn report(
        &self,
        endpoint: Endpoint,
        reports: &[Report],
        deadline: Deadline,
    ) -> impl Future<Output = ()> + Send;

    /// How many authorizations a second the limiter has left; see [`LookUps`](crate::LookUps::spare_per_s).
    fn spare_per_s(&self, deadline: Deadline) -> impl Future<Output = u32> + Send;
}
