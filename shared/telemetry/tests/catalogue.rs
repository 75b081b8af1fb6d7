//! The catalogue of metrics: its own rules, and the two files that are made from it. After a change of the catalogue,
//! `UPDATE_SNAPSHOT=1 cargo test --workspace --profile local --test catalogue` writes them again.
#![cfg(test)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use telemetry::catalogue::{FUNCTION, METRICS, NAMESPACE};
use telemetry::{Kind, Metric, Source};

#[test]
fn names_are_dotted_lower_case_without_units_and_unique_in_every_spelling() {
    let (mut emf, mut prometheus) = (BTreeSet::new(), BTreeSet::new());
    for metric in METRICS {
        let name = metric.name;
        assert!(name.contains('.') && name.chars().all(|c| matches!(c, 'a'..='z' | '_' | '.')), "{name}");
        let units = ["seconds", "bytes", "total", "ms", "_s"];
        assert!(
            !units.iter().any(|unit| name.ends_with(unit)),
            "{name}: units are added for those who want them"
        );
        assert!(prometheus.insert(metric.prometheus_name()), "{name}");
        assert!(metric.values().all(|value| emf.insert(metric.emf_name(value))), "{name}");
        assert!(!metric.meaning.is_empty() && !metric.meaning.ends_with('.'), "{name}");
    }
}

#[test]
fn every_name_of_a_line_leads_back_to_its_metric() {
    for metric in METRICS {
        for value in metric.values() {
            assert_eq!(
                Metric::of_emf(METRICS, &metric.emf_name(value)),
                Some((metric, value)),
                "{}",
                metric.name
            );
        }
    }
    for unknown in
        ["orders", "orders.accepted.", "orders.rejected", "orders.rejected.hunger", "payments.parked"]
    {
        assert_eq!(Metric::of_emf(METRICS, unknown), None, "{unknown}");
    }
}

#[test]
fn buckets_ascend_and_have_the_goals_as_bounds() {
    let bounds = |metric: &Metric| match metric.kind {
        Kind::Histogram(bounds) => bounds,
        Kind::Counter | Kind::Gauge => &[],
    };
    assert!(METRICS.iter().all(|metric| bounds(metric).is_sorted_by(|a, b| a < b)));
    let has = |name: &str, bound: f64| {
        let metric = METRICS.iter().find(|metric| metric.name == name).unwrap();
        assert!(bounds(metric).iter().any(|found| (found - bound).abs() < f64::EPSILON), "{name} {bound}");
    };
    has("orders.accepted.duration", 0.1);
    has("orders.accepted.duration", 0.04);
    has("catalog.lookup.duration", 0.000_05);
    has("catalog.lookup.duration", 0.001);
}

#[test]
fn the_list_for_dashboards_and_alarms_is_the_catalogue() {
    let list: Vec<Value> = METRICS.iter().map(as_json).collect();
    let list = json!({ "namespace": NAMESPACE, "dimension": FUNCTION, "metrics": list });
    check("infra/monitoring/metrics.json", &format!("{}\n", serde_json::to_string_pretty(&list).unwrap()));
}

#[test]
fn the_documentation_is_the_catalogue() {
    let rows: String = METRICS.iter().map(row).collect();
    check(
        "shared/telemetry/METRICS.md",
        &format!(
            "<!-- Made from src/catalogue.rs by tests/catalogue.rs: change it there. -->\n# Metrics\n\n\
             Each stands once in `shared/telemetry/src/catalogue.rs`. In CloudWatch it is in the namespace `{NAMESPACE}` with the \
             dimension\n`{FUNCTION}`, or where its row says; what splits it stands behind the name, as in \
             `orders.rejected.out_of_stock`. In Prometheus that is\na label.\n\n\
             | metric | in Prometheus | kind | split by | from | what it tells |\n|---|---|---|---|---|---|\n{rows}\n\
             ## Buckets\n\nUpper bounds in seconds, for Prometheus; CloudWatch makes percentiles of the single values.\n\n\
             | bounds | of |\n|---|---|\n{}",
            buckets()
        ),
    );
}

fn as_json(metric: &Metric) -> Value {
    let mut entry = json!({
        "name": metric.name,
        "prometheus": metric.prometheus_name(),
        "unit": metric.unit.cloudwatch(),
        "labels": metric.labels(),
        "meaning": metric.meaning,
    });
    match metric.kind {
        Kind::Counter => entry["kind"] = json!("counter"),
        Kind::Gauge => entry["kind"] = json!("gauge"),
        Kind::Histogram(bounds) => {
            entry["kind"] = json!("histogram");
            entry["buckets"] = json!(bounds);
        }
    }
    if let Some(attribute) = metric.attribute {
        let values: Vec<&str> = metric.values().flatten().collect();
        entry["attribute"] = json!({ "key": attribute.key, "values": values });
    }
    match metric.source {
        Source::Functions(functions) => entry["functions"] = json!(functions),
        Source::Platform { dimension, cloudwatch } => {
            let cloudwatch = cloudwatch.map(|(namespace, name, statistic)| {
                json!({ "namespace": namespace, "name": name, "statistic": statistic })
            });
            entry["platform"] = json!({ "dimension": dimension, "cloudwatch": cloudwatch });
        }
    }
    entry
}

fn row(metric: &Metric) -> String {
    let from = match metric.source {
        Source::Functions(functions) => functions.join(", "),
        Source::Platform { cloudwatch: Some((namespace, name, _)), .. } => format!("{namespace} {name}"),
        Source::Platform { cloudwatch: None, .. } => "local-cloud".to_owned(),
    };
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    };
    let split = metric.attribute.map(|attribute| format!("`{}`", attribute.key)).unwrap_or_default();
    format!(
        "| `{}` | `{}` | {kind}, {} | {split} | {from} | {} |\n",
        metric.name,
        metric.prometheus_name(),
        metric.unit.cloudwatch(),
        metric.meaning
    )
}

/// The bounds of histograms, each list once, with those that have it.
fn buckets() -> String {
    let mut rows: Vec<(&[f64], String)> = Vec::new();
    for metric in METRICS {
        let Kind::Histogram(bounds) = metric.kind else { continue };
        match rows.iter_mut().find(|(known, _)| *known == bounds) {
            Some((_, names)) => *names += &format!(", `{}`", metric.name),
            None => rows.push((bounds, format!("`{}`", metric.name))),
        }
    }
    let listed = |bounds: &[f64]| bounds.iter().map(f64::to_string).collect::<Vec<_>>().join(" ");
    rows.iter().map(|(bounds, names)| format!("| {} | {names} |\n", listed(bounds))).collect()
}

/// Holds a file of the repository against what it should be, or writes it when asked to.
#[track_caller]
fn check(path: &str, expected: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    if std::env::var_os("UPDATE_SNAPSHOT").is_some() {
        std::fs::write(&path, expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} is old: run this test with UPDATE_SNAPSHOT=1", path.display());
}
