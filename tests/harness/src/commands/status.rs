//! `status`: every part of the running stack at a glance.

use crate::Error;
use crate::control::Status;
use crate::report::times;
use crate::stack::Info;
use xtask::out::{line, table};
use xtask::{cli, workspace};

/// Prints the figures of all parts.
///
/// # Errors
/// [`Error::NoStack`], and what its control API returns.
pub async fn run(options: &cli::Status) -> Result<(), Error> {
    let status = Info::find(&workspace::up_state())?.status().await?;
    if options.json {
        line(&serde_json::to_string(&status).unwrap_or_default());
    } else {
        let parts = [queues, functions, event_sources, schedules, data_api, provider];
        line(&parts.map(|part| part(&status)).join("\n\n"));
    }
    Ok(())
}

fn queues(status: &Status) -> String {
    let rows = status
        .queues
        .iter()
        .map(|(name, depth)| cells(name, &[depth.visible, depth.in_flight, depth.delayed]));
    table(&["queue", "visible", "in flight", "delayed"], &rows.collect::<Vec<_>>())
}

fn functions(status: &Status) -> String {
    let rows = status.functions.iter().map(|(name, f)| {
        let counts =
            [f.instances, f.busy, f.cold_starts, f.invocations, f.errors, f.timeouts, f.crashes, f.throttles];
        let times = [f.duration_ms.p50, f.duration_ms.p99, f.duration_ms.max].map(|ms| format!("{ms:.1}"));
        cells(name, &counts).into_iter().chain(times).collect()
    });
    let heading = [
        "function",
        "instances",
        "busy",
        "cold starts",
        "invocations",
        "errors",
        "timeouts",
        "crashes",
        "throttles",
        "p50 ms",
        "p99 ms",
        "max ms",
    ];
    table(&heading, &rows.collect::<Vec<_>>())
}

fn event_sources(status: &Status) -> String {
    let rows = status.event_sources.iter().map(|(name, source)| {
        cells(
            name,
            &[
                source.polled,
                source.invoked,
                source.deleted,
                source.failed,
                source.partial_failures,
                source.concurrency,
            ],
        )
    });
    let heading =
        ["event source", "polled", "invoked", "deleted", "failed", "partial failures", "concurrency"];
    table(&heading, &rows.collect::<Vec<_>>())
}

fn data_api(status: &Status) -> String {
    let by_caller = status.data_api.calls.iter().flat_map(|(caller, operations)| {
        operations
            .iter()
            .map(move |(operation, calls)| vec![caller.clone(), operation.clone(), calls.to_string()])
    });
    table(&["Data API caller", "operation", "calls"], &by_caller.collect::<Vec<_>>())
}

fn schedules(status: &Status) -> String {
    let rows = status.schedules.iter().map(|(name, schedule)| {
        let last_ms = schedule.last_duration_ms.map_or_else(|| "-".to_owned(), |ms| ms.to_string());
        let counts = [schedule.every_s, schedule.runs, schedule.failed, schedule.skipped];
        cells(name, &counts).into_iter().chain([last_ms]).collect()
    });
    table(&["schedule", "every s", "runs", "failed", "skipped", "last ms"], &rows.collect::<Vec<_>>())
}

fn provider(status: &Status) -> String {
    let figures = &status.sandbox;
    let rows = figures.calls.iter().flat_map(|(endpoint, classes)| {
        classes.iter().map(move |(class, calls)| vec![endpoint.clone(), class.clone(), calls.to_string()])
    });
    let calls = table(&["payment provider", "status", "calls"], &rows.collect::<Vec<_>>());
    let (refused, times) = (figures.answered_429, times(figures.provider_ms));
    format!("{calls}\n  beyond the quota: {refused}   calls took, ms: {times}")
}

fn cells(name: &str, counts: &[u64]) -> Vec<String> {
    std::iter::once(name.to_owned()).chain(counts.iter().map(u64::to_string)).collect()
}

#[cfg(test)]
mod tests {
    use super::{data_api, functions, provider, queues, schedules};
    use serde_json::json;

    #[test]
    fn every_part_has_its_table() {
        let status = serde_json::from_value(json!({
            "queues": {"orders": {"visible": 3, "in_flight": 20, "delayed": 0}},
            "functions": {"process-orders": {"instances": 2, "invocations": 40, "duration_ms": {"p50": 21.04, "p99": 60.0, "max": 61.0}}},
            "data_api": {"calls": {"process-orders": {"ExecuteStatement": 41}}, "in_flight": 0},
            "schedules": {"reconcile-orders": {"enabled": true, "every_s": 5, "runs": 12, "last_duration_ms": 340}},
            "sandbox": {"calls": {"authorize": {"2xx": 38}}, "answered_429": 2, "provider_ms": {"p50": 120.4}},
            "unknown_part": {},
        }))
        .unwrap();
        assert_eq!(
            queues(&status),
            "  queue   visible  in flight  delayed\n  orders        3         20        0"
        );
        assert!(functions(&status).contains("  21.0    60.0    61.0"), "{}", functions(&status));
        assert!(
            data_api(&status).ends_with("process-orders   ExecuteStatement     41"),
            "{}",
            data_api(&status)
        );
        assert!(
            schedules(&status).ends_with("reconcile-orders        5    12       0        0      340"),
            "{}",
            schedules(&status)
        );
        let provider = provider(&status);
        assert!(
            provider.contains(
                "  authorize         2xx        38\n  beyond the quota: 2   calls took, ms: p50 120"
            ),
            "{provider}"
        );
    }
}
