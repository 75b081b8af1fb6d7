//! The levers: what they refuse, and how they say it.

use hyper::Method;
use serde_json::{Value, json};

use super::Provider;

async fn check(provider: &Provider, method: Method, lever: &str, body: Value, expected: (u16, &str)) {
    let answer = provider.call(method, &format!("/_sandbox/{lever}"), &[], &body.to_string()).await;
    assert_eq!(answer.status, expected.0, "{lever} {body}: {answer:?}");
    assert!(answer.text("error").contains(expected.1), "{lever} {body}: {answer:?}");
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let provider = Provider::start().await;
    for (lever, body, reason) in [
        ("faults", json!({"faults": [{"kind": "explode"}]}), "unknown variant `explode`"),
        ("faults", json!({"faults": [{"kind": "hang", "endpoint": "charge"}]}), "did not match any variant"),
        ("faults", json!({"faults": [{"kind": "hang", "likely": 1}]}), "unknown field `likely`"),
        (
            "faults",
            json!({"faults": [{"kind": "hang", "probability": 0.0}]}),
            "faults[0].probability: must be above 0",
        ),
        ("faults", json!({}), "missing field `faults`"),
        ("clock", json!({"advance_s": -1}), "invalid value"),
        ("clock", json!({"advance_s": 40_000_000}), "advance_s: must be at most"),
        ("limits", json!({"rate_per_s": 0}), "rate_per_s: must be 1 to"),
        ("limits", json!({"global_rate_per_s": 0}), "global_rate_per_s: must be 1 to"),
        ("limits", json!({"rate": 1}), "unknown field `rate`"),
        ("latency", json!({"sigma": 9.0}), "sigma: must be 0 to 3"),
        ("latency", json!({"median_ms": 60_001}), "median_ms: must be at most 60000"),
        ("latency", json!([]), ""),
    ] {
        check(&provider, Method::PUT, lever, body, (400, reason)).await;
    }
    let plant = json!({"kind": "double_capture", "order_id": ""});
    check(&provider, Method::POST, "plant", plant, (400, "order_id: must not be empty")).await;
    check(
        &provider,
        Method::POST,
        "plant",
        json!({"kind": "theft", "order_id": "o"}),
        (400, "unknown variant"),
    )
    .await;
    check(&provider, Method::GET, "book", Value::Null, (404, "there is no GET /_sandbox/book")).await;
    check(&provider, Method::POST, "faults", json!({"faults": []}), (404, "there is no POST")).await;
}

#[tokio::test]
async fn a_lever_leaves_what_it_does_not_name() {
    let provider = Provider::start().await;
    let limits = provider.set("limits", json!({"burst": 5})).await;
    assert_eq!(limits, json!({"rate_per_s": 1_000, "global_rate_per_s": 4_000, "burst": 5}));
    let latency = provider.set("latency", json!({"median_ms": 1})).await;
    assert_eq!(latency, json!({"median_ms": 1, "sigma": 0.35}));
    let faults = json!({"seed": 7, "faults": [{"kind": "hang", "endpoint": "look_up", "probability": 0.5}]});
    let set = provider.set("faults", faults).await;
    assert_eq!(set["faults"][0]["endpoint"], "look_up");
    assert_eq!(provider.get("/_sandbox/faults").await.body, set);
}
