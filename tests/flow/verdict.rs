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
    command.args(["demo", "--orders", "120", "--rate", "200", "--seed", "3", "--json"]).args(arguments);
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
    for figure in ["lost", "mismatched", "unfinished", "dead_lettered", "double_charged"] {
        assert_eq!(report[figure], 0, "{report}");
    }
}

/// A demo with this defect planted must fail, and count it under `figure`.
async fn check(defect: &str, figure: &str) {
    let (code, report) = demo(&["--plant", defect]).await;
    assert_eq!(code, Some(1), "{report}");
    assert!(report[figure].as_u64().unwrap() > 0, "{report}");
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
