//! Look-ups: what stands, page by page, or why there is no answer now.

use std::time::Duration;

use payments::{Charge, ChargeStatus, Denial, Endpoint, Later, ListCharges, LookUps, Payment, Verdict};

use crate::gate::{Script, denied};
use crate::server::{Reply, Server};
use crate::{door, door_behind, eur, id, intent, intent_with, ok, payment, short, soon};

const ALL: ListCharges = ListCharges { customer_ref: None, from_s: 0, to_s: 9, after: None };

fn page(charges: &[String], has_more: bool) -> Reply {
    ok(format!("{{\"object\":\"list\",\"data\":[{}],\"has_more\":{has_more}}}", charges.join(",")))
}

#[tokio::test]
async fn a_charge_is_read_as_it_stands_ours_or_not() {
    let strange = intent_with("canceled", "\"metadata\":{\"order_id\":\"ä\"},\"currency\":\"x\"");
    let failed = intent_with(
        "requires_payment_method",
        "\"last_payment_error\":{\"type\":\"card_error\",\"code\":\"card_declined\"}",
    );
    let server = Server::start([ok(intent("succeeded")), ok(strange), ok(failed), Reply::code(404, "x")]);
    let door = door(&server);
    let read = async || door.read(&id("pi_1"), soon()).await.unwrap();
    let captured = Charge {
        payment_id: id("pi_1"),
        status: ChargeStatus::Captured,
        amount_minor: 4_970,
        captured_minor: 4_970,
        currency: Some(eur()),
        payment: Some(payment()),
        created_s: 1_790_000_000,
    };
    assert_eq!(read().await, Some(captured));
    let strange = read().await.unwrap();
    assert_eq!((strange.payment, strange.currency), (None, None));
    assert_eq!(read().await.unwrap().status, ChargeStatus::NotHeld);
    assert_eq!(read().await, None, "no such charge");
    assert_eq!(door.gate().reports(Endpoint::LookUp).len(), 4);
}

#[tokio::test]
async fn pages_follow_one_another() {
    let older =
        intent_with("canceled", "\"id\":\"pi_2\",\"metadata\":{\"order_id\":\"ord_2\",\"attempt_no\":\"3\"}");
    let server = Server::start([page(&[intent("succeeded")], true), page(&[older], false)]);
    let door = door(&server);
    let first = door.list(&ALL, soon()).await.unwrap();
    assert!(first.has_more);
    let after = Some(first.charges[0].payment_id.clone());
    let second = door.list(&ListCharges { after, ..ALL }, soon()).await.unwrap();
    assert!(!second.has_more);
    let of_other = Payment { order_id: "ord_2".parse().unwrap(), attempt_no: 3 };
    assert_eq!(second.charges[0].payment, Some(of_other));
    assert!(server.arrived()[1].line.contains("starting_after=pi_1"));
}

#[tokio::test]
async fn a_page_with_an_unreadable_charge_is_no_page() {
    let unreadable = page(&[intent("succeeded"), intent("brand_new")], false);
    let server = Server::start(vec![unreadable; 3]);
    assert_eq!(door(&server).list(&ALL, soon()).await, Err(Later::NoAnswer), "left out would mean absent");
}

#[tokio::test]
async fn whatever_goes_wrong_there_is_no_answer_now() {
    check(Reply::Close, Later::NoAnswer, 3, Verdict::ProviderFault).await;
    check(Reply::Hang, Later::NoAnswer, 3, Verdict::ProviderFault).await;
    check(Reply::json(200, "{}"), Later::NoAnswer, 3, Verdict::ProviderFault).await;
    // Nothing is saved of what only reads, so 500 is worth another look.
    check(Reply::json(500, "{}"), Later::NoAnswer, 3, Verdict::ProviderFault).await;
    check(Reply::code(400, "x"), Later::NoAnswer, 1, Verdict::Neutral).await;
    check(Reply::code(401, "x"), Later::Unauthorized, 1, Verdict::Neutral).await;
    let told = Reply::with(503, "stripe-should-retry: false", "{}");
    check(told, Later::NoAnswer, 1, Verdict::ProviderFault).await;
}

async fn check(reply: Reply, expected: Later, attempts: usize, verdict: Verdict) {
    let server = Server::start(vec![reply.clone(); 3]);
    let door = door(&server).with_timeouts(short());
    assert_eq!(door.read(&id("pi_1"), soon()).await, Err(expected), "{reply:?}");
    let reports = door.gate().reports(Endpoint::LookUp);
    assert_eq!((reports.len(), reports[0].verdict), (attempts, verdict), "{reply:?}");
}

#[tokio::test]
async fn a_look_up_without_a_permit_or_without_time_is_not_sent() {
    let server = Server::start([]);
    let permits = [denied(Denial::BreakerOpen), denied(Denial::RateLimited)];
    let door = door_behind(Script::of(&permits, &[]), &server);
    assert_eq!(door.read(&id("pi_1"), soon()).await, Err(Later::BreakerOpen));
    assert_eq!(door.list(&ALL, soon()).await, Err(Later::RateLimited));
    let near = backoff::Deadline::after(&crate::Watch::default(), Duration::from_millis(500));
    assert_eq!(door.read(&id("pi_1"), near).await, Err(Later::NoTime));
    assert_eq!(door.spare_per_s(soon()).await, 17);
    assert!(server.arrived().is_empty());
}
