//! Where everything is: the content of `stack.json`, which tools and tests read.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Serialize;

use crate::sqs::QueueAddress;

/// A running stack's addresses and names.
#[derive(Debug, Clone, Serialize)]
pub struct StackInfo {
    /// The stage of the settings.
    pub stage: String,
    /// This process.
    pub pid: u32,
    /// Figures and levers: see [`crate::control`].
    pub control_url: String,
    /// The SQS endpoint.
    pub sqs_url: String,
    /// The RDS Data API endpoint.
    pub data_api_url: String,
    /// The Lambda Invoke API.
    pub lambda_url: String,
    /// The payment sandbox: the provider's API, and its ledger and levers under `/_sandbox`.
    pub sandbox_url: String,
    /// PostgreSQL as superuser, in the stack's database: for verifiers, never for functions.
    pub postgres_url: String,
    /// Redis.
    pub redis_url: String,
    /// The AWS region.
    pub region: String,
    /// The AWS account.
    pub account_id: String,
    /// The queues of the settings.
    pub queues: BTreeMap<String, QueueAddress>,
    /// The ARNs of the database users' secrets, `app` and `migrator`.
    pub secrets: BTreeMap<String, String>,
    /// The ARN of the database cluster.
    pub cluster_arn: String,
    /// The database's name.
    pub database: String,
    /// The folder of `<function>.log`, and of the servers' logs.
    pub log_dir: PathBuf,
    /// The functions' names.
    pub functions: Vec<String>,
    /// The addresses of the functions that have one, by name.
    pub function_urls: BTreeMap<String, String>,
}

impl StackInfo {
    /// As one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Strings, numbers and maps with string keys always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}
