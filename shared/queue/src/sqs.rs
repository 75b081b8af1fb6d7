//! The door over Amazon SQS: batches of ten, `Failed[]` read, one bounded retry, a limit for every call.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::StalledStreamProtectionConfig;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry, MessageAttributeValue,
    SendMessageBatchRequestEntry, SendMessageBatchResultEntry,
};
use backoff::{CONNECT_TIMEOUT, Clock, Deadline, Policy, Random, within};

use crate::{NotPublished, Outgoing, Queue, QueueUrl, VisibilityChange};

/// The most entries SQS takes in one batch call.
const ENTRIES_PER_CALL: usize = 10;

/// The most bytes SQS takes in one batch call (1 MiB), less room for attributes and ids.
const BYTES_PER_CALL: usize = 960 * 1024;

type Sent = Result<(), NotPublished>;

/// SQS behind the [`Queue`] door.
#[derive(Debug, Clone)]
pub struct Sqs<C> {
    client: Client,
    clock: C,
    random: Random,
}

/// An SQS client without retries and limits of its own, except for connecting: both happen in one layer, [`Sqs`].
///
/// Stalled-stream protection is off as it is for the Data API: answers are small and read whole, and every call has its
/// limit, that of a batch of 1 MiB included.
///
/// `shared` brings region, credentials, HTTP client and, from the environment, the endpoint.
#[must_use]
pub fn client(shared: &aws_types::SdkConfig) -> Client {
    let config = aws_sdk_sqs::config::Builder::from(shared)
        .retry_config(RetryConfig::standard().with_max_attempts(1))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).build())
        .build();
    Client::from_conf(config)
}

impl<C: Clock> Sqs<C> {
    /// The door over `client`; `random` jitters the one retry of what was not taken.
    pub fn new(client: Client, clock: C, random: Random) -> Self {
        Self { client, clock, random }
    }

    /// Opens the connection and checks that the queue is there, so that the first batch waits for neither.
    ///
    /// # Errors
    /// [`NotPublished`] with the service's code when the queue does not answer.
    pub async fn warm_up(&self, queue: &QueueUrl) -> Result<(), NotPublished> {
        let call = self.client.get_queue_attributes().queue_url(&queue.0).send();
        match within(&self.clock, Policy::sqs_publish().attempt_timeout, call).await {
            Some(answer) => answer.map(drop).map_err(|error| unsent(&error)),
            None => Err(not_published("TimedOut")),
        }
    }

    /// One call, within `limit`; the result of each message, in order.
    async fn send(&self, to: &QueueUrl, messages: &[Outgoing], limit: Duration) -> Vec<Sent> {
        let entries: Option<Vec<_>> =
            messages.iter().enumerate().map(|(id, message)| send_entry(id, message)).collect();
        let call = self.client.send_message_batch().queue_url(&to.0).set_entries(entries).send();
        match within(&self.clock, limit, call).await {
            Some(Ok(answer)) => by_position(messages.len(), answer.successful(), answer.failed()),
            Some(Err(error)) => vec![Err(unsent(&error)); messages.len()],
            None => vec![Err(not_published("TimedOut")); messages.len()],
        }
    }
}

impl<C: Clock> Queue for Sqs<C> {
    async fn publish(&self, to: &QueueUrl, messages: Vec<Outgoing>, deadline: Deadline) -> Vec<Sent> {
        let policy = Policy::sqs_publish();
        let mut results = Vec::with_capacity(messages.len());
        for chunk in chunks(&messages) {
            let mut sent = self.send(to, chunk, policy.attempt_limit(&self.clock, deadline)).await;
            for attempt in 1..policy.attempts {
                let unsent = worth_sending_again(&sent);
                let pause = policy.pause(&self.random, attempt);
                if unsent.is_empty() || !deadline.allows(&self.clock, pause + policy.attempt_least) {
                    break;
                }
                self.clock.sleep(pause).await;
                let again: Vec<Outgoing> = unsent.iter().filter_map(|&at| chunk.get(at).cloned()).collect();
                let limit = policy.attempt_limit(&self.clock, deadline);
                for (at, result) in unsent.into_iter().zip(self.send(to, &again, limit).await) {
                    if let Some(slot) = sent.get_mut(at) {
                        *slot = result;
                    }
                }
            }
            results.extend(sent);
        }
        results
    }

