//! Payments in memory, moved as the contract says, and a store that fails when told to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use backoff::Deadline;
use data_api::{Call, Error, Fault};
use order::{Currency, OrderId, OrderStatus, PaymentStatus, ProviderRef};
use order_store::{BeginPayment, Begun, Frozen, Move, Moved, Next, OutboxEvent, PaymentStore, Step};
use payments::Payment;
use sha2::{Digest, Sha256};

/// One payment and what matters of its order.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) status: PaymentStatus,
    pub(crate) payment_id: Option<ProviderRef>,
    /// Whether the order is still wanted.
    pub(crate) wanted: bool,
    /// Why it is parked, if it is.
    pub(crate) parked: Option<(&'static str, Duration)>,
    /// Whether its parameters have its hash.
    pub(crate) intact: bool,
    pub(crate) key_age: Duration,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            status: PaymentStatus::Requested,
            payment_id: None,
            wanted: true,
            parked: None,
            intact: true,
            key_age: Duration::ZERO,
        }
    }
}

impl Row {
    /// What settle has to do.
    pub(crate) fn next(&self) -> Next {
        match (self.status, &self.payment_id) {
            (PaymentStatus::Requested, _) => Next::Authorize,
            (PaymentStatus::Capturing, Some(payment_id)) => Next::Capture(payment_id.clone()),
            (PaymentStatus::Voiding, Some(payment_id)) => Next::Cancel(payment_id.clone()),
            _ => Next::Nothing,
        }
    }

    /// The compare-and-set of the contract; whether it changed the row.
    fn apply(&mut self, step: &Step) -> bool {
        use PaymentStatus::{
            AwaitingCustomer, AwaitingProvider, Captured, Capturing, Failed, Requested, Review, Unknown,
            Voiding,
        };
        let open = matches!(self.status, Requested | Unknown | AwaitingCustomer | AwaitingProvider);
        let holds = |payment_id| self.payment_id.as_ref() == Some(payment_id);
        let status = match step {
            Step::Authorized { payment_id } if open => {
                self.payment_id = Some(payment_id.clone());
                if self.wanted { Capturing } else { Voiding }
            }
            Step::Captured { payment_id } if self.status == Capturing && holds(payment_id) => Captured,
            Step::Captured { payment_id } if self.status == Voiding && holds(payment_id) => Review,
            Step::Canceled { payment_id }
                if matches!(self.status, Capturing | Voiding) && holds(payment_id) =>
            {
                Failed
            }
            Step::Declined { .. } if open => Failed,
            Step::AwaitsCustomer if open => AwaitingCustomer,
            Step::AwaitsProvider if open => AwaitingProvider,
            Step::Unknown { .. } if self.status == Requested => Unknown,
            Step::Review { .. } if self.status != Failed => Review,
            Step::Parked { wait, why } if self.next() != Next::Nothing => {
                self.parked = Some((*why, *wait));
                return true;
            }
            _ => return false,
        };
        let changed = self.status != status;
        self.status = status;
        changed
    }
}

/// What the store is to do with one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fail {
    /// Nothing unusual.
    No,
    /// Not now.
    Later,
    /// It refuses any statement that holds this order.
    Refuse(&'static str),
    /// It says nothing of this order.
    Silent(&'static str),
}

/// The table of payments; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rows(Arc<Mutex<BTreeMap<Payment, Row>>>);

impl Rows {
    pub(crate) fn lock(&self) -> MutexGuard<'_, BTreeMap<Payment, Row>> {
        self.0.lock().unwrap()
    }

    pub(crate) fn of(&self, order_id: &str) -> Row {
        self.lock()[&payment(order_id)].clone()
    }

    pub(crate) fn change(&self, order_id: &str, change: impl FnOnce(&mut Row)) {
        change(self.lock().get_mut(&payment(order_id)).unwrap());
    }
}

/// The first attempt of an order.
pub(crate) fn payment(order_id: &str) -> Payment {
    Payment { order_id: order_id.parse().unwrap(), attempt_no: 1 }
}

/// One call that the store was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Called {
    pub(crate) what: &'static str,
    pub(crate) orders: Vec<String>,
    pub(crate) sent: Vec<String>,
}

