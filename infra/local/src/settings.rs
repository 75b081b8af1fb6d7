//! `infra/settings.json`, read for one stage: every queue, trigger and function number, checked.
//!
//! A number is written `{"value": 10, "test": 2, "reason": "…"}`: `value` holds wherever the stage names no
//! other, and the reason is not optional. What AWS would refuse when deploying is refused here when
//! starting, all problems at once, each named by its JSON path.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde_json::Value;

use crate::error::Error;

mod cdn;
mod node;
mod rules;
#[cfg(test)]
mod schema;

pub use cdn::Cdn;
use node::Node;

/// The stages that a setting may have a value of its own for.
pub const STAGES: [&str; 4] = ["dev", "prod", "local", "test"];

/// All settings of one stage.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The stage they are read for.
    pub stage: String,
    /// The AWS region that names and events carry.
    pub region: String,
    /// The functions by name.
    pub functions: BTreeMap<String, Function>,
    /// The queues by name.
    pub queues: BTreeMap<String, Queue>,
    /// The database.
    pub database: Database,
    /// The payment provider.
    pub provider: Provider,
    /// How long the catalog is cached on its way to a browser.
    pub cdn: Cdn,
    /// What the reconciler waits for.
    pub reconcile: Reconcile,
    /// What only this machine's stack needs.
    pub local: Local,
}

/// One Lambda function.
#[derive(Debug, Clone)]
pub struct Function {
    /// How long one invocation may take.
    pub timeout: Duration,
    /// Memory in MiB; the host tells it to the function and reports against it, but does not limit.
    pub memory_mb: u64,
    /// The function's own environment, with `${…}` still in it: see [`Function::environment`].
    pub environment: BTreeMap<String, String>,
    /// What invokes it, if a queue does.
    pub event_source: Option<EventSource>,
    /// How often the clock invokes it, if it does.
    pub schedule: Option<Duration>,
    /// The most instances at a time, whoever invokes it.
    pub reserved_concurrency: Option<u64>,
    /// Whether it has an HTTP address of its own.
    pub has_url: bool,
}

/// An event source mapping from a queue to its function.
#[derive(Debug, Clone)]
pub struct EventSource {
    /// The queue's name.
    pub queue: String,
    /// The most messages of one invocation.
    pub batch_size: u64,
    /// How long a batch may wait to be filled; zero sends what the first receive brought.
    pub window: Duration,
    /// The most batches in flight at a time.
    pub maximum_concurrency: u64,
    /// Whether the function's answer names the messages that failed.
    pub reports_item_failures: bool,
}

/// One queue.
#[derive(Debug, Clone)]
pub struct Queue {
    /// How long a received message stays hidden.
    pub visibility_timeout: Duration,
    /// How long a message is kept.
    pub retention: Duration,
    /// Where a message goes that was received too often.
    pub redrive: Option<Redrive>,
}

/// A queue's redrive policy.
#[derive(Debug, Clone)]
pub struct Redrive {
    /// After this many receives the message is moved.
    pub max_receive_count: u64,
    /// The name of the queue it is moved to.
    pub dead_letter_queue: String,
}

/// The Aurora database.
#[derive(Debug, Clone)]
pub struct Database {
    /// The database's name.
    pub name: String,
    /// `statement_timeout` of the functions' user.
    pub statement_timeout: Duration,
    /// `lock_timeout` of the functions' user.
    pub lock_timeout: Duration,
}

/// The payment provider: its quota, and how long a caller waits for it.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The most calls a second to one endpoint.
    pub rate_per_s: u64,
    /// The most calls a second to all endpoints together.
    pub global_rate_per_s: u64,
    /// By how many calls a second may exceed the rates.
    pub burst: u64,
    /// The share of the quota that we use.
    pub used_percent: u64,
    /// How long a batch of payments is in hand, waiting for permits included: with the rate it says how many instances
    /// a quota keeps busy.
    pub settled_batch_ms: u64,
    /// How long one attempt to change something may take.
    pub attempt_timeout: Duration,
    /// How long one attempt to read something may take.
    pub look_up_timeout: Duration,
    /// How long a connection may take to open.
    pub connect_timeout: Duration,
    /// No attempt is started with less time than this.
    pub attempt_floor: Duration,
    /// What of a function's time no attempt may use: it is for committing what the provider said.
    pub reserve: Duration,
}

