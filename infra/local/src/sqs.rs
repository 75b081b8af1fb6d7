//! SQS: the endpoint that functions and tools speak to, and the same queues inside this process.
//!
//! The queues are those of the `rustack-sqs` crates; this module creates them from the settings, serves them
//! over HTTP on a loopback port, and gives the event source a door without HTTP. Receive counts and the move
//! to a dead-letter queue are decided by the queue, never by its callers.
//!
//! Known to differ from AWS, and not relied upon: bodies end at 256 KiB, `MessageGroupId` is refused on
//! standard queues, `AWSTraceHeader` is dropped, and a message whose visibility expires while only long
//! polls wait is handed out up to a second late.

mod server;

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use rustack_sqs_core::{config::SqsConfig, provider::RustackSqs};
use rustack_sqs_model::{
    error::SqsError,
    input::{
        ChangeMessageVisibilityInput, CreateQueueInput, DeleteMessageBatchInput, GetQueueAttributesInput,
        ReceiveMessageInput,
    },
    types::DeleteMessageBatchRequestEntry,
};
use serde::Serialize;

pub use rustack_sqs_model::types::{Message, MessageAttributeValue};

use crate::{
    error::Error,
    settings::{self, Settings},
};

/// The account that every name on this machine belongs to.
pub const ACCOUNT_ID: &str = "000000000000";

/// SQS takes at most this many messages in one call.
pub const MESSAGES_PER_CALL: usize = 10;

/// How to name a queue to a caller.
#[derive(Debug, Clone, Serialize)]
pub struct QueueAddress {
    /// The URL, on the loopback port of this stack.
    pub url: String,
    /// The ARN, as an event carries it.
    pub arn: String,
}

/// How full a queue is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct QueueFigures {
    /// Messages that a receive would bring.
    pub visible: u64,
    /// Messages that somebody received and has neither deleted nor let expire.
    pub in_flight: u64,
    /// Messages that were sent with a delay still running.
    pub delayed: u64,
}

/// The running queues.
#[derive(Debug, Clone)]
pub struct Sqs {
    provider: Arc<RustackSqs>,
    address: SocketAddr,
    queues: Arc<BTreeMap<String, QueueAddress>>,
    calls: server::Calls,
}

impl Sqs {
    /// Creates the queues of `settings` and serves them on `127.0.0.1:port`; 0 takes any port.
    ///
    /// # Errors
    /// The port is taken, or a queue's settings are refused.
    pub async fn start(settings: &Settings, port: u16) -> Result<Self, Error> {
        let listen_failed = |source| Error::Listen { what: "SQS", port, source };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.map_err(listen_failed)?;
        let address = listener.local_addr().map_err(listen_failed)?;
        let provider = Arc::new(RustackSqs::new(SqsConfig {
            skip_signature_validation: true,
            default_region: settings.region.clone(),
            account_id: ACCOUNT_ID.to_owned(),
            host: address.ip().to_string(),
            port: address.port(),
        }));
        let queues = create_queues(&provider, settings).await?;
        let calls = server::Calls::default();
        server::serve(listener, Arc::clone(&provider), settings.region.clone(), calls.clone());
        Ok(Self { provider, address, queues: Arc::new(queues), calls })
    }

    /// The endpoint, `http://127.0.0.1:<port>`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The queues of the settings by name. Queues that tools create later are not among them.
    #[must_use]
    pub fn queues(&self) -> &BTreeMap<String, QueueAddress> {
        &self.queues
    }

