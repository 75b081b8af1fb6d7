//! The environment of `reconcile-orders`: what each variable is, and what it must look like.

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
    /// Takes payment requests.
    pub payments: QueueUrl,
    /// Takes what others are told of orders.
    pub order_events: QueueUrl,
    /// The provider, as the wrapper needs it.
    pub provider: Provider,
    /// How long a payment must have been unknown before it is given up.
    pub unknown_quarantine: Duration,
    /// How old a charge must be before it is held against the rows.
    pub compare_lag: Duration,
    /// The function's configured timeout: the deadline where the host announces none (`cargo lambda watch`).
    pub timeout: Duration,
}

/// Where the provider is, who we are to it, and how much of it is ours.
#[derive(Debug, Clone)]
pub struct Provider {
    /// Part of every idempotency key, and of the gate's keys.
    pub stage: String,
    /// The API's base URL.
    pub url: String,
    /// The API key.
    pub key: Secret,
    /// What the provider allows per endpoint, in calls a second.
    pub rate_per_s: u32,
    /// What it allows in all, in calls a second.
    pub global_rate_per_s: u32,
    /// Into how many parts the rates are divided: without Redis this instance keeps to one.
    pub instances_max: u32,
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
        let provider = provider(&mut variables);
        let unknown_quarantine = variables.seconds("ORDERFLOW_UNKNOWN_QUARANTINE_S");
        let compare_lag = variables.seconds("ORDERFLOW_COMPARE_LAG_S");
        let timeout = variables.millis("ORDERFLOW_TIMEOUT_MS");
        variables.finish()?;
        Ok(Self {
            database: Target { cluster_arn, secret_arn, database },
            redis_url,
            payments: QueueUrl(payments),
            order_events: QueueUrl(order_events),
            provider,
            unknown_quarantine,
            compare_lag,
            timeout,
        })
    }
}

fn provider(variables: &mut Variables) -> Provider {
    Provider {
        stage: variables.required("ORDERFLOW_STAGE"),
        url: variables.url("ORDERFLOW_PROVIDER_URL"),
        key: Secret::new(variables.required("ORDERFLOW_PROVIDER_KEY")),
        rate_per_s: variables.positive("ORDERFLOW_PROVIDER_RATE_PER_S").get(),
        global_rate_per_s: variables.positive("ORDERFLOW_PROVIDER_GLOBAL_RATE_PER_S").get(),
        instances_max: variables.positive("ORDERFLOW_INSTANCES_MAX").get(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::time::Duration;

    use settings::Variables;

    use super::Settings;

    /// What `infra/settings.json` gives this function.
    fn given() -> BTreeSet<String> {
        let text = include_str!("../../../infra/settings.json");
        let settings: serde_json::Value = serde_json::from_str(text).unwrap();
        let environment =
            settings["functions"]["reconcile-orders"]["environment"].as_object().unwrap().clone();
        environment.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn an_empty_environment_names_every_variable_that_the_infrastructure_sets_and_no_other() {
        let error = Settings::parse(Variables::new([].into())).unwrap_err();
        let named: BTreeSet<String> = error.problems.iter().map(|problem| problem.name.clone()).collect();
        assert_eq!(named, given());
    }

    /// An environment that is right but for one variable.
    fn parsed_with(name: &str, value: &str) -> Result<Settings, settings::Error> {
        let queue = "https://sqs.eu-central-1.amazonaws.com/0/queue";
        let mut values = BTreeMap::from([
            ("ORDERFLOW_CLUSTER_ARN", "arn:aws:rds:eu-central-1:0:cluster:o"),
            ("ORDERFLOW_COMPARE_LAG_S", "600"),
            ("ORDERFLOW_DATABASE", "orderflow"),
            ("ORDERFLOW_INSTANCES_MAX", "4"),
            ("ORDERFLOW_ORDER_EVENTS_QUEUE_URL", queue),
            ("ORDERFLOW_PAYMENTS_QUEUE_URL", queue),
            ("ORDERFLOW_PROVIDER_GLOBAL_RATE_PER_S", "100"),
            ("ORDERFLOW_PROVIDER_KEY", "hunter2"),
            ("ORDERFLOW_PROVIDER_RATE_PER_S", "25"),
            ("ORDERFLOW_PROVIDER_URL", "https://api.stripe.com"),
            ("ORDERFLOW_REDIS_URL", "rediss://app:hunter2@cache:6379"),
            ("ORDERFLOW_SECRET_ARN", "arn:aws:secretsmanager:eu-central-1:0:secret:o"),
            ("ORDERFLOW_STAGE", "prod"),
            ("ORDERFLOW_TIMEOUT_MS", "55000"),
            ("ORDERFLOW_UNKNOWN_QUARANTINE_S", "3600"),
        ]);
        values.insert(name, value);
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        Settings::parse(Variables::new(values.collect()))
    }

    #[test]
    fn secrets_are_not_shown() {
        let settings = parsed_with("ORDERFLOW_STAGE", "test").unwrap();
        assert_eq!(settings.unknown_quarantine, Duration::from_hours(1));
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn nothing_that_must_be_positive_may_be_zero() {
        for name in ["ORDERFLOW_UNKNOWN_QUARANTINE_S", "ORDERFLOW_COMPARE_LAG_S", "ORDERFLOW_INSTANCES_MAX"] {
            assert_eq!(parsed_with(name, "0").unwrap_err().problems[0].name, name);
        }
    }
}
