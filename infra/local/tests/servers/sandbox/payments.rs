//! The life of payments, refunds and customers, and lists of them.

use serde_json::{Value, json};

use super::{HOLD, Provider};

#[tokio::test]
async fn a_hold_is_placed_captured_and_given_back() {
    let provider = Provider::start().await;
    let held = provider.post("/v1/payment_intents", HOLD).await;
    assert_eq!((held.text("object"), held.text("status")), ("payment_intent", "requires_capture"));
    assert_eq!((held.number("amount"), held.number("amount_capturable")), (1_000, 1_000));
    assert_eq!(held.body["metadata"], json!({"order_id": "ord_1", "attempt_no": "1"}));
    assert_eq!((held.text("currency"), held.text("customer")), ("eur", "cus_1"));
    assert!(held.header("request-id").unwrap().starts_with("req_"));
    let id = held.text("id");
    assert_eq!(provider.get(&format!("/v1/payment_intents/{id}")).await.body, held.body);

    let captured = provider.post(&format!("/v1/payment_intents/{id}/capture"), "").await;
    assert_eq!((captured.text("status"), captured.number("amount_received")), ("succeeded", 1_000));
    assert_eq!(captured.number("amount_capturable"), 0);

    let part = format!("payment_intent={id}&amount=300&metadata[refund_id]=r1");
    let part = provider.post("/v1/refunds", &part).await;
    assert_eq!((part.text("status"), part.number("amount")), ("succeeded", 300), "{part:?}");
    assert_eq!(provider.get(&format!("/v1/refunds/{}", part.text("id"))).await.body, part.body);
    let too_much = provider.post("/v1/refunds", &format!("payment_intent={id}&amount=701")).await;
    assert_eq!((too_much.status, too_much.text("error.param")), (400, "amount"));
    let rest = provider.post("/v1/refunds", &format!("charge={}", captured.text("latest_charge"))).await;
    assert_eq!(rest.number("amount"), 700);
    let again = provider.post("/v1/refunds", &format!("payment_intent={id}")).await;
    assert_eq!((again.status, again.text("error.code")), (400, "charge_already_refunded"));
}

#[tokio::test]
async fn a_payment_is_confirmed_in_a_second_call_and_captured_at_once() {
    let provider = Provider::start().await;
    let created = provider.post("/v1/payment_intents", "amount=500&currency=usd").await;
    assert_eq!(created.text("status"), "requires_payment_method");
    let path = format!("/v1/payment_intents/{}/confirm", created.text("id"));
    let without = provider.post(&path, "").await;
    assert_eq!((without.status, without.text("error.code")), (400, "payment_intent_unexpected_state"));
    let confirmed = provider.post(&path, "payment_method=pm_card_mastercard").await;
    assert_eq!((confirmed.text("status"), confirmed.number("amount_received")), ("succeeded", 500));
    let waiting =
        provider.post("/v1/payment_intents", "amount=500&currency=usd&payment_method=pm_card_visa").await;
    assert_eq!(waiting.text("status"), "requires_confirmation");
}

#[tokio::test]
async fn a_part_of_a_hold_is_captured_and_the_rest_released() {
    let provider = Provider::start().await;
    let path = format!("/v1/payment_intents/{}/capture", provider.hold().await);
    let too_much = provider.post(&path, "amount_to_capture=1001").await;
    assert_eq!((too_much.status, too_much.text("error.code")), (400, "amount_too_large"));
    let part = provider.post(&path, "amount_to_capture=400").await;
    assert_eq!((part.number("amount_received"), part.number("amount_capturable")), (400, 0));
}

/// Runs the steps on a new hold; the last one must be refused because of the payment's state.
async fn check_refused(provider: &Provider, steps: &[&str], status: &str) {
    let id = provider.hold().await;
    let (last, before) = steps.split_last().unwrap();
    for step in before {
        let done = provider.post(&format!("/v1/payment_intents/{id}/{step}"), "").await;
        assert_eq!(done.status, 200, "{steps:?}: {done:?}");
    }
    let refused = provider.post(&format!("/v1/payment_intents/{id}/{last}"), "").await;
    let found = (refused.status, refused.text("error.code"), refused.text("error.payment_intent.status"));
    assert_eq!(found, (400, "payment_intent_unexpected_state", status), "{steps:?}: {refused:?}");
    assert_eq!(refused.text("error.payment_intent.id"), id);
    assert_eq!(refused.header("stripe-should-retry"), Some("false"));
}

