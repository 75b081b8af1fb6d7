//! The event source over real queues and real processes: what is deleted, what returns, how many at a time.

use std::time::Duration;

use local_cloud::{
    clock,
    event_source::{EventSource, Mapping, Target},
    lambda_host::{FunctionSpec, invoke_api},
    settings,
    sqs::QueueFigures,
};
use serde_json::{Value, json};

use crate::support::{Bench, PROBE, settings, wait_for};

const EMPTY: QueueFigures = QueueFigures { visible: 0, in_flight: 0, delayed: 0 };

fn mapping(change: impl FnOnce(&mut Mapping)) -> Mapping {
    let mut mapping = Mapping {
        function: PROBE.to_owned(),
        function_timeout: Duration::from_millis(500),
        source: settings::EventSource {
            queue: "orders".to_owned(),
            batch_size: 10,
            window: Duration::ZERO,
            maximum_concurrency: 5,
            reports_item_failures: true,
        },
        visibility_timeout: settings().queues["orders"].visibility_timeout,
        region: "eu-central-1".to_owned(),
    };
    change(&mut mapping);
    mapping
}

fn short(spec: &mut FunctionSpec) {
    spec.timeout = Duration::from_millis(500);
}

async fn start(bench: &Bench, change: impl FnOnce(&mut Mapping)) -> EventSource {
    EventSource::start(mapping(change), bench.sqs.clone(), bench.host.clone(), true).unwrap()
}

/// Sends commands while nobody polls, so that they make full batches.
async fn start_with(bench: &Bench, commands: &[Value], change: impl FnOnce(&mut Mapping)) -> EventSource {
    for command in commands {
        bench.send(command.clone()).await;
    }
    start(bench, change).await
}

async fn wait_empty(bench: &Bench) {
    wait_for("an empty queue", async || bench.sqs.figures("orders").await.unwrap() == EMPTY).await;
}

async fn dead(bench: &Bench) -> u64 {
    bench.sqs.figures("orders-dlq").await.unwrap().visible
}

#[tokio::test]
async fn a_message_reaches_the_function_as_lambda_would_hand_it_over() {
    let bench = Bench::with_probe(short).await;
    let source = start(&bench, |_| {}).await;
    bench.send(json!({"do": "ok"})).await;
    wait_for("it was deleted", async || source.figures().await.deleted == 1).await;
    wait_for("the log line", async || !bench.log().is_empty()).await;
    let event = bench.log()[0]["event"].clone();
    assert_eq!(event["eventSource"], "aws:sqs");
    assert_eq!(event["attributes"]["ApproximateReceiveCount"], "1");
    assert_eq!(event["messageAttributes"]["traceparent"]["stringValue"], "00-1-2-01");
    assert!(event["attributes"]["SentTimestamp"].is_string());
    wait_empty(&bench).await;
    assert_eq!(source.figures().await.oldest_age_ms, None);
}

#[tokio::test]
async fn a_warm_function_gets_a_message_within_milliseconds() {
    let bench = Bench::with_probe(short).await;
    let source = start(&bench, |_| {}).await;
    let mut latencies_us = Vec::new();
    for sent in 1..=60 {
        // Before sending: when the sender has its answer, the function may have finished already.
        let began = clock::now();
        bench.send(json!({"do": "ok"})).await;
        while source.figures().await.deleted < sent {
            assert!(began.elapsed() < Duration::from_secs(10), "message {sent} was not handled");
            // Not a timer, whose ticks of a millisecond would be most of what is measured.
            tokio::task::yield_now().await;
        }
        latencies_us.push(began.elapsed().as_micros());
    }
    latencies_us.sort_unstable();
    let median_us = latencies_us[latencies_us.len() / 2];
    println!(
        "before sending over HTTP to deleted, warm: median {median_us} us, worst {} us",
        latencies_us[latencies_us.len() - 1]
    );
    assert!(median_us < 20_000, "{median_us} us");
}

#[tokio::test]
async fn messages_the_function_names_come_again_and_the_others_are_deleted() {
    let bench = Bench::with_probe(short).await;
    let commands: Vec<Value> =
        (0..10).map(|number| json!({"do": if number < 3 { "fail" } else { "ok" }})).collect();
    let source = start_with(&bench, &commands, |_| {}).await;
    wait_for("seven deleted", async || source.figures().await.deleted == 7).await;
    wait_for("three dead after two receives", async || dead(&bench).await == 3).await;
    let figures = source.figures().await;
    assert_eq!((figures.polled, figures.partial_failures, figures.failed), (13, 6, 0), "{figures:?}");
    wait_empty(&bench).await;
}

#[tokio::test]
async fn a_crash_deletes_nothing_and_the_queue_decides_when_it_is_enough() {
    let bench = Bench::with_probe(short).await;
    let source = start_with(&bench, &[json!({"do": "exit"}), json!({"do": "ok"})], |_| {}).await;
    wait_for("both dead", async || dead(&bench).await == 2).await;
    let figures = source.figures().await;
    assert_eq!((figures.deleted, figures.failed), (0, 4), "{figures:?}");
    assert_eq!(bench.figures().crashes, 2);
}

