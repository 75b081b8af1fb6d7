//! The environment of `settle-payments`: what each variable is, and what it must look like.

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
    pub payments: QueueUrl,
    /// Takes what became of orders.
    pub order_events: QueueUrl,
    /// Takes what asks for no payment.
    pub quarantine: QueueUrl,
    /// Where the payment provider is reached.
    pub provider_url: String,
    /// Our credentials at the provider.
    pub provider_key: Secret,
    /// Calls a second that the provider allows on each endpoint.
    pub provider_rate_per_s: u32,
    /// Calls a second that the provider allows on all endpoints together.
    pub provider_global_rate_per_s: u32,
    /// Into how many parts the rates are divided: without Redis this instance keeps to one.
    pub instances_max: u32,
    /// Part of every idempotency key, so that stages can share an account of the provider.
    pub stage: String,
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
        let payments = variables.url("ORDERFLOW_PAYMENTS_QUEUE_URL");
        let order_events = variables.url("ORDERFLOW_ORDER_EVENTS_QUEUE_URL");
        let quarantine = variables.url("ORDERFLOW_QUARANTINE_QUEUE_URL");
        let provider_url = variables.url("ORDERFLOW_PROVIDER_URL");
        let provider_key = Secret::new(variables.required("ORDERFLOW_PROVIDER_KEY"));
        let provider_rate_per_s = variables.positive("ORDERFLOW_PROVIDER_RATE_PER_S").get();
        let provider_global_rate_per_s = variables.positive("ORDERFLOW_PROVIDER_GLOBAL_RATE_PER_S").get();
        let instances_max = variables.positive("ORDERFLOW_INSTANCES_MAX").get();
        let stage = variables.required("ORDERFLOW_STAGE");
        let timeout = variables.millis("ORDERFLOW_TIMEOUT_MS");
        variables.finish()?;
        Ok(Self {
            database: Target { cluster_arn, secret_arn, database },
            redis_url,
            payments: QueueUrl(payments),
            order_events: QueueUrl(order_events),
            quarantine: QueueUrl(quarantine),
            provider_url,
            provider_key,
            provider_rate_per_s,
            provider_global_rate_per_s,
            instances_max,
            stage,
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
            settings["functions"]["settle-payments"]["environment"].as_object().unwrap().clone();
        environment.into_iter().map(|(name, _)| name).collect()
    }

    /// A usable environment, but for the variables that `change` changes.
    fn read(change: impl Fn(&str) -> Option<&'static str>) -> Result<Settings, settings::Error> {
        let value = |name: &str| match name {
            "ORDERFLOW_CLUSTER_ARN" => "arn:aws:rds:eu-central-1:0:cluster:o",
            "ORDERFLOW_SECRET_ARN" => "arn:aws:secretsmanager:eu-central-1:0:secret:o",
            "ORDERFLOW_REDIS_URL" => "rediss://app:hunter2@cache:6379",
            "ORDERFLOW_PROVIDER_KEY" => "sk_test_hunter2",
            "ORDERFLOW_TIMEOUT_MS" => "30000",
            "ORDERFLOW_DATABASE" => "orderflow",
            "ORDERFLOW_STAGE" => "test",
            name if name.ends_with("_PER_S") || name.ends_with("_MAX") => "25",
            _ => "https://sqs.eu-central-1.amazonaws.com/0/queue",
        };
        let values =
            given().into_iter().map(|name| (name.clone(), change(&name).unwrap_or(value(&name)).to_owned()));
        Settings::parse(Variables::new(values.collect()))
    }

    #[test]
    fn an_empty_environment_names_every_variable_that_the_infrastructure_sets_and_no_other() {
        let error = Settings::parse(Variables::new([].into())).unwrap_err();
        let named: BTreeSet<String> = error.problems.iter().map(|problem| problem.name.clone()).collect();
        assert_eq!(named, given());
    }

    #[test]
    fn neither_password_nor_key_is_shown() {
        let settings = read(|_| None).unwrap();
        assert_eq!((settings.provider_rate_per_s, settings.instances_max), (25, 25));
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn a_share_of_nothing_is_refused() {
        let error = read(|name| (name == "ORDERFLOW_INSTANCES_MAX").then_some("0")).unwrap_err();
        assert!(error.to_string().contains("ORDERFLOW_INSTANCES_MAX cannot be used"));
    }
}
