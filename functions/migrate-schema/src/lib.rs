//! Runs the SQL migrations through the Data API: in order, each once, safe to run twice and at once.
//!
//! Read [`flow`] first; it is the whole story. This file connects it to the real database and to Lambda.

pub mod flow;
pub mod settings;

use std::time::Duration;

use backoff::{Deadline, Random, SystemClock};
use data_api::DataApi;
use lambda_runtime::Error;
use order_store::migrations;
use serde::Deserialize;

use crate::flow::{Report, Task, run};
pub use settings::Settings;

/// A statement may take as long as the Data API lets it (45 s), and a moment for the answer.
const STATEMENT_LIMIT: Duration = Duration::from_secs(47);

/// Kept back from the deadline, to roll back and to answer.
const ANSWER_RESERVE: Duration = Duration::from_secs(2);

/// The payload. Nothing, or an empty object, migrates; a field that is not known here is refused, so that a misspelt
/// `dry_run` does not.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Only tell what is pending.
    #[serde(default)]
    pub dry_run: bool,
}

/// The function behind its client.
#[derive(Debug, Clone)]
pub struct Handler {
    data_api: DataApi<SystemClock>,
    random: Random,
    timeout: Duration,
}

impl Handler {
    /// Builds the client; the first call opens the connection.
    ///
    /// # Errors
    /// An environment without a region.
    pub async fn connect(settings: Settings) -> Result<Self, Error> {
        let (shared, random) = (data_api::sdk_config().await?, Random::from_entropy());
        let data_api =
            DataApi::new(data_api::client(&shared), settings.database, SystemClock, random.clone());
        Ok(Self {
            data_api: data_api.with_attempt_timeout(STATEMENT_LIMIT),
            random,
            timeout: settings.timeout,
        })
    }

    /// Answers one invocation. `deadline_ms` is the invocation's, Unix milliseconds, as the runtime announces it.
    ///
    /// # Errors
    /// What stopped the migrations, told in one line of the log as well. What was applied before stays applied.
    pub async fn handle(&self, request: Option<Request>, deadline_ms: u64) -> Result<Report, Error> {
        let deadline = Deadline::from_lambda(&SystemClock, deadline_ms, self.timeout).earlier(ANSWER_RESERVE);
        let task = if request.unwrap_or_default().dry_run { Task::Tell } else { Task::Apply };
        let doors = (&self.data_api, &SystemClock, &self.random);
        match run(doors, migrations(), task, deadline).await {
            Ok(report) => {
                let (applied, pending) = (report.applied.len(), report.pending.len());
                tracing::info!(applied, pending, version = report.version, "the schema was looked after");
                Ok(report)
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                tracing::error!(error.message = %error, error.cause = cause, "the migrations stopped");
                Err(error.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Request;

    #[track_caller]
    fn check(payload: &str, dry_run: Option<bool>) {
        let request = serde_json::from_str::<Option<Request>>(payload).ok();
        assert_eq!(request.map(|request| request.unwrap_or_default().dry_run), dry_run, "{payload}");
    }

    #[test]
    fn nothing_migrates_and_a_misspelt_wish_does_not() {
        check("null", Some(false));
        check("{}", Some(false));
        check(r#"{"dry_run":true}"#, Some(true));
        check(r#"{"dryRun":true}"#, None);
        check(r#"{"dry_run":"yes"}"#, None);
    }
}
