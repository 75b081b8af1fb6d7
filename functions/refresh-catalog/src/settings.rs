//! The environment of `refresh-catalog`: what each variable is, and what it must look like.

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
    pub products: QueueUrl,
    /// Takes what can never be applied.
    pub quarantine: QueueUrl,
    /// The function's configured timeout: the deadline where the host announces none (`cargo lambda watch`).
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
        let redis_url = variables.secret_url("ORDERFLOW_REDIS_URL");
        let products = variables.url("ORDERFLOW_PRODUCTS_QUEUE_URL");
        let quarantine = variables.url("ORDERFLOW_QUARANTINE_QUEUE_URL");
        let timeout = variables.millis("ORDERFLOW_TIMEOUT_MS");
        variables.finish()?;
        Ok(Self {
            database: Target { cluster_arn, secret_arn, database },
            redis_url,
            products: QueueUrl(products),
            quarantine: QueueUrl(quarantine),
            timeout,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use settings::Variables;

    use super::Settings;

    /// What `infra/settings.json` gives this function.
    fn given() -> BTreeSet<String> {
        let text = include_str!("../../../infra/settings.json");
        let settings: serde_json::Value = serde_json::from_str(text).unwrap();
        let environment =
            settings["functions"]["refresh-catalog"]["environment"].as_object().unwrap().clone();
        environment.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn an_empty_environment_names_every_variable_that_the_infrastructure_sets_and_no_other() {
        let error = Settings::parse(Variables::new([].into())).unwrap_err();
        let named: BTreeSet<String> = error.problems.iter().map(|problem| problem.name.clone()).collect();
        assert_eq!(named, given());
    }

    #[test]
    fn a_password_in_the_redis_url_is_not_shown() {
        let value = |name: &str| match name {
            "ORDERFLOW_CLUSTER_ARN" => "arn:aws:rds:eu-central-1:0:cluster:o",
            "ORDERFLOW_SECRET_ARN" => "arn:aws:secretsmanager:eu-central-1:0:secret:o",
            "ORDERFLOW_REDIS_URL" => "rediss://app:hunter2@cache:6379",
            "ORDERFLOW_TIMEOUT_MS" => "10000",
            "ORDERFLOW_DATABASE" => "orderflow",
            _ => "https://sqs.eu-central-1.amazonaws.com/0/queue",
        };
        let variables = given().into_iter().map(|name| (name.clone(), value(&name).to_owned())).collect();
        let settings = Settings::parse(Variables::new(variables)).unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
