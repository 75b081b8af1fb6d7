//! `infra/settings.json` as one stage sees it: every number that a rule looks at, by name.
//!
//! Reading never stops half-way: what is missing or of the wrong kind is a finding with its path, and all of them are
//! told at once. The rules look only at a stage that was read whole.

use crate::doctor::finding::Finding;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The stages, deployed ones first.
pub const STAGES: [&str; 4] = ["dev", "prod", "local", "test"];

/// The stages that AWS runs, and whose settings it judges.
const DEPLOYED: [&str; 2] = ["dev", "prod"];

/// What an environment contains that reaches the payment provider.
const PROVIDER_REFERENCE: &str = "${provider.url}";

/// All settings of one stage that rules look at.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The stage's name.
    pub name: String,
    /// The functions by name.
    pub functions: BTreeMap<String, Function>,
    /// The queues by name.
    pub queues: BTreeMap<String, Queue>,
    /// The numbers of the sections that have nothing but numbers, by path: `provider.rate_per_s`.
    pub numbers: BTreeMap<String, u64>,
}

/// One Lambda function.
#[derive(Debug, Clone)]
pub struct Function {
    /// How long one invocation may take.
    pub timeout_s: u64,
    /// Memory in MiB.
    pub memory_mb: u64,
    /// Variables, with `${…}` still in their values.
    pub environment: BTreeMap<String, String>,
    /// The queue that invokes it, if one does.
    pub event_source: Option<EventSource>,
    /// How often the clock invokes it, if it does.
    pub every_s: Option<u64>,
    /// `ReservedConcurrentExecutions`.
    pub reserved_concurrency: Option<u64>,
    /// Whether it has an HTTPS address of its own.
    pub has_url: bool,
}

/// An event source mapping.
#[derive(Debug, Clone)]
pub struct EventSource {
    /// The queue's name.
    pub queue: String,
    /// The most messages of one invocation.
    pub batch_size: u64,
    /// How long a batch may wait to be filled.
    pub window_s: u64,
    /// `ScalingConfig.MaximumConcurrency`; none where it is absent or 0.
    pub maximum_concurrency: Option<u64>,
    /// Least and most provisioned pollers; none where they are absent or both 0.
    pub provisioned_pollers: Option<(u64, u64)>,
    /// `ReportBatchItemFailures`.
    pub reports_item_failures: bool,
}

/// One queue.
#[derive(Debug, Clone)]
pub struct Queue {
    /// How long a received message stays hidden.
    pub visibility_timeout_s: u64,
    /// How long a message is kept.
    pub message_retention_s: u64,
    /// After how many receives a message is moved.
    pub max_receive_count: Option<u64>,
    /// Where it is moved to.
    pub dead_letter_queue: Option<String>,
}

impl Stage {
    /// Reads the settings for `stage`.
    ///
    /// # Errors
    /// A finding for everything that is missing or of the wrong kind.
    pub fn read(file: &Value, stage: &str) -> Result<Self, Vec<Finding>> {
        let mut reader = Reader { file, stage, problems: Vec::new() };
        let functions = reader.names("functions");
        let queues = reader.names("queues");
        let read = Self {
            name: stage.to_owned(),
            functions: functions.into_iter().map(|name| (name.clone(), reader.function(&name))).collect(),
            queues: queues.into_iter().map(|name| (name.clone(), reader.queue(&name))).collect(),
            numbers: NUMBERS.iter().map(|path| ((*path).to_owned(), reader.number(path))).collect(),
        };
        if reader.problems.is_empty() { Ok(read) } else { Err(reader.problems) }
    }

    /// Whether AWS runs it: its rules then hold to the letter.
    pub fn is_deployed(&self) -> bool {
        DEPLOYED.contains(&self.name.as_str())
    }

    /// One of [`NUMBERS`]; reading has made sure of them.
    pub fn number(&self, path: &str) -> u64 {
        self.numbers.get(path).copied().unwrap_or_default()
    }

