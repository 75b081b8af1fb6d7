//! Figures from the functions' own logs: how fast orders were accepted and paid, and what a batch cost.

use crate::Error;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The message of the line that a function writes for every batch.
const BATCH_MESSAGE: &str = "batch answered";

/// The message of the line that a reconciler's run ends with.
const RUN_MESSAGE: &str = "run ended";

/// One batch line, as far as the demo needs it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct BatchLine {
    timestamp: String,
    message: String,
    #[serde(rename = "orders.accepted.duration")]
    accepted_s: Vec<f64>,
    #[serde(rename = "payments.confirmed.duration")]
    confirmed_s: Vec<f64>,
    #[serde(rename = "catalog.lookup.duration")]
    looked_up_s: Vec<f64>,
    duration_ms: f64,
    #[serde(rename = "batch.size")]
    size: u64,
    #[serde(rename = "redis.calls")]
    redis_calls: u64,
    #[serde(rename = "catalog.data_api_calls")]
    catalog_reads: u64,
    #[serde(rename = "batch.commits")]
    commits: u64,
    cold_start: bool,
}

/// One batch of orders, as its function tells it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// When it was answered, in Unix milliseconds.
    pub at_ms: u64,
    /// Milliseconds from the queue taking a message to the answer of the call that committed its order, for each order
    /// that it accepted.
    pub accepted_ms: Vec<f64>,
    /// Milliseconds that each look-up of products took, from wherever they came.
    pub looked_up_ms: Vec<f64>,
    /// Whether it was its instance's first.
    pub cold: bool,
    /// Messages in it.
    pub size: u64,
    /// Data API calls that read the catalog.
    pub catalog_reads: u64,
    /// Committing Data API calls.
    pub commits: u64,
}

/// What the log says of all batches.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    /// Batches answered.
    pub batches: u64,
    /// Milliseconds from the queue taking a message to the answer of the call that committed its order.
    pub accepted_ms: Percentiles,
    /// Milliseconds from the queue taking a payment request to the answer of the call that committed its capture.
    pub confirmed_ms: Percentiles,
    /// Redis calls of all batches.
    pub redis_calls: u64,
    /// Seconds of all batches that confirmed nothing.
    pub fruitless_s: f64,
}

/// Percentiles in milliseconds; none without a single value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Percentiles {
    /// Half are faster.
    pub p50: Option<f64>,
    /// One of twenty is slower.
    pub p95: Option<f64>,
    /// One of a hundred is slower.
    pub p99: Option<f64>,
}

impl Percentiles {
    /// The percentiles of these values, by nearest rank: each is one of the values.
    pub fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let rank = |percent: usize| (values.len() * percent).div_ceil(100).saturating_sub(1);
        let at = |percent| values.get(rank(percent)).copied();
        Self { p50: at(50), p95: at(95), p99: at(99) }
    }
}

/// Reads a function's log; one that was never invoked has none.
///
/// # Errors
/// [`Error::File`] when there is one that cannot be read.
pub fn read(log: &Path) -> Result<Figures, Error> {
    match std::fs::read_to_string(log) {
        Ok(text) => Ok(of(&text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Figures::default()),
        Err(source) => Err(Error::File { path: log.to_owned(), source }),
    }
}

/// The batches of orders, in the order of the log.
pub fn batches(log: &str) -> Vec<Batch> {
    let batch = |line: BatchLine| Batch {
        at_ms: unix_ms(&line.timestamp),
        accepted_ms: millis(&line.accepted_s).collect(),
        looked_up_ms: millis(&line.looked_up_s).collect(),
        cold: line.cold_start,
        size: line.size,
        catalog_reads: line.catalog_reads,
        commits: line.commits,
    };
    lines(log, BATCH_MESSAGE).map(batch).collect()
}

/// Seconds as milliseconds, rounded to microseconds: 0.29 s are 290 ms, and not 290.00000000000006.
fn millis(seconds: &[f64]) -> impl Iterator<Item = f64> + '_ {
    seconds.iter().map(|seconds| (seconds * 1_000_000.0).round() / 1_000.0)
}

/// The time of a line; the epoch for a line without one.
fn unix_ms(timestamp: &str) -> u64 {
    let parsed = timestamp.parse().unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    u64::try_from(parsed.as_millisecond()).unwrap_or(0)
}

/// How many messages each batch had, in the order of the log.
pub fn batch_sizes(log: &str) -> Vec<u64> {
    lines(log, BATCH_MESSAGE).map(|line| line.size).collect()
}

