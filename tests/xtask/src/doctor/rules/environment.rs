//! Environments: what the settings give a function is what its `settings.rs` reads, and every `${…}` means something.

use crate::doctor::finding::Finding;
use crate::doctor::stage::Stage;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// How the names of our variables begin.
const PREFIX: &str = "\"ORDERFLOW_";

/// What only a deployment knows, and what the settings compute rather than state.
const GIVEN: [&str; 6] = [
    "database.cluster_arn",
    "function.timeout_ms",
    "provider.instances_max",
    "provider.key",
    "redis.url",
    "stage",
];

/// Sections whose fields a reference may name: such a reference must name one that is there.
const SECTIONS: [&str; 4] = ["cdn", "database", "provider", "reconcile"];

/// The variables that each function reads, by the function's name.
pub type Read = BTreeMap<String, BTreeSet<String>>;

/// The names of our variables in the source of a `settings.rs`, its tests excluded.
pub fn names_in(source: &str) -> BTreeSet<String> {
    let program = source.split("#[cfg(test)]").next().unwrap_or(source);
    let mut names = BTreeSet::new();
    for after in program.split(PREFIX).skip(1) {
        let end = after.find('"').unwrap_or(after.len());
        names.insert(format!("ORDERFLOW_{}", after.get(..end).unwrap_or(after)));
    }
    names
}

/// Each function is given exactly what it reads, and each folder of a function has settings.
pub fn agrees(stage: &Stage, read: &Read) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, function) in &stage.functions {
        let path = format!("functions.{name}");
        let Some(read) = read.get(name) else {
            let sentence = format!("has no functions/{name}/src/settings.rs: remove it, or add the function");
            findings.push(Finding::error(path, sentence));
            continue;
        };
        let given: BTreeSet<String> = function.environment.keys().cloned().collect();
        findings.extend(read.difference(&given).map(|variable| {
            let sentence = format!("is missing: functions/{name}/src/settings.rs reads it");
            Finding::error(format!("{path}.environment.{variable}"), sentence)
        }));
        findings.extend(given.difference(read).map(|variable| {
            let sentence = format!("is not read by functions/{name}/src/settings.rs: remove it");
            Finding::error(format!("{path}.environment.{variable}"), sentence)
        }));
    }
    let unknown = read.keys().filter(|name| !stage.functions.contains_key(*name));
    findings.extend(unknown.map(|name| {
        let sentence = format!("is missing: functions/{name} is a function, so give it its numbers");
        Finding::error(format!("functions.{name}"), sentence)
    }));
    findings
}

/// Every `${…}` is closed, and names a queue or a setting that is there.
pub fn references(stage: &Stage, file: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, function) in &stage.functions {
        for (variable, template) in &function.environment {
            for reference in template.split("${").skip(1) {
                let place = || format!("functions.{name}.environment.{variable}");
                match reference.split_once('}') {
                    None => {
                        let sentence = format!("`${{{reference}` does not end: close it with a brace");
                        findings.push(Finding::error(place(), sentence));
                    }
                    Some((named, _)) if means_something(named, stage, file) => {}
                    Some((named, _)) => {
                        let sentence = format!("nothing is named ${{{named}}}: name a setting that exists");
                        findings.push(Finding::error(place(), sentence));
                    }
                }
            }
        }
    }
    findings
}

fn means_something(named: &str, stage: &Stage, file: &Value) -> bool {
    let parts: Vec<&str> = named.split('.').collect();
    match parts.as_slice() {
        _ if GIVEN.contains(&named) => true,
        ["queues", queue, "url" | "arn"] => stage.queues.contains_key(*queue),
        [section, field] if SECTIONS.contains(section) => {
            file.get(section).is_some_and(|section| section.get(field).is_some())
        }
        ["queues", ..] => false,
        // Secrets and whatever else a deployment makes: it refuses what it does not know.
        _ => parts.len() > 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{Read, agrees, names_in, references};
    use crate::doctor::stage::Stage;
    use crate::doctor::stage::tests::{ours, planted};
    use serde_json::json;

    const SOURCE: &str = "
        let a = variables.arn(\"ORDERFLOW_CLUSTER_ARN\");
        let b = millis(\"ORDERFLOW_TIMEOUT_MS\");
        #[cfg(test)]
        mod tests { const OTHER: &str = \"ORDERFLOW_OTHER\"; }";

    /// What the functions would read if they agreed with our file.
    fn read() -> Read {
        let stage = Stage::read(&ours(), "prod").unwrap();
        let names = stage.functions.into_iter();
        names.map(|(name, function)| (name, function.environment.into_keys().collect())).collect()
    }

    fn places(findings: Vec<crate::doctor::finding::Finding>) -> Vec<String> {
        findings.into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn names_are_found_outside_tests() {
        let names: Vec<String> = names_in(SOURCE).into_iter().collect();
        assert_eq!(names, ["ORDERFLOW_CLUSTER_ARN", "ORDERFLOW_TIMEOUT_MS"]);
    }

    #[test]
    fn a_variable_that_is_not_given_or_not_read_is_found() {
        let stage = Stage::read(&ours(), "prod").unwrap();
        assert!(agrees(&stage, &read()).is_empty());
        let mut other = read();
        let names = other.get_mut("migrate-schema").unwrap();
        names.remove("ORDERFLOW_DATABASE");
        names.insert("ORDERFLOW_SCHEMA".to_owned());
        let path = "functions.migrate-schema.environment";
        let expected = [format!("{path}.ORDERFLOW_SCHEMA"), format!("{path}.ORDERFLOW_DATABASE")];
        assert_eq!(places(agrees(&stage, &other)), expected);
    }

    #[test]
    fn a_function_without_settings_and_settings_without_a_function_are_found() {
        let mut other = read();
        let names = other.remove("migrate-schema").unwrap();
        other.insert("refund-orders".to_owned(), names);
        let stage = Stage::read(&ours(), "prod").unwrap();
        assert_eq!(places(agrees(&stage, &other)), ["functions.migrate-schema", "functions.refund-orders"]);
    }

    #[test]
    fn a_reference_names_what_exists() {
        let path = "/functions/migrate-schema/environment/ORDERFLOW_DATABASE";
        let check = |value: &str, known: bool| {
            let findings = references(&planted("prod", path, json!(value)), &ours());
            assert_eq!(findings.is_empty(), known, "{value}: {findings:?}");
        };
        check("plain", true);
        check("${queues.orders.url}", true);
        check("${queues.other.url}", false);
        check("${queues.orders}", false);
        check("${provider.rate_per_s}", true);
        check("${provider.rate}", false);
        check("${provider.instances_max}", true);
        check("${secrets.app.arn}", true);
        check("${stage}", true);
        check("${stages}", false);
        check("${queues.orders.url", false);
    }
}
