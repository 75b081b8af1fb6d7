//! The stack's queues, through the SDK that a shop would use.

use crate::Error;
use crate::control::Depth;
use aws_credential_types::Credentials;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Region};
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, MessageAttributeValue,
    MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// Most entries of a batch call, by SQS.
pub const BATCH_MAX: usize = 10;

/// Most bytes of all bodies of a batch call, by SQS (1 MiB since 2025, 256 KiB before; the smaller holds everywhere).
const BATCH_BYTES_MAX: usize = 250_000;

/// How often a call is tried by the SDK: the harness is a client outside, so it may use the SDK's own retries.
const ATTEMPTS: u32 = 4;

/// A queue receives so many empty answers in a row before it counts as drained.
const EMPTY_ANSWERS: usize = 3;

/// One message to send: its body and its trace context.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// The body.
    pub body: String,
    /// W3C trace context, sent as the attribute `traceparent`; none when empty.
    pub traceparent: String,
}

/// One queue, by name and URL.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct Queue {
    /// Its URL at the stack's SQS endpoint.
    pub url: String,
    /// Its ARN.
    pub arn: String,
}

/// A message as received, reduced to what commands show.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// The queue's id of the message.
    pub message_id: String,
    /// Needed to delete it.
    pub receipt_handle: String,
    /// The body.
    pub body: String,
    /// String attributes.
    pub attributes: BTreeMap<String, String>,
    /// How often it has been received, this time included.
    pub receive_count: u32,
    /// When it came into this queue, in Unix milliseconds.
    pub sent_ms: u64,
}

/// The stack's SQS endpoint.
#[derive(Debug, Clone)]
pub struct Queues {
    client: Client,
}

