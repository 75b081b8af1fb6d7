//! The result of a demo: as the JSON object that scripts read, and as a table for people.

use crate::figures::{Figures, Percentiles};
use crate::verdict::Judgement;
use serde::Serialize;
use std::collections::BTreeMap;
use xtask::out::table;

/// Most findings that are printed; the rest is counted.
const FINDINGS_MAX: usize = 20;

/// The functions whose Data API calls are reported. `settle-payments` makes none until paying exists.
const CALLERS: [&str; 2] = ["process-orders", "settle-payments"];

/// The result. `sent` = `confirmed` or, until paying exists, `accepted` + Σ `rejected` + `quarantined` +
/// `dead_lettered` + `lost` + `unfinished`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Distinct order contents and malformed bodies.
    pub sent: u64,
    /// Messages beyond those.
    pub duplicates: u64,
    /// Accepted orders, whatever became of them later.
    pub accepted: u64,
    /// Paid orders; none until paying exists.
    pub confirmed: u64,
    /// Rejected orders by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Messages that can never be orders.
    pub quarantined: u64,
    /// Messages that no receive could finish.
    pub dead_lettered: u64,
    /// Sent and nowhere to be found.
    pub lost: u64,
    /// Orders charged more than once; none until paying exists.
    pub double_charged: u64,
    /// Ended otherwise than they were sent for.
    pub mismatched: u64,
    /// Still on their way when the time was over.
    pub unfinished: u64,
    /// From the queue taking a message to the answer of the call that committed its order.
    pub accepted_ms: Percentiles,
    /// To the answer of the call that committed the capture; none until paying exists.
    pub confirmed_ms: Percentiles,
    /// Units that reached their end, by the time from the first message to the last end.
    pub orders_per_s: f64,
    /// Data API calls by function, as the server counted them.
    pub data_api_calls: BTreeMap<String, u64>,
    /// The same by batch; none where there was no batch.
    pub data_api_calls_per_batch: BTreeMap<String, Option<f64>>,
    /// Redis calls by function, as its log counts them.
    pub redis_calls: BTreeMap<String, u64>,
    /// Processes started, by function.
    pub cold_starts: BTreeMap<String, u64>,
}

/// What the report needs beside the judgement.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// From the log of `process-orders`.
    pub figures: Figures,
    /// Data API calls by caller.
    pub data_api_calls: BTreeMap<String, u64>,
    /// Processes of `process-orders` started.
    pub cold_starts: u64,
    /// From the first message to the end, in seconds.
    pub seconds: f64,
}

impl Report {
    /// Puts judgement and measurements together.
    pub fn new(judgement: &Judgement, measured: &Measured) -> Self {
        let calls = |caller: &str| measured.data_api_calls.get(caller).copied().unwrap_or(0);
        let batches = |caller: &str| if caller == CALLERS[0] { measured.figures.batches } else { 0 };
        let per_batch =
            |caller: &str| (batches(caller) > 0).then(|| hundredths(ratio(calls(caller), batches(caller))));
        let orders = |n: u64| BTreeMap::from([(CALLERS[0].to_owned(), n)]);
        let ended = judgement.sent - judgement.lost - judgement.unfinished;
        let seconds = measured.seconds.max(f64::MIN_POSITIVE);
        Self {
            sent: judgement.sent,
            duplicates: judgement.duplicates,
            accepted: judgement.accepted,
            confirmed: judgement.confirmed,
            rejected: judgement.rejected.clone(),
            quarantined: judgement.quarantined,
            dead_lettered: judgement.dead_lettered,
            lost: judgement.lost,
            double_charged: 0,
            mismatched: judgement.mismatched,
            unfinished: judgement.unfinished,
            accepted_ms: measured.figures.accepted_ms,
            confirmed_ms: Percentiles::default(),
            orders_per_s: hundredths(float(ended) / seconds),
            data_api_calls: CALLERS.map(|caller| (caller.to_owned(), calls(caller))).into(),
            data_api_calls_per_batch: CALLERS.map(|caller| (caller.to_owned(), per_batch(caller))).into(),
            redis_calls: orders(measured.figures.redis_calls),
            cold_starts: orders(measured.cold_starts),
        }
    }

    /// The table for people.
    pub fn table(&self) -> String {
        let row =
            |name: &str, count: u64, note: &str| vec![name.to_owned(), count.to_string(), note.to_owned()];
        let mut rows = vec![
            row("sent", self.sent, &format!("and {} of them a second time", self.duplicates)),
            row("accepted", self.accepted, "the end state until paying exists"),
            row("rejected", self.rejected.values().sum(), ""),
        ];
        rows.extend(self.rejected.iter().map(|(reason, count)| row(&format!("  {reason}"), *count, "")));
        rows.extend([
            row("quarantined", self.quarantined, "can never be orders; kept with their reason"),
            row("dead-lettered", self.dead_lettered, ""),
            row("lost", self.lost, "sent and nowhere to be found"),
            row("mismatched", self.mismatched, "rows, stock or outcome not as sent"),
            row("unfinished", self.unfinished, "still on their way when the time was over"),
        ]);
        format!("{}\n\n{}", table(&["orders", "count", ""], &rows), self.speed())
    }