/// The store: rows, what its calls are to do (one entry each, then nothing unusual), and what they were given.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pub(crate) rows: Rows,
    pub(crate) script: Mutex<VecDeque<Fail>>,
    /// What every call does beside the script.
    pub(crate) always: Option<Fail>,
    pub(crate) calls: Mutex<Vec<Called>>,
}

impl Store {
    /// Notes the call and says how it ends.
    fn called<'a>(
        &self,
        what: &'static str,
        orders: impl Iterator<Item = &'a OrderId>,
        sent: &[String],
    ) -> Result<Fail, Error> {
        let orders: Vec<String> = orders.map(ToString::to_string).collect();
        let holds = |order: &str| orders.iter().any(|id| id == order);
        let fail = self.script.lock().unwrap().pop_front().or(self.always.clone()).unwrap_or(Fail::No);
        let error = |fault| Err(Error::Call { call: Call::Idempotent, fault, message: Default::default() });
        let result = match &fail {
            Fail::Later => error(Fault::TimedOut),
            Fail::Refuse(order) if holds(order) => error(Fault::Forbidden),
            _ => Ok(fail),
        };
        self.calls.lock().unwrap().push(Called { what, orders, sent: sent.to_vec() });
        result
    }
}

impl PaymentStore for Store {
    async fn begin(&self, batch: &[BeginPayment], sent: &[String], _: Deadline) -> Result<Vec<Begun>, Error> {
        let fail = self.called("begin", batch.iter().map(|begin| &begin.order_id), sent)?;
        let rows = self.rows.lock();
        let begun = |begin: &BeginPayment| {
            let payment = Payment { order_id: begin.order_id.clone(), attempt_no: begin.attempt_no };
            let row = rows.get(&payment);
            Begun {
                record_no: begin.record_no,
                order_id: begin.order_id.clone(),
                attempt_no: begin.attempt_no,
                next: row.map_or(Next::Missing, Row::next),
                frozen: row.map(|row| frozen(&payment, row)),
            }
        };
        Ok(batch.iter().filter(|begin| fail != silent(&begin.order_id)).map(begun).collect())
    }

    async fn record(&self, batch: &[Move], sent: &[String], _: Deadline) -> Result<Vec<Moved>, Error> {
        let fail = self.called("record", batch.iter().map(|made| &made.order_id), sent)?;
        let mut rows = self.rows.lock();
        let moved = |made: &Move| {
            let payment = Payment { order_id: made.order_id.clone(), attempt_no: made.attempt_no };
            let row = rows.get_mut(&payment).unwrap();
            let changed = row.apply(&made.step);
            Moved {
                record_no: made.record_no,
                order_id: made.order_id.clone(),
                attempt_no: made.attempt_no,
                changed,
                order_status: OrderStatus::Accepted,
                payment_status: row.status,
                next: row.next(),
                event: (changed && row.status == PaymentStatus::Captured).then(|| confirmed(&made.order_id)),
            }
        };
        Ok(batch.iter().filter(|made| fail != silent(&made.order_id)).map(moved).collect())
    }
}

fn silent(order_id: &OrderId) -> Fail {
    match order_id.as_str() {
        "silent" => Fail::Silent("silent"),
        _ => Fail::Silent(""),
    }
}

fn frozen(payment: &Payment, row: &Row) -> Frozen {
    let form = format!("v1|{}|{}|4970|EUR|cus_x|pm_x", payment.order_id, payment.attempt_no);
    let hash: String = Sha256::digest(form.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    Frozen {
        amount_minor: if row.intact { 4_970 } else { 4_971 },
        currency: Currency::parse("EUR").unwrap(),
        customer_ref: "cus_x".parse().unwrap(),
        method_ref: "pm_x".parse().unwrap(),
        params_hash: hash,
        key_age: row.key_age,
    }
}

fn confirmed(order_id: &OrderId) -> OutboxEvent {
    OutboxEvent {
        id: format!("{order_id}:order.confirmed.v1:2"),
        order_id: order_id.clone(),
        event_type: "order.confirmed.v1".to_owned(),
        payload: format!(r#"{{"orderId": "{order_id}", "customerId": "c_1"}}"#),
        created_ms: 1_700_000_000_000,
    }
}
