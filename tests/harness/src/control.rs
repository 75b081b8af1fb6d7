//! The stack's control API: figures of every part, and levers to break them.

use crate::{Error, http, sandbox};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Messages of one queue by what they wait for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Depth {
    /// May be received now.
    pub visible: u64,
    /// Received and not yet deleted.
    pub in_flight: u64,
    /// Sent with a delay.
    pub delayed: u64,
}

impl Depth {
    /// All messages of the queue.
    pub fn total(self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}

/// One function's figures.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Function {
    /// Processes alive.
    pub instances: u64,
    /// Processes with an invocation.
    pub busy: u64,
    /// Processes started so far.
    pub cold_starts: u64,
    /// Invocations so far.
    pub invocations: u64,
    /// Invocations that the function answered with an error.
    pub errors: u64,
    /// Invocations that were killed for taking too long.
    pub timeouts: u64,
    /// Processes that ended in the middle of an invocation.
    pub crashes: u64,
    /// Invocations refused for want of concurrency.
    pub throttles: u64,
    /// The most memory that a process has now, in KiB.
    pub memory_kb: u64,
    /// The most memory that any process has had, in KiB.
    pub memory_kb_max: u64,
    /// The most files, sockets and the like that a process has open now.
    pub open_handles: u64,
    /// Durations.
    pub duration_ms: Durations,
}

/// Durations of invocations in milliseconds.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Durations {
    /// Half are faster.
    pub p50: f64,
    /// One of a hundred is slower.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

/// One event source's figures.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct EventSource {
    /// Messages received.
    pub polled: u64,
    /// Messages handed to the function.
    pub invoked: u64,
    /// Messages deleted.
    pub deleted: u64,
    /// Messages left for another receive because the whole batch failed.
    pub failed: u64,
    /// Messages that the function named as failed.
    pub partial_failures: u64,
    /// Batches in flight.
    pub concurrency: u64,
    /// The age of the oldest message that was received and not yet deleted; none when there is none.
    pub oldest_age_ms: Option<u64>,
}

/// What the clock has done.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Schedule {
    /// Whether the clock invokes the function.
    pub enabled: bool,
    /// Seconds between two runs.
    pub every_s: u64,
    /// Runs that ended.
    pub runs: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Ticks without a run, because the runs before had not ended.
    pub skipped: u64,
    /// How long the last run took.
    pub last_duration_ms: Option<u64>,
}

/// The queues' figures as an endpoint.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Sqs {
    /// Calls by caller, then by operation. What event sources do is not among them.
    pub calls: BTreeMap<String, BTreeMap<String, u64>>,
}

/// The Data API's figures.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct DataApi {
    /// Calls by caller, then by operation.
    pub calls: BTreeMap<String, BTreeMap<String, u64>>,
    /// Calls being answered.
    pub in_flight: u64,
}

/// The answer of `GET /status`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// By queue.
    pub queues: BTreeMap<String, Depth>,
    /// By function.
    pub functions: BTreeMap<String, Function>,
    /// By function that a queue invokes.
    pub event_sources: BTreeMap<String, EventSource>,
    /// By function that the clock invokes.
    pub schedules: BTreeMap<String, Schedule>,
    /// The SQS endpoint.
    pub sqs: Sqs,
    /// The Data API.
    pub data_api: DataApi,
    /// The payment provider.
    pub sandbox: sandbox::Figures,
    /// What functions say of themselves.
    pub metrics: Metrics,
}

/// What functions say of themselves.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Metrics {
    /// Lines whose metrics are not in the catalogue.
    pub refused_lines: u64,
}

impl Status {
    /// Messages of one queue; nothing for a queue that is not there.
    pub fn depth(&self, queue: &str) -> Depth {
        self.queues.get(queue).copied().unwrap_or_default()
    }

    /// SQS calls of one function so far.
    pub fn sqs_calls(&self, function: &str) -> u64 {
        self.sqs.calls.get(function).map_or(0, |operations| operations.values().sum())
    }

    /// Data API calls of one function so far.
    pub fn data_api_calls(&self, function: &str) -> u64 {
        self.data_api.calls.get(function).map_or(0, |operations| operations.values().sum())
    }
}

/// The figures of all parts.
///
/// # Errors
/// As [`http::call`].
pub async fn status(control_url: &str) -> Result<Status, Error> {
    let answer = http::call("GET", &format!("{control_url}/status"), &Value::Null).await?;
    serde_json::from_value(answer)
        .map_err(|source| Error::Unreadable { what: "the stack's status".to_owned(), source })
}
