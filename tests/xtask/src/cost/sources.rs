//! What the model reads: prices, measured counts, and the sizes of one stage.

use crate::Error;
use serde_json::Value;
use std::collections::BTreeMap;

/// Prices in USD by name, each for one unit.
#[derive(Debug, Clone, Default)]
pub struct Prices {
    /// The day of the list.
    pub as_of: String,
    /// The region of the list.
    pub region: String,
    each: BTreeMap<String, f64>,
}

impl Prices {
    /// Reads `infra/prices.json`.
    ///
    /// # Errors
    /// [`Error::NoNumber`] for a price that has none.
    pub fn read(file: &Value) -> Result<Self, Error> {
        let word = |name: &str| file.get(name).and_then(Value::as_str).unwrap_or("unknown").to_owned();
        let entries = file.get("prices").and_then(Value::as_object).into_iter().flatten();
        let each = entries.map(|(name, entry)| {
            let price = number(entry, "price", name)? / number(entry, "per", name)?;
            Ok((name.clone(), price))
        });
        Ok(Self { as_of: word("as_of"), region: word("region"), each: each.collect::<Result<_, Error>>()? })
    }

    /// The price of one unit, in USD.
    ///
    /// # Errors
    /// [`Error::NoNumber`] for a name that the file does not have.
    pub fn of(&self, name: &str) -> Result<f64, Error> {
        self.each.get(name).copied().ok_or_else(|| Error::NoNumber { path: format!("prices.{name}") })
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.each.keys().map(String::as_str)
    }
}

/// What a demo counted.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// Where, when and how, in a line.
    pub provenance: String,
    /// Orders and malformed bodies that were sent.
    pub orders: f64,
    /// Lines of those orders.
    pub lines: f64,
    /// By how much the database grew.
    pub database_bytes: f64,
    /// By function.
    pub functions: BTreeMap<String, Counts>,
}

/// What one function did in that run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Invocations.
    pub invocations: f64,
    /// Messages that came with them; none for a function that a clock invokes.
    pub messages: f64,
    /// Data API calls, as the server counted them.
    pub data_api_calls: f64,
    /// SQS calls of its own: messages sent, visibilities changed.
    pub sqs_calls: f64,
    /// Bytes that it logged.
    pub log_bytes: f64,
}

impl Measured {
    /// Reads `infra/measured.json`.
    ///
    /// # Errors
    /// [`Error::NoNumber`] for a count that is missing.
    pub fn read(file: &Value) -> Result<Self, Error> {
        let word = |name: &str| file.get(name).and_then(Value::as_str).unwrap_or("unknown");
        let functions = file.get("functions").and_then(Value::as_object).into_iter().flatten();
        let functions = functions.map(|(name, counts)| {
            let count = |field| number(counts, field, name);
            let counts = Counts {
                invocations: count("invocations")?,
                messages: count("messages")?,
                data_api_calls: count("data_api_calls")?,
                sqs_calls: count("sqs_calls")?,
                log_bytes: count("log_bytes")?,
            };
            Ok((name.clone(), counts))
        });
        Ok(Self {
            provenance: format!(
                "{} of commit {}, {}, on {}",
                word("command"),
                word("commit"),
                word("measured_on"),
                word("machine")
            ),
            orders: number(file, "orders", "measured")?,
            lines: number(file, "lines", "measured")?,
            database_bytes: number(file, "database_bytes", "measured")?,
            functions: functions.collect::<Result<_, Error>>()?,
        })
    }

    /// What one function did; nothing for one that was not there.
    pub fn of(&self, function: &str) -> Counts {
        self.functions.get(function).copied().unwrap_or_default()
    }
}

/// The sizes of one stage.
#[derive(Debug, Clone, Default)]
pub struct Sizes {
    /// By function: memory in GB.
    pub memory_gb: BTreeMap<String, f64>,
    /// Runs of the reconciler in a second.
    pub reconciles_per_s: f64,
    /// An assumed round trip to the Data API, in seconds.
    pub data_api_rtt_s: f64,
    /// A batch of settle-payments from its first permit to its answer, in seconds.
    pub settled_batch_s: f64,
    /// One call to the provider, in seconds.
    pub provider_s: f64,
    /// One call to a provider that does not answer, in seconds.
    pub provider_timeout_s: f64,
    /// Zones of the network.
    pub availability_zones: f64,
    /// NAT gateways.
    pub nat_gateways: f64,
    /// Database instances.
    pub instances: f64,
    /// The least capacity of each, in ACU; 0 where it pauses.
    pub minimum_acu: f64,
    /// How long an idle database stays awake, in seconds.
    pub auto_pause_s: f64,
    /// Cache nodes, and what they are.
    pub cache: (f64, String),
    /// Days that logs are kept.
    pub log_days: f64,
    /// Alarms, each as often as it looks at a metric, and secrets of the stage, by the snapshot of its template.
    pub alarms: f64,
    /// As above.
    pub secrets: f64,
    /// Metrics that functions say all the time: those of the catalogue without an attribute, once for each function.
    pub metrics: f64,
}

