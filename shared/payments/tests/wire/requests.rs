//! What is sent, to the byte.

use order::ProviderRef;
use payments::{ListCharges, LookUps, Request};

use crate::server::{Reply, Server};
use crate::{SECRET, authorize, cancel, capture, door, id, intent, ok, refund, send, soon};

#[tokio::test]
async fn a_request_is_these_bytes_and_no_others() {
    check(
        authorize(),
        "POST /v1/payment_intents HTTP/1.1",
        "of:test:ord_1:auth:1",
        "amount=4970&currency=eur&customer=cus_x&payment_method=pm_card_visa&payment_method_types%5B%5D=card\
         &capture_method=manual&confirm=true&off_session=true\
         &metadata%5Border_id%5D=ord_1&metadata%5Battempt_no%5D=1",
    )
    .await;
    check(capture(), "POST /v1/payment_intents/pi_1/capture HTTP/1.1", "of:test:ord_1:cap:1", "").await;
    check(cancel(), "POST /v1/payment_intents/pi_1/cancel HTTP/1.1", "of:test:ord_1:void:pi_1:1", "").await;
    check(
        refund(),
        "POST /v1/refunds HTTP/1.1",
        "of:test:ord_1:ref:r7:1",
        "payment_intent=pi_1&amount=500&metadata%5Border_id%5D=ord_1&metadata%5Battempt_no%5D=1\
         &metadata%5Brefund_id%5D=r7",
    )
    .await;
}

async fn check(request: Request, line: &str, key: &str, body: &str) {
    let server = Server::start([Reply::json(404, "{\"error\":{\"type\":\"invalid_request_error\"}}")]);
    send(&door(&server), request).await;
    let arrived = &server.arrived()[0];
    assert_eq!((arrived.line.as_str(), arrived.body.as_str()), (line, body));
    let mut headers: Vec<(&str, String)> =
        arrived.headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    headers.sort_unstable();
    let expected = [
        ("accept", "*/*".to_owned()),
        ("authorization", format!("Bearer {SECRET}")),
        ("content-length", body.len().to_string()),
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("host", server.url.trim_start_matches("http://").to_owned()),
        ("idempotency-key", key.to_owned()),
        ("stripe-version", "2025-09-30.clover".to_owned()),
    ];
    assert_eq!(headers, expected);
}

#[tokio::test]
async fn a_look_up_has_no_key_and_no_body() {
    let page = "{\"object\":\"list\",\"data\":[],\"has_more\":false}";
    let server = Server::start([ok(intent("requires_capture")), Reply::json(200, page)]);
    let door = door(&server);
    door.read(&id("pi_1"), soon()).await.unwrap();
    let customer_ref = Some(id("cus_x"));
    door.list(&ListCharges { customer_ref, from_s: 100, to_s: 200, after: Some(id("pi_9")) }, soon())
        .await
        .unwrap();
    let lines: Vec<String> = server.arrived().into_iter().map(|arrived| arrived.line).collect();
    assert_eq!(
        lines,
        [
            "GET /v1/payment_intents/pi_1 HTTP/1.1",
            "GET /v1/payment_intents?limit=100&created%5Bgte%5D=100&created%5Blt%5D=200&customer=cus_x\
             &starting_after=pi_9 HTTP/1.1",
        ]
    );
    assert_eq!(server.keys(), ["", ""]);
    assert!(server.arrived().iter().all(|arrived| arrived.body.is_empty()));
}

#[tokio::test]
async fn an_id_that_is_no_part_of_a_path_is_not_sent() {
    let server = Server::start([]);
    let payment_id: ProviderRef = id("..");
    let mut request = cancel();
    if let Request::Cancel(cancel) = &mut request {
        cancel.payment_id = payment_id.clone();
    }
    let door = door(&server);
    assert_eq!(send(&door, request).await.as_str(), "not_sendable");
    assert!(door.read(&payment_id, soon()).await.is_err());
    assert!(server.arrived().is_empty());
}