impl Queues {
    /// A client for this endpoint, with its own fake credentials.
    pub fn new(endpoint: &str, region: &str) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(2))
            .operation_attempt_timeout(Duration::from_secs(10))
            .build();
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(endpoint)
            .region(Region::new(region.to_owned()))
            .credentials_provider(Credentials::new("AKIAHARNESS", "harness", None, None, "harness"))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts)
            .build();
        Self { client: Client::from_conf(config) }
    }

    /// Makes a queue that no function reads, and returns its URL.
    ///
    /// # Errors
    /// [`Error::Queue`].
    pub async fn create(&self, name: &str) -> Result<String, Error> {
        let answer = self.client.create_queue().queue_name(name).send().await;
        let answer = answer.map_err(|source| Error::Queue {
            queue: name.to_owned(),
            action: "be created",
            source: Box::new(source),
        })?;
        Ok(answer.queue_url.unwrap_or_default())
    }

    /// Removes a queue with all that is in it.
    ///
    /// # Errors
    /// [`Error::Queue`].
    pub async fn remove(&self, url: &str) -> Result<(), Error> {
        let answer = self.client.delete_queue().queue_url(url).send().await;
        answer.map(drop).map_err(|source| Error::Queue {
            queue: url.to_owned(),
            action: "be removed",
            source: Box::new(source),
        })
    }

    /// Sends up to ten messages in as few calls as they fit in, and returns their ids in order.
    ///
    /// Messages that a batch answer refuses are tried again by themselves.
    ///
    /// # Errors
    /// [`Error::Queue`] when a call fails, [`Error::MessagesRefused`] when a message stays refused.
    pub async fn send(&self, queue: &Queue, messages: &[Outgoing]) -> Result<Vec<String>, Error> {
        let mut ids = vec![String::new(); messages.len()];
        let mut open: Vec<usize> = (0..messages.len()).collect();
        let mut code = String::new();
        for _ in 0..ATTEMPTS {
            let mut refused = Vec::new();
            for group in groups(messages, &open) {
                let answer = self.send_group(queue, messages, &group).await?;
                for entry in answer.successful() {
                    if let Some(id) = entry.id().parse().ok().and_then(|at: usize| ids.get_mut(at)) {
                        entry.message_id().clone_into(id);
                    }
                }
                answer.failed().iter().for_each(|entry| entry.code().clone_into(&mut code));
                refused.extend(group.into_iter().filter(|at| ids.get(*at).is_some_and(String::is_empty)));
            }
            if refused.is_empty() {
                return Ok(ids);
            }
            open = refused;
        }
        Err(Error::MessagesRefused { queue: name(queue).to_owned(), count: open.len(), code })
    }

    async fn send_group(
        &self,
        queue: &Queue,
        messages: &[Outgoing],
        group: &[usize],
    ) -> Result<aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput, Error> {
        let entries: Option<Vec<_>> = group.iter().map(|at| entry(*at, messages.get(*at)?)).collect();
        let call = self.client.send_message_batch().queue_url(&queue.url).set_entries(entries);
        call.send().await.map_err(|source| failed(queue, "take messages", source))
    }

    /// Receives up to ten messages and hides them for `hidden`; an empty answer comes back at once.
    ///
    /// # Errors
    /// [`Error::Queue`].
    pub async fn receive(&self, queue: &Queue, hidden: Duration) -> Result<Vec<Received>, Error> {
        self.receive_up_to(queue, BATCH_MAX, hidden).await
    }

    /// Receives at most so many messages, and never more than ten, as [`Queues::receive`] does.
    ///
    /// # Errors
    /// [`Error::Queue`].
    pub async fn receive_up_to(
        &self,
        queue: &Queue,
        most: usize,
        hidden: Duration,
    ) -> Result<Vec<Received>, Error> {
        let most = i32::try_from(most.clamp(1, BATCH_MAX)).unwrap_or(1);
        let hidden_s = i32::try_from(hidden.as_secs()).unwrap_or(i32::MAX);
        let call = self.client.receive_message().queue_url(&queue.url).max_number_of_messages(most);
        let call = call.wait_time_seconds(0).visibility_timeout(hidden_s).message_attribute_names("All");
        let call = call.message_system_attribute_names(MessageSystemAttributeName::All);
        let answer = call.send().await.map_err(|source| failed(queue, "give messages", source))?;
        Ok(answer.messages.unwrap_or_default().into_iter().map(received).collect())
    }

    /// Looks at up to `limit` messages and makes them visible again; every look counts as a receive.
    ///
    /// # Errors
    /// [`Error::Queue`].
    pub async fn peek(&self, queue: &Queue, limit: usize) -> Result<Vec<Received>, Error> {
        let mut seen: Vec<Received> = Vec::new();
        let mut empty = 0;
        while seen.len() < limit && empty < EMPTY_ANSWERS {
            let messages = self.receive(queue, Duration::from_secs(60)).await?;
            empty = if messages.is_empty() { empty + 1 } else { 0 };
            seen.extend(messages);
        }
        for group in seen.chunks(BATCH_MAX) {
            let entries: Option<Vec<_>> =
                group.iter().enumerate().map(|(at, message)| release(at, message)).collect();
            let call =
                self.client.change_message_visibility_batch().queue_url(&queue.url).set_entries(entries);
            // One that is not released comes back by itself.
            call.send().await.map_err(|source| failed(queue, "release messages", source))?;
        }
        seen.truncate(limit);
        Ok(seen)
    }

    /// Counts the messages of a queue.
    ///
    /// # Errors
    /// [`Error::Queue`].
    pub async fn depth(&self, queue: &Queue) -> Result<Depth, Error> {
        use QueueAttributeName as Name;
        let call = self.client.get_queue_attributes().queue_url(&queue.url);
        let call = call.attribute_names(Name::ApproximateNumberOfMessages);
        let call = call.attribute_names(Name::ApproximateNumberOfMessagesNotVisible);
        let call = call.attribute_names(Name::ApproximateNumberOfMessagesDelayed);
        let answer = call.send().await.map_err(|source| failed(queue, "count messages", source))?;
        let count = |name| {
            let count = answer.attributes().and_then(|all| all.get(&name));
            count.and_then(|count| count.parse().ok()).unwrap_or(0)
        };
        Ok(Depth {
            visible: count(Name::ApproximateNumberOfMessages),
            in_flight: count(Name::ApproximateNumberOfMessagesNotVisible),
            delayed: count(Name::ApproximateNumberOfMessagesDelayed),
        })
    }

    /// Deletes messages by their receipt handles, at most ten.
    ///
    /// # Errors
    /// [`Error::Queue`] when the call fails, [`Error::MessagesRefused`] when one of them stays.
    pub async fn delete(&self, queue: &Queue, messages: &[Received]) -> Result<(), Error> {
        let entries: Option<Vec<_>> =
            messages.iter().enumerate().map(|(at, message)| deletion(at, message)).collect();
        let call = self.client.delete_message_batch().queue_url(&queue.url).set_entries(entries);
        let answer = call.send().await.map_err(|source| failed(queue, "delete messages", source))?;
        match answer.failed() {
            [] => Ok(()),
            [first, ..] => Err(Error::MessagesRefused {
                queue: name(queue).to_owned(),
                count: answer.failed().len(),
                code: first.code().to_owned(),
            }),
        }
    }
}