    /// HTTP requests so far, by caller and operation. What the event source does in this process is not
    /// counted here: on AWS it is no request of the function's either.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        self.calls.by_caller()
    }

    /// Receives up to `max` (1 to 10) messages with all their attributes, waiting up to `wait` (whole
    /// seconds, at most 20) for the first. Empty when none came.
    ///
    /// # Errors
    /// The queue is gone.
    pub async fn receive(&self, queue: &str, max: usize, wait: Duration) -> Result<Vec<Message>, Error> {
        let input = ReceiveMessageInput {
            queue_url: self.url_of(queue)?,
            max_number_of_messages: i32::try_from(max.clamp(1, MESSAGES_PER_CALL)).ok(),
            wait_time_seconds: i32::try_from(wait.as_secs().min(20)).ok(),
            message_system_attribute_names: vec!["All".to_owned()],
            message_attribute_names: vec!["All".to_owned()],
            ..ReceiveMessageInput::default()
        };
        let received = self.provider.receive_message(input).await;
        received.map(|output| output.messages).map_err(refused(queue, "ReceiveMessage"))
    }

    /// Deletes messages by receipt handle, ten a call, and answers how many could not be deleted: those come
    /// again. A handle that expired counts as deleted although its message stays, as on AWS.
    ///
    /// # Errors
    /// The queue is gone.
    pub async fn delete(&self, queue: &str, receipt_handles: &[String]) -> Result<usize, Error> {
        let queue_url = self.url_of(queue)?;
        let mut failed = 0;
        for chunk in receipt_handles.chunks(MESSAGES_PER_CALL) {
            let entry = |(index, handle): (usize, &String)| DeleteMessageBatchRequestEntry {
                id: index.to_string(),
                receipt_handle: handle.clone(),
            };
            let entries = chunk.iter().enumerate().map(entry).collect();
            let input = DeleteMessageBatchInput { queue_url: queue_url.clone(), entries };
            let output = self.provider.delete_message_batch(input).await;
            failed += output.map_err(refused(queue, "DeleteMessageBatch"))?.failed.len();
        }
        Ok(failed)
    }

    /// Makes a received message visible again after `after` (whole seconds; zero is at once).
    ///
    /// # Errors
    /// The queue is gone or the message is not in flight.
    pub async fn change_visibility(&self, queue: &str, handle: &str, after: Duration) -> Result<(), Error> {
        let input = ChangeMessageVisibilityInput {
            queue_url: self.url_of(queue)?,
            receipt_handle: handle.to_owned(),
            visibility_timeout: i32::try_from(after.as_secs()).unwrap_or(i32::MAX),
        };
        let changed = self.provider.change_message_visibility(input).await;
        changed.map(drop).map_err(refused(queue, "ChangeMessageVisibility"))
    }

    /// How full the queue is now.
    ///
    /// # Errors
    /// The queue is gone.
    pub async fn figures(&self, queue: &str) -> Result<QueueFigures, Error> {
        let input = GetQueueAttributesInput {
            queue_url: self.url_of(queue)?,
            attribute_names: vec!["All".to_owned()],
        };
        let output = self.provider.get_queue_attributes(input).await;
        let attributes = output.map_err(refused(queue, "GetQueueAttributes"))?.attributes;
        let count =
            |name: &str| attributes.get(name).and_then(|value| value.parse().ok()).unwrap_or_default();
        Ok(QueueFigures {
            visible: count("ApproximateNumberOfMessages"),
            in_flight: count("ApproximateNumberOfMessagesNotVisible"),
            delayed: count("ApproximateNumberOfMessagesDelayed"),
        })
    }

    /// Ends the queues; what was in them is gone. The endpoint answers errors from now on.
    pub async fn stop(&self) {
        self.provider.shutdown_all().await;
    }

    fn url_of(&self, queue: &str) -> Result<String, Error> {
        let address = self.queues.get(queue).map(|address| address.url.clone());
        address.ok_or_else(|| Error::Queue {
            queue: queue.to_owned(),
            operation: "GetQueueUrl",
            message: "the settings name no such queue".to_owned(),
        })
    }
}

/// Creates the queues; the order does not matter, since a redrive policy may name a queue still to come.
async fn create_queues(
    provider: &RustackSqs,
    settings: &Settings,
) -> Result<BTreeMap<String, QueueAddress>, Error> {
    let mut queues = BTreeMap::new();
    for (name, queue) in &settings.queues {
        let input = CreateQueueInput {
            queue_name: name.clone(),
            attributes: attributes(queue, &settings.region),
            tags: HashMap::new(),
        };
        let created = provider.create_queue(input).await.map_err(refused(name, "CreateQueue"))?;
        let address =
            QueueAddress { url: created.queue_url.unwrap_or_default(), arn: arn(&settings.region, name) };
        queues.insert(name.clone(), address);
    }
    Ok(queues)
}

fn attributes(queue: &settings::Queue, region: &str) -> HashMap<String, String> {
    let mut attributes = HashMap::from([
        ("VisibilityTimeout".to_owned(), queue.visibility_timeout.as_secs().to_string()),
        ("MessageRetentionPeriod".to_owned(), queue.retention.as_secs().to_string()),
    ]);
    if let Some(redrive) = &queue.redrive {
        let policy = serde_json::json!({
            "deadLetterTargetArn": arn(region, &redrive.dead_letter_queue),
            "maxReceiveCount": redrive.max_receive_count,
        });
        attributes.insert("RedrivePolicy".to_owned(), policy.to_string());
    }
    attributes
}

fn arn(region: &str, queue: &str) -> String {
    format!("arn:aws:sqs:{region}:{ACCOUNT_ID}:{queue}")
}

fn refused(queue: &str, operation: &'static str) -> impl FnOnce(SqsError) -> Error {
    move |error| Error::Queue {
        queue: queue.to_owned(),
        operation,
        message: format!("{}: {}", error.code, error.message),
    }
}