impl Sizes {
    /// Reads `infra/settings.json` as `stage` sees it, the snapshot of that stage's template, and the catalogue of metrics.
    ///
    /// # Errors
    /// [`Error::NoNumber`] for a setting that is missing.
    pub fn read(file: &Value, snapshot: &str, metrics: &Value, stage: &str) -> Result<Self, Error> {
        let of = |path: &str| setting(file, path, stage);
        let names = file.get("functions").and_then(Value::as_object).into_iter().flatten();
        let memory_gb =
            names.map(|(name, _)| Ok((name.clone(), of(&format!("functions.{name}.memory_mb"))? / 1024.0)));
        let node = node(file, "cache.node_type").and_then(|node| node.get(stage).or(node.get("value")));
        // The snapshot lists each on a line of its own.
        let resources = |kind: &str| {
            let lines = snapshot.lines().filter(|line| line.starts_with(&format!("{kind} ")));
            f64::from(u32::try_from(lines.count()).unwrap_or(u32::MAX))
        };
        Ok(Self {
            memory_gb: memory_gb.collect::<Result<_, Error>>()?,
            reconciles_per_s: 1.0 / of("functions.reconcile-orders.schedule.every_s")?,
            data_api_rtt_s: setting(file, "local.data_api_rtt_ms", "local")? / 1000.0,
            settled_batch_s: of("provider.settled_batch_ms")? / 1000.0,
            provider_s: setting(file, "local.provider_median_ms", "local")? / 1000.0,
            provider_timeout_s: of("provider.attempt_timeout_ms")? / 1000.0,
            availability_zones: of("network.availability_zones")?,
            nat_gateways: of("network.nat_gateways")?,
            instances: of("aurora.instances")?,
            minimum_acu: of("aurora.minimum_acu")?,
            auto_pause_s: of("aurora.auto_pause_s")?,
            cache: (of("cache.nodes")?, node.and_then(Value::as_str).unwrap_or_default().to_owned()),
            log_days: of("logs.retention_days")?,
            alarms: resources("AWS::CloudWatch::Alarm") + beyond_the_first(snapshot),
            secrets: resources("AWS::SecretsManager::Secret"),
            metrics: said_always(metrics),
        })
    }

    /// Memory of a function in GB.
    pub fn memory_gb(&self, function: &str) -> f64 {
        self.memory_gb.get(function).copied().unwrap_or_default()
    }
}

fn setting(file: &Value, path: &str, stage: &str) -> Result<f64, Error> {
    let node = node(file, path);
    let value = node.and_then(|node| node.get(stage).or(node.get("value")).or(Some(node)));
    value.and_then(Value::as_f64).ok_or_else(|| Error::NoNumber { path: path.to_owned() })
}

fn node<'a>(file: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(file, |node, name| node.get(name))
}

fn number(entry: &Value, field: &str, name: &str) -> Result<f64, Error> {
    let path = || Error::NoNumber { path: format!("{name}.{field}") };
    entry.get(field).and_then(Value::as_f64).ok_or_else(path)
}

/// An alarm costs as often as it looks at a metric; the snapshot lists those of an alarm that looks at more than one.
fn beyond_the_first(snapshot: &str) -> f64 {
    let several = snapshot.lines().filter(|line| line.starts_with("  Metrics: "));
    let more = several.map(|line| line.matches("MetricStat: ").count().saturating_sub(1)).sum::<usize>();
    f64::from(u32::try_from(more).unwrap_or(u32::MAX))
}

/// A metric costs what it costs in the hours in which it has a value: these always have one.
fn said_always(metrics: &Value) -> f64 {
    let all = metrics.get("metrics").and_then(Value::as_array).into_iter().flatten();
    let plain = all.filter(|metric| metric.get("attribute").is_none_or(Value::is_null));
    let said = plain.filter_map(|metric| metric.get("functions")?.as_array()).map(Vec::len).sum::<usize>();
    f64::from(u32::try_from(said).unwrap_or(u32::MAX))
}
