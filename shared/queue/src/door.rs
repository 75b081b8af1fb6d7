//! The door to the queues that a flow is handed: SQS in production, an in-memory twin in a simulation.

use std::future::Future;

use backoff::Deadline;
use telemetry::fields;
use thiserror::Error;

/// Where a queue is reached; compared and printed as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueueUrl(pub String);

/// A message to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The body, 1 B to 1 MiB.
    pub body: String,
    /// String attributes, at most ten, by name.
    pub attributes: Vec<(&'static str, String)>,
}

impl Outgoing {
    /// A message with no attribute but its W3C trace context, where it has one.
    #[must_use]
    pub fn traced(body: String, traceparent: Option<String>) -> Self {
        let attributes = traceparent.map(|traceparent| (fields::TRACEPARENT, traceparent));
        Self { body, attributes: attributes.into_iter().collect() }
    }
}

/// A delivery whose message should become visible again after `visible_after_s` seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisibilityChange {
    /// The delivery's receipt handle.
    pub receipt_handle: String,
    /// 0 to 43,200 s, from now.
    pub visible_after_s: u32,
}

/// A message that did not reach its queue, as far as is known. It may have: publishing is at least once.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the queue did not take the message ({code})")]
pub struct NotPublished {
    /// The service's error code, or what kept the call from being answered.
    pub code: String,
    /// Whether the message itself is at fault, so that sending it again cannot help.
    pub sender_fault: bool,
}

/// Publishing and holding back; deleting is the event source's business.
pub trait Queue: Sync {
    /// Publishes the messages, ten a call, and says of each whether the queue took it.
    fn publish(
        &self,
        to: &QueueUrl,
        messages: Vec<Outgoing>,
        deadline: Deadline,
    ) -> impl Future<Output = Vec<Result<(), NotPublished>>> + Send;

    /// Sets when deliveries become visible again; returns how many of them the queue refused.
    ///
    /// Best effort: a refused one comes back when its visibility timeout ends.
    fn change_visibility(
        &self,
        of: &QueueUrl,
        changes: Vec<VisibilityChange>,
        deadline: Deadline,
    ) -> impl Future<Output = usize> + Send;
}
