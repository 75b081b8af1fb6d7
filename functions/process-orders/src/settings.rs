//! The environment of `process-orders`, read once: the only place in this function that reads it.

use std::time::Duration;

use data_api::Target;
use queue::QueueUrl;
use settings::{Error, Secret, Variables};

/// What the function needs to know; `infra/settings.json` says where each value comes from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Cluster, secret and database of the Data API.
    pub database: Target,
    /// `redis://` or `rediss://`, with its password.
    pub redis_url: Secret,
    /// The queue whose event source invokes this function.
    pub orders: QueueUrl,
    /// Takes payment requests.
    pub payments: QueueUrl,
    /// Takes what names no order.
    pub quarantine: QueueUrl,
    /// The function's configured timeout: the deadline where the host announces none (`cargo lambda watch`).
    pub timeout: Duration,
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// One error that names every missing or unusable variable.
    #[expect(clippy::disallowed_methods, reason = "this is where this function reads its environment")]
    pub fn from_environment() -> Result<Self, Error> {
        Self::parse(Variables::new(std::env::vars().collect()))
    }

    /// Reads the given variables.
    ///
    /// # Errors
    /// As [`Settings::from_environment`].
    pub fn parse(mut variables: Variables) -> Result<Self, Error> {
        let cluster_arn = variables.arn("ORDERFLOW_CLUSTER_ARN");
        let secret_arn = variables.arn("ORDERFLOW_SECRET_ARN");
        let database = variables.required("ORDERFLOW_DATABASE");
        let redis_url = variables.secret_url("ORDERFLOW_REDIS_URL");
        let orders = variables.url("ORDERFLOW_ORDERS_QUEUE_URL");
        let payments = variables.url("ORDERFLOW_PAYMENTS_QUEUE_URL");
        let quarantine = variables.url("ORDERFLOW_QUARANTINE_QUEUE_URL");
        let timeout = variables.millis("ORDERFLOW_TIMEOUT_MS");
        variables.finish()?;
        Ok(Self {
            database: Target { cluster_arn, secret_arn, database },
            redis_url,
            orders: QueueUrl(orders),
            payments: QueueUrl(payments),
            quarantine: QueueUrl(quarantine),
            timeout,
        })
    }
}
