//! Idempotency keys: what is saved, for how long, and what is never executed twice.

use hyper::Method;
use serde_json::json;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use super::{Answer, HOLD, Provider};
use crate::support::wait_for;

const CREATE: &str = "/v1/payment_intents";

#[track_caller]
fn check_replay(first: &Answer, again: &Answer) {
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(
        (first.header("idempotent-replayed"), again.header("idempotent-replayed")),
        (None, Some("true"))
    );
    assert_eq!(again.header("original-request"), first.header("request-id"));
    assert_ne!(again.header("request-id"), first.header("request-id"));
}

async fn holds(provider: &Provider) -> u64 {
    provider.ledger().await["orders"]["ord_1"]["holds"].as_u64().unwrap_or_default()
}

#[tokio::test]
async fn a_key_is_executed_once_and_answered_alike_ever_after() {
    let provider = Provider::start().await;
    let first = provider.post_with("k1", CREATE, HOLD).await;
    assert_eq!((first.status, first.header("idempotency-key")), (200, Some("k1")));
    check_replay(&first, &provider.post_with("k1", CREATE, HOLD).await);
    let reordered = HOLD.split('&').rev().collect::<Vec<_>>().join("&");
    check_replay(&first, &provider.post_with("k1", CREATE, &reordered).await);
    assert_eq!(holds(&provider).await, 1);
    let other = provider.post_with("k2", CREATE, HOLD).await;
    assert_ne!(other.text("id"), first.text("id"));
    assert_eq!(provider.figures().await["replayed"], 2);
    let without = (provider.hold().await, provider.hold().await);
    assert_ne!(without.0, without.1, "without a key every call is a new one");
}

#[tokio::test]
async fn declines_and_state_errors_are_saved() {
    let provider = Provider::start().await;
    let declined = HOLD.replace("visa", "chargeDeclined");
    let first = provider.post_with("k1", CREATE, &declined).await;
    assert_eq!(first.status, 402);
    check_replay(&first, &provider.post_with("k1", CREATE, &declined).await);
    let capture = format!("{CREATE}/{}/capture", first.text("error.payment_intent.id"));
    let first = provider.post_with("k2", &capture, "").await;
    assert_eq!(first.status, 400);
    check_replay(&first, &provider.post_with("k2", &capture, "").await);
}

#[tokio::test]
async fn a_key_belongs_to_one_request() {
    let provider = Provider::start().await;
    let first = provider.post_with("k1", CREATE, HOLD).await;
    let changed = provider.post_with("k1", CREATE, &HOLD.replace("1000", "1001")).await;
    assert_eq!((changed.status, changed.text("error.type")), (400, "idempotency_error"));
    assert!(changed.text("error.message").contains("same parameters"), "{changed:?}");
    let elsewhere = provider.post_with("k1", "/v1/customers", "").await;
    assert_eq!((elsewhere.status, elsewhere.text("error.type")), (400, "idempotency_error"));
    let long = provider.post_with(&"k".repeat(256), CREATE, HOLD).await;
    assert_eq!((long.status, long.text("error.type")), (400, "idempotency_error"));
    check_replay(&first, &provider.post_with("k1", CREATE, HOLD).await);
    assert_eq!(holds(&provider).await, 1);
}

#[tokio::test]
async fn a_key_in_use_is_a_conflict() {
    let provider = Provider::start().await;
    provider.set("latency", json!({"median_ms": 300, "sigma": 0.0})).await;
    let (one, two) =
        tokio::join!(provider.post_with("k1", CREATE, HOLD), provider.post_with("k1", CREATE, HOLD));
    let (done, refused) = if one.status == 200 { (one, two) } else { (two, one) };
    let found = (done.status, refused.status, refused.text("error.code"));
    assert_eq!(found, (200, 409, "idempotency_key_in_use"), "{refused:?}");
    assert_eq!(refused.header("stripe-should-retry"), Some("true"));
    check_replay(&done, &provider.post_with("k1", CREATE, HOLD).await);
    assert_eq!(holds(&provider).await, 1);
}

