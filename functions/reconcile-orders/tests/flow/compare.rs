//! Duty 5: windows of the provider's charges against the rows; the cursor moves behind what was compared as a whole.

use std::time::Duration;

use order::PaymentStatus;
use payments::{ChargeStatus, Later, Outcome};

use crate::world::{LAG_S, NOW_S, World};

/// The end of what is compared now.
const TO_S: u64 = NOW_S - LAG_S;

const HOUR: Duration = Duration::from_hours(1);

/// An order `a` whose row has this status and names `pi_a`, with a charge of it that is old enough.
fn charged(status: PaymentStatus, charge: ChargeStatus) -> World {
    let world = World::default();
    world.rows.row("a", status, HOUR);
    world.rows.change("a", |row| row.payment_id = Some("pi_a".parse().unwrap()));
    world.bank.charge("pi_a", "a", charge, TO_S - 1);
    // Swept already, so that what is canceled here is canceled by the comparison.
    world.rows.change("a", |row| row.due_ms = Some(u64::MAX));
    world
}

fn cursor(world: &World) -> u64 {
    world.rows.state.lock().unwrap().compared_until.unwrap()
}

#[track_caller]
fn compared(world: &World, differences: usize, canceled: &[&str]) {
    let summary = world.run();
    assert_eq!((summary.compare.differences, world.bank.canceled()), (differences, owned(canceled)));
    assert_eq!((cursor(world), summary.compare.behind_s), (TO_S, 0));
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn a_hold_that_its_row_does_not_want_is_canceled_and_every_other_one_stays() {
    compared(&charged(PaymentStatus::Capturing, ChargeStatus::Held), 0, &[]);
    compared(&charged(PaymentStatus::Captured, ChargeStatus::Captured), 0, &[]);
    compared(&charged(PaymentStatus::Failed, ChargeStatus::Held), 1, &["pi_a"]);
    let beside = charged(PaymentStatus::Capturing, ChargeStatus::Held);
    beside.bank.charge("pi_b", "a", ChargeStatus::Held, TO_S - 1);
    compared(&beside, 1, &["pi_b"]);
}

#[test]
fn what_a_person_must_decide_is_counted_and_left_alone() {
    compared(&charged(PaymentStatus::Failed, ChargeStatus::Captured), 1, &[]);
    let nobodys = World::default();
    nobodys.bank.charge("pi_x", "x", ChargeStatus::Held, TO_S - 1);
    compared(&nobodys, 1, &[]);
}

#[test]
fn a_charge_that_names_no_attempt_of_ours_is_not_ours_to_judge() {
    let world = charged(PaymentStatus::Failed, ChargeStatus::Held);
    world.bank.change("pi_a", |charge| charge.payment = None);
    compared(&world, 0, &[]);
}

#[test]
fn a_charge_younger_than_the_lag_is_left_for_later() {
    let world = charged(PaymentStatus::Failed, ChargeStatus::Held);
    world.bank.change("pi_a", |charge| charge.created_s = TO_S);
    compared(&world, 0, &[]);
    world.clock.advance(Duration::from_secs(1));
    world.run();
    assert_eq!(world.bank.canceled(), ["pi_a"]);
}

#[test]
fn the_first_comparison_begins_a_day_back() {
    let world = World::default();
    world.rows.state.lock().unwrap().compared_until = None;
    world.bank.charge("pi_old", "x", ChargeStatus::Held, TO_S - 24 * 3_600);
    world.bank.charge("pi_older", "x", ChargeStatus::Held, TO_S - 24 * 3_600 - 1);
    compared(&world, 1, &[]);
}

/// `count` charges in each of `seconds`, which end where the comparison ends.
fn busy(seconds: u64, count: usize) -> World {
    let world = World::default();
    world.rows.state.lock().unwrap().compared_until = Some(TO_S - seconds);
    for second in 1..=seconds {
        for number in 0..count {
            world.bank.charge(&format!("pi_{second}_{number}"), "x", ChargeStatus::Held, TO_S - second);
        }
    }
    world
}

#[test]
fn every_page_of_a_window_is_read() {
    compared(&busy(1, 250), 250, &[]);
}

#[test]
fn a_window_with_too_many_pages_is_cut_and_nothing_is_compared_twice() {
    let world = busy(8, 600);
    compared(&world, 4_800, &[]);
    assert_eq!(world.rows.calls("set_compared_until"), 4);
}

#[test]
fn a_second_with_more_charges_than_can_be_read_stops_the_comparison_before_it() {
    let world = busy(1, 2_001);
    assert_eq!(world.run().stopped, [("compare", "window_too_large")]);
    assert_eq!(cursor(&world), TO_S - 1);
}

#[test]
fn a_window_that_was_not_read_to_its_end_is_read_again() {
    let world = busy(1, 250);
    world.bank.ledger.lock().unwrap().list_faults = [None, Some(Later::NoAnswer)].into();
    assert_eq!(world.run().stopped, [("compare", "no_answer")]);
    assert_eq!(cursor(&world), TO_S - 1);
    compared(&world, 250, &[]);
}

#[test]
fn a_window_whose_orphan_could_not_be_canceled_is_compared_again() {
    let world = charged(PaymentStatus::Failed, ChargeStatus::Held);
    let later = Outcome::Later { why: Later::BreakerOpen, not_before: None };
    world.bank.ledger.lock().unwrap().cancel_answers = [later].into();
    assert_eq!(world.run().stopped, [("compare", "breaker_open")]);
    assert_eq!(cursor(&world), TO_S - 60);
    world.run();
    assert_eq!((cursor(&world), world.bank.canceled().len()), (TO_S, 2));
}
