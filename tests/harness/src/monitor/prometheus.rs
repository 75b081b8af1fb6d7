//! What a running Prometheus answers: series over a time, and how its rules are.

use crate::{Error, http};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// The time between two points of a range, in seconds.
const STEP_S: u32 = 5;

/// A server.
#[derive(Debug)]
pub(super) struct Prometheus {
    url: String,
}

/// What became of the rules.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rules {
    /// All of them.
    pub(super) total: usize,
    /// Those that could not be evaluated, each with its error.
    pub(super) failing: Vec<String>,
    /// Alerts that are pending or firing.
    pub(super) firing: Vec<String>,
}

impl Prometheus {
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    /// Whether a query has at least one value in a time between two Unix milliseconds; "not a number" is none.
    pub(super) async fn has_data(&self, query: &str, (start_ms, end_ms): (u64, u64)) -> Result<bool, Error> {
        let query = utf8_percent_encode(query, NON_ALPHANUMERIC);
        let (start_s, end_s) = (start_ms / 1000, end_ms / 1000);
        let url = format!(
            "{}/api/v1/query_range?query={query}&start={start_s}&end={end_s}&step={STEP_S}",
            self.url
        );
        Ok(has_value(&http::call("GET", &url, &Value::Null).await?))
    }

    /// How the rules are.
    pub(super) async fn rules(&self) -> Result<Rules, Error> {
        let url = format!("{}/api/v1/rules", self.url);
        Ok(rules(&http::call("GET", &url, &Value::Null).await?))
    }
}

fn each<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

fn has_value(answer: &Value) -> bool {
    let points = each(answer, "/data/result").flat_map(|series| each(series, "/values"));
    points.filter_map(|point| point.get(1)?.as_str()).any(|value| value != "NaN")
}

fn rules(answer: &Value) -> Rules {
    let mut found = Rules::default();
    for rule in each(answer, "/data/groups").flat_map(|group| each(group, "/rules")) {
        let text = |name: &str| rule.get(name).and_then(Value::as_str).unwrap_or_default();
        found.total += 1;
        if text("health") != "ok" {
            found.failing.push(format!("{}: {} {}", text("name"), text("health"), text("lastError")));
        }
        if ["pending", "firing"].contains(&text("state")) {
            found.firing.push(text("name").to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{Rules, has_value, rules};
    use serde_json::{Value, json};

    #[track_caller]
    fn check(values: &Value, expected: bool) {
        let answer = json!({ "data": { "result": [{ "metric": {}, "values": values }] } });
        assert_eq!(has_value(&answer), expected, "{values}");
    }

    #[test]
    fn a_number_is_data_and_nothing_else_is() {
        check(&json!([[1, "NaN"], [2, "0"]]), true);
        check(&json!([[1, "+Inf"]]), true);
        check(&json!([[1, "NaN"]]), false);
        check(&json!([]), false);
        assert!(!has_value(&json!({ "data": { "result": [] } })));
    }

    #[test]
    fn rules_are_counted_and_those_that_fail_are_named() {
        let answer = json!({ "data": { "groups": [{ "rules": [
            { "name": "a", "health": "ok", "state": "inactive" },
            { "name": "b", "health": "err", "lastError": "many-to-many", "state": "firing" },
            { "name": "c", "health": "ok" },
        ]}]}});
        let failing = vec!["b: err many-to-many".to_owned()];
        assert_eq!(rules(&answer), Rules { total: 3, failing, firing: vec!["b".to_owned()] });
    }
}
