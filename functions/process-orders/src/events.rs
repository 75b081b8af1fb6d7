//! Tells others which orders this batch made accepted or rejected.

use backoff::{Clock, Deadline};
use order::OutEvent;
use order_store::{Accepted, Verdict};
use queue::{Outgoing, Queue};

use crate::decode::Decoded;
use crate::flow::{Doors, Orders};

/// The sequence of an order's first event in its outbox, which the committing call wrote.
const FIRST: u32 = 1;

/// Publishes one event for each order that this batch decided, and remembers which the queue took: the instance's next
/// committing call marks them as sent.
///
/// Only called after the commit. Never fails a record: an event that the queue did not take is a row of the outbox, and
/// the reconciler publishes it under the same id.
pub(crate) async fn publish<S, C, Q: Queue, K: Clock>(
    doors: &Doors<S, C, Q, K>,
    deadline: Deadline,
    orders: &Orders,
    answers: &[Accepted],
) {
    let now_ms = doors.clock.now_ms();
    let decided = answers.iter().filter_map(|answer| {
        let decoded = orders.get(&answer.record_no)?;
        Some(message(&event(answer, decoded)?, now_ms, decoded.traceparent.clone()))
    });
    let (ids, messages): (Vec<String>, Vec<Outgoing>) = decided.unzip();
    if messages.is_empty() {
        return;
    }
    let published = doors.queue.publish(&doors.order_events, messages, deadline).await;
    let asked = ids.len();
    let taken: Vec<String> =
        ids.into_iter().zip(published).filter(|(_, result)| result.is_ok()).map(|(id, _)| id).collect();
    if taken.len() < asked {
        let left = asked.saturating_sub(taken.len());
        tracing::warn!(
            events.asked = asked,
            events.left = left,
            "events were not published; the reconciler publishes them"
        );
    }
    doors.sent.add(taken);
}

/// What to tell of an order that this batch decided; nothing of one that an earlier batch did, or nobody.
fn event(answer: &Accepted, decoded: &Decoded) -> Option<OutEvent> {
    let (order_id, customer_id) = (answer.order_id.clone(), decoded.placed.customer_id.clone());
    match answer.verdict {
        Verdict::Accepted => Some(OutEvent::OrderAccepted { order_id, customer_id }),
        Verdict::Rejected(reason) => Some(OutEvent::OrderRejected { order_id, customer_id, reason }),
        Verdict::Known | Verdict::IdReused | Verdict::Canceled | Verdict::Refused { .. } => None,
    }
}

/// The event's id, which is its row's, and its message.
fn message(event: &OutEvent, now_ms: u64, traceparent: Option<String>) -> (String, Outgoing) {
    let id = format!("{}:{}:{FIRST}", event.order_id(), event.event_type());
    let body = event.to_event_json(FIRST, now_ms, traceparent.as_deref());
    (id, Outgoing::traced(body, traceparent))
}
