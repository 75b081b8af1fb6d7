//! Outcomes are committed in groups: few calls where all is quick, and nobody waits for somebody slow.

use std::time::Duration;

use order::PaymentStatus;
use payments::{Endpoint, Later, Outcome};

use crate::shop::{Shop, charge, later, record};

fn held(order: &str) -> Outcome {
    Outcome::Authorized { payment_id: charge(order) }
}

/// `begin 2, record 2` …: what the store was asked, with the number of payments.
fn calls(shop: &Shop) -> String {
    let calls = shop.calls();
    calls.iter().map(|call| format!("{} {}", call.what, call.orders.len())).collect::<Vec<_>>().join(", ")
}

#[test]
fn ten_quick_payments_take_three_calls() {
    let orders = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    let shop = Shop::with(&orders);
    let ran = shop.settle(&orders);
    assert_eq!((ran.failed, calls(&shop).as_str()), (Vec::new(), "begin 10, record 10, record 10"));
    assert_eq!(ran.took_ms, 200, "two requests of 100 ms");
    assert_eq!(
        (ran.report.confirmed, ran.report.confirmed_after),
        (10, vec![Duration::from_millis(240); 10])
    );
    assert_eq!(ran.report.commits, 2);
}

#[test]
fn a_slow_authorization_holds_up_nobody() {
    let shop = Shop::with(&["a", "slow", "b"]).answers(Endpoint::Authorize, "slow", (8_000, held("slow")));
    let ran = shop.settle(&["a", "slow", "b"]);
    assert_eq!(calls(&shop), "begin 3, record 2, record 2, record 1, record 1");
    let captured: Vec<(u64, String)> = shop
        .asked()
        .into_iter()
        .filter(|asked| asked.endpoint == Endpoint::Capture)
        .map(|asked| (asked.at_ms, asked.order))
        .collect();
    // The first group is cut off a second after its first outcome, and captured while the slow one still runs.
    let expected =
        [(1_100, "a"), (1_100, "b"), (8_000, "slow")].map(|(at_ms, order)| (at_ms, order.to_owned()));
    assert_eq!(captured, expected);
    assert_eq!(ran.report.confirmed_after, [1_240, 1_240, 8_140].map(Duration::from_millis));
    assert_eq!((ran.failed, ran.took_ms), (Vec::new(), 8_100));
}

#[test]
fn outcomes_within_a_second_are_one_group_however_late_they_begin() {
    let shop = Shop::with(&["a", "b"]).answers(Endpoint::Authorize, "a", (3_000, held("a"))).answers(
        Endpoint::Authorize,
        "b",
        (3_900, held("b")),
    );
    assert_eq!(shop.settle(&["a", "b"]).took_ms, 4_000);
    assert_eq!(calls(&shop), "begin 2, record 2, record 2");
}

#[test]
fn payments_that_came_back_often_wait_at_the_same_time() {
    let orders = ["a", "b", "c"];
    let shop = orders.iter().fold(Shop::with(&orders), |shop, order| {
        shop.answers(Endpoint::Authorize, order, (5_000, held(order)))
    });
    let ran = shop.process(orders.iter().map(|order| record(order, order, 3)).collect());
    assert_eq!((ran.failed, ran.took_ms), (Vec::new(), 5_100), "side by side, not one after the other");
}

#[test]
fn what_the_deadline_leaves_no_time_for_goes_back_at_once() {
    let mut shop = Shop::with(&["a", "b"]).answers(Endpoint::Authorize, "a", (2_000, held("a")));
    shop.timeout = Duration::from_millis(4_000);
    let ran = shop.settle(&["a", "b"]);
    // The second is captured at 1.1 s. The first is held at 2 s, and 0.5 s are too little for its capture.
    assert_eq!((ran.failed, ran.hidden), (vec!["a".to_owned()], vec![("a".to_owned(), 0)]));
    assert_eq!(shop.rows().of("a").status, PaymentStatus::Capturing);
    assert_eq!(shop.rows().of("b").status, PaymentStatus::Captured);
}

#[test]
fn a_batch_that_comes_too_late_is_not_begun() {
    let mut shop = Shop::with(&["a"]);
    shop.timeout = Duration::from_millis(2_000);
    let ran = shop.settle(&["a"]);
    assert_eq!((ran.hidden, calls(&shop).as_str()), (vec![("a".to_owned(), 0)], ""));
}

#[test]
fn no_time_at_the_provider_means_no_wait_in_the_queue() {
    let shop = Shop::with(&["a"]).answers(Endpoint::Authorize, "a", (10, later(Later::NoTime)));
    assert_eq!(shop.settle(&["a"]).hidden, [("a".to_owned(), 0)]);
}
