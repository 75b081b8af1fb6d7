//! The one line that a batch, a request or a run leaves: its summary for people, and its metrics for CloudWatch, in the
//! Embedded Metric Format (CloudWatch user guide, "Specification: Embedded metric format").

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};

use crate::catalogue::{self, FUNCTION, NAMESPACE};
use crate::emit::emit_line;
use crate::fields;
use crate::identity::{self, Identity};
use crate::metric::Metric;
use crate::time::rfc3339;

/// The specification's limit for the metrics of one directive.
pub const METRICS_MAX: usize = 100;
/// The specification's limit for the values of one metric.
pub const VALUES_MAX: usize = 100;

/// What a line says, besides metrics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Field {
    /// A number of things, or of milliseconds.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// A word of a fixed list.
    Word(&'static str),
}

/// A line that is being written. Counters that are zero and empty distributions are left out; gauges are said always.
#[derive(Debug, Clone, PartialEq)]
pub struct Emf {
    message: &'static str,
    now_ms: u64,
    fields: Vec<(&'static str, Field)>,
    metrics: Vec<Measured>,
}

/// One metric and its values.
#[derive(Debug, Clone, PartialEq)]
struct Measured {
    name: Cow<'static, str>,
    unit: &'static str,
    values: Values,
}

#[derive(Debug, Clone, PartialEq)]
enum Values {
    Count(u64),
    Gauge(u64),
    Seconds(Vec<f64>),
}

impl Emf {
    /// An empty line. `message` is what happened; `now_ms` when, in Unix milliseconds.
    #[must_use]
    pub const fn new(message: &'static str, now_ms: u64) -> Self {
        Self { message, now_ms, fields: Vec::new(), metrics: Vec::new() }
    }

    /// Says something that is no metric: for who reads or queries the log.
    pub fn field(&mut self, name: &'static str, value: Field) {
        self.fields.push((name, value));
    }

    /// Says what every invocation says: how long it took, and whether it was the instance's first.
    pub fn invocation(&mut self, took: Duration, cold_start: bool) {
        self.field(fields::DURATION_MS, Field::Number(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)));
        self.field(fields::COLD_START, Field::Flag(cold_start));
        self.count(&catalogue::COLD_STARTS, u64::from(cold_start));
        self.observe(&catalogue::INVOKE_DURATION, [took]);
    }

    /// Adds to a counter.
    pub fn count(&mut self, metric: &Metric, n: impl TryInto<u64>) {
        self.add(Cow::Borrowed(metric.name), metric, n);
    }

    /// Adds to a counter that is split by its attribute.
    pub fn count_by(&mut self, metric: &Metric, value: &str, n: impl TryInto<u64>) {
        self.add(Cow::Owned(metric.emf_name(Some(value))), metric, n);
    }

    /// Sets a gauge to a number of things, or of whole seconds or bytes.
    pub fn gauge(&mut self, metric: &Metric, value: u64) {
        self.measure(Cow::Borrowed(metric.name), metric, Values::Gauge(value));
    }

    /// Adds times to a distribution.
    pub fn observe(&mut self, metric: &Metric, times: impl IntoIterator<Item = Duration>) {
        let seconds: Vec<f64> = times.into_iter().map(|time| time.as_secs_f64()).collect();
        if !seconds.is_empty() {
            self.measure(Cow::Borrowed(metric.name), metric, Values::Seconds(seconds));
        }
    }

    /// What the line says, by name, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let fields = self.fields.iter().map(|(name, _)| *name);
        fields.chain(self.metrics.iter().map(|measured| &*measured.name))
    }

    /// Writes the line to stdout as the function that [`init`](crate::init) named; more than one where the limits of the
    /// format ask for it. Never fails its caller.
    pub fn emit(&self) {
        self.lines(identity::current()).iter().for_each(emit_line);
    }

    fn add(&mut self, name: Cow<'static, str>, metric: &Metric, n: impl TryInto<u64>) {
        match n.try_into().unwrap_or(u64::MAX) {
            0 => {}
            n => self.measure(name, metric, Values::Count(n)),
        }
    }

    /// Notes a measurement, beside what is known of its metric: a line names each once.
    fn measure(&mut self, name: Cow<'static, str>, metric: &Metric, values: Values) {
        match self.metrics.iter_mut().find(|known| known.name == name) {
            Some(known) => known.values.join(values),
            None => self.metrics.push(Measured { name, unit: metric.unit.cloudwatch(), values }),
        }
    }

    /// The lines: the first with the fields, then as many as the metrics need. No value is lost, and none is there twice.
    fn lines<'a>(&'a self, identity: &'a Identity) -> Vec<Line<'a>> {
        let mut lines = Vec::with_capacity(1);
        for round in 0.. {
            let parts: Vec<Part<'_>> =
                self.metrics.iter().filter_map(|measured| measured.part(round)).collect();
            if parts.is_empty() && round > 0 {
                break;
            }
            let mut rest = parts.into_iter().peekable();
            loop {
                let metrics: Vec<Part<'_>> = rest.by_ref().take(METRICS_MAX).collect();
                lines.push(Line { emf: self, identity, first: lines.is_empty(), metrics });
                if rest.peek().is_none() {
                    break;
                }
            }
        }
        lines
    }
}