/// How long the reconciler lets time pass before it decides or compares.
#[derive(Debug, Clone)]
pub struct Reconcile {
    /// After this a payment of which nobody knows anything is given up.
    pub unknown_quarantine: Duration,
    /// Only charges older than this are compared.
    pub compare_lag: Duration,
}

/// Numbers of the local stack alone.
#[derive(Debug, Clone)]
pub struct Local {
    /// The round trip that every Data API call pays.
    pub data_api_rtt: Duration,
    /// The most instances of a function that names no number itself.
    pub function_instances: u64,
    /// The median of the time that the payment sandbox takes for a call.
    pub provider_median: Duration,
    /// The spread of that time: the sigma of its logarithm, in hundredths.
    pub provider_sigma_percent: u64,
}

/// What an environment contains that reaches the provider.
const PROVIDER_REFERENCE: &str = "${provider.url}";

impl Settings {
    /// Reads the file for `stage` and checks it.
    ///
    /// # Errors
    /// Unreadable, not JSON, or [`Error::Settings`] with every problem found.
    pub fn read(path: &Path, stage: &str) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::ReadSettings { path: path.to_owned(), source })?;
        let value = serde_json::from_str(&text)
            .map_err(|source| Error::SettingsNotJson { path: path.to_owned(), source })?;
        Self::from_json(&value, stage)
    }

    /// As [`Settings::read`], from a value.
    ///
    /// # Errors
    /// [`Error::Settings`] with every problem found.
    pub fn from_json(value: &Value, stage: &str) -> Result<Self, Error> {
        let mut problems = Vec::new();
        if !STAGES.contains(&stage) {
            problems.push(format!("stage {stage}: there are {}", STAGES.join(", ")));
        }
        let settings = read_settings(&mut Node::root(value, stage, &mut problems), stage);
        if problems.is_empty() {
            problems = rules::broken(&settings);
        }
        if problems.is_empty() { Ok(settings) } else { Err(Error::Settings { problems }) }
    }

    /// With another quota of the payment provider: the functions are told of it, and the sandbox keeps it. All
    /// endpoints together have four times that of one, as in the settings. No more instances pay than such a quota
    /// keeps busy: more of them would wait for permits, and be sent back without one.
    #[must_use]
    pub fn with_provider_rate(mut self, rate_per_s: u64) -> Self {
        self.provider.rate_per_s = rate_per_s;
        self.provider.global_rate_per_s = rate_per_s.saturating_mul(4);
        let permit_ms = rate_per_s
            .saturating_mul(self.provider.used_percent)
            .saturating_mul(self.provider.settled_batch_ms);
        for function in self.functions.values_mut().filter(|function| function.calls_provider()) {
            if let Some(source) = &mut function.event_source {
                let busy = permit_ms.div_ceil(100 * 1_000 * source.batch_size.max(1));
                source.maximum_concurrency = source.maximum_concurrency.min(busy.max(2));
            }
        }
        self
    }

    /// Into how many parts the provider's quota is divided for this function: each of its instances may use one without
    /// asking the others. Those that queues invoke, and do the paying, have a part each; all that the clock invokes have
    /// one together.
    #[must_use]
    pub fn provider_instances_max(&self, function: &Function) -> u64 {
        let callers = self.functions.values().filter(|caller| caller.calls_provider());
        let (queued, timed): (Vec<&Function>, Vec<&Function>) =
            callers.partition(|caller| caller.event_source.is_some());
        let sum = |callers: &[&Function]| -> u64 {
            callers.iter().map(|caller| caller.concurrency().unwrap_or(self.local.function_instances)).sum()
        };
        let (queued, timed) = (sum(&queued), sum(&timed));
        let parts = queued + timed.min(1);
        if function.event_source.is_some() { parts } else { parts * timed.max(1) }
    }
}

impl Function {
    /// The most instances at a time, where the settings name a number.
    #[must_use]
    pub fn concurrency(&self) -> Option<u64> {
        self.event_source.as_ref().map(|source| source.maximum_concurrency).or(self.reserved_concurrency)
    }

    /// Whether it is told where the payment provider is.
    pub(crate) fn calls_provider(&self) -> bool {
        self.environment.values().any(|value| value.contains(PROVIDER_REFERENCE))
    }

