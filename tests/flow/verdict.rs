//! The demo's verdict can fail: a planted defect of each kind makes it exit 1, and names it.

use std::path::PathBuf;

use serde_json::Value;
use tokio::process::Command;

/// The program behind `cargo xtask demo`, as built beside this test.
fn harness() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    here.ancestors().nth(2).unwrap().join("harness")
}

/// Runs a small demo and returns its exit code and its report.
async fn demo(arguments: &[&str]) -> (Option<i32>, Value) {
    let mut command = Command::new(harness());
    let size = if arguments.contains(&"--orders") { &[][..] } else { &["--orders", "120"][..] };
    command.args(["demo", "--rate", "200", "--seed", "3", "--json"]).args(size).args(arguments);
    let output = command.kill_on_drop(true).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let report = serde_json::from_str(&text);
    (
        output.status.code(),
        report.unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&output.stderr))),
    )
}

#[tokio::test]
async fn a_sound_run_passes() {
    let (code, report) = demo(&[]).await;
    assert_eq!(code, Some(0), "{report}");
    for figure in ["lost", "mismatched", "unfinished", "dead_lettered", "double_charged", "orphan_holds"] {
        assert_eq!(report[figure], 0, "{report}");
    }
    assert!(report["confirmed"].as_u64().unwrap() > 60, "{report}");
    let rejected: u64 = report["rejected"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    let ends = report["confirmed"].as_u64().unwrap() + rejected + report["quarantined"].as_u64().unwrap();
    assert_eq!(report["sent"].as_u64().unwrap(), ends, "{report}");
    assert!(report["data_api_calls_per_batch"]["settle-payments"].as_f64().unwrap() >= 1.0, "{report}");
    assert!(report["confirmed_ms"]["p50"].as_f64() > report["provider_ms"]["p50"].as_f64(), "{report}");
}

/// A demo with this defect planted must fail, and count it under `figure`.
async fn check(defect: &str, figure: &str) {
    let (code, report) = demo(&["--plant", defect]).await;
    assert_eq!(code, Some(1), "{report}");
    assert!(report[figure].as_u64().unwrap() > 0, "{report}");
}

/// The most that may pass between sending a new price and an order that is judged by it.
const PRICED_WITHIN_MS: f64 = 1000.0;

#[tokio::test]
async fn a_new_price_reaches_orders_within_a_second_of_a_demo() {
    let (code, report) = demo(&["--orders", "1000"]).await;
    assert_eq!(code, Some(0), "{report}");
    assert!(report["product_changes"].as_u64().unwrap() >= 20, "{report}");
    assert!(report["rejected"]["price_changed"].as_u64().unwrap() > 10, "{report}");
    assert!(report["product_change_ms"]["p99"].as_f64().unwrap() < PRICED_WITHIN_MS, "{report}");
    assert_counts_are_those_of_the_cost_model(&report);
}

/// Of the counts in `infra/measured.json`, so much may differ from today's.
const TOLERANCE: f64 = 0.3;

/// So many Data API calls an invocation may differ: less than one more in every batch, and more than what a short run
/// spends on opening connections and reading the catalog for the first time.
const CALL_TOLERANCE: f64 = 0.7;

/// A change that makes more calls must be measured again, or the cost model would go on telling of the old ones.
fn assert_counts_are_those_of_the_cost_model(report: &Value) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/measured.json");
    let measured: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let ratio =
        |counts: &Value, of: &str, by: &str| counts[of].as_f64().unwrap() / counts[by].as_f64().unwrap();
    let check = |what: &str, then: f64, now: f64| {
        let off = (now / then - 1.0).abs();
        assert!(
            off < TOLERANCE,
            "{what}: {now:.3}, but {then:.3} in infra/measured.json; run `cargo xtask cost --measure`"
        );
    };
    for function in ["process-orders", "settle-payments"] {
        let (then, now) = (&measured["functions"][function], &report["usage"][function]);
        let each = |counts| ratio(counts, "data_api_calls", "invocations");
        let (before, calls) = (each(then), each(now));
        assert!(
            (calls - before).abs() < CALL_TOLERANCE,
            "{function}: {calls:.3} Data API calls an invocation, but {before:.3} in infra/measured.json; run `cargo xtask cost --measure`"
        );
        let messages =
            |counts: &Value, orders: &Value| counts["messages"].as_f64().unwrap() / orders.as_f64().unwrap();
        let (then, now) = (messages(then, &measured["orders"]), messages(now, &report["sent"]));
        check(&format!("{function}, messages an order"), then, now);
    }
    let lines = ratio(&measured, "lines", "orders");
    check("lines an order", lines, ratio(report, "lines", "sent"));
}

#[tokio::test]
async fn a_price_that_nobody_sent_fails_the_verdict() {
    check("mispriced", "mismatched").await;
}

#[tokio::test]
async fn a_lost_order_fails_the_verdict() {
    check("lost", "lost").await;
}

#[tokio::test]
async fn a_mismatched_order_fails_the_verdict() {
    check("mismatched", "mismatched").await;
}

#[tokio::test]
async fn an_unfinished_order_fails_the_verdict() {
    check("unfinished", "unfinished").await;
}

#[tokio::test]
async fn an_order_charged_twice_fails_the_verdict() {
    check("double-charge", "double_charged").await;
}

#[tokio::test]
async fn money_held_for_nothing_fails_the_verdict() {
    check("orphan-hold", "orphan_holds").await;
}

#[tokio::test]
async fn a_customers_name_in_a_log_fails_the_verdict() {
    check("leak", "leaked").await;
}

#[tokio::test]
async fn another_amount_than_the_total_fails_the_verdict() {
    check("mismatched-charge", "mismatched").await;
}
