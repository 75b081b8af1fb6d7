//! The result of a demo: as the JSON object that scripts read, and as a table for people.

use crate::figures::{Figures, Percentiles};
use crate::sandbox;
use crate::verdict::Judgement;
use serde::Serialize;
use std::collections::BTreeMap;
use xtask::out::table;

/// Most findings that are printed; the rest is counted.
const FINDINGS_MAX: usize = 20;

/// The functions that work on batches: the first accepts orders, the second settles their payments.
pub const FUNCTIONS: [&str; 2] = ["process-orders", "settle-payments"];

/// The result. `sent` = `confirmed` + Σ `rejected` + `quarantined` + `dead_lettered` + `lost` + `unfinished`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    /// Distinct order contents and malformed bodies.
    pub sent: u64,
    /// Messages beyond those.
    pub duplicates: u64,
    /// Accepted orders, whatever became of them later.
    pub accepted: u64,
    /// Paid orders.
    pub confirmed: u64,
    /// Rejected orders by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Messages that can never be orders.
    pub quarantined: u64,
    /// Messages that no receive could finish.
    pub dead_lettered: u64,
    /// Sent and nowhere to be found.
    pub lost: u64,
    /// Orders from which money was taken more than once.
    pub double_charged: u64,
    /// Charges whose money is still held.
    pub orphan_holds: u64,
    /// Places where personal data, card data or secrets of the messages came out.
    pub leaked: u64,
    /// Ended otherwise than they were sent for.
    pub mismatched: u64,
    /// Still on their way when the time was over.
    pub unfinished: u64,
    /// From the queue taking a message to the answer of the call that committed its order.
    pub accepted_ms: Percentiles,
    /// From the queue taking a payment request to the answer of the call that committed the capture.
    pub confirmed_ms: Percentiles,
    /// Of that, what one call to the provider took, as the provider measured it.
    pub provider_ms: Percentiles,
    /// Calls that reached the provider.
    pub provider_calls: u64,
    /// New prices and deliveries that the shop told of.
    pub product_changes: u64,
    /// Of each new price: from sending it to the decision of the first order that was judged by it.
    pub product_change_ms: Percentiles,
    /// Units that reached their end, by the time from the first message to the last end.
    pub orders_per_s: f64,
    /// Data API calls by function, as the server counted them.
    pub data_api_calls: BTreeMap<String, u64>,
    /// The same by batch, without the call with which each new process opens its connection; none where there was no
    /// batch.
    pub data_api_calls_per_batch: BTreeMap<String, Option<f64>>,
    /// Redis calls by function, as its log counts them.
    pub redis_calls: BTreeMap<String, u64>,
    /// Processes started, by function.
    pub cold_starts: BTreeMap<String, u64>,
    /// What the run used, by function, for the cost model.
    pub usage: BTreeMap<String, Usage>,
    /// Lines of all orders that were sent, each order once.
    pub lines: u64,
    /// By how much the database grew.
    pub database_bytes: u64,
}

/// What one function used in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Invocations, by its host's count.
    pub invocations: u64,
    /// Messages that came with them; 0 for a function that a clock invokes.
    pub messages: u64,
    /// Data API calls, by the server's count.
    pub data_api_calls: u64,
    /// SQS calls of its own, by the endpoint's count.
    pub sqs_calls: u64,
    /// Bytes in its log.
    pub log_bytes: u64,
}

/// What the report needs beside the judgement.
#[derive(Debug, Clone, Default)]
pub struct Measured {
    /// From the log of each of [`FUNCTIONS`].
    pub figures: BTreeMap<String, Figures>,
    /// Data API calls by caller.
    pub data_api_calls: BTreeMap<String, u64>,
    /// Processes started, by function.
    pub cold_starts: BTreeMap<String, u64>,
    /// As [`Report::usage`].
    pub usage: BTreeMap<String, Usage>,
    /// As [`Report::lines`].
    pub lines: usize,
    /// As [`Report::database_bytes`].
    pub database_bytes: u64,
    /// What the provider has counted.
    pub provider: sandbox::Figures,
    /// New prices and deliveries that were sent.
    pub changes: usize,
    /// As [`crate::verdict::judged_ms`] says.
    pub change_judged_ms: Vec<f64>,
    /// From the first message to the end, in seconds.
    pub seconds: f64,
}

