//! Tells others what became of an order, after the commit.

use backoff::Deadline;
use order::{Unreadable, stored_event_json};
use order_store::OutboxEvent;
use queue::{Outgoing, Queue, QueueUrl};

/// An event to publish, and the trace of the message that led to it.
pub(crate) type Traced = (OutboxEvent, Option<String>);

/// Publishes the events and returns the ids of those that the queue took. Never fails its caller: the rest are rows of
/// the outbox, which the reconciler publishes.
pub(crate) async fn publish<Q: Queue>(
    queue: &Q,
    to: &QueueUrl,
    events: Vec<Traced>,
    deadline: Deadline,
) -> Vec<String> {
    let (ids, messages): (Vec<String>, Vec<Outgoing>) = events.into_iter().filter_map(message).unzip();
    if messages.is_empty() {
        return Vec::new();
    }
    let asked = messages.len();
    let published = queue.publish(to, messages, deadline).await;
    let taken: Vec<String> =
        ids.into_iter().zip(published).filter(|(_, sent)| sent.is_ok()).map(|(id, _)| id).collect();
    if taken.len() < asked {
        let left = asked.saturating_sub(taken.len());
        tracing::warn!(
            events.asked = asked,
            events.left = left,
            "events were not published; the reconciler publishes them"
        );
    }
    taken
}

/// The event's id and message.
fn message((event, traceparent): Traced) -> Option<(String, Outgoing)> {
    let OutboxEvent { id, order_id, event_type, payload, created_ms } = event;
    match stored_event_json(&id, &event_type, &payload, created_ms, traceparent.as_deref()) {
        Ok(body) => Some((id, Outgoing::traced(body, traceparent))),
        Err(Unreadable { detail, .. }) => {
            tracing::error!(order.id = %order_id, event.id = id, detail, "an event in the outbox cannot be read");
            None
        }
    }
}
