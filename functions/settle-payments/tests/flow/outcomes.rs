//! Each outcome has one end: where the row stands, and whether the message is acknowledged.

use std::time::Duration;

use order::PaymentStatus;
use payments::{Endpoint, Later, Outcome, Unclear};

use crate::shop::{Shop, charge, later, record};

/// The row's status after `outcome` of `endpoint`, with `parked` where it is, and whether the message comes back.
#[track_caller]
fn check(endpoint: Endpoint, outcome: Outcome, expected: &str, comes_back: bool) {
    let shop = Shop::with(&["a"]).row("a", |row| row.wanted = endpoint != Endpoint::Cancel);
    let shop = shop.answers(endpoint, "a", (10, outcome));
    let ran = shop.settle(&["a"]);
    let row = shop.rows().of("a");
    let parked = row.parked.map(|(why, _)| format!(" parked {why}")).unwrap_or_default();
    assert_eq!(format!("{}{parked}", row.status), expected);
    assert_eq!(!ran.failed.is_empty(), comes_back);
    assert_eq!(shop.offences(), [""; 0]);
}

#[test]
fn each_outcome_of_an_authorization_has_one_end() {
    use Endpoint::Authorize;
    let declined = |soft| Outcome::Declined { code: "insufficient_funds".to_owned(), soft, payment_id: None };
    check(Authorize, Outcome::Authorized { payment_id: charge("a") }, "captured", false);
    check(Authorize, Outcome::Captured { payment_id: charge("a") }, "captured", false);
    check(Authorize, Outcome::Canceled { payment_id: charge("a") }, "failed", false);
    check(Authorize, declined(false), "failed", false);
    check(Authorize, declined(true), "failed", false);
    check(Authorize, Outcome::AwaitsCustomer { payment_id: None }, "awaiting_customer", false);
    check(Authorize, Outcome::AwaitsProvider { payment_id: charge("a") }, "awaiting_provider", false);
    check(Authorize, Outcome::Unknown { why: Unclear::SavedFailure }, "unknown", false);
    check(Authorize, Outcome::Review { why: "amount_differs", payment_id: None }, "review", false);
    check(Authorize, later(Later::RateLimited), "requested", true);
    check(Authorize, later(Later::BreakerOpen), "requested parked breaker_open", false);
    check(Authorize, later(Later::NoTime), "requested", true);
    check(Authorize, later(Later::KeyTooOld), "requested parked key_too_old", false);
    check(Authorize, later(Later::NotConnected), "requested", true);
    check(Authorize, later(Later::Unauthorized), "requested parked unauthorized", false);
    check(Authorize, later(Later::Throttled), "requested", true);
    check(Authorize, later(Later::InFlight), "requested", true);
    check(Authorize, later(Later::NoAnswer), "requested", true);
}

#[test]
fn each_outcome_of_a_capture_has_one_end() {
    use Endpoint::Capture;
    let declined = Outcome::Declined { code: "expired".to_owned(), soft: false, payment_id: None };
    check(Capture, Outcome::Captured { payment_id: charge("a") }, "captured", false);
    check(Capture, Outcome::Canceled { payment_id: charge("a") }, "failed", false);
    check(Capture, Outcome::Authorized { payment_id: charge("a") }, "capturing", true);
    check(Capture, Outcome::AwaitsProvider { payment_id: charge("a") }, "capturing", true);
    check(Capture, declined, "review", false);
    check(Capture, Outcome::Unknown { why: Unclear::SavedFailure }, "capturing parked saved_failure", false);
    check(Capture, later(Later::NoAnswer), "capturing", true);
    check(Capture, later(Later::BreakerOpen), "capturing parked breaker_open", false);
    // Another charge than the row's: nothing moves, and nothing is acknowledged.
    check(Capture, Outcome::Captured { payment_id: charge("b") }, "capturing", true);
}

