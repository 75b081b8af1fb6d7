//! The door to what is left over: the reconciler's questions, each bounded and each safe to ask twice at once.

mod aurora;

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use data_api::{Deadline, Error};
use order::{Currency, OrderId, PaymentStatus, ProviderRef};
use serde::{Deserialize, Serialize};

use crate::payments::{Frozen, Moved, OutboxEvent};

/// What is due, and what is still to come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// Payment requests to publish now: parked rows whose time has come, and requests that nobody received. Each is
    /// leased: it becomes due again only if nobody begins it.
    pub requests: Vec<DuePayment>,
    /// Rows that are due and not taken by this call, or parked and due within a minute; 10,000 means that or more.
    pub waiting: u64,
}

/// A payment request to publish again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DuePayment {
    /// Which order.
    pub order_id: OrderId,
    /// Which attempt.
    pub attempt_no: i32,
}

/// A payment whose outcome at the provider nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownPayment {
    /// Which order.
    pub order_id: OrderId,
    /// Which attempt.
    pub attempt_no: i32,
    /// The request as it was committed.
    pub frozen: Frozen,
    /// When the key may first have been sent, Unix seconds: where to look from.
    pub first_sent_s: u64,
    /// How long it has been unknown.
    pub unknown_for: Duration,
}

/// A failed attempt whose hold may still appear at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Sweep {
    /// Which order.
    pub order_id: OrderId,
    /// Which attempt.
    pub attempt_no: i32,
    /// The customer at the provider.
    pub customer_ref: ProviderRef,
    /// When the key may first have been sent, Unix seconds.
    pub first_sent_s: u64,
}

/// A charge at the provider that names one of our attempts, to be held against the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeenCharge {
    /// The provider's id.
    pub payment_id: ProviderRef,
    /// The attempt in its metadata.
    pub order_id: OrderId,
    /// The attempt in its metadata.
    pub attempt_no: i32,
    /// Whether money is held.
    pub held: bool,
    /// Captured, in minor units.
    pub captured_minor: i64,
    /// In what.
    pub currency: Option<Currency>,
}

/// Where provider and rows disagree.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Difference {
    /// The provider's id of the charge; `None` where it has none and the row says captured.
    pub payment_id: Option<ProviderRef>,
    /// Which order.
    pub order_id: OrderId,
    /// Which attempt.
    pub attempt_no: i32,
    /// What the row says; `None` if there is no such row.
    pub payment_status: Option<PaymentStatus>,
    /// What is wrong: `orphan_hold` (to be canceled), `captured_not_recorded`, `amount_differs`, `no_such_row`,
    /// `not_captured`.
    pub what: String,
}

/// How an unknown payment is given up when its quarantine is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GiveUp {
    /// The attempt fails and the next one is requested; from the second attempt on, as `Fail`.
    NextAttempt,
    /// The attempt fails and the order is rejected `payment_unavailable`; stock is released.
    Fail,
}

/// What waits, in numbers. A count ends at 10,000, which means that or more; ages are in seconds, 0 where nothing waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub struct Backlog {
    /// Payments to be made, captured or canceled whose order was accepted more than a minute ago: parked ones, and those
    /// whose request was lost.
    pub parked: u64,
    /// How long ago the oldest of these orders was accepted.
    pub parked_s: u64,
    /// Payments whose outcome nobody knows.
    pub unknown: u64,
    /// How long the oldest of them has been unknown.
    pub unknown_s: u64,
    /// Payments that a person has to look at.
    pub review: u64,
    /// Orders whose money was taken and that are not confirmed. There is none.
    pub captured_not_confirmed: u64,
    /// Events written more than a minute ago and not marked as sent.
    pub unsent: u64,
}

/// What is left over, as the reconciler sees it.
pub trait ReconcileStore: Sync {
    /// Takes at most `limit` due payment requests.
    ///
    /// # Errors
    /// As every call of this door: [`Error::decision`] says what to do; nothing is lost by doing nothing.
    fn take_due(&self, limit: u32, deadline: Deadline) -> impl Future<Output = Result<Due, Error>> + Send;

    /// What waits, in numbers.
    ///
    /// # Errors
    /// As [`take_due`](Self::take_due).
    fn backlog(&self, deadline: Deadline) -> impl Future<Output = Result<Backlog, Error>> + Send;

    /// At most `limit` events written at least `age` ago and not marked as sent, oldest first.
    ///
    /// # Errors
    /// As [`take_due`](Self::take_due).
    fn unsent_events(
        &self,
        limit: u32,
        age: Duration,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<OutboxEvent>, Error>> + Send;

    /// Marks events as sent.
    ///
    /// # Errors
    /// As [`take_due`](Self::take_due).
    fn mark_sent(&self, ids: &[String], deadline: Deadline)
    -> impl Future<Output = Result<(), Error>> + Send;

    /// The W3C trace contexts that these orders were placed under; nothing of an order that came without one.
    ///
    /// # Errors
    /// As [`take_due`](Self::take_due).
    fn traces(
        &self,
        order_ids: &[&OrderId],
        deadline: Deadline,
    ) -> impl Future<Output = Result<BTreeMap<OrderId, String>, Error>> + Send;

    /// Takes at most `limit` unknown payments; each is leased for a minute.
    ///
    /// # Errors
    /// As [`take_due`](Self::take_due).
    fn take_unknown(
        &self,
        limit: u32,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<UnknownPayment>, Error>> + Send;

    /// Gives up unknown payments. The failed attempts are swept for 24 h.
    ///
    /// # Errors
    /// As [`take_due`](Self::take_due).
    fn give_up(
        &self,
        payments: &[(OrderId, i32)],
        how: GiveUp,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<Moved>, Error>> + Send;

    /// Ends at most `limit` orders that were accepted at least `age` ago and whose payment is `requested`, `unknown`
    /// or awaited: `rejected payment_unavailable` (`payment_expired` where the customer was awaited), stock released,
    /// attempts swept for 24 h.
    ///
    /// # Errors
    /// As [`take_due`](Self::take_due).
    fn expire(
        &self,
        limit: u32,
        age: Duration,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<Moved>, Error>> + Send;

    /// Takes at most `limit` failed attempts to sweep; each comes again after `every`, until its 24 h are over.
    ///
    /// # Errors
    /// As [`take_due`](Self::take_due).
    fn take_sweeps(
        &self,
        limit: u32,
        every: Duration,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<Sweep>, Error>> + Send;

    /// Where provider and rows disagree about these charges. A row that is still on its way is no difference.
    ///
    /// # Errors
    /// As [`take_due`](Self::take_due).
    fn compare(
        &self,
        charges: &[SeenCharge],
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<Difference>, Error>> + Send;

    /// Up to which moment (Unix seconds) provider and rows have been compared; `None` before the first time.
    ///
    /// # Errors
    /// As [`take_due`](Self::take_due).
    fn compared_until(&self, deadline: Deadline) -> impl Future<Output = Result<Option<u64>, Error>> + Send;

    /// Moves that moment forward; never back, whoever else is moving it.
    ///
    /// # Errors
    /// As [`take_due`](Self::take_due).
    fn set_compared_until(
        &self,
        until_s: u64,
        deadline: Deadline,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}