#[tokio::test]
async fn a_timeout_deletes_nothing() {
    let bench = Bench::with_probe(short).await;
    let source = start_with(&bench, &[json!({"do": "sleep", "ms": 20_000})], |_| {}).await;
    wait_for("it failed", async || source.figures().await.failed == 1).await;
    assert_eq!(bench.sqs.figures("orders").await.unwrap(), QueueFigures { in_flight: 1, ..EMPTY });
    assert_eq!(source.figures().await.last_failure.as_deref(), Some("the function ran into its timeout"));
}

#[tokio::test]
async fn an_answer_that_names_an_unknown_message_deletes_nothing() {
    let bench = Bench::with_probe(short).await;
    let raw = json!({"batchItemFailures": [{"itemIdentifier": "nobody"}]});
    let source = start_with(&bench, &[json!({"do": "answer", "raw": raw})], |_| {}).await;
    wait_for("it failed", async || source.figures().await.failed == 1).await;
    assert_eq!(source.figures().await.deleted, 0);
}

#[tokio::test]
async fn without_item_failures_every_answer_deletes_all() {
    let bench = Bench::with_probe(short).await;
    let source = start_with(&bench, &[json!({"do": "fail"}), json!({"do": "ok"})], |mapping| {
        mapping.source.reports_item_failures = false;
    })
    .await;
    wait_for("both deleted", async || source.figures().await.deleted == 2).await;
}

#[tokio::test]
async fn never_more_than_the_maximum_concurrency_at_a_time() {
    let bench = Bench::with_probe(|spec| spec.timeout = Duration::from_secs(5)).await;
    let commands = vec![json!({"do": "sleep", "ms": 60}); 20];
    let source = start_with(&bench, &commands, |mapping| {
        mapping.source.batch_size = 1;
        mapping.source.maximum_concurrency = 2;
        mapping.function_timeout = Duration::from_secs(1);
    })
    .await;
    wait_for("all deleted", async || source.figures().await.deleted == 20).await;
    let figures = bench.figures();
    assert_eq!((figures.cold_starts, figures.instances, figures.throttles), (2, 2, 0), "{figures:?}");
}

#[tokio::test]
async fn a_switched_off_source_leaves_messages_alone() {
    let bench = Bench::with_probe(short).await;
    let source = start(&bench, |_| {}).await;
    source.set_enabled(false);
    // Workers in a long poll hear of it at once, but not before the send below without this.
    tokio::task::yield_now().await;
    bench.send(json!({"do": "ok"})).await;
    clock::sleep(Duration::from_millis(200)).await;
    assert_eq!(bench.sqs.figures("orders").await.unwrap(), QueueFigures { visible: 1, ..EMPTY });
    source.set_enabled(true);
    wait_for("it was deleted", async || source.figures().await.deleted == 1).await;
}

#[tokio::test]
async fn throttled_messages_are_kept_and_delivered_later() {
    let bench = Bench::with_probe(short).await;
    bench.host.set_faults(PROBE, |faults| faults.throttle = true).unwrap();
    let source = start_with(&bench, &[json!({"do": "ok"})], |_| {}).await;
    wait_for("it was throttled", async || source.figures().await.throttled >= 2).await;
    bench.host.set_faults(PROBE, |faults| faults.throttle = false).unwrap();
    wait_for("it was deleted", async || source.figures().await.deleted == 1).await;
    assert_eq!(source.figures().await.polled, 1, "one receive sufficed");
}

#[tokio::test]
async fn a_window_fills_batches_across_receives() {
    let bench = Bench::with_probe(short).await;
    let source = start_with(&bench, &vec![json!({"do": "ok"}); 20], |mapping| {
        mapping.source.batch_size = 20;
        mapping.source.window = Duration::from_secs(1);
        // One worker at a time takes all twenty; several would share them.
        mapping.source.maximum_concurrency = 1;
    })
    .await;
    wait_for("all deleted", async || source.figures().await.deleted == 20).await;
    wait_for("the log lines", async || bench.log().len() == 20).await;
    assert!(bench.log().iter().all(|line| line["records"] == 20), "{:?}", bench.log()[0]["records"]);
}

#[tokio::test]
async fn another_hosts_invoke_url_is_as_good_as_the_own_host() {
    let bench = Bench::with_probe(short).await;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/2015-03-31/functions/{PROBE}/invocations", listener.local_addr().unwrap());
    let source = start(&bench, |_| {}).await;
    source.set_target(Target::Url(url));
    bench.send(json!({"do": "ok"})).await;
    wait_for("nobody listens yet, or the call waits", async || source.figures().await.invoked >= 1).await;
    invoke_api::serve(listener, bench.host.clone());
    wait_for("it was deleted", async || source.figures().await.deleted == 1).await;
    bench.send(json!({"do": "error"})).await;
    wait_for("a function error", async || source.figures().await.failed == 1).await;
}

#[tokio::test]
async fn stopping_finishes_the_batch_in_flight() {
    let bench = Bench::with_probe(short).await;
    let source = start_with(&bench, &[json!({"do": "sleep", "ms": 300})], |_| {}).await;
    wait_for("it is in flight", async || source.figures().await.in_flight == 1).await;
    source.stop().await;
    assert_eq!(source.figures().await.deleted, 1);
}