    async fn change_visibility(
        &self,
        of: &QueueUrl,
        changes: Vec<VisibilityChange>,
        deadline: Deadline,
    ) -> usize {
        let policy = Policy::sqs_publish();
        let mut refused = 0;
        for chunk in changes.chunks(ENTRIES_PER_CALL) {
            let entries: Option<Vec<_>> =
                chunk.iter().enumerate().map(|(id, change)| visibility_entry(id, change)).collect();
            let call = self.client.change_message_visibility_batch().queue_url(&of.0).set_entries(entries);
            let limit = policy.attempt_limit(&self.clock, deadline);
            let answer = within(&self.clock, limit, call.send()).await;
            refused += answer.and_then(Result::ok).map_or(chunk.len(), |answer| answer.failed().len());
        }
        refused
    }
}

/// Cuts the messages into calls that respect both of SQS's limits; a message too large for any call goes alone, to be
/// refused by name.
fn chunks(messages: &[Outgoing]) -> Vec<&[Outgoing]> {
    let mut chunks = Vec::new();
    let mut rest = messages;
    while !rest.is_empty() {
        let mut bytes = 0_usize;
        let fitting = rest
            .iter()
            .take(ENTRIES_PER_CALL)
            .take_while(|message| {
                bytes = bytes.saturating_add(message.body.len());
                bytes <= BYTES_PER_CALL
            })
            .count();
        let (chunk, remaining) = rest.split_at(fitting.max(1));
        chunks.push(chunk);
        rest = remaining;
    }
    chunks
}

/// The wire entry; `None` cannot happen, since id and body are set, and would send the call without entries, which
/// SQS refuses as a whole.
fn send_entry(id: usize, message: &Outgoing) -> Option<SendMessageBatchRequestEntry> {
    let mut entry = SendMessageBatchRequestEntry::builder().id(id.to_string()).message_body(&message.body);
    for (name, value) in &message.attributes {
        let attribute =
            MessageAttributeValue::builder().data_type("String").string_value(value).build().ok()?;
        entry = entry.message_attributes(*name, attribute);
    }
    entry.build().ok()
}

fn visibility_entry(
    id: usize,
    change: &VisibilityChange,
) -> Option<ChangeMessageVisibilityBatchRequestEntry> {
    ChangeMessageVisibilityBatchRequestEntry::builder()
        .id(id.to_string())
        .receipt_handle(&change.receipt_handle)
        .visibility_timeout(i32::try_from(change.visible_after_s).ok()?)
        .build()
        .ok()
}

/// One result per message, from both lists of a batch answer; entry ids are positions. A message that neither list
/// names counts as not taken: only what the queue confirms may be forgotten.
fn by_position(
    messages: usize,
    taken: &[SendMessageBatchResultEntry],
    failed: &[BatchResultErrorEntry],
) -> Vec<Sent> {
    let mut results = vec![Err(not_published("NotInTheAnswer")); messages];
    let taken = taken.iter().map(|entry| (entry.id(), Ok(())));
    let failed = failed.iter().map(|entry| {
        (entry.id(), Err(NotPublished { code: entry.code().to_owned(), sender_fault: entry.sender_fault() }))
    });
    for (id, result) in taken.chain(failed) {
        if let Some(slot) = id.parse().ok().and_then(|position: usize| results.get_mut(position)) {
            *slot = result;
        }
    }
    results
}

fn worth_sending_again(results: &[Sent]) -> Vec<usize> {
    let failed = results.iter().enumerate();
    failed.filter(|(_, result)| result.as_ref().is_err_and(|e| !e.sender_fault)).map(|(at, _)| at).collect()
}

fn not_published(code: &str) -> NotPublished {
    NotPublished { code: code.to_owned(), sender_fault: false }
}

fn unsent<E: ProvideErrorMetadata>(error: &SdkError<E>) -> NotPublished {
    let code = match error {
        SdkError::ConstructionFailure(_) => "RequestNotBuilt",
        SdkError::TimeoutError(_) => "TimedOut",
        SdkError::DispatchFailure(_) => "NotConnected",
        SdkError::ResponseError(_) => "UnreadableAnswer",
        _ => error.code().unwrap_or("Unknown"),
    };
    NotPublished { code: code.to_owned(), sender_fault: matches!(error, SdkError::ConstructionFailure(_)) }
}
