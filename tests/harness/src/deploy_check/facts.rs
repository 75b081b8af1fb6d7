//! What is live in the emulator, by the APIs of its services, against what the settings ask for.
//!
//! Nothing here looks at a template: a property that the emulator took and dropped is found as missing.

use super::settings::Settings;
use crate::queues::Queue;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Before every name of ours.
pub(super) const PREFIX: &str = "orderflow-dev-";

/// Things of one service by their full names.
type Named = BTreeMap<String, Value>;

/// The answer of `facts.py show`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Facts {
    stacks: Named,
    queues: Named,
    event_sources: Named,
    functions: Named,
    roles: Named,
    secrets: Named,
    schedules: Named,
}

impl Facts {
    /// What is not as the settings ask for, a sentence each.
    pub(super) fn differences(&self, settings: &Settings) -> Vec<String> {
        let mut complaints = Complaints::default();
        for stack in ["stateful", "processing"] {
            let status = of(&self.stacks, stack).as_str().unwrap_or("missing").to_owned();
            complaints.unless(status.ends_with("_COMPLETE") && !status.contains("ROLLBACK"), || {
                format!("stack {stack}: {status}")
            });
        }
        for name in settings.names(&["queues"]) {
            complaints.all_of(&format!("queue {name}"), self.queue(name, settings));
        }
        for name in settings.names(&["functions"]) {
            complaints.all_of(&format!("function {name}"), self.function(name, settings));
            complaints.all_of(&format!("role of {name}"), self.role(name));
            complaints.all_of(&format!("event source of {name}"), self.event_source(name, settings));
            complaints.all_of(&format!("schedule of {name}"), self.schedule(name, settings));
        }
        for name in ["cache", "provider", "database-app", "database-migrator"] {
            complaints.unless(of(&self.secrets, name).is_string(), || format!("secret {name}: missing"));
        }
        complaints.0
    }

    /// Every queue of the settings, by its name there.
    pub(super) fn queues(&self) -> BTreeMap<String, Queue> {
        let queue =
            |attributes: &Value| Queue { url: text(&attributes["url"]), arn: text(&attributes["QueueArn"]) };
        let short = |name: &String| name.strip_prefix(PREFIX).unwrap_or(name).to_owned();
        self.queues.iter().map(|(name, attributes)| (short(name), queue(attributes))).collect()
    }

    /// The batch size of the event source of a function.
    pub(super) fn batch_size(&self, function: &str) -> Option<u64> {
        of(&self.event_sources, function)["BatchSize"].as_u64()
    }

    /// How many things of each kind are live, for people.
    pub(super) fn summary(&self) -> String {
        let counts = [
            ("queues", &self.queues),
            ("event sources", &self.event_sources),
            ("functions", &self.functions),
            ("roles", &self.roles),
            ("secrets", &self.secrets),
            ("schedules", &self.schedules),
        ];
        counts.map(|(what, all)| format!("{} {what}", all.len())).join(", ")
    }

    fn queue(&self, name: &str, settings: &Settings) -> Vec<Pair> {
        let live = of(&self.queues, name);
        let wanted = |setting| settings.number(&["queues", name, setting]).to_string();
        let mut pairs = vec![
            pair("VisibilityTimeout", &live["VisibilityTimeout"], wanted("visibility_timeout_s")),
            pair("MessageRetentionPeriod", &live["MessageRetentionPeriod"], wanted("message_retention_s")),
        ];
        if let Some(dead_letters) = settings.at(&["queues", name, "dead_letter_queue"]).as_str() {
            let policy: Value = serde_json::from_str(&text(&live["RedrivePolicy"])).unwrap_or_default();
            let target = text(&policy["deadLetterTargetArn"]);
            let target = target.rsplit(':').next().unwrap_or_default().to_owned();
            pairs.push(pair("maxReceiveCount", &policy["maxReceiveCount"], wanted("max_receive_count")));
            pairs.push(pair("dead-letter queue", &target.into(), full(dead_letters)));
        }
        pairs
    }

    fn function(&self, name: &str, settings: &Settings) -> Vec<Pair> {
        let live = of(&self.functions, name);
        let wanted = |setting| settings.number(&["functions", name, setting]).to_string();
        let variables = live["Environment"]["Variables"].as_object().into_iter().flatten();
        let variables: Vec<&str> = variables.map(|(variable, _)| variable.as_str()).collect();
        let asked_for = settings.names(&["functions", name, "environment"]);
        vec![
            pair("Runtime", &live["Runtime"], "provided.al2023".to_owned()),
            pair("State", &live["State"], "Active".to_owned()),
            pair("Timeout", &live["Timeout"], wanted("timeout_s")),
            pair("MemorySize", &live["MemorySize"], wanted("memory_mb")),
            pair("environment", &sorted(&variables).into(), sorted(&asked_for)),
        ]
    }