/// How many runs of the reconciler have ended.
pub fn runs(log: &str) -> u64 {
    u64::try_from(lines(log, RUN_MESSAGE).count()).unwrap_or(u64::MAX)
}

/// Lines with another message, and lines that were cut off by a killed process, are passed over.
fn lines<'a>(log: &'a str, message: &'a str) -> impl Iterator<Item = BatchLine> + 'a {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<BatchLine>(line).ok());
    lines.filter(move |line| line.message == message)
}

/// Figures of a function's log.
pub fn of(log: &str) -> Figures {
    let batches: Vec<BatchLine> = lines(log, BATCH_MESSAGE).collect();
    let times = |of: fn(&BatchLine) -> &Vec<f64>| {
        Percentiles::of(batches.iter().flat_map(|line| millis(of(line))).collect())
    };
    let fruitless = batches.iter().filter(|line| line.confirmed_s.is_empty());
    Figures {
        batches: u64::try_from(batches.len()).unwrap_or(u64::MAX),
        redis_calls: batches.iter().map(|line| line.redis_calls).sum(),
        accepted_ms: times(|line| &line.accepted_s),
        confirmed_ms: times(|line| &line.confirmed_s),
        fruitless_s: fruitless.map(|line| line.duration_ms).sum::<f64>() / 1_000.0,
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, Figures, Percentiles, batch_sizes, batches, of, read, runs};
    use std::path::Path;

    #[track_caller]
    fn check(values: &[f64], p50: f64, p95: f64, p99: f64) {
        let expected = Percentiles { p50: Some(p50), p95: Some(p95), p99: Some(p99) };
        assert_eq!(Percentiles::of(values.to_vec()), expected);
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        check(&[7.0], 7.0, 7.0, 7.0);
        check(&[3.0, 1.0, 2.0], 2.0, 3.0, 3.0);
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        check(&hundred, 50.0, 95.0, 99.0);
    }

    #[test]
    fn no_values_have_no_percentiles() {
        assert_eq!(Percentiles::of(Vec::new()), Percentiles::default());
    }

    #[test]
    fn only_batch_lines_count() {
        let log = concat!(
            r#"{"message":"batch answered","batch.size":2,"orders.accepted.duration":[0.01,0.02],"redis.calls":1,"cold_start":true}"#,
            "\n",
            r#"{"message":"record failed","orders.accepted.duration":[0.9]}"#,
            "\nnot json\n",
            r#"{"message":"batch answered","orders.accepted.duration":[0.03],"redis.calls":1}"#,
            "\n",
            r#"{"message":"batch ans"#,
        );
        let figures = of(log);
        assert_eq!((figures.batches, figures.redis_calls), (2, 2));
        assert_eq!(figures.accepted_ms.p50, Some(20.0));
    }

    #[test]
    fn a_batch_has_its_time_its_orders_and_its_reads() {
        let log = r#"{"timestamp":"1970-01-01T00:00:01.5Z","message":"batch answered","batch.size":3,"batch.commits":1,"orders.accepted.duration":[0.01,0.02],"catalog.lookup.duration":[0.0015],"catalog.data_api_calls":2,"cold_start":true}"#;
        let expected = Batch {
            at_ms: 1_500,
            accepted_ms: vec![10.0, 20.0],
            looked_up_ms: vec![1.5],
            cold: true,
            size: 3,
            catalog_reads: 2,
            commits: 1,
        };
        assert_eq!(batches(log), [expected]);
    }

    #[test]
    fn batches_have_sizes_and_runs_are_counted() {
        let log = concat!(
            r#"{"message":"batch answered","batch.size":10}"#,
            "\n",
            r#"{"message":"run ended","batch.size":3}"#,
            "\n",
            r#"{"message":"batch answered","batch.size":4}"#,
        );
        assert_eq!((batch_sizes(log), runs(log)), (vec![10, 4], 1));
    }

    #[test]
    fn a_batch_that_confirmed_nothing_was_fruitless() {
        let log = concat!(
            r#"{"message":"batch answered","payments.confirmed.duration":[0.3,0.1],"duration_ms":400}"#,
            "\n",
            r#"{"message":"batch answered","duration_ms":1500}"#,
        );
        let figures = of(log);
        assert_eq!((figures.confirmed_ms.p50, figures.fruitless_s), (Some(100.0), 1.5));
    }

    #[test]
    fn a_function_that_was_never_invoked_has_no_figures() {
        assert_eq!(read(Path::new("/nowhere/settle-payments.log")).unwrap(), Figures::default());
    }
}
