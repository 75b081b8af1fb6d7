//! The Lambda host: reuse, concurrency, deadlines, crashes, faults.

use std::time::Duration;

use bytes::Bytes;
use local_cloud::{
    clock,
    lambda_host::{Answer, Failure, FunctionSpec, Nudge, Refusal},
};
use serde_json::{Value, json};

use crate::support::{Bench, PROBE, is_running, json_of, probe, wait_for};

#[track_caller]
fn check_failure(answer: &Answer, failure: Failure, error_type: &str) {
    assert_eq!(answer.failure, Some(failure), "{answer:?}");
    assert_eq!(json_of(&answer.payload)["errorType"], error_type);
}

#[tokio::test]
async fn an_idle_instance_is_reused() {
    let bench = Bench::with_probe(|_| {}).await;
    let first = bench.pid().await;
    for _ in 0..20 {
        assert_eq!(bench.pid().await, first);
    }
    let figures = bench.figures();
    assert_eq!((figures.cold_starts, figures.instances, figures.invocations), (1, 1, 21));
    assert!(figures.memory_kb > 1_000 && figures.memory_kb <= figures.memory_kb_max, "{figures:?}");
    // Its input, its two outputs, and the connection on which it asks for events.
    assert!(figures.open_handles >= 4, "{figures:?}");
}

#[tokio::test]
async fn invocations_at_the_same_time_run_in_processes_of_their_own() {
    let bench = Bench::with_probe(|spec| spec.cap = 3).await;
    let sleep = || bench.invoke(json!({"do": "sleep", "ms": 300}));
    let (first, second, third) = tokio::join!(sleep(), sleep(), sleep());
    let mut pids: Vec<Value> =
        [first, second, third].map(|answer| json_of(&answer.unwrap().payload)["pid"].clone()).to_vec();
    pids.sort_by_key(Value::as_u64);
    pids.dedup();
    assert_eq!(pids.len(), 3);
    assert_eq!(bench.figures().cold_starts, 3);
}

#[tokio::test]
async fn beyond_the_cap_an_invocation_is_throttled() {
    let bench = Bench::with_probe(|spec| spec.cap = 2).await;
    let sleep = || bench.invoke(json!({"do": "sleep", "ms": 300}));
    let (first, second, third) = tokio::join!(sleep(), sleep(), sleep());
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(third.unwrap_err(), Refusal::Throttled);
    let figures = bench.figures();
    assert_eq!((figures.instances, figures.throttles), (2, 1));
}

#[tokio::test]
async fn a_timeout_kills_the_process_and_the_next_invocation_gets_a_new_one() {
    let bench = Bench::with_probe(|spec| {
        spec.timeout = Duration::from_millis(400);
        spec.cap = 1;
    })
    .await;
    let first = bench.pid().await;
    let began = clock::now();
    let answer = bench.invoke(json!({"do": "sleep", "ms": 30_000})).await.unwrap();
    check_failure(&answer, Failure::Timeout, "Sandbox.Timedout");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert!(!is_running(first), "the process survived its deadline");
    assert_ne!(bench.pid().await, first);
    let figures = bench.figures();
    assert_eq!((figures.timeouts, figures.errors, figures.cold_starts, figures.crashes), (1, 1, 2, 0));
}

#[tokio::test]
async fn a_process_that_exits_fails_its_invocation_and_is_replaced() {
    let bench = Bench::with_probe(|spec| spec.cap = 1).await;
    let answer = bench.invoke(json!({"do": "exit", "code": 3})).await.unwrap();
    check_failure(&answer, Failure::Exit, "Runtime.ExitError");
    let message = json_of(&answer.payload)["errorMessage"].to_string();
    assert!(message.contains("Runtime exited with error: exit status 3"), "{message}");
    bench.pid().await;
    assert_eq!(bench.figures().crashes, 1);
}

#[tokio::test]
async fn an_error_or_a_panic_is_the_functions_own_affair() {
    let bench = Bench::with_probe(|_| {}).await;
    let pid = bench.pid().await;
    for command in ["error", "panic"] {
        let answer = bench.invoke(json!({"do": command})).await.unwrap();
        assert_eq!(answer.failure, Some(Failure::Handled), "{command}");
        assert!(json_of(&answer.payload)["errorMessage"].to_string().contains("told to"), "{command}");
    }
    assert_eq!(bench.pid().await, pid);
    assert_eq!(bench.figures().crashes, 0);
}

#[tokio::test]
async fn an_answer_beyond_six_mebibytes_is_an_error() {
    let bench = Bench::with_probe(|_| {}).await;
    let answer = bench.invoke(json!({"do": "large"})).await.unwrap();
    check_failure(&answer, Failure::Handled, "Function.ResponseSizeTooLarge");
}

#[tokio::test]
async fn a_function_that_does_not_come_up_says_so() {
    let bench = Bench::with_probe(|spec| spec.args = vec!["init-fail".to_owned()]).await;
    let answer = bench.invoke(json!({})).await.unwrap();
    check_failure(&answer, Failure::Init, "Runtime.ExitError");
    assert_eq!(bench.figures().instances, 0);
}

#[tokio::test]
async fn a_program_that_is_missing_says_so() {
    let bench = Bench::with_probe(|spec| spec.command = "/nowhere/bootstrap".into()).await;
    let answer = bench.invoke(json!({})).await.unwrap();
    assert_eq!(answer.failure, Some(Failure::Init), "{answer:?}");
}

