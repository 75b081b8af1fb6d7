//! The environment of `naive-settle`, read once: what `settle-payments` gets, as far as it is of use here.

use data_api::Target;
use settings::{Error, Secret, Variables};
use std::time::Duration;

pub(crate) struct Settings {
    pub(crate) database: Target,
    pub(crate) provider_url: String,
    pub(crate) provider_key: Secret,
    pub(crate) stage: String,
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
        let provider_url = variables.url("ORDERFLOW_PROVIDER_URL");
        let provider_key = Secret::new(variables.required("ORDERFLOW_PROVIDER_KEY"));
        let stage = variables.required("ORDERFLOW_STAGE");
        let timeout = variables.millis("ORDERFLOW_TIMEOUT_MS");
        variables.finish()?;
        let database = Target { cluster_arn, secret_arn, database };
        Ok(Self { database, provider_url, provider_key, stage, timeout })
    }
}