    fn speed(&self) -> String {
        let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"));
        let of = |counts: &BTreeMap<String, u64>| counts.get(CALLERS[0]).copied().unwrap_or(0).to_string();
        let per_batch = self.data_api_calls_per_batch.get(CALLERS[0]).copied().flatten();
        let times = self.accepted_ms;
        let rows = [
            (
                "accepted within, ms",
                format!("p50 {}   p95 {}   p99 {}", ms(times.p50), ms(times.p95), ms(times.p99)),
            ),
            ("orders per second", format!("{:.0}", self.orders_per_s)),
            (
                "Data API calls",
                format!(
                    "{}, {} a batch",
                    of(&self.data_api_calls),
                    per_batch.map_or("-".to_owned(), |n| format!("{n:.2}"))
                ),
            ),
            ("Redis calls", of(&self.redis_calls)),
            ("cold starts", of(&self.cold_starts)),
        ];
        let rows: Vec<Vec<String>> = rows.map(|(name, value)| vec![name.to_owned(), value]).into();
        table(&["process-orders", ""], &rows)
    }
}

/// The verdict in words: what was found, or that nothing was.
pub fn verdict(judgement: &Judgement) -> String {
    if judgement.passed() {
        return "Verdict: nothing lost, nothing mismatched, nothing unfinished.".to_owned();
    }
    let shown: Vec<String> =
        judgement.findings.iter().take(FINDINGS_MAX).map(|finding| format!("  {finding}")).collect();
    let hidden = judgement.findings.len().saturating_sub(FINDINGS_MAX);
    let more = if hidden > 0 { format!("\n  and {hidden} more") } else { String::new() };
    let Judgement { lost, mismatched, unfinished, dead_lettered, .. } = judgement;
    format!(
        "Verdict: FAILED. {lost} lost, {mismatched} mismatched, {unfinished} unfinished, {dead_lettered} dead-lettered.\n{}{more}",
        shown.join("\n")
    )
}

fn ratio(part: u64, whole: u64) -> f64 {
    float(part) / float(whole)
}

/// Counts of a run are far below 2^32.
fn float(n: u64) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::{Measured, Report, verdict};
    use crate::figures::{Figures, Percentiles};
    use crate::verdict::Judgement;
    use serde_json::json;

    fn judgement() -> Judgement {
        Judgement {
            sent: 100,
            duplicates: 3,
            accepted: 90,
            rejected: [("out_of_stock".to_owned(), 6)].into(),
            quarantined: 4,
            ..Judgement::default()
        }
    }

    fn report() -> Report {
        let accepted_ms = Percentiles { p50: Some(23.0), p95: Some(41.0), p99: Some(77.0) };
        let figures = Figures { batches: 40, accepted_ms, redis_calls: 31 };
        let data_api_calls = [("process-orders".to_owned(), 43)].into();
        Report::new(&judgement(), &Measured { figures, data_api_calls, cold_starts: 2, seconds: 0.8 })
    }

    #[test]
    fn the_json_has_the_agreed_fields() {
        let none = json!({"p50": null, "p95": null, "p99": null});
        let expected = json!({
            "sent": 100, "duplicates": 3, "accepted": 90, "confirmed": 0, "rejected": {"out_of_stock": 6},
            "quarantined": 4, "dead_lettered": 0, "lost": 0, "double_charged": 0, "mismatched": 0, "unfinished": 0,
            "accepted_ms": {"p50": 23.0, "p95": 41.0, "p99": 77.0}, "confirmed_ms": none, "orders_per_s": 125.0,
            "data_api_calls": {"process-orders": 43, "settle-payments": 0},
            "data_api_calls_per_batch": {"process-orders": 1.08, "settle-payments": null},
            "redis_calls": {"process-orders": 31}, "cold_starts": {"process-orders": 2},
        });
        assert_eq!(serde_json::to_value(report()).unwrap(), expected);
    }

    #[test]
    fn the_table_reads_at_a_glance() {
        let table = report().table();
        assert!(table.contains("  accepted           90  the end state until paying exists\n"), "{table}");
        assert!(table.contains("    out_of_stock      6\n"), "{table}");
        assert!(table.contains("p50 23   p95 41   p99 77"), "{table}");
        assert!(table.contains("43, 1.08 a batch"), "{table}");
    }

    #[test]
    fn the_verdict_says_what_was_found() {
        assert_eq!(verdict(&judgement()), "Verdict: nothing lost, nothing mismatched, nothing unfinished.");
        let findings = (0..25).map(|n| format!("finding {n}")).collect();
        let text = verdict(&Judgement { lost: 25, findings, ..judgement() });
        assert!(text.starts_with(
            "Verdict: FAILED. 25 lost, 0 mismatched, 0 unfinished, 0 dead-lettered.\n  finding 0\n"
        ));
        assert!(text.ends_with("finding 19\n  and 5 more"), "{text}");
    }
}