#[tokio::test]
async fn the_deadline_is_an_absolute_time() {
    let bench = Bench::with_probe(|spec| spec.timeout = Duration::from_secs(5)).await;
    let now_ms = clock::now_ms();
    let answer = bench.invoke(json!({"do": "deadline"})).await.unwrap();
    let deadline_ms = json_of(&answer.payload).as_u64().unwrap();
    assert!((now_ms + 4_000..now_ms + 15_000).contains(&deadline_ms), "{deadline_ms} from {now_ms}");
}

#[tokio::test]
async fn the_function_sees_lambdas_environment_and_its_own_alone() {
    let bench = Bench::with_probe(|spec| {
        spec.environment = [("ORDERFLOW_PROBE".to_owned(), "yes".to_owned())].into();
    })
    .await;
    let answer = bench.invoke(json!({"do": "environment"})).await.unwrap();
    let environment = json_of(&answer.payload);
    assert_eq!(environment["ORDERFLOW_PROBE"], "yes");
    assert_eq!(environment["AWS_LAMBDA_FUNCTION_NAME"], PROBE);
    assert_eq!(environment["AWS_ACCESS_KEY_ID"], "AKIAPROBE");
    assert_eq!(environment["HOME"], Value::Null);
    assert_eq!(environment["RUST_BACKTRACE"], Value::Null);
}

#[tokio::test]
async fn a_busy_process_can_be_killed() {
    let bench = Bench::with_probe(|spec| spec.timeout = Duration::from_secs(30)).await;
    let pid = bench.pid().await;
    let (answer, ()) = tokio::join!(bench.invoke(json!({"do": "sleep", "ms": 20_000})), async {
        wait_for("busy", async || bench.figures().busy == 1).await;
        assert_eq!(bench.host.nudge(PROBE, Nudge::Kill).unwrap().map(u64::from), Some(pid));
    });
    check_failure(&answer.unwrap(), Failure::Exit, "Runtime.ExitError");
    assert_ne!(bench.pid().await, pid);
}

#[tokio::test]
async fn a_frozen_process_goes_on_when_thawed() {
    let bench = Bench::with_probe(|spec| spec.timeout = Duration::from_secs(10)).await;
    bench.pid().await;
    bench.host.nudge(PROBE, Nudge::Freeze).unwrap();
    let began = clock::now();
    let (answer, ()) = tokio::join!(bench.invoke(json!({"do": "ok"})), async {
        clock::sleep(Duration::from_millis(300)).await;
        bench.host.nudge(PROBE, Nudge::Thaw).unwrap();
    });
    assert_eq!(answer.unwrap().failure, None);
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn faults_throttle_and_delay_cold_starts() {
    let bench = Bench::with_probe(|_| {}).await;
    bench.host.set_faults(PROBE, |faults| faults.throttle = true).unwrap();
    assert_eq!(bench.invoke(json!({})).await.unwrap_err(), Refusal::Throttled);
    let delay = Duration::from_millis(300);
    bench
        .host
        .set_faults(PROBE, |faults| (faults.throttle, faults.cold_start_delay) = (false, delay))
        .unwrap();
    let began = clock::now();
    bench.pid().await;
    assert!(began.elapsed() >= delay, "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_instance_without_work_is_ended_when_a_limit_is_set() {
    let bench = Bench::with_probe(|spec| spec.idle_limit = Some(Duration::from_millis(100))).await;
    let pid = bench.pid().await;
    wait_for("the idle instance ended", async || bench.figures().instances == 0).await;
    assert!(!is_running(pid));
    assert_ne!(bench.pid().await, pid);
}

#[tokio::test]
async fn what_a_function_prints_is_in_its_log_file() {
    let bench = Bench::with_probe(|_| {}).await;
    let record = json!({"Records": [{"messageId": "a", "body": "{\"do\":\"ok\"}"}]});
    bench.invoke(record).await.unwrap();
    wait_for("the log line", async || bench.log().iter().any(|line| line["command"]["do"] == "ok")).await;
}

#[tokio::test]
async fn a_function_registered_again_replaces_the_old_one() {
    let bench = Bench::with_probe(|_| {}).await;
    let pid = bench.pid().await;
    bench.host.register(FunctionSpec::new(PROBE, probe())).await.unwrap();
    assert_ne!(bench.pid().await, pid);
    wait_for("the old instance ended", async || !is_running(pid)).await;
}

#[tokio::test]
async fn stopping_ends_every_process_and_refuses_new_work() {
    let bench = Bench::with_probe(|_| {}).await;
    let pid = bench.pid().await;
    bench.host.stop().await;
    assert!(!is_running(pid));
    assert_eq!(bench.invoke(json!({})).await.unwrap_err(), Refusal::Throttled);
}

#[tokio::test]
async fn an_unknown_function_is_refused() {
    let bench = Bench::start().await;
    assert_eq!(bench.host.invoke("nobody", Bytes::new()).await.unwrap_err(), Refusal::Unknown);
    let error = bench.host.nudge("nobody", Nudge::Kill).unwrap_err();
    assert!(error.to_string().starts_with("there is no function nobody"), "{error}");
}

#[tokio::test]
async fn an_invocation_goes_on_when_its_caller_leaves() {
    let bench = Bench::with_probe(|_| {}).await;
    bench.pid().await;
    let sleep = bench.invoke(json!({"do": "sleep", "ms": 200}));
    assert!(tokio::time::timeout(Duration::from_millis(50), sleep).await.is_err());
    wait_for("the instance is free again", async || bench.figures().busy == 0).await;
    assert_eq!(bench.figures().invocations, 2);
}
