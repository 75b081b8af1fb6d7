//! The lines against the specification, whatever is measured.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::{Strategy, any, prop, proptest};
use serde_json::{Value, json};

use super::{Emf, Field, METRICS_MAX, VALUES_MAX};
use crate::catalogue::{self, METRICS};
use crate::identity::Identity;
use crate::metric::{Kind, Metric};

/// The specification's limit for one document.
const LINE_BYTES_MAX: usize = 1_024 * 1_024;

fn identity() -> Identity {
    Identity::new("process-orders", Some("orderflow-dev-process-orders".to_owned()))
}

fn lines(emf: &Emf) -> Vec<Value> {
    emf.lines(&identity()).iter().map(|line| serde_json::to_value(line).unwrap()).collect()
}

#[test]
fn a_line_is_a_summary_and_metrics_at_once() {
    let mut emf = Emf::new("batch answered", 1_764_000_000_000);
    emf.field("batch.commits", Field::Number(1));
    emf.count(&catalogue::ORDERS_ACCEPTED, 2_usize);
    emf.count(&catalogue::ORDERS_KNOWN, 0_usize);
    emf.count_by(&catalogue::ORDERS_REJECTED, "out_of_stock", 1_usize);
    emf.count_by(&catalogue::ORDERS_REJECTED, "out_of_stock", 2_usize);
    emf.count_by(&catalogue::ORDERS_REJECTED, "no such reason", 1_usize);
    emf.observe(&catalogue::ORDERS_ACCEPTED_DURATION, [26, 31].map(Duration::from_millis));
    emf.observe(&catalogue::CATALOG_LOOKUP_DURATION, []);
    emf.gauge(&catalogue::LISTING_AGE, 0);
    let expected = json!({
        "timestamp": "2025-11-24T16:00:00Z",
        "level": "INFO",
        "message": "batch answered",
        "function": "process-orders",
        "faas.name": "orderflow-dev-process-orders",
        "batch.commits": 1,
        "orders.accepted": 2,
        "orders.rejected.out_of_stock": 3,
        "orders.rejected.other": 1,
        "orders.accepted.duration": [0.026, 0.031],
        "catalog.listing.age": 0,
        "_aws": {"Timestamp": 1_764_000_000_000_u64, "CloudWatchMetrics": [{
            "Namespace": "orderflow",
            "Dimensions": [["faas.name"]],
            "Metrics": [
                {"Name": "orders.accepted", "Unit": "Count"},
                {"Name": "orders.rejected.out_of_stock", "Unit": "Count"},
                {"Name": "orders.rejected.other", "Unit": "Count"},
                {"Name": "orders.accepted.duration", "Unit": "Seconds"},
                {"Name": "catalog.listing.age", "Unit": "Seconds"},
            ],
        }]},
    });
    assert_eq!(lines(&emf), [expected]);
}

#[test]
fn a_line_without_metrics_is_a_plain_line() {
    let all = lines(&Emf::new("batch answered", 0));
    assert_eq!(all.len(), 1);
    assert!(all[0].get("_aws").is_none(), "{}", all[0]);
}

/// One measurement of any metric of the catalogue.
fn measurement() -> impl Strategy<Value = (Metric, usize, Vec<u32>)> {
    let metric = prop::sample::select(METRICS);
    (metric, 0..1_000_000_usize, prop::collection::vec(any::<u32>(), 0..450))
}

fn write(emf: &mut Emf, metric: &Metric, n: usize, values: &[u32]) {
    match (metric.kind, metric.attribute) {
        (Kind::Gauge, _) => emf.gauge(metric, values.len() as u64),
        (Kind::Histogram(_), _) => {
            emf.observe(metric, values.iter().map(|value| Duration::from_micros((*value).into())));
        }
        (Kind::Counter, None) => emf.count(metric, n),
        (Kind::Counter, Some(attribute)) => {
            emf.count_by(metric, attribute.values[n % attribute.values.len()], n);
        }
    }
}

proptest! {
    #[test]
    fn every_line_keeps_the_specification_and_no_value_is_lost(all in prop::collection::vec(measurement(), 0..300)) {
        let mut emf = Emf::new("batch answered", 1);
        for (metric, n, values) in &all {
            write(&mut emf, metric, *n, values);
        }
        let mut values = BTreeMap::<String, usize>::new();
        let lines = lines(&emf);
        for line in &lines {
            for (name, found) in keeps_the_specification(line) {
                *values.entry(name).or_default() += found;
            }
        }
        for metric in METRICS.iter().filter(|metric| matches!(metric.kind, Kind::Histogram(_))) {
            let written = all.iter().filter(|(other, ..)| other.name == metric.name);
            let written: usize = written.map(|(_, _, values)| values.len()).sum();
            assert_eq!(values.get(metric.name).copied().unwrap_or_default(), written, "{}", metric.name);
        }
        for (name, written) in counted(&all) {
            let found: u64 = lines.iter().filter_map(|line| line[&name].as_u64()).sum();
            assert_eq!(found, written, "{name}");
        }
        assert_eq!(lines.iter().filter(|line| line["message"] == "batch answered").count(), 1);
    }
}

/// What was added to each counter, by its name in a line.
fn counted(all: &[(Metric, usize, Vec<u32>)]) -> BTreeMap<String, u64> {
    let mut counted = BTreeMap::new();
    for (metric, n, _) in all.iter().filter(|(metric, ..)| matches!(metric.kind, Kind::Counter)) {
        let name = match metric.attribute {
            None => metric.name.to_owned(),
            Some(attribute) => metric.emf_name(Some(attribute.values[n % attribute.values.len()])),
        };
        *counted.entry(name).or_default() += *n as u64;
    }
    counted
}

/// How many values each metric of the line has; panics where the line breaks a rule.
fn keeps_the_specification(line: &Value) -> Vec<(String, usize)> {
    assert!(line.to_string().len() <= LINE_BYTES_MAX);
    let Some(aws) = line.get("_aws") else { return Vec::new() };
    assert!(aws["Timestamp"].is_u64());
    let directives = aws["CloudWatchMetrics"].as_array().unwrap();
    assert_eq!(directives.len(), 1);
    let (directive, mut seen) = (&directives[0], BTreeSet::new());
    let dimensions = directive["Dimensions"].as_array().unwrap();
    assert_eq!(dimensions, &[json!(["faas.name"])], "no id is ever a dimension");
    let metrics = directive["Metrics"].as_array().unwrap();
    assert!((1..=METRICS_MAX).contains(&metrics.len()));
    let values = metrics.iter().map(|metric| {
        let name = metric["Name"].as_str().unwrap();
        assert!(seen.insert(name), "{name} twice in one directive");
        assert!(["Count", "Seconds", "Bytes"].contains(&metric["Unit"].as_str().unwrap()));
        let values = match &line[name] {
            Value::Array(values) => values.clone(),
            value => vec![value.clone()],
        };
        assert!((1..=VALUES_MAX).contains(&values.len()) && values.iter().all(Value::is_number), "{name}");
        (name.to_owned(), values.len())
    });
    values.collect()
}
