//! The store's twin: rows, leases and compare-and-set as the door's documentation says, and calls that fail when told.
//!
//! Clones share their rows: two runs over two clones are two instances of the function over one database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use backoff::{Clock, Deadline, ManualClock};
use data_api::Error;
use order::{Currency, OrderId, OrderStatus, PaymentStatus, ProviderRef};
use order_store::{
    Backlog, BeginPayment, Begun, Difference, Due, DuePayment, Frozen, GiveUp, Move, Moved, Next,
    OutboxEvent, PaymentStore, ReconcileStore, SeenCharge, Step, Sweep, UnknownPayment,
};
use sha2::{Digest, Sha256};
use tokio::task::yield_now;

/// One attempt, and its order.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) status: PaymentStatus,
    pub(crate) order: OrderStatus,
    pub(crate) payment_id: Option<ProviderRef>,
    /// Unix milliseconds.
    pub(crate) first_sent_ms: u64,
    /// When it is due again, or its lease is over.
    pub(crate) due_ms: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) rows: BTreeMap<(OrderId, i32), Row>,
    /// Events, and whether they are marked as sent.
    pub(crate) outbox: Vec<(OutboxEvent, bool)>,
    pub(crate) compared_until: Option<u64>,
    /// Of the orders that came with one.
    pub(crate) traces: BTreeMap<OrderId, String>,
    /// Looking traces up takes as long as it may, and fails then.
    pub(crate) traces_hang: bool,
    /// How often each call is still to fail.
    pub(crate) fails: BTreeMap<&'static str, usize>,
    /// Every call, in order.
    pub(crate) calls: Vec<&'static str>,
    pub(crate) panics_in: BTreeSet<&'static str>,
    /// Somebody else names this charge in order `a` just before the next `record`.
    pub(crate) moved_before_record: Option<&'static str>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Rows {
    pub(crate) clock: ManualClock,
    pub(crate) state: Arc<Mutex<State>>,
}

/// As the door says of `take_due`; long enough that no run sees it end.
const LEASE_MS: u64 = 600_000;

impl Rows {
    /// An attempt of this order, first sent that long ago.
    pub(crate) fn row(&self, order_id: &str, status: PaymentStatus, age: Duration) {
        let row = Row {
            status,
            order: if status == PaymentStatus::Failed {
                OrderStatus::Rejected
            } else {
                OrderStatus::Accepted
            },
            payment_id: None,
            first_sent_ms: self.clock.now_ms() - u64::try_from(age.as_millis()).unwrap(),
            due_ms: None,
        };
        self.state.lock().unwrap().rows.insert((order_id.parse().unwrap(), 1), row);
    }

    /// A requested payment that is due in so many milliseconds.
    pub(crate) fn parked(&self, order_id: &str, due_in_ms: u64) {
        self.row(order_id, PaymentStatus::Requested, Duration::from_secs(1));
        self.change(order_id, |row| row.due_ms = Some(self.clock.now_ms() + due_in_ms));
    }

    pub(crate) fn change(&self, order_id: &str, change: impl FnOnce(&mut Row)) {
        change(self.state.lock().unwrap().rows.get_mut(&(order_id.parse().unwrap(), 1)).unwrap());
    }

    /// `status` of every row, in order.
    pub(crate) fn statuses(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.rows.iter().map(|((id, no), row)| format!("{id}/{no} {}", row.status)).collect()
    }

    /// An event that was written that long ago.
    pub(crate) fn event(&self, order_id: &str, age_ms: u64) {
        let mut state = self.state.lock().unwrap();
        let created_ms = self.clock.now_ms() - age_ms;
        state.outbox.push((event(&order_id.parse().unwrap(), "order.accepted.v1", created_ms), false));
    }

    pub(crate) fn calls(&self, name: &str) -> usize {
        self.state.lock().unwrap().calls.iter().filter(|call| **call == name).count()
    }

