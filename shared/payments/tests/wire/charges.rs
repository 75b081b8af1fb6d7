//! A charge in each status, and charges that are not as asked: none of those is ever called done.

use payments::{Outcome, Request};

use crate::server::Server;
use crate::{authorize, cancel, capture, door, id, intent, intent_with, ok, refund, send};

async fn outcome(request: Request, body: String) -> Outcome {
    let server = Server::start([ok(body)]);
    let outcome = send(&door(&server), request).await;
    assert_eq!(server.arrived().len(), 1);
    outcome
}

async fn check(request: Request, body: String, expected: Outcome) {
    assert_eq!(outcome(request, body.clone()).await, expected, "{body}");
}

#[tokio::test]
async fn a_charge_in_each_status_is_what_it_is() {
    let payment_id = id("pi_1");
    let at = || Some(id("pi_1"));
    let review = |why| Outcome::Review { why, payment_id: at() };
    let canceled = Outcome::Canceled { payment_id: payment_id.clone() };
    let captured = Outcome::Captured { payment_id: payment_id.clone() };
    let working = Outcome::AwaitsProvider { payment_id: payment_id.clone() };
    check(authorize(), intent("requires_capture"), Outcome::Authorized { payment_id }).await;
    for request in [authorize(), capture(), cancel()] {
        check(request.clone(), intent("succeeded"), captured.clone()).await;
        check(request.clone(), intent("canceled"), canceled.clone()).await;
        check(request, intent("processing"), working.clone()).await;
    }
    check(authorize(), intent("requires_action"), Outcome::AwaitsCustomer { payment_id: at() }).await;
    for status in ["requires_capture"] {
        check(capture(), intent(status), review("still_held")).await;
        check(cancel(), intent(status), review("still_held")).await;
    }
    for status in ["requires_action", "requires_payment_method", "requires_confirmation"] {
        check(capture(), intent(status), review("not_held")).await;
        check(cancel(), intent(status), review("not_canceled")).await;
    }
}

#[tokio::test]
async fn a_charge_without_a_hold_is_declined_for_the_reason_it_names() {
    let declined =
        |code: &str, soft| Outcome::Declined { code: code.to_owned(), soft, payment_id: Some(id("pi_1")) };
    let failed = |fields: &str| {
        intent_with(
            "requires_payment_method",
            &format!("\"last_payment_error\":{{\"type\":\"card_error\",\"message\":\"canary\",{fields}}}"),
        )
    };
    check(authorize(), intent("requires_payment_method"), declined("unspecified", false)).await;
    let funds = failed("\"code\":\"card_declined\",\"decline_code\":\"insufficient_funds\"");
    check(authorize(), funds, declined("insufficient_funds", false)).await;
    check(authorize(), failed("\"code\":\"processing_error\""), declined("processing_error", true)).await;
    let customer = Outcome::AwaitsCustomer { payment_id: Some(id("pi_1")) };
    check(authorize(), failed("\"code\":\"authentication_required\""), customer).await;
}

#[tokio::test]
async fn a_charge_that_is_not_as_asked_is_never_done() {
    let statuses = ["requires_capture", "succeeded", "canceled", "processing", "requires_action"];
    for status in statuses.into_iter().chain(["requires_payment_method"]) {
        for request in [authorize(), capture()] {
            differs(request.clone(), status, "\"amount\":4971", "amount_differs").await;
            differs(request.clone(), status, "\"amount\":-4970", "amount_differs").await;
            differs(request.clone(), status, "\"currency\":\"usd\"", "currency_differs").await;
            differs(request, status, "\"currency\":\"EUR\"", "currency_differs").await;
        }
        for request in [authorize(), capture(), cancel()] {
            let other_order = "\"metadata\":{\"order_id\":\"ord_2\",\"attempt_no\":\"1\"}";
            differs(request.clone(), status, other_order, "metadata_differs").await;
            let other_attempt = "\"metadata\":{\"order_id\":\"ord_1\",\"attempt_no\":\"2\"}";
            differs(request.clone(), status, other_attempt, "metadata_differs").await;
            differs(request.clone(), status, "\"metadata\":{}", "metadata_differs").await;
            differs(request, status, "\"metadata\":{\"order_id\":\"ä b\"}", "metadata_differs").await;
        }
    }
    differs(capture(), "succeeded", "\"amount_received\":4969", "captured_differs").await;
    differs(authorize(), "succeeded", "\"amount_received\":0", "captured_differs").await;
    for request in [capture(), cancel()] {
        let other = outcome(request, intent_with("canceled", "\"id\":\"pi_2\"")).await;
        assert_eq!(other, Outcome::Review { why: "id_differs", payment_id: Some(id("pi_2")) });
    }
}

async fn differs(request: Request, status: &str, field: &str, why: &'static str) {
    let expected = Outcome::Review { why, payment_id: Some(id("pi_1")) };
    check(request, intent_with(status, field), expected).await;
}

#[tokio::test]
async fn a_refund_is_compared_as_well() {
    let made = |status: &str, amount: i64, currency: &str, payment_id: &str, refund_id: &str| {
        format!(
            "{{\"id\":\"re_1\",\"object\":\"refund\",\"status\":\"{status}\",\"amount\":{amount},\
             \"currency\":\"{currency}\",\"payment_intent\":\"{payment_id}\",\
             \"metadata\":{{\"refund_id\":\"{refund_id}\"}}}}"
        )
    };
    let refunded = Outcome::Refunded { refund_id: "r7".parse().unwrap() };
    check(refund(), made("succeeded", 500, "eur", "pi_1", "r7"), refunded.clone()).await;
    check(refund(), made("pending", 500, "eur", "pi_1", "r7"), refunded).await;
    for (body, why) in [
        (made("failed", 500, "eur", "pi_1", "r7"), "refund_failed"),
        (made("canceled", 500, "eur", "pi_1", "r7"), "refund_failed"),
        (made("succeeded", 501, "eur", "pi_1", "r7"), "amount_differs"),
        (made("succeeded", 500, "usd", "pi_1", "r7"), "currency_differs"),
        (made("succeeded", 500, "eur", "pi_2", "r7"), "id_differs"),
        (made("succeeded", 500, "eur", "pi_1", "r8"), "metadata_differs"),
    ] {
        assert_eq!(outcome(refund(), body).await.as_str(), why);
    }
}