    /// The environment with every `${…}` replaced by what `lookup` knows of that name.
    ///
    /// # Errors
    /// [`Error::Settings`] naming each variable whose `${…}` nobody knows; `function` is for the message.
    pub fn environment(
        &self,
        function: &str,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<BTreeMap<String, String>, Error> {
        let mut problems = Vec::new();
        let mut environment = BTreeMap::new();
        for (name, template) in &self.environment {
            match resolve(template, &lookup) {
                Ok(value) => drop(environment.insert(name.clone(), value)),
                Err(unknown) => {
                    problems
                        .push(format!("functions.{function}.environment.{name}: nothing is named {unknown}"));
                }
            }
        }
        if problems.is_empty() { Ok(environment) } else { Err(Error::Settings { problems }) }
    }
}

/// Replaces each `${name}`; the error is the first name that `lookup` does not know, or the unclosed rest.
fn resolve(template: &str, lookup: &impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut value = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, behind) = after.split_once('}').ok_or_else(|| format!("${{{after}"))?;
        value.push_str(before);
        value.push_str(&lookup(name).ok_or_else(|| format!("${{{name}}}"))?);
        rest = behind;
    }
    value.push_str(rest);
    Ok(value)
}

/// Reads everything; what is missing becomes a problem in the node and a placeholder here, so that one run
/// reports all problems.
fn read_settings(root: &mut Node<'_>, stage: &str) -> Settings {
    Settings {
        stage: stage.to_owned(),
        region: root.text("region"),
        functions: root.entries("functions", read_function),
        queues: root.entries("queues", read_queue),
        database: root.section("database", read_database),
        provider: root.section("provider", read_provider),
        cdn: root.section("cdn", Cdn::read),
        reconcile: root.section("reconcile", read_reconcile),
        local: root.section("local", read_local),
    }
}

fn read_function(node: &mut Node<'_>) -> Function {
    Function {
        timeout: Duration::from_secs(node.number("timeout_s")),
        memory_mb: node.number("memory_mb"),
        environment: node.texts("environment"),
        event_source: node.optional("event_source", read_event_source),
        schedule: node.optional("schedule", |node| Duration::from_secs(node.number("every_s"))),
        reserved_concurrency: node.optional_number("reserved_concurrency"),
        has_url: node.has("function_url") && node.flag("function_url"),
    }
}

fn read_event_source(node: &mut Node<'_>) -> EventSource {
    EventSource {
        queue: node.text("queue"),
        batch_size: node.number("batch_size"),
        window: Duration::from_secs(node.number("maximum_batching_window_s")),
        maximum_concurrency: node.number("maximum_concurrency"),
        reports_item_failures: node.flag("report_batch_item_failures"),
    }
}

fn read_queue(node: &mut Node<'_>) -> Queue {
    let redrive = if node.has("dead_letter_queue") || node.has("max_receive_count") {
        Some(Redrive {
            max_receive_count: node.number("max_receive_count"),
            dead_letter_queue: node.text("dead_letter_queue"),
        })
    } else {
        None
    };
    Queue {
        visibility_timeout: Duration::from_secs(node.number("visibility_timeout_s")),
        retention: Duration::from_secs(node.number("message_retention_s")),
        redrive,
    }
}

fn read_database(node: &mut Node<'_>) -> Database {
    Database {
        name: node.text("name"),
        statement_timeout: Duration::from_millis(node.number("statement_timeout_ms")),
        lock_timeout: Duration::from_millis(node.number("lock_timeout_ms")),
    }
}

fn read_provider(node: &mut Node<'_>) -> Provider {
    Provider {
        rate_per_s: node.number("rate_per_s"),
        global_rate_per_s: node.number("global_rate_per_s"),
        burst: node.number("burst"),
        used_percent: node.number("used_percent"),
        settled_batch_ms: node.number("settled_batch_ms"),
        attempt_timeout: Duration::from_millis(node.number("attempt_timeout_ms")),
        look_up_timeout: Duration::from_millis(node.number("look_up_timeout_ms")),
        connect_timeout: Duration::from_millis(node.number("connect_timeout_ms")),
        attempt_floor: Duration::from_millis(node.number("attempt_floor_ms")),
        reserve: Duration::from_millis(node.number("reserve_ms")),
    }
}

fn read_reconcile(node: &mut Node<'_>) -> Reconcile {
    Reconcile {
        unknown_quarantine: Duration::from_secs(node.number("unknown_quarantine_s")),
        compare_lag: Duration::from_secs(node.number("compare_lag_s")),
    }
}

