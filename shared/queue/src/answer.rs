//! The one place where messages are acknowledged: outcomes become quarantine entries, delays and a batch response.

use std::collections::BTreeMap;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use backoff::{Deadline, Random, transient_visibility_s};
use sha2::{Digest, Sha256};
use telemetry::fields;

use crate::{Batch, Body, Outcome, Outgoing, Queue, QueueUrl, Record, VisibilityChange, Wait};

/// Where a batch came from and where its unreadable messages go.
#[derive(Debug, Clone)]
pub struct Queues {
    /// The queue whose event source invoked the function.
    pub source: QueueUrl,
    /// Takes what can never be processed.
    pub quarantine: QueueUrl,
}

/// What the flow knows of a record beyond its outcome, for its log line: nothing of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The order it names.
    pub order_id: String,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

/// Notes by message id.
pub type Notes = BTreeMap<String, Note>;

/// With what a batch is answered.
#[derive(Debug)]
pub struct Answering<'a, Q> {
    /// The door to the queues.
    pub queue: &'a Q,
    /// Where the batch came from, and where unreadable messages go.
    pub queues: &'a Queues,
    /// Jitters when messages return.
    pub random: &'a Random,
    /// When the invocation must be over.
    pub deadline: Deadline,
    /// What is known of records that are not simply done.
    pub notes: Notes,
}

/// Carries out the outcomes and says which messages the queue must keep.
///
/// `outcomes` has one entry per record of `batch`, in order; a missing one counts as a retry. In this order:
/// unreadable messages are quarantined (one that the quarantine queue did not take is retried instead), messages
/// to retry are hidden for their wait, and the rest is left out of the response, which deletes it.
pub async fn answer<Q: Queue>(
    ctx: Answering<'_, Q>,
    batch: &Batch,
    mut outcomes: Vec<Outcome>,
) -> (SqsBatchResponse, Vec<Outcome>) {
    outcomes.resize(batch.records.len(), Outcome::Retry { why: "no_outcome", wait: Wait::Backoff });
    quarantine(&ctx, batch, &mut outcomes).await;
    hold_back(&ctx, batch, &outcomes).await;
    for (record, outcome) in batch.records.iter().zip(&outcomes) {
        log(record, ctx.notes.get(&record.message_id), outcome);
    }
    (response(batch, &outcomes), outcomes)
}

/// The response: the id of each record to retry, once.
fn response(batch: &Batch, outcomes: &[Outcome]) -> SqsBatchResponse {
    let mut failed: Vec<&str> = batch
        .records
        .iter()
        .zip(outcomes)
        .filter(|(_, outcome)| matches!(outcome, Outcome::Retry { .. }))
        .map(|(record, _)| record.message_id.as_str())
        .collect();
    failed.sort_unstable();
    failed.dedup();
    let mut response = SqsBatchResponse::default();
    for id in failed {
        response.add_failure(id);
    }
    response
}

async fn quarantine<Q: Queue>(ctx: &Answering<'_, Q>, batch: &Batch, outcomes: &mut [Outcome]) {
    let (positions, messages): (Vec<usize>, Vec<Outgoing>) = batch
        .records
        .iter()
        .zip(&*outcomes)
        .enumerate()
        .filter_map(|(position, (record, outcome))| {
            Some((position, quarantine_entry(&ctx.queues.source, record, outcome)?))
        })
        .unzip();
    if messages.is_empty() {
        return;
    }
    let published = ctx.queue.publish(&ctx.queues.quarantine, messages, ctx.deadline).await;
    // A shorter answer than asked for cannot be told apart from a refusal.
    let published = published.into_iter().map(|result| result.is_ok()).chain(std::iter::repeat(false));
    for (position, taken) in positions.into_iter().zip(published) {
        if let (false, Some(outcome)) = (taken, outcomes.get_mut(position)) {
            *outcome = Outcome::Retry { why: "quarantine_unavailable", wait: Wait::Backoff };
        }
    }
}

