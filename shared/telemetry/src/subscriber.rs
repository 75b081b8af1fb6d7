//! Sends log events of the process to stdout.

use std::str::FromStr;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;

use crate::emit::emit_line;
use crate::identity::{self, Identity};
use crate::line::{Line, Lines};

/// The crates of this workspace that log; the function itself joins them. A crate that is missing here is treated as
/// foreign, which is the safe side.
const OURS: [&str; 9] = [
    "backoff",
    "catalog",
    "data_api",
    "order",
    "order_store",
    "payments",
    "queue",
    "settlement",
    "telemetry",
];

/// Installs JSON logging to stdout for the whole process and says whose lines these are: `function` is the folder and
/// binary, for example `process-orders`. A second call, or a subscriber that somebody else installed, changes nothing.
///
/// `variable` reads the two variables that the platform sets: `AWS_LAMBDA_FUNCTION_NAME`, which tells the stage as well,
/// and `AWS_LAMBDA_LOG_LEVEL` (TRACE, DEBUG, INFO, WARN, ERROR or FATAL, in any case), the level of our own crates.
/// Another level means `INFO` and a line that says so, since a wrong level is no reason to refuse orders.
///
/// Call it first in `main`, so that even unusable settings are told as a line of JSON.
pub fn init(function: &'static str, variable: impl Fn(&str) -> Option<String>) {
    identity::set(Identity::new(function, variable("AWS_LAMBDA_FUNCTION_NAME")));
    let level = variable("AWS_LAMBDA_LOG_LEVEL");
    let known = level.as_deref().map_or(Some(LevelFilter::INFO), parse);
    let lines = Lines { function: function.to_owned(), write: |line: &Line| emit_line(line) };
    let filter = targets(function, known.unwrap_or(LevelFilter::INFO));
    let subscriber = tracing_subscriber::registry().with(filter).with(lines);
    if tracing::subscriber::set_global_default(subscriber).is_ok() && known.is_none() {
        tracing::warn!(
            "AWS_LAMBDA_LOG_LEVEL cannot be used; set it to TRACE, DEBUG, INFO, WARN, ERROR or FATAL"
        );
    }
}

/// Lambda's names of levels. tracing has no FATAL: nothing of ours logs above `ERROR`.
fn parse(level: &str) -> Option<LevelFilter> {
    if level.eq_ignore_ascii_case("fatal") {
        Some(LevelFilter::ERROR)
    } else {
        LevelFilter::from_str(level).ok()
    }
}

/// Who may log what: our crates at `level`; everybody else warnings at most; the runtime's span, which holds the
/// request id and nothing of the event, at `INFO`.
fn targets(function: &str, level: LevelFilter) -> Targets {
    let ours = OURS.iter().map(|name| ((*name).to_owned(), level));
    let function = [(function.replace('-', "_"), level)];
    let runtime = [("lambda_runtime".to_owned(), level.min(LevelFilter::INFO))];
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_targets(ours.chain(function).chain(runtime))
}

#[cfg(test)]
mod tests {
    use super::{Line, Lines, parse, targets};
    use serde_json::{Value, json};
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::filter::LevelFilter;
    use tracing_subscriber::layer::SubscriberExt;

    /// The lines that `log` leaves, parsed.
    fn logged(level: LevelFilter, log: impl FnOnce()) -> Vec<Value> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let write = move |line: &Line| sink.lock().unwrap().push(serde_json::to_value(line).unwrap());
        let lines = Lines { function: "process-orders".to_owned(), write };
        let subscriber = tracing_subscriber::registry().with(targets("process-orders", level)).with(lines);
        tracing::subscriber::with_default(subscriber, log);
        seen.lock().unwrap().clone()
    }

    /// The one line that `log` leaves, without its timestamp.
    #[track_caller]
    fn check(log: impl FnOnce(), expected: Value) {
        let mut lines = logged(LevelFilter::INFO, log);
        assert_eq!(lines.len(), 1);
        let timestamp = lines[0].as_object_mut().unwrap().remove("timestamp").unwrap();
        assert!(
            timestamp.as_str().is_some_and(|text| text.starts_with("20") && text.ends_with('Z')),
            "{timestamp}"
        );
        assert_eq!(lines[0], expected);
    }

    #[test]
    fn fields_stand_beside_the_message_under_their_dotted_names_and_with_their_types() {
        check(
            || {
                tracing::warn!(
                    order.id = "ord_1",
                    { crate::fields::BATCH_SIZE } = 2_u64,
                    delta = -1,
                    full = true,
                    share = 0.5,
                    wait = ?Some(3),
                    "record of {} goes back",
                    "ord_1"
                );
            },
            json!({"level": "WARN", "message": "record of ord_1 goes back", "function": "process-orders", "order.id": "ord_1",
                "batch.size": 2, "delta": -1, "full": true, "share": 0.5, "wait": "Some(3)"}),
        );
    }

    #[test]
    fn fields_of_spans_are_flattened_and_the_innermost_wins() {
        check(
            || {
                let outer = tracing::info_span!(
                    "batch",
                    requestId = "r-1",
                    reason = "outer",
                    late = tracing::field::Empty
                );
                outer.record("late", 7);
                outer.in_scope(|| {
                    tracing::info_span!("record", reason = "inner").in_scope(|| tracing::info!(n = 1, "done"))
                });
            },
            json!({"level": "INFO", "message": "done", "function": "process-orders", "requestId": "r-1",
                "reason": "inner", "late": 7, "n": 1}),
        );
    }

    #[test]
    fn no_field_replaces_what_every_line_has() {
        check(
            || tracing::info!(level = "low", function = "other", timestamp = 1, "kept"),
            json!({"level": "INFO", "message": "kept", "function": "process-orders"}),
        );
    }

    #[track_caller]
    fn passes(level: LevelFilter, log: impl FnOnce(), passes: bool) {
        assert_eq!(logged(level, log).len(), usize::from(passes));
    }

    #[test]
    fn our_crates_follow_the_level_and_foreign_ones_only_warn() {
        passes(LevelFilter::TRACE, || tracing::trace!(target: "order_store::aurora", "x"), true);
        passes(LevelFilter::TRACE, || tracing::trace!(target: "process_orders", "x"), true);
        passes(LevelFilter::INFO, || tracing::debug!(target: "queue", "x"), false);
        passes(
            LevelFilter::TRACE,
            || tracing::info!(target: "aws_smithy_runtime::client", "a request body"),
            false,
        );
        passes(LevelFilter::TRACE, || tracing::debug!(target: "lambda_runtime", "an event"), false);
        passes(LevelFilter::TRACE, || tracing::warn!(target: "hyper", "x"), true);
        passes(LevelFilter::ERROR, || tracing::warn!(target: "hyper", "x"), false);
    }

    #[test]
    fn levels_have_lambdas_names() {
        for (name, level) in [
            ("trace", Some(LevelFilter::TRACE)),
            ("DEBUG", Some(LevelFilter::DEBUG)),
            ("FATAL", Some(LevelFilter::ERROR)),
            ("loud", None),
        ] {
            assert_eq!(parse(name), level);
        }
    }
}
