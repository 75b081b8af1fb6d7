//! What goes to the queues: events that a row holds, and requests to pay. Each belongs to the trace of its order.

use std::collections::BTreeMap;
use std::time::Duration;

use backoff::{Clock, Deadline};
use order::{OrderId, PaymentRequested, stored_event_json};
use order_store::{DuePayment, Moved, Next, OutboxEvent, ReconcileStore};
use queue::{Outgoing, Queue};
use telemetry::fields;

use crate::duty::Stopped;
use crate::flow::Run;

/// The most that looking up traces may take: a warm call takes tens of milliseconds, and what cannot be had by then is
/// not worth a turn of the pump.
const TRACES_MOST: Duration = Duration::from_millis(300);

/// Kept back for the publishing itself, however little time there is.
const TIME_TO_PUBLISH: Duration = Duration::from_millis(200);

/// Publishes the events and returns the ids of those that the queue took. Whoever marks them as sent may be killed in
/// between: then they are published again under the same ids, perhaps without their traces.
pub(crate) async fn events<S: ReconcileStore, P, Q: Queue, K: Clock>(
    run: &Run<'_, S, P, Q, K>,
    events: &[OutboxEvent],
    until: Deadline,
) -> Vec<String> {
    if events.is_empty() {
        return Vec::new();
    }
    let traces = traces(run, events.iter().map(|event| &event.order_id), until).await;
    let message = |event| message(event, traces.get(&event.order_id));
    let (ids, messages): (Vec<&String>, Vec<Outgoing>) = events.iter().filter_map(message).unzip();
    if messages.is_empty() {
        return Vec::new();
    }
    let published = run.doors.queue.publish(&run.doors.order_events, messages, until).await;
    let taken = ids.into_iter().zip(published).filter(|(_, result)| result.is_ok());
    taken.map(|(id, _)| id.clone()).collect()
}

/// The message for one event. One that cannot be read is never sent; the line about it comes every run, until somebody
/// mends the row.
fn message<'a>(event: &'a OutboxEvent, trace: Option<&String>) -> Option<(&'a String, Outgoing)> {
    let traceparent = trace.map(String::as_str);
    match stored_event_json(&event.id, &event.event_type, &event.payload, event.created_ms, traceparent) {
        Ok(body) => Some((&event.id, Outgoing::traced(body, trace.cloned()))),
        Err(unreadable) => {
            tracing::error!(
                event.id = event.id,
                order.id = %event.order_id,
                reason = "unreadable_event",
                detail = unreadable.detail,
                traceparent = traceparent.unwrap_or_default(),
                "event cannot be published"
            );
            None
        }
    }
}

/// Publishes requests to pay, and returns those that the queue did not take.
pub(crate) async fn requests<S: ReconcileStore, P, Q: Queue, K: Clock>(
    run: &Run<'_, S, P, Q, K>,
    requests: Vec<DuePayment>,
    until: Deadline,
) -> Vec<DuePayment> {
    if requests.is_empty() {
        return requests;
    }
    let now_ms = run.doors.clock.now_ms();
    let traces = traces(run, requests.iter().map(|due| &due.order_id), until).await;
    let message = |DuePayment { order_id, attempt_no }: &DuePayment| {
        let trace = traces.get(order_id);
        let request = PaymentRequested { order_id: order_id.clone(), attempt_no: *attempt_no };
        Outgoing::traced(request.to_event_json(now_ms, trace.map(String::as_str)), trace.cloned())
    };
    let messages = requests.iter().map(message).collect();
    let published = run.doors.queue.publish(&run.doors.payments, messages, until).await;
    let taken = published.into_iter().map(|result| result.is_ok()).chain(std::iter::repeat(false));
    requests.into_iter().zip(taken).filter(|(_, taken)| !taken).map(|(due, _)| due).collect()
}

/// The traces of these orders, where they are known soon: what has to be published waits for them no longer than that.
async fn traces<'a, S: ReconcileStore, P, Q, K: Clock>(
    run: &Run<'_, S, P, Q, K>,
    of: impl Iterator<Item = &'a OrderId>,
    until: Deadline,
) -> BTreeMap<OrderId, String> {
    let order_ids: Vec<&OrderId> = of.collect();
    let soon = Deadline::after(&run.doors.clock, TRACES_MOST).min(until.earlier(TIME_TO_PUBLISH));
    let traces = run.doors.store.traces(&order_ids, soon).await;
    traces.unwrap_or_else(|error| {
        tracing::warn!({ fields::ERROR_MESSAGE } = %error, "traces could not be read; what is published now has none");
        BTreeMap::new()
    })
}

/// What follows from moves: their events are published and marked as sent, and whoever is to be captured or canceled
/// now is handed to settle.
///
/// # Errors
/// Marking failed, or settle could not be told. Neither loses anything: the events are published once more, and the
/// rows become due by themselves.
pub(crate) async fn follow_up<S: ReconcileStore, P, Q: Queue, K: Clock>(
    run: &Run<'_, S, P, Q, K>,
    moved: &[Moved],
    until: Deadline,
) -> Result<(), Stopped> {
    let written: Vec<OutboxEvent> = moved.iter().filter_map(|row| row.event.clone()).collect();
    let sent = events(run, &written, until).await;
    if !sent.is_empty() {
        run.doors.store.mark_sent(&sent, until).await?;
    }
    let settles =
        moved.iter().filter(|row| row.changed && matches!(row.next, Next::Capture(_) | Next::Cancel(_)));
    let due = |row: &Moved| DuePayment { order_id: row.order_id.clone(), attempt_no: row.attempt_no };
    match requests(run, settles.map(due).collect(), until).await.len() {
        0 => Ok(()),
        refused => Err(Stopped::Queue { refused }),
    }
}