/// The message for the quarantine queue, if the outcome asks for one.
fn quarantine_entry(source: &QueueUrl, record: &Record, outcome: &Outcome) -> Option<Outgoing> {
    let Outcome::Quarantine { reason, detail, body } = outcome else { return None };
    let kept = record.body.as_deref().filter(|text| *body == Body::Kept && storable(text));
    let mut attributes = vec![
        ("reason", (*reason).to_owned()),
        ("detail", detail.clone()),
        ("originalMessageId", record.message_id.clone()),
        ("originalQueue", source.0.rsplit('/').next().unwrap_or_default().to_owned()),
        ("receiveCount", record.receive_count.to_string()),
        ("body", if kept.is_some() { "kept" } else { "sha256" }.to_owned()),
    ];
    attributes.extend(record.sent_ms.map(|sent_ms| ("sentTimestamp", sent_ms.to_string())));
    attributes.extend(record.traceparent.clone().map(|traceparent| (fields::TRACEPARENT, traceparent)));
    attributes.retain(|(_, value)| !value.is_empty());
    let body = kept.map_or_else(|| sha256(record.body.as_deref().unwrap_or_default()), str::to_owned);
    Some(Outgoing { body, attributes })
}

/// The largest body that is kept: the orders queue takes none larger, so only an event written by hand has one.
const KEPT_BODY_BYTES_MAX: usize = 256 * 1024 - 4 * 1024;

/// Whether a queue would take this body: not empty, not too large, and only characters that SQS allows
/// (`#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF`, SQS API reference, `SendMessage`).
fn storable(body: &str) -> bool {
    let allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..);
    (1..=KEPT_BODY_BYTES_MAX).contains(&body.len()) && body.chars().all(allowed)
}

fn sha256(body: &str) -> String {
    Sha256::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn hold_back<Q: Queue>(ctx: &Answering<'_, Q>, batch: &Batch, outcomes: &[Outcome]) {
    let changes: Vec<VisibilityChange> = batch
        .records
        .iter()
        .zip(outcomes)
        .filter(|(record, _)| !record.receipt_handle.is_empty())
        .filter_map(|(record, outcome)| {
            let Outcome::Retry { wait, .. } = outcome else { return None };
            let visible_after_s = match *wait {
                Wait::Backoff => transient_visibility_s(ctx.random, record.receive_count),
                Wait::Seconds(seconds) => seconds,
                Wait::None => 0,
            };
            Some(VisibilityChange { receipt_handle: record.receipt_handle.clone(), visible_after_s })
        })
        .collect();
    if changes.is_empty() {
        return;
    }
    let asked = changes.len();
    let refused = ctx.queue.change_visibility(&ctx.queues.source, changes, ctx.deadline).await;
    if refused > 0 {
        tracing::warn!(
            messages.asked = asked,
            messages.refused = refused,
            "could not set when messages return; they come back when their visibility timeout ends"
        );
    }
}

/// One line for each record that is not simply done, with what leads back to its sender and nothing of its content.
fn log(record: &Record, note: Option<&Note>, outcome: &Outcome) {
    let of_event = note.and_then(|note| note.traceparent.as_deref());
    let traceparent = record.traceparent.as_deref().or(of_event).unwrap_or_default();
    let order_id = note.map(|note| note.order_id.as_str()).unwrap_or_default();
    let (message, reason, detail) = match outcome {
        Outcome::Done => return,
        Outcome::Quarantine { reason, detail, .. } => ("record quarantined", *reason, detail.as_str()),
        Outcome::Retry { why, .. } => ("record goes back to its queue", *why, ""),
    };
    tracing::warn!(
        message.id = record.message_id,
        message.receive_count = record.receive_count,
        order.id = order_id,
        traceparent,
        reason,
        detail,
        "{message}"
    );
}
