//! The environment of `migrate-schema`: what each variable is, and what it must look like.

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
    /// Reads its variables.
    ///
    /// # Errors
    /// One error that names every missing or unusable variable.
    pub fn parse(mut variables: Variables) -> Result<Self, Error> {
        let cluster_arn = variables.arn("ORDERFLOW_CLUSTER_ARN");
        let secret_arn = variables.arn("ORDERFLOW_SECRET_ARN");
        let database = variables.required("ORDERFLOW_DATABASE");
        let timeout = variables.millis("ORDERFLOW_TIMEOUT_MS");
        variables.finish()?;
        Ok(Self { database: Target { cluster_arn, secret_arn, database }, timeout })
    }
}
