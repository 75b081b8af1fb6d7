//! Duty 3: what is known moves its row, what is not waits for the end of the quarantine.

use std::time::Duration;

use order::{OrderStatus, PaymentStatus};
use payments::{ChargeStatus, Later, Outcome};

use crate::world::{NOW_S, QUARANTINE, World};

const MINUTE: Duration = Duration::from_mins(1);

/// An unknown payment of order `a`, unknown since it was first sent.
fn unknown(age: Duration) -> World {
    let world = World::default();
    world.rows.row("a", PaymentStatus::Unknown, age);
    world
}

fn authorized() -> Outcome {
    Outcome::Authorized { payment_id: "pi_a".parse().unwrap() }
}

fn declined() -> Outcome {
    Outcome::Declined { code: "lost_card".to_owned(), soft: false, payment_id: None }
}

fn later(why: Later) -> Outcome {
    Outcome::Later { why, not_before: None }
}

#[track_caller]
fn replay(outcome: Outcome, statuses: &[&str]) {
    let world = unknown(MINUTE);
    world.bank.replies("a", outcome);
    world.run();
    assert_eq!(world.rows.statuses(), statuses);
}

#[test]
fn what_a_replay_says_moves_the_row() {
    replay(authorized(), &["a/1 capturing"]);
    replay(declined(), &["a/1 failed"]);
    replay(Outcome::AwaitsCustomer { payment_id: None }, &["a/1 awaiting_customer"]);
    replay(Outcome::Review { why: "amount_differs", payment_id: None }, &["a/1 review"]);
    replay(later(Later::NoAnswer), &["a/1 unknown"]);
}

#[track_caller]
fn found(status: ChargeStatus, statuses: &[&str]) {
    let world = unknown(MINUTE);
    world.bank.charge("pi_a", "a", status, NOW_S - 60);
    world.run();
    assert_eq!(world.rows.statuses(), statuses);
}

#[test]
fn what_a_look_up_finds_moves_the_row() {
    found(ChargeStatus::Held, &["a/1 capturing"]);
    found(ChargeStatus::Captured, &["a/1 capturing"]);
    found(ChargeStatus::RequiresAction, &["a/1 awaiting_customer"]);
}

#[track_caller]
fn not_found(unknown_for: Duration, statuses: &[&str]) {
    let world = unknown(unknown_for);
    world.bank.charge("pi_b", "b", ChargeStatus::Held, NOW_S - 60);
    world.run();
    assert_eq!(world.rows.statuses(), statuses);
}

#[test]
fn what_nobody_finds_is_given_up_when_the_quarantine_is_over_and_not_before() {
    not_found(MINUTE, &["a/1 unknown"]);
    not_found(QUARANTINE - Duration::from_millis(1), &["a/1 unknown"]);
    not_found(QUARANTINE, &["a/1 failed", "a/2 requested"]);
}

#[test]
fn a_look_up_without_an_answer_gives_nothing_up() {
    let world = unknown(QUARANTINE * 2);
    world.bank.ledger.lock().unwrap().list_faults = [Some(Later::NoAnswer)].into();
    let summary = world.run();
    assert_eq!((summary.unknown.given_up, summary.unknown.waiting), (0, 1));
    assert_eq!(world.rows.statuses(), ["a/1 unknown"]);
}

#[test]
fn an_authorized_payment_is_handed_to_settle_at_once() {
    let world = unknown(MINUTE);
    world.bank.replies("a", authorized());
    assert_eq!(world.run().unknown.moved, 1);
    assert_eq!(world.post.requests(), ["a/1"]);
}

#[test]
fn one_that_is_no_longer_wanted_is_handed_to_settle_to_be_canceled() {
    let world = unknown(MINUTE);
    world.rows.change("a", |row| row.order = OrderStatus::Canceled);
    world.bank.replies("a", authorized());
    world.run();
    assert_eq!(
        (world.rows.statuses(), world.post.requests()),
        (vec!["a/1 voiding".into()], vec!["a/1".into()])
    );
}

#[test]
fn a_decline_is_told_to_the_shop_at_once() {
    let world = unknown(MINUTE);
    world.bank.replies("a", declined());
    world.run();
    assert_eq!(world.post.events(), ["a:order.rejected.v1:2"]);
    assert!(world.rows.state.lock().unwrap().outbox[0].1, "marked as sent");
}

#[test]
fn of_two_holds_of_one_attempt_the_row_names_the_older_and_the_other_is_canceled() {
    let world = unknown(MINUTE);
    world.bank.charge("pi_1", "a", ChargeStatus::Held, NOW_S - 60);
    world.bank.charge("pi_2", "a", ChargeStatus::Held, NOW_S - 59);
    world.run();
    assert_eq!(
        (world.rows.statuses(), world.bank.canceled()),
        (vec!["a/1 capturing".into()], vec!["pi_2".into()])
    );
}

#[test]
fn whoever_moved_the_row_first_decides_which_hold_stays() {
    let world = unknown(MINUTE);
    world.bank.charge("pi_1", "a", ChargeStatus::Held, NOW_S - 60);
    world.bank.charge("pi_2", "a", ChargeStatus::Held, NOW_S - 59);
    // Taken as unknown; by the time this run records what it found, settle has named the other hold.
    world.rows.state.lock().unwrap().moved_before_record = Some("pi_2");
    world.run();
    assert_eq!(world.bank.canceled(), [""; 0]);
}