    /// The functions that a queue invokes: name, function, event source.
    pub fn consumers(&self) -> impl Iterator<Item = (&str, &Function, &EventSource)> {
        self.functions
            .iter()
            .filter_map(|(name, function)| Some((name.as_str(), function, function.event_source.as_ref()?)))
    }

    /// The functions that call the payment provider.
    pub fn payers(&self) -> impl Iterator<Item = (&str, &Function)> {
        self.functions
            .iter()
            .filter(|(_, function)| function.environment.values().any(|v| v.contains(PROVIDER_REFERENCE)))
            .map(|(name, function)| (name.as_str(), function))
    }
}

impl Function {
    /// The most instances at a time, where the settings name a number.
    pub fn concurrency(&self) -> Option<u64> {
        let source = self.event_source.as_ref().and_then(|source| source.maximum_concurrency);
        source.or(self.reserved_concurrency)
    }
}

/// The numbers outside functions and queues that rules look at.
pub const NUMBERS: [&str; 21] = [
    "cdn.max_age_s",
    "cdn.not_found_max_age_s",
    "cdn.shared_max_age_s",
    "cdn.stale_while_revalidate_s",
    "database.lock_timeout_ms",
    "database.statement_timeout_ms",
    "provider.attempt_floor_ms",
    "provider.attempt_timeout_ms",
    "provider.connect_timeout_ms",
    "provider.global_rate_per_s",
    "provider.key_life_s",
    "provider.key_retention_s",
    "provider.look_up_timeout_ms",
    "provider.rate_per_s",
    "provider.reserve_ms",
    "provider.settled_batch_ms",
    "provider.used_percent",
    "reconcile.compare_lag_s",
    "reconcile.unknown_quarantine_s",
    "redis_client.command_timeout_ms",
    "redis_client.connect_timeout_ms",
];

/// Looks values up by their path, and remembers what it did not find.
struct Reader<'a> {
    file: &'a Value,
    stage: &'a str,
    problems: Vec<Finding>,
}

impl<'a> Reader<'a> {
    fn function(&mut self, name: &str) -> Function {
        let path = format!("functions.{name}");
        Function {
            timeout_s: self.number(&format!("{path}.timeout_s")),
            memory_mb: self.number(&format!("{path}.memory_mb")),
            environment: self.texts(&format!("{path}.environment")),
            event_source: self.event_source(&format!("{path}.event_source")),
            every_s: self.optional(&format!("{path}.schedule.every_s")),
            reserved_concurrency: self.optional(&format!("{path}.reserved_concurrency")),
            has_url: self.at(&format!("{path}.function_url")) == Some(&Value::Bool(true)),
        }
    }

    fn event_source(&mut self, path: &str) -> Option<EventSource> {
        self.at(path)?;
        let minimum = self.optional(&format!("{path}.provisioned_pollers.minimum"));
        let maximum = self.optional(&format!("{path}.provisioned_pollers.maximum"));
        let pollers = (minimum.unwrap_or_default(), maximum.unwrap_or_default());
        let reports = self.at(&format!("{path}.report_batch_item_failures"));
        Some(EventSource {
            queue: self.text(&format!("{path}.queue")),
            batch_size: self.number(&format!("{path}.batch_size")),
            window_s: self.number(&format!("{path}.maximum_batching_window_s")),
            maximum_concurrency: self.optional(&format!("{path}.maximum_concurrency")).filter(|n| *n > 0),
            provisioned_pollers: (pollers != (0, 0)).then_some(pollers),
            reports_item_failures: reports == Some(&Value::Bool(true)),
        })
    }

    fn queue(&mut self, name: &str) -> Queue {
        let path = format!("queues.{name}");
        let dead_letter_queue = format!("{path}.dead_letter_queue");
        Queue {
            visibility_timeout_s: self.number(&format!("{path}.visibility_timeout_s")),
            message_retention_s: self.number(&format!("{path}.message_retention_s")),
            max_receive_count: self.optional(&format!("{path}.max_receive_count")),
            dead_letter_queue: self.at(&dead_letter_queue).map(|_| self.text(&dead_letter_queue)),
        }
    }