impl Report {
    /// Puts judgement and measurements together.
    pub fn new(judgement: &Judgement, measured: &Measured) -> Self {
        let figures = |function: &str| measured.figures.get(function).cloned().unwrap_or_default();
        let calls = |caller: &str| measured.data_api_calls.get(caller).copied().unwrap_or(0);
        let per_batch = |caller: &str| {
            let batches = figures(caller).batches;
            let opened = measured.cold_starts.get(caller).copied().unwrap_or(0);
            (batches > 0).then(|| hundredths(ratio(calls(caller).saturating_sub(opened), batches)))
        };
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
            double_charged: judgement.double_charged,
            orphan_holds: judgement.orphan_holds,
            leaked: judgement.leaked,
            mismatched: judgement.mismatched,
            unfinished: judgement.unfinished,
            accepted_ms: figures(FUNCTIONS[0]).accepted_ms,
            confirmed_ms: figures(FUNCTIONS[1]).confirmed_ms,
            provider_ms: measured.provider.provider_ms,
            provider_calls: measured.provider.calls_total,
            product_changes: u64::try_from(measured.changes).unwrap_or(u64::MAX),
            product_change_ms: Percentiles::of(measured.change_judged_ms.clone()),
            orders_per_s: hundredths(float(ended) / seconds),
            data_api_calls: of_each(calls),
            data_api_calls_per_batch: of_each(per_batch),
            redis_calls: of_each(|function| figures(function).redis_calls),
            cold_starts: measured.cold_starts.clone(),
            usage: measured.usage.clone(),
            lines: u64::try_from(measured.lines).unwrap_or(u64::MAX),
            database_bytes: measured.database_bytes,
        }
    }

    /// The tables for people.
    pub fn table(&self) -> String {
        let row =
            |name: &str, count: u64, note: &str| vec![name.to_owned(), count.to_string(), note.to_owned()];
        let mut rows = vec![
            row("sent", self.sent, &format!("and {} of them a second time", self.duplicates)),
            row("accepted", self.accepted, "stock reserved, payment requested"),
            row("confirmed", self.confirmed, "paid, each once and in full"),
            row("rejected", self.rejected.values().sum(), ""),
        ];
        rows.extend(self.rejected.iter().map(|(reason, count)| row(&format!("  {reason}"), *count, "")));
        rows.extend([
            row("quarantined", self.quarantined, "can never be orders; kept with their reason"),
            row("dead-lettered", self.dead_lettered, ""),
            row("lost", self.lost, "sent and nowhere to be found"),
            row("double-charged", self.double_charged, "paid more than once, by the provider's ledger"),
            row("held for nothing", self.orphan_holds, "money that nobody took or released"),
            row("let out", self.leaked, "names, addresses, cards or keys in a log, an attribute or a row"),
            row("mismatched", self.mismatched, "rows, charge, events, stock or outcome not as sent"),
            row("unfinished", self.unfinished, "still on their way when the time was over"),
        ]);
        format!("{}\n\n{}", table(&["orders", "count", ""], &rows), self.speed())
    }

    fn speed(&self) -> String {
        let row = |name: &str, cells: [String; 2]| {
            let [accepts, settles] = cells;
            vec![name.to_owned(), accepts, settles]
        };
        let each = |cell: &dyn Fn(&str) -> String| FUNCTIONS.map(cell);
        let calls = |function: &str| {
            let per_batch = self.data_api_calls_per_batch.get(function).copied().flatten();
            let per_batch = per_batch.map_or("-".to_owned(), |n| format!("{n:.2}"));
            format!("{}, {per_batch} a batch", of(&self.data_api_calls, function))
        };
        let provider =
            [String::new(), format!("{} of {} calls", times(self.provider_ms), self.provider_calls)];
        let rows = [
            row("done within, ms", [times(self.accepted_ms), times(self.confirmed_ms)]),
            row("of it the provider, ms", provider),
            row("price known within, ms", [times(self.product_change_ms), String::new()]),
            row("Data API calls", each(&calls)),
            row("Redis calls", each(&|function| of(&self.redis_calls, function))),
            row("cold starts", each(&|function| of(&self.cold_starts, function))),
            row("orders per second", [format!("{:.0}", self.orders_per_s), String::new()]),
        ];
        table(&["", FUNCTIONS[0], FUNCTIONS[1]], &rows)
    }
}

fn of_each<T>(value: impl Fn(&str) -> T) -> BTreeMap<String, T> {
    FUNCTIONS.map(|function| (function.to_owned(), value(function))).into()
}

fn of(counts: &BTreeMap<String, u64>, function: &str) -> String {
    counts.get(function).copied().unwrap_or(0).to_string()
}

/// Percentiles in one cell.
pub(crate) fn times(times: Percentiles) -> String {
    let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"));
    format!("p50 {}   p95 {}   p99 {}", ms(times.p50), ms(times.p95), ms(times.p99))
}

/// The verdict in words: what was found, or that nothing was.
pub fn verdict(judgement: &Judgement) -> String {
    if judgement.passed() {
        return "Verdict: nothing lost, nobody charged twice, nothing mismatched, nothing unfinished."
            .to_owned();
    }
    let shown: Vec<String> =
        judgement.findings.iter().take(FINDINGS_MAX).map(|finding| format!("  {finding}")).collect();
    let hidden = judgement.findings.len().saturating_sub(FINDINGS_MAX);
    let more = if hidden > 0 { format!("\n  and {hidden} more") } else { String::new() };
    let Judgement {
        lost, double_charged, orphan_holds, leaked, mismatched, unfinished, dead_lettered, ..
    } = judgement;
    format!(
        "Verdict: FAILED. {lost} lost, {double_charged} charged twice, {orphan_holds} holds left, {leaked} let out, {mismatched} mismatched, {unfinished} unfinished, {dead_lettered} dead-lettered.\n{}{more}",
        shown.join("\n")
    )
}

pub(crate) fn ratio(part: u64, whole: u64) -> f64 {
    float(part) / float(whole)
}

