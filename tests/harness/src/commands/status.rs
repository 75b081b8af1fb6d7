//! `status`: every part of the running stack at a glance.

use crate::Error;
use crate::control::Status;
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
        line(&[queues(&status), functions(&status), event_sources(&status), data_api(&status)].join("\n\n"));
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

fn cells(name: &str, counts: &[u64]) -> Vec<String> {
    std::iter::once(name.to_owned()).chain(counts.iter().map(u64::to_string)).collect()
}

#[cfg(test)]
mod tests {
    use super::{data_api, functions, queues};
    use serde_json::json;

    #[test]
    fn every_part_has_its_table() {
        let status = serde_json::from_value(json!({
            "queues": {"orders": {"visible": 3, "in_flight": 20, "delayed": 0}},
            "functions": {"process-orders": {"instances": 2, "invocations": 40, "duration_ms": {"p50": 21.04, "p99": 60.0, "max": 61.0}}},
            "data_api": {"calls": {"process-orders": {"ExecuteStatement": 41}}, "in_flight": 0},
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
    }
}
