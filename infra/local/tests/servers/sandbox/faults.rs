//! Failures on demand: what the client sees of each, and whether it was executed.

use std::{io::ErrorKind, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{HOLD, Provider};
use crate::support::wait_for;

const CREATE: &str = "/v1/payment_intents";
/// How long to wait before saying that nothing comes.
const SILENCE: Duration = Duration::from_millis(150);

/// Sends the hold over a connection of its own and reads until it ends; `None` is silence.
async fn raw(provider: &Provider) -> Option<Result<String, ErrorKind>> {
    let mut line = TcpStream::connect(provider.address()).await.unwrap();
    let length = HOLD.len();
    let head = "host: x\r\nauthorization: Bearer sk_test_x\r\nconnection: close";
    let request = format!("POST {CREATE} HTTP/1.1\r\n{head}\r\ncontent-length: {length}\r\n\r\n{HOLD}");
    line.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    let read = tokio::time::timeout(SILENCE, line.read_to_string(&mut text)).await.ok()?;
    Some(read.map(|_| text).map_err(|error| error.kind()))
}

async fn set(provider: &Provider, fault: Value) {
    provider.set("faults", json!({"seed": 7, "faults": [fault]})).await;
}

async fn executed(provider: &Provider) -> bool {
    provider.ledger().await["totals"]["authorized_minor"] != 0
}

#[tokio::test]
async fn a_reset_is_a_reset_before_or_after_the_work() {
    for (kind, works) in [("reset_before", false), ("reset_after", true)] {
        let provider = Provider::start().await;
        set(&provider, json!({"kind": kind})).await;
        assert_eq!(raw(&provider).await, Some(Err(ErrorKind::ConnectionReset)), "{kind}");
        assert_eq!(executed(&provider).await, works, "{kind}");
        let figures = provider.figures().await;
        assert_eq!(figures["refused_by_fault"], json!({ kind: 1 }));
        assert_eq!(figures["calls"], json!({"authorize": {"none": 1}}));
    }
}

#[tokio::test]
async fn half_a_body_has_the_length_of_a_whole_one() {
    let provider = Provider::start().await;
    set(&provider, json!({"kind": "half_body"})).await;
    let text = raw(&provider).await.unwrap().unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let announced = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let announced: usize = announced.parse().unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK") && body.starts_with(r#"{"id":"pi_"#), "{text}");
    assert_eq!(body.len(), announced / 2);
    assert!(executed(&provider).await);
    assert_eq!(provider.post(CREATE, HOLD).await.status, 0, "a client takes it for no answer");
}

#[tokio::test]
async fn a_hanging_provider_says_and_does_nothing() {
    for kind in ["hang", "blackhole"] {
        let provider = Provider::start().await;
        set(&provider, json!({"kind": kind})).await;
        assert_eq!(raw(&provider).await, None, "{kind}");
        assert!(!executed(&provider).await);
        let figures = provider.figures().await;
        assert_eq!(figures["refused_by_fault"], json!({ kind: 1 }));
        assert_eq!(
            (&figures["calls"], &figures["calls_total"]),
            (&json!({"authorize": {"none": 1}}), &json!(1))
        );
    }
}

#[tokio::test]
async fn a_black_hole_takes_in_more_than_it_reads_until_it_closes() {
    let provider = Provider::start().await;
    let open = provider.hold().await; // A connection that is open already.
    set(&provider, json!({"kind": "blackhole"})).await;
    let path = format!("{CREATE}/{open}");
    let silent = tokio::time::timeout(SILENCE, provider.get(&path)).await;
    assert!(silent.is_err(), "{silent:?}");
    let mut line = TcpStream::connect(provider.address()).await.unwrap();
    line.write_all(b"POST /v1/refunds HTTP/1.1\r\n").await.unwrap();
    let mut byte = [0];
    assert!(tokio::time::timeout(SILENCE, line.read(&mut byte)).await.is_err());
    provider.set("faults", json!({"faults": []})).await;
    let ended = tokio::time::timeout(Duration::from_secs(5), line.read(&mut byte)).await.unwrap();
    assert_eq!(
        ended.map_err(|error| error.kind()),
        Err(ErrorKind::ConnectionReset),
        "unread bytes end in a reset"
    );
    assert_eq!(provider.get(&path).await.status, 200);
}

#[tokio::test]
async fn refusals_have_their_status_and_are_not_executed() {
    for (kind, status, error_type) in [
        ("error_500", 500, "api_error"),
        ("error_429", 429, "invalid_request_error"),
        ("error_503", 503, "api_error"),
    ] {
        let provider = Provider::start().await;
        set(&provider, json!({"kind": kind, "latency_ms": 30})).await;
        let answer = provider.post(CREATE, HOLD).await;
        assert_eq!((answer.status, answer.text("error.type")), (status, error_type), "{kind}");
        let reason = answer.header("stripe-rate-limited-reason");
        assert_eq!(reason, (status == 429).then_some("endpoint-rate"), "{kind}");
        assert!(!executed(&provider).await, "{kind}");
        assert_eq!(provider.figures().await["answered_429"], 0, "{kind}: that is for the limits");
    }
}

#[tokio::test]
async fn a_brown_out_is_slow_and_turns_half_away() {
    let provider = Provider::start().await;
    set(&provider, json!({"kind": "brown_out", "latency_ms": 40})).await;
    let mut statuses = Vec::new();
    for _ in 0..24 {
        let began = local_cloud::clock::now();
        statuses.push(provider.post(CREATE, HOLD).await.status);
        assert!(began.elapsed() >= Duration::from_millis(40), "{:?}", began.elapsed());
    }
    let away = statuses.iter().filter(|status| **status == 503).count();
    assert!(
        (4..=20).contains(&away) && statuses.iter().all(|status| [200, 503].contains(status)),
        "{statuses:?}"
    );
    let holds = provider.ledger().await["orders"]["ord_1"]["holds"].as_u64().unwrap();
    assert_eq!(usize::try_from(holds).unwrap(), 24 - away);
}

#[tokio::test]
async fn a_fault_meets_its_endpoint_as_often_as_it_says() {
    let provider = Provider::start().await;
    set(&provider, json!({"kind": "error_503", "endpoint": "capture", "times": 2})).await;
    let path = format!("{CREATE}/{}/capture", provider.hold().await);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(provider.post(&path, "").await.status);
    }
    assert_eq!(statuses, [503, 503, 200]);
    assert_eq!(provider.get("/_sandbox/faults").await.body["faults"], json!([]));
}

#[tokio::test]
async fn the_first_success_after_the_faults_is_noted() {
    let provider = Provider::start().await;
    set(&provider, json!({"kind": "error_503"})).await;
    provider.post(CREATE, HOLD).await;
    provider.set("faults", json!({"faults": []})).await;
    provider.get(CREATE).await;
    assert_eq!(provider.figures().await["first_success_ms"], Value::Null, "reading changes no money");
    let before = local_cloud::clock::now_ms();
    provider.hold().await;
    let first = provider.figures().await["first_success_ms"].as_u64().unwrap();
    assert!(first >= before && first <= local_cloud::clock::now_ms());
    provider.hold().await;
    assert_eq!(provider.figures().await["first_success_ms"], first);
}

#[tokio::test]
async fn a_lost_answer_is_learned_by_the_same_key() {
    for kind in ["reset_after", "half_body"] {
        let provider = Provider::start().await;
        provider.set("faults", json!({"faults": [{"kind": kind, "times": 1}]})).await;
        assert_eq!(provider.post_with("k1", CREATE, HOLD).await.status, 0, "{kind}");
        wait_for("it is saved", async || provider.post_with("k1", CREATE, HOLD).await.status == 200).await;
        assert_eq!(provider.ledger().await["orders"]["ord_1"]["holds"], 1, "{kind}");
    }
}