    /// Lets whoever runs beside go on first, then does what is planted for this call.
    async fn call(&self, name: &'static str) -> Result<MutexGuard<'_, State>, Error> {
        yield_now().await;
        let mut state = self.state.lock().unwrap();
        state.calls.push(name);
        let panics = state.panics_in.contains(name);
        let failing = state.fails.get_mut(name).filter(|left| **left > 0);
        let fails = failing.map(|left| *left -= 1).is_some();
        if panics {
            drop(state);
            panic!("planted panic");
        }
        if fails { Err(Error::NoRegion) } else { Ok(state) }
    }
}

impl State {
    /// One compare-and-set: `to` where `from` allows it, with the order's new status and an event.
    fn cas(&mut self, (order_id, attempt_no): (&OrderId, i32), from: &[PaymentStatus], to: Row) -> Moved {
        let row = self.rows.get_mut(&(order_id.clone(), attempt_no)).unwrap();
        let changed = from.contains(&row.status);
        if changed {
            *row = to;
        }
        let next = match (&row.status, row.payment_id.clone()) {
            (PaymentStatus::Capturing, Some(id)) => Next::Capture(id),
            (PaymentStatus::Voiding, Some(id)) => Next::Cancel(id),
            (PaymentStatus::Requested, _) => Next::Authorize,
            _ => Next::Nothing,
        };
        Moved {
            record_no: 0,
            order_id: order_id.clone(),
            attempt_no,
            changed,
            order_status: row.order,
            payment_status: row.status,
            next,
            event: None,
        }
    }

    fn reject(&mut self, key: (&OrderId, i32), from: &[PaymentStatus], now_ms: u64) -> Moved {
        let row = self.rows[&(key.0.clone(), key.1)].clone();
        let failed = Row { status: PaymentStatus::Failed, order: OrderStatus::Rejected, due_ms: None, ..row };
        let mut moved = self.cas(key, from, failed);
        if moved.changed {
            let written = event(key.0, "order.rejected.v1", now_ms);
            self.outbox.push((written.clone(), false));
            moved.event = Some(written);
        }
        moved
    }

    fn make(&mut self, Move { record_no, order_id, attempt_no, step }: &Move, now_ms: u64) -> Moved {
        let key = (order_id, *attempt_no);
        let row = self.rows[&(order_id.clone(), *attempt_no)].clone();
        let from = [PaymentStatus::Unknown, PaymentStatus::Requested];
        let to = |status| Row { status, ..row.clone() };
        let moved = match step {
            Step::Authorized { payment_id } => {
                let wanted = row.order == OrderStatus::Accepted;
                let status = if wanted { PaymentStatus::Capturing } else { PaymentStatus::Voiding };
                self.cas(key, &from, Row { payment_id: Some(payment_id.clone()), ..to(status) })
            }
            Step::Declined { .. } => self.reject(key, &from, now_ms),
            Step::AwaitsCustomer => self.cas(key, &from, to(PaymentStatus::AwaitingCustomer)),
            Step::AwaitsProvider => self.cas(key, &from, to(PaymentStatus::AwaitingProvider)),
            Step::Unknown { .. } => self.cas(key, &[PaymentStatus::Requested], to(PaymentStatus::Unknown)),
            Step::Parked { .. } => self.cas(key, &[], row.clone()),
            Step::Review { .. } => {
                let review = Row { order: OrderStatus::Review, ..to(PaymentStatus::Review) };
                self.cas(key, &from, review)
            }
            Step::Captured { .. } | Step::Canceled { .. } => panic!("the reconciler captures nothing"),
        };
        Moved { record_no: *record_no, ..moved }
    }

