//! Schedules: a real function invoked by the clock, paused, run on demand, and skipped at its cap.

use std::time::Duration;

use local_cloud::{lambda_host::Refusal, scheduler::Schedule};
use serde_json::json;

use crate::support::{Bench, PROBE, wait_for};

const OFTEN: Duration = Duration::from_millis(50);
const NEVER: Duration = Duration::from_secs(3_600);

fn schedule(bench: &Bench, every: Duration) -> Schedule {
    Schedule::start(PROBE, every, "eu-central-1", bench.host.clone())
}

#[tokio::test]
async fn the_clock_invokes_until_it_is_paused_or_stopped() {
    let bench = Bench::with_probe(|_| {}).await;
    let schedule = schedule(&bench, OFTEN);
    wait_for("three runs", async || schedule.figures().runs >= 3).await;
    let figures = schedule.figures();
    assert!(figures.enabled && figures.failed == 0 && figures.last_run_at_ms.is_some(), "{figures:?}");
    schedule.set_enabled(false);
    wait_for("no run is left", async || bench.figures().busy == 0).await;
    let paused = schedule.figures();
    assert!(!paused.enabled);
    schedule.run().await.unwrap();
    let more = schedule.figures().runs - paused.runs;
    assert!((1..=2).contains(&more), "the one on demand, and one that had begun: {more}");
    schedule.stop();
    schedule.set_enabled(true);
    let stopped = schedule.figures().runs;
    local_cloud::clock::sleep(4 * OFTEN).await;
    assert_eq!(schedule.figures().runs, stopped);
}

#[tokio::test]
async fn a_tick_at_the_cap_is_skipped() {
    let bench = Bench::with_probe(|spec| {
        spec.cap = 1;
        spec.timeout = Duration::from_secs(20);
    })
    .await;
    let host = bench.host.clone();
    let slow = json!({"do": "sleep", "ms": 1_000}).to_string();
    let busy = tokio::spawn(async move { host.invoke(PROBE, slow.into()).await });
    wait_for("it is busy", async || bench.figures().busy == 1).await;
    let often = schedule(&bench, OFTEN);
    wait_for("a tick was skipped", async || often.figures().skipped > 0).await;
    assert_eq!(often.figures().runs, 0);
    assert_eq!(often.run().await.unwrap_err(), Refusal::Throttled);
    busy.await.unwrap().unwrap();
    wait_for("it runs again", async || often.figures().runs > 0).await;
}

#[tokio::test]
async fn a_run_that_fails_is_counted() {
    let bench = Bench::with_probe(|spec| spec.args = vec!["init-fail".to_owned()]).await;
    let schedule = schedule(&bench, NEVER);
    assert!(schedule.run().await.unwrap().failure.is_some());
    let figures = schedule.figures();
    assert_eq!((figures.runs, figures.failed), (1, 1));
}
