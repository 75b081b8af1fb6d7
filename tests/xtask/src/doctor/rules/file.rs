//! The file as a whole: every number stands beside its reason, and knows its stages.
//!
//! `infra/settings.schema.json` says the same and more; this is what the doctor can say without a validator.

use crate::doctor::finding::Finding;
use crate::doctor::stage::STAGES;
use serde_json::{Map, Value};

const VALUE: &str = "value";
const REASON: &str = "reason";

/// Every number is `{"value": …, "<stage>": …, "reason": "…"}`, wherever it stands.
pub fn numbers_have_reasons(file: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    visit(file, "", &mut findings);
    findings
}

fn visit(value: &Value, path: &str, findings: &mut Vec<Finding>) {
    match value {
        Value::Number(_) => {
            let sentence = "a bare number has no reason: write {\"value\": …, \"reason\": …}";
            findings.push(Finding::error(path, sentence));
        }
        Value::Object(object) if object.contains_key(VALUE) || object.contains_key(REASON) => {
            staged(object, path, findings);
        }
        Value::Object(object) => {
            for (name, value) in object {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                visit(value, &path, findings);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) => {}
    }
}

fn staged(object: &Map<String, Value>, path: &str, findings: &mut Vec<Finding>) {
    let reason = object.get(REASON).and_then(Value::as_str).unwrap_or_default();
    if reason.trim().is_empty() {
        findings.push(Finding::error(path, "has no reason: say why the number is what it is"));
    }
    if !object.contains_key(VALUE) {
        findings.push(Finding::error(path, "has no `value`: it holds wherever a stage names no other"));
    }
    let known = |name: &str| [VALUE, REASON].contains(&name) || STAGES.contains(&name);
    findings.extend(object.keys().filter(|name| !known(name)).map(|name| {
        let sentence = format!("is no stage: there are {}", STAGES.join(", "));
        Finding::error(format!("{path}.{name}"), sentence)
    }));
}

#[cfg(test)]
mod tests {
    use super::numbers_have_reasons;
    use crate::doctor::stage::tests::ours;
    use serde_json::{Value, json};

    #[track_caller]
    fn check(pointer: &str, value: Value, expected: &[&str]) {
        let mut file = ours();
        *file.pointer_mut(pointer).unwrap() = value;
        let places: Vec<String> = numbers_have_reasons(&file).into_iter().map(|f| f.place).collect();
        assert_eq!(places, expected);
    }

    #[test]
    fn a_number_without_a_reason_is_found_anywhere() {
        let place = &["queues.orders.max_receive_count"];
        check("/queues/orders/max_receive_count", json!({ "value": 50 }), place);
        check("/queues/orders/max_receive_count", json!({ "value": 50, "reason": " " }), place);
        check("/queues/orders/max_receive_count", json!(50), place);
        check("/queues/orders/max_receive_count", json!({ "prod": 50, "reason": "a test" }), place);
        check("/local", json!({ "deeper": { "still": 7 } }), &["local.deeper.still"]);
        check("/queues/orders/max_receive_count", json!({ "value": 50, "reason": "a test" }), &[]);
    }

    #[test]
    fn a_stage_that_does_not_exist_is_found() {
        let planted = json!({ "value": 50, "stage": 40, "reason": "a test" });
        check("/queues/orders/max_receive_count", planted, &["queues.orders.max_receive_count.stage"]);
    }
}
