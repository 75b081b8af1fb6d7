//! Publishes the payment requests of committed orders.

use std::collections::{BTreeMap, BTreeSet};

use backoff::{Clock, Deadline};
use order::{OrderId, PaymentRequested};
use order_store::Accepted;
use queue::{Outgoing, Queue};

use crate::flow::{Doors, Orders};

/// Publishes one request for each answered order that still needs one, and returns the orders whose request the
/// queue did not take.
///
/// Only called after the commit: the row that names the payment's idempotency key exists before anybody can pay.
pub(crate) async fn publish<S, C, Q: Queue, K: Clock>(
    doors: &Doors<S, C, Q, K>,
    deadline: Deadline,
    orders: &Orders,
    answers: &[Accepted],
) -> BTreeSet<OrderId> {
    let requests = requests(orders, answers, doors.clock.now_ms());
    if requests.is_empty() {
        return BTreeSet::new();
    }
    let (order_ids, messages): (Vec<OrderId>, Vec<Outgoing>) = requests.into_iter().unzip();
    let published = doors.queue.publish(&doors.payments, messages, deadline).await;
    let taken = published.into_iter().map(|result| result.is_ok()).chain(std::iter::repeat(false));
    order_ids.into_iter().zip(taken).filter(|(_, taken)| !taken).map(|(order_id, _)| order_id).collect()
}

/// One message per order, however many records named it.
fn requests(orders: &Orders, answers: &[Accepted], now_ms: u64) -> BTreeMap<OrderId, Outgoing> {
    let due = answers.iter().filter(|answer| answer.publish_payment);
    let request = |answer: &Accepted| {
        let traceparent = orders.get(&answer.record_no).and_then(|decoded| decoded.traceparent.clone());
        let event = PaymentRequested { order_id: answer.order_id.clone(), attempt_no: answer.attempt_no? };
        let body = event.to_event_json(now_ms, traceparent.as_deref());
        Some((answer.order_id.clone(), Outgoing::traced(body, traceparent)))
    };
    due.filter_map(request).collect()
}
