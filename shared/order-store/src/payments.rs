//! The door to payments: what settle begins and records, one statement per step and batch.

mod aurora;

use std::future::Future;
use std::time::Duration;

use data_api::{Deadline, Error};
use order::{Currency, OrderId, OrderStatus, PaymentStatus, ProviderRef};
use serde::{Deserialize, Serialize};

pub(crate) use aurora::FrozenColumns;

/// A payment request taken off the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BeginPayment {
    /// Comes back with the answer.
    pub record_no: usize,
    /// Which order.
    pub order_id: OrderId,
    /// Which attempt, from 1.
    pub attempt_no: i32,
}

/// What the rows say of one payment request, after it was marked received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The record's number, as it was given.
    pub record_no: usize,
    /// Which order.
    pub order_id: OrderId,
    /// Which attempt, as it was given.
    pub attempt_no: i32,
    /// What there is to do.
    pub next: Next,
    /// The frozen request; `None` with [`Next::Missing`].
    pub frozen: Option<Frozen>,
}

/// The request as it was committed, before anything was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// How much, in minor units.
    pub amount_minor: i64,
    /// In what.
    pub currency: Currency,
    /// The customer at the provider.
    pub customer_ref: ProviderRef,
    /// The payment method at the provider.
    pub method_ref: ProviderRef,
    /// SHA-256 of the above, computed when it was committed: see `migrations/README.md`.
    pub params_hash: String,
    /// How long ago the key may first have been sent.
    pub key_age: Duration,
}

/// What a payment needs next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// `requested`, and the order still wanted: authorize.
    Authorize,
    /// `capturing`: capture this charge.
    Capture(ProviderRef),
    /// `voiding`: cancel this charge.
    Cancel(ProviderRef),
    /// Nothing by settle: final, superseded by a later attempt, or somebody else's turn.
    Nothing,
    /// Payments are switched off: the row was parked by this very call.
    Stopped,
    /// No such row: nobody committed this request.
    Missing,
}

/// One compare-and-set on a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Comes back with the answer.
    pub record_no: usize,
    /// Which order.
    pub order_id: OrderId,
    /// Which attempt.
    pub attempt_no: i32,
    /// Where to.
    pub step: Step,
}

/// Where a payment is to move, and with it its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// `requested | unknown | awaiting_* → capturing`, or `→ voiding` where the order is no longer wanted.
    Authorized {
        /// The hold; written once.
        payment_id: ProviderRef,
    },
    /// `capturing → captured`; the order is `confirmed`, and the shop hears of it.
    Captured {
        /// The charge; must be the row's.
        payment_id: ProviderRef,
    },
    /// `voiding | capturing → failed`: the provider has canceled the charge. The order ends as canceled where that was
    /// asked, else as `rejected payment_expired`; stock is released.
    Canceled {
        /// The charge; must be the row's.
        payment_id: ProviderRef,
    },
    /// `requested | unknown | awaiting_* → failed`; the order is `rejected payment_declined`, stock released. A soft
    /// decline of the first attempt opens a second one, due in ten minutes, and leaves the order accepted.
    Declined {
        /// The provider's word.
        code: String,
        /// Whether a second attempt is worth it.
        soft: bool,
    },
    /// `requested | unknown → awaiting_customer`.
    AwaitsCustomer,
    /// `requested | unknown → awaiting_provider`.
    AwaitsProvider,
    /// `requested → unknown`: the reconciler resolves it.
    Unknown {
        /// Why, a short name.
        why: &'static str,
    },
    /// Leaves the status and sets when the row is due again: it is published again then.
    Parked {
        /// From now.
        wait: Duration,
        /// Why, a short name.
        why: &'static str,
    },
    /// Any → `review`, the order too: a person has to look.
    Review {
        /// Why, a short name.
        why: &'static str,
    },
}

/// The row after a move, whether or not the move was the one that changed it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "aurora::MovedColumns")]
pub struct Moved {
    /// The record's number, as it was given.
    pub record_no: usize,
    /// Which order.
    pub order_id: OrderId,
    /// Which attempt, as it was given.
    pub attempt_no: i32,
    /// Whether this call changed the row. `false` with the wished-for status means: done before.
    pub changed: bool,
    /// What the order is now.
    pub order_status: OrderStatus,
    /// What this attempt is now.
    pub payment_status: PaymentStatus,
    /// What the payment needs next.
    pub next: Next,
    /// The event that this call wrote, to be published now.
    pub event: Option<OutboxEvent>,
}

/// An event that waits to be published.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OutboxEvent {
    /// `order:type:seq`, which is also the event's id.
    pub id: String,
    /// Which order.
    pub order_id: OrderId,
    /// `order.confirmed.v1` …
    #[serde(rename = "type")]
    pub event_type: String,
    /// The event's `data`, a JSON object.
    pub payload: String,
    /// When it was written, Unix milliseconds: the event's time.
    pub created_ms: u64,
}

/// Payments, as settle sees them.
pub trait PaymentStore: Sync {
    /// Marks the requests received, freezes the age of their keys, and says what each needs. `sent` are ids of events
    /// published since the last call: they are marked as sent in the same statement.
    ///
    /// Answers come in no particular sequence, one per record. Safe to repeat.
    ///
    /// # Errors
    /// The whole batch failed; [`Error::decision`] says what to do.
    fn begin(
        &self,
        batch: &[BeginPayment],
        sent: &[String],
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<Begun>, Error>> + Send;

    /// Makes the moves, each by compare-and-set, and says where every row stands now. `sent` as in
    /// [`begin`](Self::begin). Safe to repeat: a move that was made is found made.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    fn record(
        &self,
        batch: &[Move],
        sent: &[String],
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<Moved>, Error>> + Send;
}
