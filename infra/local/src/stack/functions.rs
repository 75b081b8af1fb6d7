//! From the settings to functions and event sources: names, environments, programs.

use std::{collections::BTreeMap, time::Duration};

use super::{Beside, StackOptions};
use crate::{
    clock,
    data_api::DataApi,
    error::Error,
    event_source::{EventSource, Mapping},
    lambda_host::{FunctionSpec, Host, Surroundings},
    redis::Redis,
    sandbox::Sandbox,
    scheduler::Schedule,
    settings::{Function, Settings},
    sqs::{ACCOUNT_ID, Sqs},
};

/// The key that functions show the payment sandbox, which takes any of this form.
const PROVIDER_KEY: &str = "sk_test_local";

/// ARNs of things that exist in name only.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) cluster_arn: String,
    pub(super) app_secret_arn: String,
    pub(super) migrator_secret_arn: String,
    database: String,
}

impl Names {
    pub(super) fn new(region: &str, database: &str, beside: Option<&Beside>) -> Self {
        let secret = |name: &str| {
            format!("arn:aws:secretsmanager:{region}:{ACCOUNT_ID}:secret:orderflow/{name}-local0")
        };
        Self {
            cluster_arn: match beside {
                Some(beside) => beside.cluster_arn.clone(),
                None => format!("arn:aws:rds:{region}:{ACCOUNT_ID}:cluster:orderflow"),
            },
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

/// What `${…}` in an environment can stand for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) settings: &'a Settings,
    pub(super) names: &'a Names,
    pub(super) sqs: &'a Sqs,
    pub(super) redis: &'a Redis,
    pub(super) sandbox: &'a Sandbox,
}

/// How to run each function of the settings; none beside an emulator that has them.
///
/// # Errors
/// A program that is not built, or an environment that names something unknown.
pub(super) fn specs(options: &StackOptions, known: Known<'_>) -> Result<Vec<FunctionSpec>, Error> {
    if options.beside.is_some() {
        return Ok(Vec::new());
    }
    let spec = |(name, function): (&String, &Function)| {
        let command = options.bin_dir.join(name);
        // A function that the clock invokes, or nobody, is ours also beside `cargo lambda watch`.
        let hosted_elsewhere = options.watch.is_some() && function.event_source.is_some();
        if !command.exists() && !hosted_elsewhere {
            return Err(Error::NotBuilt { path: command });
        }
        let environment = function.environment(name, |reference| known.look_up(reference, function))?;
        let cap = function.concurrency().unwrap_or(known.settings.local.function_instances);
        Ok(FunctionSpec {
            environment,
            timeout: function.timeout,
            memory_mb: function.memory_mb,
            cap: usize::try_from(cap).unwrap_or(usize::MAX),
            ..FunctionSpec::new(name, command)
        })
    };
    known.settings.functions.iter().map(spec).collect()
}

impl Known<'_> {
    /// What `${reference}` stands for in the environment of `function`.
    fn look_up(&self, reference: &str, function: &Function) -> Option<String> {
        let Settings { provider, cdn, reconcile, .. } = self.settings;
        let seconds = |duration: Duration| Some(duration.as_secs().to_string());
        match reference.split('.').collect::<Vec<_>>().as_slice() {
            ["queues", queue, "url"] => self.sqs.queues().get(*queue).map(|address| address.url.clone()),
            ["queues", queue, "arn"] => self.sqs.queues().get(*queue).map(|address| address.arn.clone()),
            ["secrets", user, "arn"] => self.names.secrets().remove(*user),
            ["database", "cluster_arn"] => Some(self.names.cluster_arn.clone()),
            ["database", "name"] => Some(self.names.database.clone()),
            ["redis", "url"] => Some(self.redis.url()),
            ["provider", "url"] => Some(self.sandbox.url()),
            ["provider", "key"] => Some(PROVIDER_KEY.to_owned()),
            ["provider", "rate_per_s"] => Some(provider.rate_per_s.to_string()),
            ["provider", "global_rate_per_s"] => Some(provider.global_rate_per_s.to_string()),
            ["provider", "instances_max"] => Some(self.settings.provider_instances_max(function).to_string()),
            ["cdn", name] => cdn.time(name).and_then(seconds),
            ["reconcile", "unknown_quarantine_s"] => seconds(reconcile.unknown_quarantine),
            ["reconcile", "compare_lag_s"] => seconds(reconcile.compare_lag),
            ["function", "timeout_ms"] => Some(clock::whole_ms(function.timeout).to_string()),
            ["stage"] => Some(self.settings.stage.clone()),
            _ => None,
        }
    }
}

/// Starts the event source of each function here that has one.
pub(super) fn event_sources(
    options: &StackOptions,
    settings: &Settings,
    sqs: &Sqs,
    host: &Host,
) -> Result<BTreeMap<String, EventSource>, Error> {
    let mut sources = BTreeMap::new();
    if options.beside.is_some() {
        return Ok(sources);
    }
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
        sources.insert(
            name.clone(),
            EventSource::start(mapping, sqs.clone(), host.clone(), options.watch.is_none())?,
        );
    }
    Ok(sources)
}

/// Starts the schedule of each function here that has one.
pub(super) fn schedules(
    options: &StackOptions,
    settings: &Settings,
    host: &Host,
) -> BTreeMap<String, Schedule> {
    let scheduled = settings.functions.iter().filter(|_| options.beside.is_none());
    let scheduled = scheduled.filter_map(|(name, function)| Some((name, function.schedule?)));
    let start = |(name, every): (&String, Duration)| {
        (name.clone(), Schedule::start(name, every, &settings.region, host.clone()))
    };
    scheduled.map(start).collect()
}