/// Counts of a run are far below 2^32.
pub(crate) fn float(n: u64) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

pub(crate) fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::{Measured, Report, Usage, verdict};
    use crate::figures::{Figures, Percentiles};
    use crate::sandbox;
    use crate::verdict::Judgement;
    use serde_json::json;

    fn judgement() -> Judgement {
        Judgement {
            sent: 100,
            duplicates: 3,
            accepted: 90,
            confirmed: 88,
            rejected: [("out_of_stock".to_owned(), 6), ("payment_declined".to_owned(), 2)].into(),
            quarantined: 4,
            ..Judgement::default()
        }
    }

    fn percentiles(p50: f64, p95: f64, p99: f64) -> Percentiles {
        Percentiles { p50: Some(p50), p95: Some(p95), p99: Some(p99) }
    }

    fn report() -> Report {
        let accepted_ms = percentiles(23.0, 41.0, 77.0);
        let confirmed_ms = percentiles(400.0, 900.0, 1200.0);
        let accepting = Figures { batches: 40, accepted_ms, redis_calls: 31, ..Figures::default() };
        let settling = Figures { batches: 20, confirmed_ms, redis_calls: 80, ..Figures::default() };
        let named = |accepts, settles| {
            [("process-orders".to_owned(), accepts), ("settle-payments".to_owned(), settles)].into()
        };
        let provider_ms = percentiles(120.0, 300.0, 500.0);
        let usage =
            Usage { invocations: 40, messages: 103, data_api_calls: 43, sqs_calls: 80, log_bytes: 9000 };
        let measured = Measured {
            figures: [("process-orders".to_owned(), accepting), ("settle-payments".to_owned(), settling)]
                .into(),
            data_api_calls: named(45, 63),
            cold_starts: named(2, 3),
            provider: sandbox::Figures { provider_ms, calls_total: 178, ..sandbox::Figures::default() },
            usage: [("process-orders".to_owned(), usage)].into(),
            lines: 190,
            database_bytes: 70_000,
            changes: 5,
            change_judged_ms: vec![90.0, 40.0, 60.0],
            seconds: 0.8,
        };
        Report::new(&judgement(), &measured)
    }

    #[test]
    fn the_json_has_the_agreed_fields() {
        let expected = json!({
            "sent": 100, "duplicates": 3, "accepted": 90, "confirmed": 88,
            "rejected": {"out_of_stock": 6, "payment_declined": 2}, "quarantined": 4, "dead_lettered": 0, "lost": 0,
            "double_charged": 0, "orphan_holds": 0, "leaked": 0, "mismatched": 0, "unfinished": 0,
            "accepted_ms": {"p50": 23.0, "p95": 41.0, "p99": 77.0},
            "confirmed_ms": {"p50": 400.0, "p95": 900.0, "p99": 1200.0},
            "provider_ms": {"p50": 120.0, "p95": 300.0, "p99": 500.0}, "provider_calls": 178, "orders_per_s": 125.0,
            "product_changes": 5, "product_change_ms": {"p50": 60.0, "p95": 90.0, "p99": 90.0},
            "data_api_calls": {"process-orders": 45, "settle-payments": 63},
            "data_api_calls_per_batch": {"process-orders": 1.08, "settle-payments": 3.0},
            "redis_calls": {"process-orders": 31, "settle-payments": 80},
            "cold_starts": {"process-orders": 2, "settle-payments": 3},
            "usage": {"process-orders": {"invocations": 40, "messages": 103, "data_api_calls": 43, "sqs_calls": 80, "log_bytes": 9000}},
            "lines": 190, "database_bytes": 70_000,
        });
        assert_eq!(serde_json::to_value(report()).unwrap(), expected);
    }

    #[test]
    fn the_tables_read_at_a_glance() {
        let table = report().table();
        assert!(table.contains("  confirmed              88  paid, each once and in full\n"), "{table}");
        assert!(table.contains("    payment_declined      2\n"), "{table}");
        let times = table.lines().find(|line| line.contains("done within, ms")).unwrap();
        assert!(times.ends_with("p50 23   p95 41   p99 77  p50 400   p95 900   p99 1200"), "{table}");
        assert!(table.contains("price known within, ms  p50 60   p95 90   p99 90"), "{table}");
        assert!(table.contains("45, 1.08 a batch"), "{table}");
        assert!(table.contains("63, 3.00 a batch"), "{table}");
    }

    #[test]
    fn the_verdict_says_what_was_found() {
        let good = "Verdict: nothing lost, nobody charged twice, nothing mismatched, nothing unfinished.";
        assert_eq!(verdict(&judgement()), good);
        let findings = (0..25).map(|n| format!("finding {n}")).collect();
        let text = verdict(&Judgement { lost: 25, findings, ..judgement() });
        assert!(text.starts_with(
            "Verdict: FAILED. 25 lost, 0 charged twice, 0 holds left, 0 let out, 0 mismatched, 0 unfinished, 0 dead-lettered.\n  finding 0\n"
        ));
        assert!(text.ends_with("finding 19\n  and 5 more"), "{text}");
    }
}