    fn difference(&self, seen: &SeenCharge) -> Option<Difference> {
        let row = self.rows.get(&(seen.order_id.clone(), seen.attempt_no));
        let named = row.is_some_and(|row| row.payment_id.as_ref() == Some(&seen.payment_id));
        let what = match row {
            None => "no_such_row",
            Some(row)
                if seen.held
                    && (row.status == PaymentStatus::Failed || row.payment_id.is_some() && !named) =>
            {
                "orphan_hold"
            }
            Some(row) if seen.captured_minor > 0 && row.status == PaymentStatus::Failed => {
                "captured_not_recorded"
            }
            Some(_) => return None,
        };
        Some(Difference {
            payment_id: Some(seen.payment_id.clone()),
            order_id: seen.order_id.clone(),
            attempt_no: seen.attempt_no,
            payment_status: row.map(|row| row.status),
            what: what.to_owned(),
        })
    }
}

/// An outbox row as the database prints it.
fn event(order_id: &OrderId, event_type: &str, created_ms: u64) -> OutboxEvent {
    let reason = if event_type == "order.rejected.v1" { r#", "reason": "payment_unavailable""# } else { "" };
    OutboxEvent {
        id: format!("{order_id}:{event_type}:2"),
        order_id: order_id.clone(),
        event_type: event_type.to_owned(),
        payload: format!(r#"{{"orderId": "{order_id}", "customerId": "c_1"{reason}}}"#),
        created_ms,
    }
}

fn frozen(order_id: &OrderId, attempt_no: i32, key_age: Duration) -> Frozen {
    let text = format!("v1|{order_id}|{attempt_no}|1000|EUR|cus_{order_id}|pm_x");
    Frozen {
        amount_minor: 1_000,
        currency: Currency::parse("EUR").unwrap(),
        customer_ref: format!("cus_{order_id}").parse().unwrap(),
        method_ref: "pm_x".parse().unwrap(),
        params_hash: Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect(),
        key_age,
    }
}

impl PaymentStore for Rows {
    async fn begin(&self, _: &[BeginPayment], _: &[String], _: Deadline) -> Result<Vec<Begun>, Error> {
        panic!("the reconciler begins nothing")
    }

    async fn record(&self, batch: &[Move], _: &[String], _: Deadline) -> Result<Vec<Moved>, Error> {
        let mut state = self.call("record").await?;
        if let Some(payment_id) = state.moved_before_record.take() {
            let row = state.rows.get_mut(&("a".parse().unwrap(), 1)).unwrap();
            (row.status, row.payment_id) = (PaymentStatus::Capturing, Some(payment_id.parse().unwrap()));
        }
        Ok(batch.iter().map(|made| state.make(made, self.clock.now_ms())).collect())
    }
}

impl ReconcileStore for Rows {
    async fn take_due(&self, limit: u32, _: Deadline) -> Result<Due, Error> {
        let mut state = self.call("take_due").await?;
        let (now_ms, mut due) = (self.clock.now_ms(), Due::default());
        use PaymentStatus::{Capturing, Requested, Voiding};
        let published = |row: &Row| matches!(row.status, Requested | Capturing | Voiding);
        for ((order_id, attempt_no), row) in state.rows.iter_mut().filter(|(_, row)| published(row)) {
            let Some(due_ms) = row.due_ms else { continue };
            if due_ms <= now_ms && due.requests.len() < usize::try_from(limit).unwrap() {
                due.requests.push(DuePayment { order_id: order_id.clone(), attempt_no: *attempt_no });
                row.due_ms = Some(now_ms + LEASE_MS);
            } else if due_ms <= now_ms + 60_000 {
                due.waiting += 1;
            }
        }
        Ok(due)
    }

    async fn backlog(&self, _: Deadline) -> Result<Backlog, Error> {
        let state = self.call("backlog").await?;
        let unknown = state.rows.values().filter(|row| row.status == PaymentStatus::Unknown).count();
        Ok(Backlog { unknown: unknown.try_into().unwrap(), ..Backlog::default() })
    }

    async fn unsent_events(&self, limit: u32, age: Duration, _: Deadline) -> Result<Vec<OutboxEvent>, Error> {
        let state = self.call("unsent_events").await?;
        let latest_ms = self.clock.now_ms() - u64::try_from(age.as_millis()).unwrap();
        let unsent = state.outbox.iter().filter(|(event, sent)| !sent && event.created_ms <= latest_ms);
        Ok(unsent.map(|(event, _)| event.clone()).take(usize::try_from(limit).unwrap()).collect())
    }

    async fn mark_sent(&self, ids: &[String], _: Deadline) -> Result<(), Error> {
        let mut state = self.call("mark_sent").await?;
        state
            .outbox
            .iter_mut()
            .filter(|(event, _)| ids.contains(&event.id))
            .for_each(|(_, sent)| *sent = true);
        Ok(())
    }

    async fn traces(
        &self,
        order_ids: &[&OrderId],
        deadline: Deadline,
    ) -> Result<BTreeMap<OrderId, String>, Error> {
        let state = self.call("traces").await?;
        if state.traces_hang {
            self.clock.advance(deadline.remaining(&self.clock));
            return Err(Error::NoRegion);
        }
        let traced = state.traces.iter().filter(|(order_id, _)| order_ids.contains(order_id));
        Ok(traced.map(|(order_id, trace)| (order_id.clone(), trace.clone())).collect())
    }

    async fn take_unknown(&self, limit: u32, _: Deadline) -> Result<Vec<UnknownPayment>, Error> {
        let mut state = self.call("take_unknown").await?;
        let now_ms = self.clock.now_ms();
        let unknown = state.rows.iter_mut().filter(|(_, row)| row.status == PaymentStatus::Unknown);
        let free = unknown.filter(|(_, row)| row.due_ms.is_none_or(|due_ms| due_ms <= now_ms));
        let taken = free.take(usize::try_from(limit).unwrap()).map(|((order_id, attempt_no), row)| {
            row.due_ms = Some(now_ms + 60_000);
            let age = Duration::from_millis(now_ms - row.first_sent_ms);
            UnknownPayment {
                order_id: order_id.clone(),
                attempt_no: *attempt_no,
                frozen: frozen(order_id, *attempt_no, age),
                first_sent_s: row.first_sent_ms / 1_000,
                unknown_for: age,
            }
        });
        Ok(taken.collect())
    }

    async fn give_up(
        &self,
        payments: &[(OrderId, i32)],
        how: GiveUp,
        _: Deadline,
    ) -> Result<Vec<Moved>, Error> {
        let mut state = self.call("give_up").await?;
        let now_ms = self.clock.now_ms();
        let give_up = |(order_id, attempt_no): &(OrderId, i32)| {
            let from = [PaymentStatus::Unknown];
            if how == GiveUp::Fail || *attempt_no > 1 {
                return state.reject((order_id, *attempt_no), &from, now_ms);
            }
            let row = state.rows[&(order_id.clone(), *attempt_no)].clone();
            let failed = Row { status: PaymentStatus::Failed, due_ms: None, ..row.clone() };
            let moved = state.cas((order_id, *attempt_no), &from, failed);
            if moved.changed {
                let due_ms = Some(now_ms);
                let next = Row { status: PaymentStatus::Requested, due_ms, ..row };
                state.rows.insert((order_id.clone(), attempt_no + 1), next);
            }
            moved
        };
        Ok(payments.iter().map(give_up).collect())
    }

    async fn expire(&self, limit: u32, age: Duration, _: Deadline) -> Result<Vec<Moved>, Error> {
        let mut state = self.call("expire").await?;
        let latest_ms = self.clock.now_ms().saturating_sub(u64::try_from(age.as_millis()).unwrap());
        let from = [PaymentStatus::Requested, PaymentStatus::Unknown, PaymentStatus::AwaitingCustomer];
        let old = |row: &Row| from.contains(&row.status) && row.first_sent_ms <= latest_ms;
        let keys: Vec<_> =
            state.rows.iter().filter(|(_, row)| old(row)).map(|(key, _)| key.clone()).collect();
        let taken = keys.into_iter().take(usize::try_from(limit).unwrap());
        Ok(taken.map(|(id, no)| state.reject((&id, no), &from, self.clock.now_ms())).collect())
    }

    async fn take_sweeps(&self, limit: u32, every: Duration, _: Deadline) -> Result<Vec<Sweep>, Error> {
        let mut state = self.call("take_sweeps").await?;
        let now_ms = self.clock.now_ms();
        let failed = state.rows.iter_mut().filter(|(_, row)| row.status == PaymentStatus::Failed);
        let free = failed.filter(|(_, row)| row.due_ms.is_none_or(|due_ms| due_ms <= now_ms));
        let taken = free.take(usize::try_from(limit).unwrap()).map(|((order_id, attempt_no), row)| {
            let next_ms = now_ms + u64::try_from(every.as_millis()).unwrap();
            row.due_ms = Some(next_ms);
            Sweep {
                order_id: order_id.clone(),
                attempt_no: *attempt_no,
                customer_ref: format!("cus_{order_id}").parse().unwrap(),
                first_sent_s: row.first_sent_ms / 1_000,
            }
        });
        Ok(taken.collect())
    }

    async fn compare(&self, charges: &[SeenCharge], _: Deadline) -> Result<Vec<Difference>, Error> {
        let state = self.call("compare").await?;
        Ok(charges.iter().filter_map(|seen| state.difference(seen)).collect())
    }

    async fn compared_until(&self, _: Deadline) -> Result<Option<u64>, Error> {
        Ok(self.call("compared_until").await?.compared_until)
    }

    async fn set_compared_until(&self, until_s: u64, _: Deadline) -> Result<(), Error> {
        let mut state = self.call("set_compared_until").await?;
        state.compared_until = state.compared_until.max(Some(until_s));
        Ok(())
    }
}
