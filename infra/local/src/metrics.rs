//! `GET /metrics`: what the functions' lines say in the Embedded Metric Format, and what the platform knows of queues and
//! functions, as Prometheus reads it.
//!
//! CloudWatch does on AWS what this does here, from the same lines, so that a dashboard can be tried before anything is
//! deployed. Names, labels and buckets are the catalogue's, `telemetry::catalogue::METRICS`. Counters and distributions
//! start at zero for every function that has them: a rate needs a first value. Functions that another process hosts
//! (`cargo lambda watch`) print elsewhere, and are not seen.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use prometheus::{
    CounterVec, GaugeVec, HistogramOpts, HistogramVec, Opts, Registry, TextEncoder, core::Collector,
};
use serde_json::Value;
use telemetry::{Kind, Metric, Source, catalogue};

use crate::error::Error;

/// What every EMF line has, and nearly no other.
const MARK: &[u8] = b"\"_aws\"";

/// Every metric of the catalogue.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    families: BTreeMap<&'static str, Family>,
    refused: AtomicU64,
}

/// One metric with all its labels.
#[derive(Debug)]
enum Family {
    Counter(CounterVec),
    Gauge(GaugeVec),
    Histogram(HistogramVec),
}

impl Metrics {
    /// All metrics at zero, for these functions.
    ///
    /// # Errors
    /// The catalogue names something that Prometheus does not allow.
    pub fn new<'a>(functions: impl IntoIterator<Item = &'a str> + Clone) -> Result<Self, Error> {
        let registry = Registry::new();
        let mut families = BTreeMap::new();
        for metric in catalogue::METRICS {
            let family =
                family(metric, &registry).map_err(|error| Error::Metric { name: metric.name, error })?;
            if let Source::Functions(emitters) = metric.source {
                for function in functions.clone() {
                    if emitters.contains(&function) {
                        metric.values().for_each(|value| family.begin(function, value));
                    }
                }
            }
            families.insert(metric.name, family);
        }
        Ok(Self { registry, families, refused: AtomicU64::new(0) })
    }

    /// Takes what a function printed; a line that is no EMF is passed over.
    pub fn line(&self, line: &[u8]) {
        if !line.windows(MARK.len()).any(|part| part == MARK) {
            return;
        }
        let taken = serde_json::from_slice(line).ok().is_some_and(|line: Value| self.take(&line).is_some());
        if !taken {
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Lines that looked like EMF and named a metric, a value or a function that cannot be.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Sets what the platform knows: the value of a gauge, or the total of a counter.
    pub fn set(&self, metric: &Metric, about: &str, value: f64) {
        match self.families.get(metric.name) {
            Some(Family::Gauge(gauges)) => gauges.with_label_values(&[about]).set(value),
            Some(Family::Counter(counters)) => {
                let counter = counters.with_label_values(&[about]);
                counter.inc_by((value - counter.get()).max(0.0));
            }
            Some(Family::Histogram(_)) | None => {}
        }
    }

    /// Everything, in Prometheus's text format.
    ///
    /// # Errors
    /// Never in practice: the encoder refuses metrics without a name.
    pub fn text(&self) -> Result<String, Error> {
        let encoded = TextEncoder::new().encode_to_string(&self.registry.gather());
        encoded.map_err(|error| Error::Metric { name: "all of them", error })
    }

    fn take(&self, line: &Value) -> Option<()> {
        let about = line.get(catalogue::FUNCTION)?.as_str()?;
        for directive in line.get("_aws")?.get("CloudWatchMetrics")?.as_array()? {
            for definition in directive.get("Metrics")?.as_array()? {
                let name = definition.get("Name")?.as_str()?;
                let (metric, attribute) = Metric::of_emf(catalogue::METRICS, name)?;
                self.families.get(metric.name)?.take(&labels(about, attribute), line.get(name)?)?;
            }
        }
        Some(())
    }
}

fn family(metric: &Metric, registry: &Registry) -> Result<Family, prometheus::Error> {
    let labels = metric.labels();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let opts = Opts::new(metric.prometheus_name(), metric.meaning);
    let (family, collector): (Family, Box<dyn Collector>) = match metric.kind {
        Kind::Counter => {
            let counters = CounterVec::new(opts, &labels)?;
            (Family::Counter(counters.clone()), Box::new(counters))
        }
        Kind::Gauge => {
            let gauges = GaugeVec::new(opts, &labels)?;
            (Family::Gauge(gauges.clone()), Box::new(gauges))
        }
        Kind::Histogram(bounds) => {
            let opts = HistogramOpts::from(opts).buckets(bounds.to_vec());
            let histograms = HistogramVec::new(opts, &labels)?;
            (Family::Histogram(histograms.clone()), Box::new(histograms))
        }
    };
    registry.register(collector)?;
    Ok(family)
}

fn labels<'a>(about: &'a str, attribute: Option<&'a str>) -> Vec<&'a str> {
    std::iter::once(about).chain(attribute).collect()
}

impl Family {
    /// A first value, zero. A gauge has none before somebody has measured.
    fn begin(&self, about: &str, attribute: Option<&str>) {
        let labels = labels(about, attribute);
        match self {
            Self::Counter(counters) => drop(counters.with_label_values(&labels)),
            Self::Histogram(histograms) => drop(histograms.with_label_values(&labels)),
            Self::Gauge(_) => {}
        }
    }

    /// Adds the member of a line: a number, or a list of numbers. None if it is something else.
    fn take(&self, labels: &[&str], member: &Value) -> Option<()> {
        let values = match member {
            Value::Array(values) => values.as_slice(),
            value => std::slice::from_ref(value),
        };
        for value in values {
            let value = value.as_f64()?;
            match self {
                Self::Counter(counters) => {
                    counters.get_metric_with_label_values(labels).ok()?.inc_by(value.max(0.0))
                }
                Self::Gauge(gauges) => gauges.get_metric_with_label_values(labels).ok()?.set(value),
                Self::Histogram(histograms) => {
                    histograms.get_metric_with_label_values(labels).ok()?.observe(value)
                }
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"message":"batch answered","faas.name":"process-orders","orders.accepted":3,
        "orders.rejected.out_of_stock":1,"orders.accepted.duration":[0.03,0.2],"_aws":{"Timestamp":1,"CloudWatchMetrics":[{
        "Namespace":"orderflow","Dimensions":[["faas.name"]],"Metrics":[{"Name":"orders.accepted","Unit":"Count"},
        {"Name":"orders.rejected.out_of_stock","Unit":"Count"},{"Name":"orders.accepted.duration","Unit":"Seconds"}]}]}}"#;

    fn metrics() -> Metrics {
        Metrics::new(["process-orders"]).unwrap()
    }

    #[track_caller]
    fn has(metrics: &Metrics, line: &str) {
        let text = metrics.text().unwrap();
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }

    #[test]
    fn a_line_becomes_counters_and_buckets() {
        let metrics = metrics();
        metrics.line(LINE.as_bytes());
        metrics.line(LINE.as_bytes());
        has(&metrics, r#"orders_accepted_total{faas_name="process-orders"} 6"#);
        has(&metrics, r#"orders_rejected_total{faas_name="process-orders",reason="out_of_stock"} 2"#);
        has(&metrics, r#"orders_accepted_duration_seconds_bucket{faas_name="process-orders",le="0.1"} 2"#);
        has(&metrics, r#"orders_accepted_duration_seconds_count{faas_name="process-orders"} 4"#);
        assert_eq!(metrics.refused(), 0);
    }

    #[test]
    fn what_a_function_may_say_starts_at_zero() {
        has(&metrics(), r#"orders_rejected_total{faas_name="process-orders",reason="other"} 0"#);
        has(&metrics(), r#"orders_accepted_duration_seconds_count{faas_name="process-orders"} 0"#);
        assert!(!metrics().text().unwrap().contains("payments_moved"), "another function's");
    }

    #[track_caller]
    fn refused(line: &str, n: u64) {
        let metrics = metrics();
        metrics.line(line.as_bytes());
        assert_eq!(metrics.refused(), n, "{line}");
    }

    #[test]
    fn what_is_no_emf_is_passed_over_and_broken_emf_is_counted() {
        refused("panicked at src/main.rs", 0);
        refused(r#"{"message":"record quarantined"}"#, 0);
        refused(r#"{"_aws":"#, 1);
        refused(&LINE.replace("orders.accepted\"", "orders.invented\""), 1);
        refused(&LINE.replace("[0.03,0.2]", "\"fast\""), 1);
    }

    #[test]
    fn the_platform_sets_totals_and_values() {
        let metrics = metrics();
        for total in [4.0, 4.0, 9.0] {
            metrics.set(&catalogue::INVOCATIONS, "process-orders", total);
            metrics.set(&catalogue::QUEUE_VISIBLE, "orders", total);
        }
        has(&metrics, r#"faas_invocations_total{faas_name="process-orders"} 9"#);
        has(&metrics, r#"messaging_queue_visible{messaging_destination_name="orders"} 9"#);
    }
}
