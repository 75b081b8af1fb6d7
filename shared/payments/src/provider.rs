//! The provider's door: one attempt, and what came of it. An adapter behind it never retries and never concludes.

use std::future::Future;
use std::time::Duration;

use order::{Currency, ProviderRef, RefundId};

use crate::{Charge, ListCharges, ListPage, Request, Signal};

/// Makes single attempts. Every method ends within `limit`, and tells what happened instead of failing.
pub trait Provider: Sync {
    /// Sends a request once, with this idempotency key.
    fn attempt(&self, request: &Request, key: &str, limit: Duration) -> impl Future<Output = Answer> + Send;

    /// Reads one charge once.
    fn read(&self, payment_id: &ProviderRef, limit: Duration) -> impl Future<Output = Answer> + Send;

    /// Reads one page of charges once.
    fn list(&self, query: &ListCharges, limit: Duration) -> impl Future<Output = Answer> + Send;
}

/// What came of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// In short.
    pub signal: Signal,
    /// What the provider says about sending it again, if anything: obeyed over the signal.
    pub should_retry: Option<bool>,
    /// How long the provider wants to be left alone.
    pub retry_after: Option<Duration>,
    /// Whether this is the saved answer of an earlier request with the same key.
    pub replayed: bool,
    /// The provider's name for this attempt, for its support; letters, digits, `_` and `-`, at most 64.
    pub request_id: Option<String>,
    /// The provider's word for a decline; letters, digits and `_`, at most 64.
    pub reason: Option<String>,
    /// What the answer shows.
    pub found: Found,
}

/// What an answer shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Nothing,
    /// Only which charge it is about.
    Id(ProviderRef),
    /// A charge.
    Charge(Charge),
    /// A refund.
    Refund(RefundMade),
    /// A page of charges.
    Page(ListPage),
}

/// A refund as the provider shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundMade {
    /// Of which charge; `None` where the provider names none.
    pub payment_id: Option<ProviderRef>,
    /// Our id of it, from its metadata; `None` where it is not ours.
    pub refund_id: Option<RefundId>,
    /// In minor units.
    pub amount_minor: i64,
    /// `None` if the provider names one that is none.
    pub currency: Option<Currency>,
}

impl Answer {
    /// An answer that shows nothing but its signal.
    #[must_use]
    pub const fn of(signal: Signal) -> Self {
        Self {
            signal,
            should_retry: None,
            retry_after: None,
            replayed: false,
            request_id: None,
            reason: None,
            found: Found::Nothing,
        }
    }

    /// Which charge the answer is about, where it says.
    #[must_use]
    pub const fn payment_id(&self) -> Option<&ProviderRef> {
        match &self.found {
            Found::Id(id) => Some(id),
            Found::Charge(charge) => Some(&charge.payment_id),
            Found::Refund(refund) => refund.payment_id.as_ref(),
            Found::Nothing | Found::Page(_) => None,
        }
    }
}