#[tokio::test]
async fn a_payment_only_moves_forward() {
    let provider = Provider::start().await;
    check_refused(&provider, &["capture", "capture"], "succeeded").await;
    check_refused(&provider, &["capture", "cancel"], "succeeded").await;
    check_refused(&provider, &["cancel", "capture"], "canceled").await;
    check_refused(&provider, &["cancel", "cancel"], "canceled").await;
    check_refused(&provider, &["capture", "confirm"], "succeeded").await;
    check_refused(&provider, &["confirm"], "requires_capture").await;
    let uncaptured = provider.post("/v1/refunds", &format!("payment_intent={}", provider.hold().await)).await;
    assert_eq!((uncaptured.status, uncaptured.text("error.code")), (400, "payment_intent_unexpected_state"));
}

#[tokio::test]
async fn a_canceled_payment_says_when_and_why() {
    let provider = Provider::start().await;
    let path = format!("/v1/payment_intents/{}/cancel", provider.hold().await);
    let canceled = provider.post(&path, "cancellation_reason=abandoned").await;
    assert_eq!((canceled.text("status"), canceled.text("cancellation_reason")), ("canceled", "abandoned"));
    assert!(canceled.number("canceled_at") > 1_700_000_000 && canceled.number("amount_capturable") == 0);
}

async fn check_invalid(provider: &Provider, change: (&str, &str), code: &str, param: &str) {
    let form = HOLD.replace(change.0, change.1);
    assert_ne!(form, HOLD, "{change:?}");
    let refused = provider.post("/v1/payment_intents", &form).await;
    let found =
        (refused.status, refused.text("error.type"), refused.text("error.code"), refused.text("error.param"));
    assert_eq!(found, (400, "invalid_request_error", code, param), "{form}: {refused:?}");
}

#[tokio::test]
async fn parameters_that_make_no_sense_are_named() {
    let provider = Provider::start().await;
    check_invalid(&provider, ("amount=1000&", ""), "parameter_missing", "amount").await;
    check_invalid(&provider, ("&currency=eur", ""), "parameter_missing", "currency").await;
    check_invalid(&provider, ("=1000", "=10.5"), "parameter_invalid_integer", "amount").await;
    check_invalid(&provider, ("=1000", "=-5"), "", "amount").await;
    check_invalid(&provider, ("=1000", "=49"), "amount_too_small", "amount").await;
    check_invalid(&provider, ("=1000", "=100000000"), "amount_too_large", "amount").await;
    check_invalid(&provider, ("=eur", "=EUR"), "", "currency").await;
    check_invalid(&provider, ("=manual", "=never"), "", "capture_method").await;
    check_invalid(&provider, ("=true", "=maybe"), "", "confirm").await;
    check_invalid(&provider, ("=true", "=false&off_session=true"), "", "off_session").await;
    check_invalid(&provider, ("=cus_1", "=cus_1&colour=red"), "parameter_unknown", "colour").await;
    check_invalid(&provider, ("pm_card_visa", "pm_card_nobodys"), "resource_missing", "payment_method").await;
    check_invalid(
        &provider,
        ("metadata[order_id]", &format!("metadata[{}]", "k".repeat(41))),
        "",
        "metadata",
    )
    .await;
    let malformed = provider.post("/v1/payment_intents", "amount=%zz").await;
    assert_eq!((malformed.status, malformed.text("error.type")), (400, "invalid_request_error"));
    assert_eq!(provider.ledger().await["orders"], json!({}), "nothing was executed");
}

#[tokio::test]
async fn what_does_not_exist_is_missing() {
    let provider = Provider::start().await;
    for path in ["/v1/payment_intents/pi_none", "/v1/refunds/re_none", "/v1/customers/cus_none"] {
        let missing = provider.get(path).await;
        assert_eq!((missing.status, missing.text("error.code")), (404, "resource_missing"), "{path}");
    }
    let missing = provider.post("/v1/payment_intents/pi_none/capture", "").await;
    assert_eq!((missing.status, missing.text("error.param")), (404, "intent"));
    let refund = provider.post("/v1/refunds", "payment_intent=pi_none").await;
    assert_eq!((refund.status, refund.text("error.code")), (400, "resource_missing"));
    let url = provider.get("/v1/prices").await;
    assert_eq!((url.status, url.text("error.message")), (404, "Unrecognized request URL (GET: /v1/prices)."));
}