    /// The function's own role: Lambda may assume it, and it reads the secret of its own database user only.
    fn role(&self, name: &str) -> Vec<Pair> {
        let function = of(&self.functions, name);
        let role = self.roles.get(&text(&function["Role"])).unwrap_or(&Value::Null);
        let shared = self.functions.values().filter(|other| other["Role"] == function["Role"]).count();
        let secret = text(&function["Environment"]["Variables"]["ORDERFLOW_SECRET_ARN"]);
        let readable = resources(role, "secretsmanager:GetSecretValue");
        vec![
            pair("functions with it", &shared.into(), "1".to_owned()),
            pair(
                "assumed by",
                &role["trusted"][0]["Principal"]["Service"],
                "lambda.amazonaws.com".to_owned(),
            ),
            pair("secrets it reads", &sorted(&readable).into(), secret.clone()),
            pair("that secret", &self.secrets.values().any(|arn| *arn == secret).into(), "true".to_owned()),
        ]
    }

    fn event_source(&self, name: &str, settings: &Settings) -> Vec<Pair> {
        let path = ["functions", name, "event_source"];
        let Some(queue) = settings.at(&path)["queue"].as_str() else { return Vec::new() };
        let live = of(&self.event_sources, name);
        let wanted = |setting| settings.number(&[&path[..], &[setting]].concat()).to_string();
        let role = self.roles.get(&text(&of(&self.functions, name)["Role"])).unwrap_or(&Value::Null);
        let received = resources(role, "sqs:ReceiveMessage");
        vec![
            pair("State", &live["State"], "Enabled".to_owned()),
            pair("EventSourceArn", &live["EventSourceArn"], text(&of(&self.queues, queue)["QueueArn"])),
            pair("BatchSize", &live["BatchSize"], wanted("batch_size")),
            pair(
                "MaximumConcurrency",
                &live["ScalingConfig"]["MaximumConcurrency"],
                wanted("maximum_concurrency"),
            ),
            pair(
                "FunctionResponseTypes",
                &live["FunctionResponseTypes"][0],
                "ReportBatchItemFailures".to_owned(),
            ),
            pair("role may receive", &sorted(&received).into(), text(&live["EventSourceArn"])),
        ]
    }

    fn schedule(&self, name: &str, settings: &Settings) -> Vec<Pair> {
        let path = ["functions", name, "schedule"];
        if settings.at(&path).is_null() {
            return Vec::new();
        }
        let live = of(&self.schedules, name);
        let minutes = settings.number(&[&path[..], &["every_s"]].concat()) / 60;
        let unit = if minutes == 1 { "minute" } else { "minutes" };
        vec![
            pair("State", &live["State"], "ENABLED".to_owned()),
            pair("ScheduleExpression", &live["ScheduleExpression"], format!("rate({minutes} {unit})")),
            pair("target", &live["Target"]["Arn"], text(&of(&self.functions, name)["FunctionArn"])),
        ]
    }
}

/// What is looked at, how it is, how it should be.
type Pair = (&'static str, String, String);

fn pair(what: &'static str, live: &Value, wanted: String) -> Pair {
    (what, text(live), wanted)
}

/// Sentences about what is wrong.
#[derive(Default)]
struct Complaints(Vec<String>);

impl Complaints {
    fn unless(&mut self, good: bool, complaint: impl FnOnce() -> String) {
        self.0.extend((!good).then(complaint));
    }

    fn all_of(&mut self, whose: &str, pairs: Vec<Pair>) {
        for (what, live, wanted) in pairs {
            self.unless(live == wanted, || format!("{whose}: {what} is {live:?} instead of {wanted:?}"));
        }
    }
}

fn full(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn of<'a>(all: &'a Named, name: &str) -> &'a Value {
    all.get(&full(name)).unwrap_or(&Value::Null)
}

/// A text as it is, nothing for nothing, anything else as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Names in one order, each once.
fn sorted<T: AsRef<str>>(names: &[T]) -> String {
    let names: BTreeSet<&str> = names.iter().map(AsRef::as_ref).collect();
    names.into_iter().collect::<Vec<_>>().join(" ")
}

