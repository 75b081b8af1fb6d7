//! One bad payment never affects its neighbours, and what is not committed is not acknowledged.

use order::PaymentStatus;
use payments::Endpoint;

use crate::rows::Fail;
use crate::shop::{Shop, record};

#[test]
fn when_the_payments_cannot_be_begun_all_come_back_and_nothing_is_sent() {
    let shop = Shop::with(&["a", "b"]).store_does(&[Fail::Later]);
    assert_eq!(shop.settle(&["a", "b"]).failed, ["a", "b"]);
    assert_eq!(shop.asked(), []);
}

#[test]
fn when_a_hold_cannot_be_committed_nothing_is_captured() {
    let shop = Shop::with(&["a", "b"]).store_does(&[Fail::No, Fail::Later]);
    assert_eq!(shop.settle(&["a", "b"]).failed, ["a", "b"]);
    assert_eq!((shop.asked_of(Endpoint::Authorize), shop.asked_of(Endpoint::Capture)), (2, 0));
}

#[test]
fn when_a_capture_cannot_be_committed_the_message_comes_back_and_captures_again() {
    let shop = Shop::with(&["a"]).store_does(&[Fail::No, Fail::No, Fail::Later]);
    assert_eq!(shop.settle(&["a"]).failed, ["a"]);
    assert_eq!(shop.rows().of("a").status, PaymentStatus::Capturing);
    assert_eq!(shop.settle(&["a"]).failed, [""; 0]);
    assert_eq!((shop.asked_of(Endpoint::Authorize), shop.asked_of(Endpoint::Capture)), (1, 2));
    assert_eq!(shop.rows().of("a").status, PaymentStatus::Captured);
}

#[test]
fn a_move_that_the_database_refuses_comes_back_alone() {
    let shop = Shop::with(&["a", "bad", "b"]).store_does(&[Fail::No]).store_always(Fail::Refuse("bad"));
    assert_eq!(shop.settle(&["a", "bad", "b"]).failed, ["bad"]);
    assert_eq!(shop.asked_of(Endpoint::Authorize), 3, "nothing is sent again to find out which it was");
    assert_eq!(shop.rows().of("b").status, PaymentStatus::Captured);
}

#[test]
fn a_payment_that_cannot_be_begun_comes_back_alone() {
    let shop = Shop::with(&["a", "bad", "b"]).store_always(Fail::Refuse("bad"));
    assert_eq!(shop.settle(&["a", "bad", "b"]).failed, ["bad"]);
    assert_eq!(shop.rows().of("a").status, PaymentStatus::Captured);
}

#[test]
fn a_payment_of_which_the_database_says_nothing_comes_back_alone() {
    let shop = Shop::with(&["a", "silent"]).store_does(&[Fail::No, Fail::Silent("silent")]);
    assert_eq!(shop.settle(&["a", "silent"]).failed, ["silent"]);
    let shop = Shop::with(&["a", "silent"]).store_does(&[Fail::Silent("silent")]);
    assert_eq!(shop.settle(&["a", "silent"]).failed, ["silent"]);
}

#[test]
fn a_panic_is_pinned_on_its_payment() {
    let shop = Shop::with(&["a", "bad", "b"]).panics_on("bad");
    assert_eq!(shop.settle(&["a", "bad", "b"]).failed, ["bad"]);
    assert_eq!(shop.rows().of("a").status, PaymentStatus::Captured);
    assert_eq!(shop.rows().of("b").status, PaymentStatus::Captured);
    assert_eq!(shop.offences(), [""; 0]);
}

#[test]
fn a_panic_is_pinned_on_its_payment_among_those_that_came_back_often() {
    let shop = Shop::with(&["a", "bad", "b"]).panics_on("bad");
    let ran = shop.process(["a", "bad", "b"].map(|order| record(order, order, 4)).to_vec());
    assert_eq!(ran.failed, ["bad"]);
}

#[test]
fn a_body_that_is_no_request_is_quarantined_and_its_neighbour_paid() {
    let shop = Shop::with(&["a"]);
    let mut bad = record("bad", "a", 1);
    bad.body = Some("<xml>".to_owned());
    let ran = shop.process(vec![bad, record("a", "a", 1)]);
    assert_eq!((ran.failed, ran.report.messages.quarantined.len(), ran.report.confirmed), (Vec::new(), 1, 1));
}
