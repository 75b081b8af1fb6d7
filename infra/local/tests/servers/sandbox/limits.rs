//! The limits: how many calls a sliding second takes, and what the others hear.

use std::time::Duration;

use futures_util::future::join_all;
use local_cloud::clock;
use serde_json::{Value, json};

use super::{HOLD, Provider};

const CREATE: &str = "/v1/payment_intents";

/// How many of ten calls at once are accepted, and the reason that the others hear.
async fn accepted(provider: &Provider) -> (usize, Option<String>) {
    let answers = join_all((0..10).map(|_| provider.post(CREATE, HOLD))).await;
    let refused: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    for answer in &refused {
        assert_eq!((answer.status, answer.text("error.code")), (429, "rate_limit"), "{answer:?}");
        assert_eq!(answer.header("retry-after"), None, "the provider documents none");
    }
    let reason = refused.first().and_then(|answer| answer.header("stripe-rate-limited-reason"));
    (answers.len() - refused.len(), reason.map(str::to_owned))
}

#[tokio::test]
async fn each_limit_takes_as_many_calls_as_it_says() {
    for (limits, expected, reason) in [
        (json!({"rate_per_s": 3}), 3, "endpoint-rate"),
        (json!({"rate_per_s": 3, "burst": 2}), 5, "endpoint-rate"),
        (json!({"rate_per_s": 8, "global_rate_per_s": 4}), 4, "global-rate"),
    ] {
        let provider = Provider::start().await;
        provider.set("limits", limits.clone()).await;
        assert_eq!(accepted(&provider).await, (expected, Some(reason.to_owned())), "{limits}");
        let figures = provider.figures().await;
        assert_eq!(figures["answered_429"], json!(10 - expected), "{limits}");
        let peak = (&figures["peak_per_s"]["authorize"], &figures["peak_per_s"]["offered"]);
        assert_eq!(peak, (&json!(expected), &json!(10)), "{limits}");
        assert_eq!(
            figures["calls"],
            json!({"authorize": {"2xx": expected, "4xx": 10 - expected}}),
            "{limits}"
        );
        assert_eq!(figures["refused_by_fault"], json!({}), "{limits}");
    }
}

#[tokio::test]
async fn endpoints_have_limits_of_their_own() {
    let provider = Provider::start().await;
    let id = provider.hold().await;
    provider.set("limits", json!({"rate_per_s": 1})).await;
    assert_eq!(provider.post(CREATE, HOLD).await.status, 429);
    assert_eq!(provider.get(&format!("{CREATE}/{id}")).await.status, 200);
    assert_eq!(provider.get(CREATE).await.status, 429, "reading and listing share one");
    assert_eq!(provider.post(&format!("{CREATE}/{id}/capture"), "").await.status, 200);
    assert_eq!(provider.post("/v1/refunds", &format!("payment_intent={id}")).await.status, 200);
    assert_eq!(provider.figures().await["peak_per_s"]["global"], 4);
}

#[tokio::test]
async fn a_second_later_the_next_calls_are_taken() {
    let provider = Provider::start().await;
    provider.set("limits", json!({"rate_per_s": 2})).await;
    assert_eq!(accepted(&provider).await.0, 2);
    clock::sleep(Duration::from_millis(1_010)).await;
    assert_eq!(accepted(&provider).await.0, 2);
    assert_eq!(provider.figures().await["peak_per_s"]["authorize"], 2);
}

#[tokio::test]
async fn the_provider_takes_the_time_it_is_told() {
    let provider = Provider::start().await;
    provider.set("latency", json!({"median_ms": 60, "sigma": 0.0, "seed": 3})).await;
    let began = clock::now();
    provider.hold().await;
    assert!(began.elapsed() >= Duration::from_millis(60), "{:?}", began.elapsed());
    let figures = provider.figures().await;
    let p50 = figures["provider_ms"]["p50"].as_f64().unwrap();
    assert!((60.0..1_000.0).contains(&p50), "{figures}");
    assert_eq!(figures["first_success_ms"], Value::Null, "there was no fault");
}
