//! The payments of one group of records: who asks for them, and what was committed for each.

use std::collections::BTreeMap;

use order_store::{BeginPayment, Frozen};
use payments::Payment;
use settlement::Tries;

use crate::decode::Asked;

/// Payments that are begun together.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    /// Who asks.
    pub(crate) asked: &'a Asked,
    /// The committed requests.
    pub(crate) rows: BTreeMap<Payment, Frozen>,
}

impl Group<'_> {
    /// How hard a payment has been tried.
    pub(crate) fn tries(&self, payment: &Payment) -> Tries {
        Tries {
            received: self.asked.get(payment).map_or(1, |asking| asking.received),
            key_age: self.rows.get(payment).map(|frozen| frozen.key_age).unwrap_or_default(),
        }
    }

    /// When a payment was asked for, Unix milliseconds.
    pub(crate) fn sent_ms(&self, payment: &Payment) -> Option<u64> {
        self.asked.get(payment)?.sent_ms
    }

    /// The trace that a payment belongs to.
    pub(crate) fn traceparent(&self, payment: &Payment) -> Option<String> {
        self.asked.get(payment)?.traceparent.clone()
    }
}

/// What the store is asked about one payment.
pub(crate) fn begin_payment((record_no, payment): (usize, &Payment)) -> BeginPayment {
    BeginPayment { record_no, order_id: payment.order_id.clone(), attempt_no: payment.attempt_no }
}