#[test]
fn each_outcome_of_a_cancellation_has_one_end() {
    use Endpoint::Cancel;
    check(Cancel, Outcome::Canceled { payment_id: charge("a") }, "failed", false);
    check(Cancel, Outcome::Authorized { payment_id: charge("a") }, "voiding", true);
    // Money was taken that nobody here asked for.
    check(Cancel, Outcome::Captured { payment_id: charge("a") }, "review", false);
    check(Cancel, later(Later::NoAnswer), "voiding", true);
    check(Cancel, later(Later::Unauthorized), "voiding parked unauthorized", false);
}

#[track_caller]
fn starts_at(status: PaymentStatus, expected: &str, requests: usize) {
    let shop = Shop::with(&["a"]).row("a", |row| {
        row.status = status;
        row.payment_id = Some(charge("a"));
    });
    let ran = shop.settle(&["a"]);
    assert_eq!((shop.rows().of("a").status.as_str(), shop.asked().len()), (expected, requests));
    assert_eq!(ran.failed, [""; 0]);
}

#[test]
fn a_row_goes_on_where_it_stands() {
    starts_at(PaymentStatus::Capturing, "captured", 1);
    starts_at(PaymentStatus::Voiding, "failed", 1);
    starts_at(PaymentStatus::Captured, "captured", 0);
    starts_at(PaymentStatus::Failed, "failed", 0);
    starts_at(PaymentStatus::Unknown, "unknown", 0);
    starts_at(PaymentStatus::AwaitingCustomer, "awaiting_customer", 0);
    starts_at(PaymentStatus::Review, "review", 0);
}

#[test]
fn a_payment_that_nobody_committed_is_quarantined() {
    let shop = Shop::with(&[]);
    assert_eq!(shop.settle(&["a"]).report.messages.quarantined.len(), 1);
    let quarantined = shop.published("quarantine");
    assert!(quarantined[0].attributes.contains(&("reason", "bad_schema".to_owned())));
    assert!(quarantined[0].attributes.contains(&("detail", "no such payment".to_owned())));
}

#[test]
fn parameters_that_were_not_committed_are_never_sent() {
    let shop = Shop::with(&["a", "b"]).row("a", |row| row.intact = false);
    let ran = shop.settle(&["a", "b"]);
    assert_eq!(
        (shop.rows().of("a").status, shop.rows().of("b").status),
        (PaymentStatus::Review, PaymentStatus::Captured)
    );
    assert_eq!((ran.failed, ran.report.review), (Vec::new(), 1));
    assert!(shop.asked().iter().all(|asked| asked.order == "b"));
}

/// What a payment does that is received for the `received`th time and gets no answer.
fn after_receives(received: u32) -> (Shop, Vec<String>) {
    let shop = Shop::with(&["a"]).answers(Endpoint::Authorize, "a", (10, later(Later::NoAnswer)));
    let failed = shop.process(vec![record("a", "a", received)]).failed;
    (shop, failed)
}

#[test]
fn from_the_fifth_receive_on_a_payment_is_parked_in_its_row() {
    let (shop, failed) = after_receives(4);
    assert_eq!((shop.rows().of("a").parked, failed), (None, vec!["a".to_owned()]));
    let (shop, failed) = after_receives(5);
    assert_eq!(failed, [""; 0]);
    let (why, wait) = shop.rows().of("a").parked.unwrap();
    assert_eq!(why, "no_answer");
    assert!((1..=32).contains(&wait.as_secs()), "{wait:?}");
}

#[test]
fn a_time_that_the_provider_names_is_kept() {
    let not_before = Some(Duration::from_millis(7_500));
    let throttled = Outcome::Later { why: Later::Throttled, not_before };
    let shop = Shop::with(&["a"]).answers(Endpoint::Authorize, "a", (10, throttled));
    let hidden = shop.settle(&["a"]).hidden;
    assert!((9..=10).contains(&hidden[0].1), "{hidden:?}");
}
