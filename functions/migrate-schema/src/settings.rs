//! The environment of `migrate-schema`, read once: the only place in this function that reads it.

use std::time::Duration;

use data_api::Target;
use settings::{Error, Variables};

/// What the function needs to know; `infra/settings.json` says where each value comes from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Cluster, database, and the secret of the user that owns the schema.
    pub database: Target,
    /// The function's configured timeout: the deadline where the host announces none.
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
        let timeout = variables.millis("ORDERFLOW_TIMEOUT_MS");
        variables.finish()?;
        Ok(Self { database: Target { cluster_arn, secret_arn, database }, timeout })
    }
}