fn read_local(node: &mut Node<'_>) -> Local {
    Local {
        data_api_rtt: Duration::from_millis(node.number("data_api_rtt_ms")),
        function_instances: node.number("function_instances"),
        provider_median: Duration::from_millis(node.number("provider_median_ms")),
        provider_sigma_percent: node.number("provider_sigma_percent"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The repository's own file.
    fn ours() -> Value {
        serde_json::from_str(include_str!("../../settings.json")).unwrap()
    }

    #[track_caller]
    fn check_problem(change: impl FnOnce(&mut Value), expected: &str) {
        let mut value = ours();
        change(&mut value);
        let error = Settings::from_json(&value, "local").unwrap_err().to_string();
        assert!(error.contains(expected), "{error}\n  lacks: {expected}");
    }

    #[track_caller]
    fn check_resolved(template: &str, expected: Result<&str, &str>) {
        let lookup = |name: &str| (name == "queues.orders.url").then(|| "http://q".to_owned());
        assert_eq!(resolve(template, &lookup).as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn our_file_is_good_for_every_stage() {
        for stage in STAGES {
            Settings::from_json(&ours(), stage).unwrap();
        }
    }

    #[test]
    fn a_stage_overrides_a_value() {
        let timeout =
            |stage| Settings::from_json(&ours(), stage).unwrap().functions["process-orders"].timeout;
        assert_eq!(timeout("local"), Duration::from_secs(10));
        assert_eq!(timeout("test"), Duration::from_secs(2));
    }

    #[test]
    fn problems_are_named_by_their_path_all_at_once() {
        let mut value = ours();
        value["functions"]["process-orders"]["timeout_s"] =
            serde_json::json!({"value": "ten", "reason": "r"});
        value["queues"]["orders"].as_object_mut().unwrap().remove("visibility_timeout_s");
        let error = Settings::from_json(&value, "local").unwrap_err().to_string();
        assert!(
            error.contains("functions.process-orders.timeout_s.value: expected a whole number"),
            "{error}"
        );
        assert!(error.contains("queues.orders.visibility_timeout_s: missing"), "{error}");
    }

    #[test]
    fn a_number_needs_a_reason_and_knows_its_stages() {
        check_problem(
            |file| file["database"]["lock_timeout_ms"] = serde_json::json!({"value": 1}),
            "database.lock_timeout_ms.reason: missing",
        );
        check_problem(
            |file| file["database"]["lock_timeout_ms"]["staging"] = 1.into(),
            "database.lock_timeout_ms.staging: unknown",
        );
    }

    #[test]
    fn a_quota_can_be_replaced_and_keeps_fewer_instances_busy() {
        let settings = Settings::from_json(&ours(), "local").unwrap();
        let busy = |rate_per_s| {
            let settings = settings.clone().with_provider_rate(rate_per_s);
            let source = settings.functions["settle-payments"].event_source.clone().unwrap();
            (settings.provider.rate_per_s, settings.provider.global_rate_per_s, source.maximum_concurrency)
        };
        assert_eq!(busy(1), (1, 4, 2));
        assert_eq!(busy(100), (100, 400, 11));
        assert_eq!(busy(1_000), (1_000, 4_000, 24), "as the settings say");
    }

    #[test]
    fn the_parts_of_the_quota_are_one_quota_together() {
        let settings = Settings::from_json(&ours(), "local").unwrap().with_provider_rate(100);
        let parts = |name: &str| settings.provider_instances_max(&settings.functions[name]);
        assert_eq!(
            (parts("settle-payments"), parts("reconcile-orders")),
            (12, 24),
            "11 and one for the clock's two"
        );
    }

    #[test]
    fn an_unknown_stage_is_refused() {
        let error = Settings::from_json(&ours(), "staging").unwrap_err().to_string();
        assert!(error.contains("dev, prod, local, test"), "{error}");
    }

    #[test]
    fn references_in_an_environment_are_resolved() {
        check_resolved("plain", Ok("plain"));
        check_resolved("${queues.orders.url}", Ok("http://q"));
        check_resolved("a ${queues.orders.url} b ${queues.orders.url}", Ok("a http://q b http://q"));
        check_resolved("${queues.other.url}", Err("${queues.other.url}"));
        check_resolved("${queues.orders.url", Err("${queues.orders.url"));
    }

    #[test]
    fn an_unknown_reference_names_the_variable() {
        let settings = Settings::from_json(&ours(), "local").unwrap();
        let error = settings.functions["process-orders"].environment("process-orders", |_| None).unwrap_err();
        let expected =
            "functions.process-orders.environment.ORDERFLOW_REDIS_URL: nothing is named ${redis.url}";
        assert!(error.to_string().contains(expected), "{error}");
    }
}
