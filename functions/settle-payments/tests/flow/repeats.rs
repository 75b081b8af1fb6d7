//! Running any message twice, at once or later, leaves the same rows and the same charges.

use order::PaymentStatus;
use payments::{Endpoint, Later};

use crate::shop::{Shop, later, record};

#[test]
fn two_records_of_one_payment_are_sent_once_and_both_acknowledged() {
    let shop = Shop::with(&["a"]);
    let ran = shop.process(vec![record("m1", "a", 1), record("m2", "a", 2)]);
    assert_eq!((ran.failed, shop.asked().len()), (Vec::new(), 2));
    assert_eq!(ran.report.confirmed, 1);
}

#[test]
fn two_records_of_one_payment_come_back_together() {
    let shop = Shop::with(&["a"]).answers(Endpoint::Authorize, "a", (10, later(Later::NoAnswer)));
    assert_eq!(shop.process(vec![record("m1", "a", 1), record("m2", "a", 1)]).failed, ["m1", "m2"]);
}

#[test]
fn a_repeat_of_what_is_done_asks_nobody() {
    let shop = Shop::with(&["a"]);
    assert_eq!(shop.settle(&["a"]).report.confirmed, 1);
    let again = shop.settle(&["a"]);
    assert_eq!((again.failed, again.report.confirmed, shop.asked().len()), (Vec::new(), 0, 2));
    assert_eq!(shop.published("order-events").len(), 1);
}

#[test]
fn two_groups_that_pay_one_payment_at_the_same_time_confirm_it_once() {
    let shop = Shop::with(&["a"]);
    let ran = shop.process(vec![record("m1", "a", 3), record("m2", "a", 7)]);
    assert_eq!((ran.failed, ran.report.confirmed, ran.report.confirmed_after.len()), (Vec::new(), 1, 1));
    assert_eq!(shop.rows().of("a").status, PaymentStatus::Captured);
    assert_eq!((shop.published("order-events").len(), shop.offences()), (1, Vec::new()));
}

#[test]
fn the_same_batch_over_the_same_doors_has_the_same_effects() {
    let run = || {
        let shop =
            Shop::with(&["c", "a", "b"]).answers(Endpoint::Authorize, "a", (10, later(Later::Throttled)));
        let ran = shop.settle(&["c", "a", "b"]);
        (ran.hidden, shop.asked(), shop.calls(), shop.published("order-events"))
    };
    assert_eq!(run(), run());
}
