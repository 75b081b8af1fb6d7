//! From the settings to functions and event sources: names, environments, programs.

use std::collections::BTreeMap;

use super::StackOptions;
use crate::{
    clock,
    data_api::DataApi,
    error::Error,
    event_source::{EventSource, Mapping},
    lambda_host::{FunctionSpec, Host, Surroundings},
    redis::Redis,
    settings::{Function, Settings},
    sqs::{ACCOUNT_ID, Sqs},
};

/// ARNs of things that exist in name only.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) cluster_arn: String,
    pub(super) app_secret_arn: String,
    pub(super) migrator_secret_arn: String,
    database: String,
}

impl Names {
    pub(super) fn new(region: &str, database: &str) -> Self {
        let secret = |name: &str| {
            format!("arn:aws:secretsmanager:{region}:{ACCOUNT_ID}:secret:orderflow/{name}-local0")
        };
        Self {
            cluster_arn: format!("arn:aws:rds:{region}:{ACCOUNT_ID}:cluster:orderflow"),
            app_secret_arn: secret("app"),
            migrator_secret_arn: secret("migrator"),
            database: database.to_owned(),
        }
    }

    /// The secrets' ARNs by user.
    pub(super) fn secrets(&self) -> BTreeMap<String, String> {
        let entry = |user: &str, arn: &String| (user.to_owned(), arn.clone());
        [entry("app", &self.app_secret_arn), entry("migrator", &self.migrator_secret_arn)].into()
    }
}

/// The endpoints that stand in for AWS's.
pub(super) fn surroundings(settings: &Settings, sqs: &Sqs, data_api: &DataApi) -> Surroundings {
    let endpoints = [
        ("AWS_ENDPOINT_URL_SQS".to_owned(), sqs.url()),
        ("AWS_ENDPOINT_URL_RDS_DATA".to_owned(), data_api.url()),
    ];
    Surroundings { region: settings.region.clone(), endpoints: endpoints.into() }
}

/// How to run each function of the settings.
///
/// # Errors
/// A program that is not built, or an environment that names something unknown.
pub(super) fn specs(
    options: &StackOptions,
    settings: &Settings,
    names: &Names,
    sqs: &Sqs,
    redis: &Redis,
) -> Result<Vec<FunctionSpec>, Error> {
    let spec = |(name, function): (&String, &Function)| {
        let command = options.bin_dir.join(name);
        let hosted_elsewhere = options.watch.is_some() && function.event_source.is_some();
        if !command.exists() && !hosted_elsewhere {
            return Err(Error::NotBuilt { path: command });
        }
        let environment =
            function.environment(name, |reference| look_up(reference, function, names, sqs, redis))?;
        let cap = function.event_source.as_ref().map(|source| source.maximum_concurrency);
        let cap = cap.unwrap_or(settings.local.function_instances);
        Ok(FunctionSpec {
            environment,
            timeout: function.timeout,
            memory_mb: function.memory_mb,
            cap: usize::try_from(cap).unwrap_or(usize::MAX),
            ..FunctionSpec::new(name, command)
        })
    };
    settings.functions.iter().map(spec).collect()
}

/// What `${reference}` stands for in an environment.
fn look_up(reference: &str, function: &Function, names: &Names, sqs: &Sqs, redis: &Redis) -> Option<String> {
    match reference.split('.').collect::<Vec<_>>().as_slice() {
        ["queues", queue, "url"] => sqs.queues().get(*queue).map(|address| address.url.clone()),
        ["queues", queue, "arn"] => sqs.queues().get(*queue).map(|address| address.arn.clone()),
        ["secrets", user, "arn"] => names.secrets().remove(*user),
        ["database", "cluster_arn"] => Some(names.cluster_arn.clone()),
        ["database", "name"] => Some(names.database.clone()),
        ["redis", "url"] => Some(redis.url()),
        ["function", "timeout_ms"] => Some(clock::whole_ms(function.timeout).to_string()),
        _ => None,
    }
}

/// Starts the event source of each function that has one.
pub(super) fn event_sources(
    settings: &Settings,
    sqs: &Sqs,
    host: &Host,
    enabled: bool,
) -> Result<BTreeMap<String, EventSource>, Error> {
    let mut sources = BTreeMap::new();
    for (name, function) in &settings.functions {
        let Some(source) = function.event_source.clone() else { continue };
        let visibility = settings.queues.get(&source.queue).map(|queue| queue.visibility_timeout);
        let mapping = Mapping {
            function: name.clone(),
            function_timeout: function.timeout,
            visibility_timeout: visibility.unwrap_or_default(),
            region: settings.region.clone(),
            source,
        };
        sources.insert(name.clone(), EventSource::start(mapping, sqs.clone(), host.clone(), enabled)?);
    }
    Ok(sources)
}
