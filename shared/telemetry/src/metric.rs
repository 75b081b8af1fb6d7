//! What a metric is: the vocabulary in which the catalogue is written.

use crate::catalogue::OTHER;

/// One metric: the same name in code, EMF lines, Prometheus, dashboards, alarms and rules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Dotted, lower case, without a unit. OpenTelemetry's name where it has one.
    pub name: &'static str,
    /// How values add up.
    pub kind: Kind,
    /// What a value is measured in.
    pub unit: Unit,
    /// What splits it, besides the function or the queue.
    pub attribute: Option<Attribute>,
    /// Who says it.
    pub source: Source,
    /// What it tells, in a sentence without a full stop.
    pub meaning: &'static str,
}

/// How the values of a metric add up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Values are added.
    Counter,
    /// The last value stands.
    Gauge,
    /// A distribution; the upper bounds of its buckets, ascending, without the last, which is infinite.
    Histogram(&'static [f64]),
}

/// What a value is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

impl Unit {
    /// The word of CloudWatch's `MetricDatum`.
    #[must_use]
    pub const fn cloudwatch(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Seconds => "Seconds",
            Self::Bytes => "Bytes",
        }
    }

    /// What Prometheus wants behind the name.
    const fn suffix(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Seconds => "_seconds",
            Self::Bytes => "_bytes",
        }
    }
}

/// What splits a metric. The list is complete and short: an id is never an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute {
    /// For example `reason`.
    pub key: &'static str,
    /// Every value it takes. What is not among them is counted as [`OTHER`].
    pub values: &'static [&'static str],
}

/// Who says a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// These functions, in the line that each batch, request or run leaves.
    Functions(&'static [&'static str]),
    /// The platform, about each queue or each function: AWS on AWS, `local-cloud` here.
    Platform {
        /// About what: `QueueName` or `FunctionName`, CloudWatch's dimension.
        dimension: &'static str,
        /// Where CloudWatch has it: a namespace, a name and how its values are read. None where AWS says it elsewhere.
        cloudwatch: Option<(&'static str, &'static str, &'static str)>,
    },
}

impl Metric {
    /// The name in CloudWatch: EMF gives one value of an attribute per line, so it stands in the name.
    ///
    /// A value that the attribute does not have is [`OTHER`].
    #[must_use]
    pub fn emf_name(&self, value: Option<&str>) -> String {
        match (self.attribute, value) {
            (Some(attribute), Some(value)) => {
                let known = attribute.values.iter().find(|known| **known == value);
                format!("{}.{}", self.name, known.copied().unwrap_or(OTHER))
            }
            _ => self.name.to_owned(),
        }
    }

    /// The name in Prometheus, with the unit and, for counters, `_total` behind it.
    #[must_use]
    pub fn prometheus_name(&self) -> String {
        let total = if matches!(self.kind, Kind::Counter) { "_total" } else { "" };
        format!("{}{}{total}", self.name.replace('.', "_"), self.unit.suffix())
    }

    /// The metric and the value of its attribute that this name in an EMF line means.
    #[must_use]
    pub fn of_emf(metrics: &'static [Self], name: &str) -> Option<(&'static Self, Option<&'static str>)> {
        metrics.iter().find_map(|metric| {
            if metric.attribute.is_none() {
                return (metric.name == name).then_some((metric, None));
            }
            let word = name.strip_prefix(metric.name)?.strip_prefix('.')?;
            let known = metric.values().flatten().find(|known| *known == word)?;
            Some((metric, Some(known)))
        })
    }

    /// The labels in Prometheus: whom the metric is about, and its attribute.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        let about = match self.source {
            Source::Platform { dimension: "QueueName", .. } => "messaging_destination_name",
            Source::Platform { .. } | Source::Functions(_) => "faas_name",
        };
        let attribute = self.attribute.map(|attribute| attribute.key.replace('.', "_"));
        std::iter::once(about.to_owned()).chain(attribute).collect()
    }

    /// Every value of its attribute, [`OTHER`] included; one `None` for a metric without.
    pub fn values(&self) -> impl Iterator<Item = Option<&'static str>> + use<> {
        let values = self.attribute.map_or(&[][..], |attribute| attribute.values);
        let other = self.attribute.map(|_| OTHER);
        let none = self.attribute.is_none().then_some(None);
        values.iter().copied().chain(other).map(Some).chain(none)
    }
}
