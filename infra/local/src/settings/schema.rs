//! `infra/settings.schema.json`, held against `infra/settings.json` and against planted mistakes.
//!
//! The schema is for editors and reviewers; `cargo xtask doctor` checks what settings must keep together.

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

use super::STAGES;

fn validator() -> Validator {
    let schema = serde_json::from_str(include_str!("../../../settings.schema.json")).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    jsonschema::options().with_draft(Draft::Draft202012).build(&schema).unwrap()
}

fn ours() -> Value {
    serde_json::from_str(include_str!("../../../settings.json")).unwrap()
}

/// Sets what is at `pointer`, whose parent exists, and says where the schema sees a mistake.
fn mistakes(pointer: &str, value: Value) -> Vec<String> {
    let mut file = ours();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    file.pointer_mut(parent).unwrap()[name] = value;
    validator().iter_errors(&file).map(|error| error.instance_path().to_string()).collect()
}

/// A number of one stage, or of all, with a reason.
fn number(stage: &str, value: u64) -> Value {
    let mut number = json!({ "value": 10, "reason": "a test" });
    number[stage] = value.into();
    number
}

#[track_caller]
fn refused(pointer: &str, value: Value) {
    let found = mistakes(pointer, value.clone());
    assert!(!found.is_empty(), "{pointer} = {value} is let through");
    let (parent, _) = pointer.rsplit_once('/').unwrap();
    assert!(
        found.iter().all(|path| path.starts_with(parent) || parent.starts_with(path.as_str())),
        "{found:?} is not where the mistake is, {pointer}"
    );
}

#[track_caller]
fn accepted(pointer: &str, value: Value) {
    let found = mistakes(pointer, value.clone());
    assert!(found.is_empty(), "{pointer} = {value} is refused: {found:?}");
}

#[test]
fn our_settings_are_valid_and_name_their_schema() {
    let found: Vec<String> =
        validator().iter_errors(&ours()).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
    assert_eq!(ours()["$schema"], "./settings.schema.json");
}

#[test]
fn a_number_has_a_reason_and_known_stages() {
    let path = "/queues/orders/visibility_timeout_s";
    refused(path, json!(60));
    refused(path, json!({ "value": 60 }));
    refused(path, json!({ "value": 60, "reason": "" }));
    refused(path, json!({ "value": 60, "reason": " " }));
    refused(path, json!({ "prod": 60, "reason": "a test" }));
    refused(path, json!({ "value": 60, "staging": 60, "reason": "a test" }));
    refused(path, json!({ "value": 60.5, "reason": "a test" }));
    refused(path, json!({ "value": "60", "reason": "a test" }));
    for stage in STAGES {
        accepted(path, number(stage, 60));
    }
}

#[test]
fn limits_of_aws_hold_in_every_stage() {
    for stage in STAGES {
        refused("/functions/process-orders/timeout_s", number(stage, 901));
        refused("/functions/process-orders/event_source/maximum_batching_window_s", number(stage, 301));
        refused("/functions/process-orders/event_source/maximum_concurrency", number(stage, 1));
        refused("/functions/process-orders/event_source/maximum_concurrency", number(stage, 1_001));
        refused("/functions/process-orders/event_source/batch_size", number(stage, 0));
        refused("/functions/reconcile-orders/reserved_concurrency", number(stage, 901));
        refused("/queues/orders/visibility_timeout_s", number(stage, 43_201));
        refused("/queues/orders/max_receive_count", number(stage, 1_001));
        refused("/database/statement_timeout_ms", number(stage, 45_000));
    }
    refused("/functions/process-orders/memory_mb", number("value", 127));
    refused("/functions/process-orders/memory_mb", number("value", 10_241));
    refused("/queues/orders/message_retention_s", number("value", 59));
    refused("/queues/orders/message_retention_s", number("value", 1_209_601));
    refused("/functions/process-orders/event_source/batch_size", number("value", 11));
    refused("/functions/process-orders/event_source/batch_size", number("value", 10_001));
    refused("/functions/process-orders/event_source/report_batch_item_failures", json!(false));
    refused("/provider/key_life_s", number("value", 86_400));
    refused("/provider/used_percent", number("value", 101));
}

#[test]
fn the_stages_of_this_machine_may_be_faster_than_aws() {
    let every = |stage: &str, value: u64| json!({ "value": 60, "reason": "a test", stage: value });
    refused("/functions/reconcile-orders/schedule/every_s", every("prod", 90));
    accepted("/functions/reconcile-orders/schedule/every_s", every("test", 1));
    refused("/queues/orders/max_receive_count", number("dev", 4));
    accepted("/queues/orders/max_receive_count", number("test", 4));
}

#[test]
fn what_is_misspelt_or_incomplete_is_refused() {
    refused("/functions/process-orders/timeout", number("value", 10));
    refused("/functions/process-orders/environment/REDIS_URL", json!("${redis.url}"));
    refused("/functions/process-orders/event_source/max_concurrency", number("value", 10));
    refused("/queues/orders/retention_s", number("value", 60));
    refused("/queues/Orders", json!({}));
    refused("/queues/quarantine/dead_letter_queue", json!("orders-dlq"));
    refused("/provider/rate", number("value", 25));
    refused("/provider/url", json!("http://api.stripe.com"));
    refused("/region", json!("Frankfurt"));
    refused("/reconcile", json!({}));
}

#[test]
fn pollers_are_known() {
    let path = "/functions/process-orders/event_source/provisioned_pollers";
    let pollers =
        |minimum, maximum| json!({ "minimum": number("prod", minimum), "maximum": number("prod", maximum) });
    accepted(path, pollers(2, 2_000));
    accepted(path, pollers(0, 0));
    refused(path, pollers(1, 20));
    refused(path, pollers(201, 300));
    refused(path, pollers(2, 2_001));
    refused(path, json!({ "minimum": number("prod", 2) }));
}

#[test]
fn a_section_without_rules_of_its_own_still_gives_reasons() {
    accepted("/logs", json!({ "retention_days": number("prod", 90), "class": "STANDARD" }));
    accepted("/alarms", json!({ "queues": { "age_s": number("prod", 300) } }));
    accepted("/database/acu_min", json!({ "value": 0, "prod": 0.5, "reason": "a test" }));
    accepted("/database/deletion_protection", json!({ "value": false, "prod": true, "reason": "a test" }));
    refused("/logs", json!({ "retention_days": 90 }));
    refused("/logs", json!({ "retention_days": { "value": 90 } }));
    refused("/logs", json!({ "retention_days": { "value": 90, "staging": 30, "reason": "a test" } }));
    refused("/alarms", json!({ "queues": { "age_s": { "value": 300, "reason": "" } } }));
    refused("/alarms", json!({}));
    refused("/database/acu_min", json!(0.5));
}