/// The queue's name: the last part of its ARN.
pub fn name(queue: &Queue) -> &str {
    queue.arn.rsplit(':').next().unwrap_or(&queue.arn)
}

/// Splits positions into groups that fit one batch call, by number and by bytes.
fn groups(messages: &[Outgoing], positions: &[usize]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut bytes = 0;
    for at in positions {
        let size = messages.get(*at).map_or(0, |message| message.body.len());
        match groups.last_mut() {
            Some(group) if group.len() < BATCH_MAX && bytes + size <= BATCH_BYTES_MAX => {
                group.push(*at);
                bytes += size;
            }
            _ => {
                groups.push(vec![*at]);
                bytes = size;
            }
        }
    }
    groups
}

fn entry(at: usize, message: &Outgoing) -> Option<SendMessageBatchRequestEntry> {
    let entry = SendMessageBatchRequestEntry::builder().id(at.to_string()).message_body(&message.body);
    if message.traceparent.is_empty() {
        return entry.build().ok();
    }
    let value = MessageAttributeValue::builder().data_type("String").string_value(&message.traceparent);
    entry.message_attributes("traceparent", value.build().ok()?).build().ok()
}

fn deletion(at: usize, message: &Received) -> Option<DeleteMessageBatchRequestEntry> {
    let entry = DeleteMessageBatchRequestEntry::builder().id(at.to_string());
    entry.receipt_handle(&message.receipt_handle).build().ok()
}

fn release(at: usize, message: &Received) -> Option<ChangeMessageVisibilityBatchRequestEntry> {
    let entry = ChangeMessageVisibilityBatchRequestEntry::builder().id(at.to_string()).visibility_timeout(0);
    entry.receipt_handle(&message.receipt_handle).build().ok()
}

fn received(message: Message) -> Received {
    let system = |name| message.attributes().and_then(|all| all.get(&name)).map_or("0", String::as_str);
    let strings = message.message_attributes().into_iter().flatten();
    Received {
        receive_count: system(MessageSystemAttributeName::ApproximateReceiveCount).parse().unwrap_or(0),
        sent_ms: system(MessageSystemAttributeName::SentTimestamp).parse().unwrap_or(0),
        attributes: strings
            .filter_map(|(name, v)| Some((name.clone(), v.string_value()?.to_owned())))
            .collect(),
        message_id: message.message_id.clone().unwrap_or_default(),
        receipt_handle: message.receipt_handle.clone().unwrap_or_default(),
        body: message.body.clone().unwrap_or_default(),
    }
}

fn failed(
    queue: &Queue,
    action: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::Queue { queue: name(queue).to_owned(), action, source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use super::{Outgoing, Queue, groups, name};

    #[track_caller]
    fn check(sizes: &[usize], expected: &[usize]) {
        let messages: Vec<Outgoing> = sizes
            .iter()
            .map(|size| Outgoing { body: "x".repeat(*size), traceparent: String::new() })
            .collect();
        let positions: Vec<usize> = (0..messages.len()).collect();
        let found: Vec<usize> = groups(&messages, &positions).iter().map(Vec::len).collect();
        assert_eq!(found, expected, "{sizes:?}");
    }

    #[test]
    fn batches_hold_at_most_ten_messages_and_a_bounded_number_of_bytes() {
        check(&[1; 10], &[10]);
        check(&[1; 23], &[10, 10, 3]);
        check(&[70_000; 4], &[3, 1]);
        check(&[300_000, 1, 1], &[1, 2]);
        check(&[], &[]);
    }

    #[test]
    fn a_queue_is_named_by_the_end_of_its_arn() {
        let arn = "arn:aws:sqs:eu-central-1:000000000000:orders-dlq".to_owned();
        assert_eq!(name(&Queue { url: String::new(), arn }), "orders-dlq");
    }
}