impl Values {
    fn join(&mut self, more: Self) {
        match (self, more) {
            (Self::Count(count), Self::Count(n)) => *count = count.saturating_add(n),
            (Self::Seconds(seconds), Self::Seconds(more)) => seconds.extend(more),
            (last, more) => *last = more,
        }
    }
}

impl Measured {
    /// What the line of this round says of the metric: at most so many values as a line may have.
    fn part(&self, round: usize) -> Option<Part<'_>> {
        let values = match &self.values {
            Values::Seconds(seconds) => ValuesOf::Seconds(seconds.chunks(VALUES_MAX).nth(round)?),
            Values::Count(_) | Values::Gauge(_) if round > 0 => return None,
            Values::Count(n) => ValuesOf::Count(*n),
            Values::Gauge(value) => ValuesOf::Gauge(*value),
        };
        Some(Part { name: &self.name, unit: self.unit, values })
    }
}

/// One line, ready to be serialized.
#[derive(Debug)]
struct Line<'a> {
    emf: &'a Emf,
    identity: &'a Identity,
    first: bool,
    metrics: Vec<Part<'a>>,
}

#[derive(Debug)]
struct Part<'a> {
    name: &'a str,
    unit: &'static str,
    values: ValuesOf<'a>,
}

#[derive(Debug)]
enum ValuesOf<'a> {
    Count(u64),
    Gauge(u64),
    Seconds(&'a [f64]),
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("timestamp", &rfc3339(self.emf.now_ms))?;
        line.serialize_entry("level", "INFO")?;
        line.serialize_entry("message", if self.first { self.emf.message } else { "metrics continued" })?;
        line.serialize_entry("function", self.identity.function())?;
        line.serialize_entry(FUNCTION, self.identity.faas_name())?;
        if self.first {
            for (name, field) in &self.emf.fields {
                match field {
                    Field::Number(n) => line.serialize_entry(name, n)?,
                    Field::Flag(yes) => line.serialize_entry(name, yes)?,
                    Field::Word(word) => line.serialize_entry(name, word)?,
                }
            }
        }
        for part in &self.metrics {
            match part.values {
                ValuesOf::Count(n) => line.serialize_entry(part.name, &n)?,
                ValuesOf::Gauge(value) => line.serialize_entry(part.name, &value)?,
                ValuesOf::Seconds(seconds) => line.serialize_entry(part.name, seconds)?,
            }
        }
        if !self.metrics.is_empty() {
            line.serialize_entry("_aws", &Aws { now_ms: self.emf.now_ms, metrics: &self.metrics })?;
        }
        line.end()
    }
}

/// What tells CloudWatch which members are metrics.
struct Aws<'a> {
    now_ms: u64,
    metrics: &'a [Part<'a>],
}

impl Serialize for Aws<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut aws = serializer.serialize_map(Some(2))?;
        aws.serialize_entry("Timestamp", &self.now_ms)?;
        aws.serialize_entry("CloudWatchMetrics", &[Directive(self.metrics)])?;
        aws.end()
    }
}

struct Directive<'a>(&'a [Part<'a>]);

impl Serialize for Directive<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut directive = serializer.serialize_map(Some(3))?;
        directive.serialize_entry("Namespace", NAMESPACE)?;
        directive.serialize_entry("Dimensions", &[[FUNCTION]])?;
        directive.serialize_entry("Metrics", &Definitions(self.0))?;
        directive.end()
    }
}

struct Definitions<'a>(&'a [Part<'a>]);

impl Serialize for Definitions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Definition<'a> {
            name: &'a str,
            unit: &'a str,
        }
        let mut definitions = serializer.serialize_seq(Some(self.0.len()))?;
        for part in self.0 {
            definitions.serialize_element(&Definition { name: part.name, unit: part.unit })?;
        }
        definitions.end()
    }
}

#[cfg(test)]
mod tests;