/// What a role may do `action` to.
fn resources(role: &Value, action: &str) -> Vec<String> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    let allows = |statement: &&Value| {
        statement["Effect"] == "Allow" && list(&statement["Action"]).contains(&action.into())
    };
    let statements = role["statements"].as_array().into_iter().flatten().filter(allows);
    statements.flat_map(|statement| list(&statement["Resource"])).map(|resource| text(&resource)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Facts, PREFIX, resources, sorted};
    use crate::deploy_check::cdk::STAGE;
    use crate::deploy_check::settings::Settings;
    use serde_json::{Value, json};

    const QUEUE: &str = "arn:aws:sqs:r:0:orderflow-dev-orders";

    /// One queue with its function, and how both should be.
    fn live() -> (Value, Settings) {
        let number = |value: u64| json!({"value": value, "reason": ""});
        let settings = json!({
            "functions": {"work": {
                "timeout_s": number(10), "memory_mb": number(512), "environment": {"ORDERFLOW_SECRET_ARN": ""},
                "event_source": {"queue": "orders", "batch_size": number(10), "maximum_concurrency": number(3)},
                "schedule": {"every_s": number(60)},
            }},
            "queues": {"orders": {
                "visibility_timeout_s": number(60), "message_retention_s": number(100),
                "max_receive_count": number(5), "dead_letter_queue": "orders-dlq",
            }},
        });
        let redrive =
            json!({"deadLetterTargetArn": "arn:aws:sqs:r:0:orderflow-dev-orders-dlq", "maxReceiveCount": 5});
        let allow = |action: &str, resource: &str| json!({"Effect": "Allow", "Action": [action], "Resource": resource});
        let facts = json!({
            "stacks": {"orderflow-dev-stateful": "CREATE_COMPLETE", "orderflow-dev-processing": "UPDATE_COMPLETE"},
            "queues": {"orderflow-dev-orders": {
                "url": "u", "QueueArn": QUEUE, "VisibilityTimeout": "60", "MessageRetentionPeriod": "100",
                "RedrivePolicy": redrive.to_string(),
            }},
            "event_sources": {"orderflow-dev-work": {
                "State": "Enabled", "EventSourceArn": QUEUE, "BatchSize": 10,
                "ScalingConfig": {"MaximumConcurrency": 3}, "FunctionResponseTypes": ["ReportBatchItemFailures"],
            }},
            "functions": {"orderflow-dev-work": {
                "Runtime": "provided.al2023", "State": "Active", "Timeout": 10, "MemorySize": 512, "Role": "role",
                "FunctionArn": "fn", "Environment": {"Variables": {"ORDERFLOW_SECRET_ARN": "secret"}},
            }},
            "roles": {"role": {
                "trusted": [{"Principal": {"Service": "lambda.amazonaws.com"}}],
                "statements": [allow("secretsmanager:GetSecretValue", "secret"), allow("sqs:ReceiveMessage", QUEUE)],
            }},
            "secrets": {
                "orderflow-dev-cache": "c", "orderflow-dev-provider": "p", "orderflow-dev-database-app": "secret",
                "orderflow-dev-database-migrator": "m",
            },
            "schedules": {"orderflow-dev-work": {
                "State": "ENABLED", "ScheduleExpression": "rate(1 minute)", "Target": {"Arn": "fn"},
            }},
        });
        (facts, Settings { json: settings, file: "unused".into() })
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Value), expected: &[&str]) {
        let (mut facts, settings) = live();
        change(&mut facts);
        let facts: Facts = serde_json::from_value(facts).unwrap();
        assert_eq!(facts.differences(&settings), expected);
    }

    #[test]
    fn what_is_as_the_settings_say_is_no_difference() {
        check(|_| {}, &[]);
    }

    #[test]
    fn each_thing_that_is_not_live_is_a_difference() {
        check(
            |facts| facts["event_sources"]["orderflow-dev-work"]["BatchSize"] = 5.into(),
            &[r#"event source of work: BatchSize is "5" instead of "10""#],
        );
        check(
            |facts| facts["event_sources"]["orderflow-dev-work"]["FunctionResponseTypes"] = json!([]),
            &[r#"event source of work: FunctionResponseTypes is "" instead of "ReportBatchItemFailures""#],
        );
        check(
            |facts| facts["queues"]["orderflow-dev-orders"]["RedrivePolicy"] = Value::Null,
            &[
                r#"queue orders: maxReceiveCount is "" instead of "5""#,
                r#"queue orders: dead-letter queue is "" instead of "orderflow-dev-orders-dlq""#,
            ],
        );
        check(
            |facts| facts["roles"]["role"]["statements"][0]["Resource"] = json!(["secret", "other"]),
            &[r#"role of work: secrets it reads is "other secret" instead of "secret""#],
        );
        check(|facts| facts["secrets"]["orderflow-dev-cache"] = Value::Null, &["secret cache: missing"]);
        check(
            |facts| facts["stacks"]["orderflow-dev-processing"] = "UPDATE_ROLLBACK_COMPLETE".into(),
            &["stack processing: UPDATE_ROLLBACK_COMPLETE"],
        );
        check(
            |facts| facts["schedules"]["orderflow-dev-work"]["State"] = "DISABLED".into(),
            &[r#"schedule of work: State is "DISABLED" instead of "ENABLED""#],
        );
    }

    #[test]
    fn names_begin_with_the_stage() {
        assert_eq!(PREFIX, format!("orderflow-{STAGE}-"));
    }

    #[test]
    fn only_what_is_allowed_counts() {
        let role = json!({"statements": [
            {"Effect": "Allow", "Action": "a:b", "Resource": "one"},
            {"Effect": "Allow", "Action": ["a:b", "a:c"], "Resource": ["two"]},
            {"Effect": "Deny", "Action": "a:b", "Resource": "three"},
        ]});
        assert_eq!(sorted(&resources(&role, "a:b")), "one two");
    }
}