    fn at(&self, path: &str) -> Option<&'a Value> {
        path.split('.').try_fold(self.file, |value, name| value.get(name))
    }

    /// A staged number that must be there; 0 where it is not.
    fn number(&mut self, path: &str) -> u64 {
        if self.at(path).is_none() {
            self.problem(path, "is missing: add it as {\"value\": …, \"reason\": …}");
        }
        self.optional(path).unwrap_or_default()
    }

    /// A staged number that may be absent.
    fn optional(&mut self, path: &str) -> Option<u64> {
        let found = self.at(path)?;
        let value = found.get(self.stage).or_else(|| found.get("value"));
        let number = value.and_then(Value::as_u64);
        if number.is_none() {
            self.problem(path, "has no whole number for this stage: give it a `value`");
        }
        number
    }

    fn text(&mut self, path: &str) -> String {
        let text = self.at(path).and_then(Value::as_str);
        if text.is_none() {
            self.problem(path, "must be a string");
        }
        text.unwrap_or_default().to_owned()
    }

    fn texts(&mut self, path: &str) -> BTreeMap<String, String> {
        let names = self.names(path).into_iter();
        names.map(|name| (name.clone(), self.text(&format!("{path}.{name}")))).collect()
    }

    fn names(&mut self, path: &str) -> Vec<String> {
        let object = self.at(path).and_then(Value::as_object);
        if object.is_none() {
            self.problem(path, "is missing: it must be an object");
        }
        object.into_iter().flat_map(Map::keys).cloned().collect()
    }

    fn problem(&mut self, path: &str, sentence: &str) {
        self.problems.push(Finding::error(path, sentence));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{STAGES, Stage};
    use crate::doctor::finding::Finding;
    use serde_json::{Value, json};

    /// The repository's own file.
    pub(crate) fn ours() -> Value {
        serde_json::from_str(include_str!("../../../../infra/settings.json")).unwrap()
    }

    /// Our settings of `stage` with `value` at `pointer`, in the field if there is one, else added.
    pub(crate) fn planted(stage: &str, pointer: &str, value: Value) -> Stage {
        let mut file = ours();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = file.pointer_mut(parent).unwrap_or_else(|| panic!("nothing at {parent}"));
        parent[name] = if value.is_u64() { json!({ "value": value, "reason": "a test" }) } else { value };
        Stage::read(&file, stage).unwrap()
    }

    /// Plants `value` into `stage` and expects a finding at `place`, or none at all where `place` is empty.
    #[track_caller]
    pub(crate) fn check(
        rule: fn(&Stage) -> Vec<Finding>,
        stage: &str,
        (pointer, value): (&str, Value),
        place: &str,
    ) {
        let findings = rule(&planted(stage, pointer, value.clone()));
        let places: Vec<&str> = findings.iter().map(|finding| finding.place.as_str()).collect();
        let as_expected = if place.is_empty() { places.is_empty() } else { places.contains(&place) };
        assert!(as_expected, "{pointer} = {value} in {stage}: {findings:?}");
    }

    #[test]
    fn our_file_is_read_for_every_stage() {
        for stage in STAGES {
            Stage::read(&ours(), stage).unwrap();
        }
    }

    #[test]
    fn a_stage_has_its_own_value_or_the_common_one() {
        let timeout = |stage| Stage::read(&ours(), stage).unwrap().functions["process-orders"].timeout_s;
        assert_eq!((timeout("prod"), timeout("test")), (10, 2));
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let mut file = ours();
        file["queues"]["orders"].as_object_mut().unwrap().remove("visibility_timeout_s");
        file["provider"]["rate_per_s"] = json!({ "value": "many", "reason": "a test" });
        file["functions"]["process-orders"]["event_source"]["queue"] = json!(7);
        let findings = Stage::read(&file, "prod").unwrap_err();
        let places: Vec<&str> = findings.iter().map(|finding| finding.place.as_str()).collect();
        let expected = [
            "functions.process-orders.event_source.queue",
            "queues.orders.visibility_timeout_s",
            "provider.rate_per_s",
        ];
        assert_eq!(places, expected);
    }
}