#[tokio::test]
async fn a_500_is_saved_with_and_without_effect() {
    let provider = Provider::start().await;
    for (kind, effect) in [("error_500", 0), ("error_500_with_effect", 1)] {
        let before = holds(&provider).await;
        provider.set("faults", json!({"faults": [{"kind": kind, "times": 1}]})).await;
        let first = provider.post_with(kind, CREATE, HOLD).await;
        assert_eq!((first.status, first.text("error.type")), (500, "api_error"), "{kind}");
        check_replay(&first, &provider.post_with(kind, CREATE, HOLD).await);
        assert_eq!(holds(&provider).await - before, effect, "{kind}");
    }
}

/// Makes the first call with a key fail in a way that is not saved; the second one must execute.
async fn check_not_saved(provider: &Provider, key: &str, first: Answer, status: u16) {
    assert_eq!((first.status, first.header("idempotent-replayed")), (status, None), "{key}: {first:?}");
    provider.set("limits", json!({"rate_per_s": 1_000})).await;
    let before = holds(provider).await;
    let second = provider.post_with(key, CREATE, HOLD).await;
    assert_eq!((second.status, second.header("idempotent-replayed")), (200, None), "{key}: {second:?}");
    assert_eq!(holds(provider).await - before, 1, "{key}");
}

#[tokio::test]
async fn what_was_not_executed_is_not_saved() {
    let provider = Provider::start().await;
    let key = |key| [("idempotency-key", key), ("authorization", "Bearer nobody")];
    let unauthorized = provider.call(Method::POST, CREATE, &key("unauthorized"), HOLD).await;
    check_not_saved(&provider, "unauthorized", unauthorized, 401).await;
    let invalid = provider.post_with("invalid", CREATE, &HOLD.replace("=1000", "=a")).await;
    check_not_saved(&provider, "invalid", invalid, 400).await;
    for (kind, status) in [("error_503", 503), ("error_429", 429)] {
        provider.set("faults", json!({"faults": [{"kind": kind, "times": 1}]})).await;
        let refused = provider.post_with(kind, CREATE, HOLD).await;
        check_not_saved(&provider, kind, refused, status).await;
    }
    provider.set("limits", json!({"rate_per_s": 1})).await;
    provider.post(CREATE, HOLD).await;
    let limited = provider.post_with("limited", CREATE, HOLD).await;
    check_not_saved(&provider, "limited", limited, 429).await;
}

#[tokio::test]
async fn the_limits_come_before_the_keys() {
    let provider = Provider::start().await;
    provider.post_with("k1", CREATE, HOLD).await;
    provider.set("limits", json!({"rate_per_s": 1})).await;
    let limited = provider.post_with("k1", CREATE, HOLD).await;
    assert_eq!((limited.status, limited.header("idempotent-replayed")), (429, None));
}

#[tokio::test]
async fn a_key_is_forgotten_after_a_day() {
    let provider = Provider::start().await;
    let first = provider.post_with("k1", CREATE, HOLD).await;
    provider.set("clock", json!({"advance_s": 24 * 60 * 60 - 10})).await;
    check_replay(&first, &provider.post_with("k1", CREATE, HOLD).await);
    provider.set("clock", json!({"advance_s": 10})).await;
    let anew = provider.post_with("k1", CREATE, HOLD).await;
    assert_eq!((anew.status, anew.header("idempotent-replayed")), (200, None));
    assert_ne!(anew.text("id"), first.text("id"));
    assert_eq!(holds(&provider).await, 2, "this is how a late retry charges twice");
}

#[tokio::test]
async fn a_client_that_hangs_up_stops_nothing() {
    let provider = Provider::start().await;
    provider.set("latency", json!({"median_ms": 200, "sigma": 0.0})).await;
    let mut line = TcpStream::connect(provider.address()).await.unwrap();
    let length = HOLD.len();
    let head = format!(
        "POST {CREATE} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk_test_x\r\nidempotency-key: k1\r\n\
         content-length: {length}\r\n\r\n{HOLD}"
    );
    line.write_all(head.as_bytes()).await.unwrap();
    wait_for("it has begun", async || provider.figures().await["peak_per_s"]["authorize"] == 1).await;
    drop(line);
    wait_for("the money is held", async || holds(&provider).await == 1).await;
    wait_for("the result is saved", async || {
        let again = provider.post_with("k1", CREATE, HOLD).await;
        assert!([200, 409].contains(&again.status), "{again:?}");
        again.header("idempotent-replayed") == Some("true")
    })
    .await;
    assert_eq!(holds(&provider).await, 1);
}