#[tokio::test]
async fn only_secret_test_keys_are_let_in() {
    let provider = Provider::start().await;
    let basic = |user: &str| {
        use base64::Engine as _;
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(user))
    };
    for (header, status) in [
        ("Bearer sk_test_x".to_owned(), 200),
        ("Bearer rk_test_x".to_owned(), 200),
        (basic("sk_test_x:"), 200),
        ("Bearer sk_live_x".to_owned(), 401),
        ("Bearer sk_test_".to_owned(), 401),
        ("Bearer".to_owned(), 401),
        (basic("nobody:"), 401),
    ] {
        let headers = [("authorization", header.as_str())];
        let answer = provider.call(hyper::Method::GET, "/v1/payment_intents", &headers, "").await;
        assert_eq!(answer.status, status, "{header}: {answer:?}");
        assert!(status == 200 || answer.text("error.type") == "invalid_request_error");
    }
}

/// The ids of a page, and whether there is more.
async fn page(provider: &Provider, query: &str) -> (Vec<String>, bool) {
    let listed = provider.get(&format!("/v1/payment_intents?{query}")).await;
    assert_eq!((listed.status, listed.text("object")), (200, "list"), "{query}: {listed:?}");
    let ids = listed.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|payment| payment["id"].as_str().unwrap().to_owned());
    (ids.collect(), listed.body["has_more"] == Value::Bool(true))
}

#[tokio::test]
async fn payments_are_listed_newest_first_a_page_at_a_time() {
    let provider = Provider::start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, provider.hold().await);
    }
    let other =
        provider.post("/v1/payment_intents", &HOLD.replace("cus_1", "cus_2")).await.text("id").to_owned();
    assert_eq!(page(&provider, "customer=cus_1").await, (ids.clone(), false));
    assert_eq!(page(&provider, "customer=cus_2&limit=1").await, (vec![other.clone()], false));
    assert_eq!(page(&provider, "customer=cus_3").await, (vec![], false));
    assert_eq!(page(&provider, "limit=2").await, (vec![other, ids[0].clone()], true));
    assert_eq!(page(&provider, "customer=cus_1&limit=2").await, (ids[..2].to_vec(), true));
    let next = format!("customer=cus_1&limit=2&starting_after={}", ids[1]);
    assert_eq!(page(&provider, &next).await, (ids[2..4].to_vec(), true));
    let last = format!("customer=cus_1&limit=2&starting_after={}", ids[3]);
    assert_eq!(page(&provider, &last).await, (ids[4..].to_vec(), false));
    let back = format!("customer=cus_1&limit=2&ending_before={}", ids[4]);
    assert_eq!(page(&provider, &back).await, (ids[2..4].to_vec(), true));
    for (query, param) in [("limit=0", "limit"), ("limit=101", "limit"), ("created[at]=1", "created")] {
        let refused = provider.get(&format!("/v1/payment_intents?{query}")).await;
        assert_eq!((refused.status, refused.text("error.param")), (400, param), "{query}");
    }
    assert_eq!(provider.get("/v1/payment_intents?starting_after=pi_none").await.status, 400);
}

#[tokio::test]
async fn payments_are_listed_by_the_time_of_their_creation() {
    let provider = Provider::start().await;
    let old = provider.hold().await;
    let created = provider.get(&format!("/v1/payment_intents/{old}")).await.number("created");
    provider.set("clock", json!({"advance_s": 100})).await;
    let new = provider.hold().await;
    let (middle, far) = (created + 50, created + 1_000);
    let both = vec![new.clone(), old.clone()];
    for (query, expected) in [
        (format!("created[gte]={created}"), &both),
        (format!("created[lt]={far}"), &both),
        (format!("created[gte]={middle}&created[lt]={far}"), &vec![new.clone()]),
        (format!("created[gt]={created}"), &vec![new.clone()]),
        (format!("created[lte]={created}"), &vec![old.clone()]),
        (format!("created[lt]={created}"), &vec![]),
        (format!("created={created}"), &vec![old.clone()]),
        (format!("customer=cus_1&created[gte]={created}&created[lt]={middle}"), &vec![old.clone()]),
    ] {
        assert_eq!(page(&provider, &query).await.0, *expected, "{query}");
    }
}

#[tokio::test]
async fn customers_are_created_or_known_since_they_paid() {
    let provider = Provider::start().await;
    let created = provider.post("/v1/customers", "description=kits&metadata[a]=b").await;
    assert!(created.text("id").starts_with("cus_") && created.text("metadata.a") == "b", "{created:?}");
    assert_eq!(provider.get(&format!("/v1/customers/{}", created.text("id"))).await.body, created.body);
    provider.hold().await;
    assert_eq!(provider.get("/v1/customers/cus_1").await.text("object"), "customer");
}
