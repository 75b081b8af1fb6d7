//! The environment of `naive-accept`, read once: what every peer gets.

use data_api::Target;
use settings::{Error, Secret, Variables};
use std::time::Duration;

pub(crate) struct Settings {
    pub(crate) database: Target,
    pub(crate) redis_url: Secret,
    pub(crate) payments: String,
    pub(crate) timeout: Duration,
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// One error that names every missing or unusable variable.
    pub(crate) fn from_environment() -> Result<Self, Error> {
        let mut variables = Variables::from_environment();
        let cluster_arn = variables.arn("ORDERFLOW_CLUSTER_ARN");
        let secret_arn = variables.arn("ORDERFLOW_SECRET_ARN");
        let database = variables.required("ORDERFLOW_DATABASE");
        let redis_url = variables.secret_url("ORDERFLOW_REDIS_URL");
        let payments = variables.url("ORDERFLOW_PAYMENTS_QUEUE_URL");
        let timeout = variables.millis("ORDERFLOW_TIMEOUT_MS");
        variables.finish()?;
        let database = Target { cluster_arn, secret_arn, database };
        Ok(Self { database, redis_url, payments, timeout })
    }
}
