//! Duty 4: what a failed attempt left at the provider is canceled, and nothing else.

use std::time::Duration;

use order::PaymentStatus;
use payments::{ChargeStatus, Later, Outcome};

use crate::world::{NOW_S, World};

const MINUTE: Duration = Duration::from_mins(1);

/// A failed attempt of order `a`, with one charge.
fn failed(charge: ChargeStatus) -> World {
    let world = World::default();
    world.rows.row("a", PaymentStatus::Failed, MINUTE);
    world.bank.charge("pi_a", "a", charge, NOW_S - 60);
    world
}

#[track_caller]
fn swept(charge: ChargeStatus, canceled: &[&str]) {
    let world = failed(charge);
    let summary = world.run();
    assert_eq!(world.bank.canceled(), canceled);
    assert_eq!((summary.sweeps.taken, summary.sweeps.canceled), (1, canceled.len()));
}

#[test]
fn what_is_held_or_may_still_be_is_canceled() {
    swept(ChargeStatus::Held, &["pi_a"]);
    swept(ChargeStatus::RequiresAction, &["pi_a"]);
    swept(ChargeStatus::NotHeld, &["pi_a"]);
    swept(ChargeStatus::Canceled, &[]);
    swept(ChargeStatus::Captured, &[]);
}

#[test]
fn a_charge_of_another_attempt_of_the_same_order_stays() {
    let world = failed(ChargeStatus::Canceled);
    world.bank.charge("pi_2", "a", ChargeStatus::Held, NOW_S - 30);
    world.bank.change("pi_2", |charge| charge.payment.as_mut().unwrap().attempt_no = 2);
    world.run();
    assert_eq!(world.bank.canceled(), [""; 0]);
}

#[test]
fn an_attempt_is_swept_every_hour() {
    let world = failed(ChargeStatus::Canceled);
    world.run();
    assert_eq!(world.run().sweeps.taken, 0);
    world.clock.advance(60 * MINUTE);
    assert_eq!(world.run().sweeps.taken, 1);
}

#[test]
fn a_hold_that_cannot_be_canceled_now_is_canceled_by_a_later_sweep() {
    let world = failed(ChargeStatus::Held);
    let later = Outcome::Later { why: Later::RateLimited, not_before: None };
    world.bank.ledger.lock().unwrap().cancel_answers = [later].into();
    assert_eq!(world.run().stopped, [("sweeps", "rate_limited")]);
    world.clock.advance(60 * MINUTE);
    assert_eq!(world.run().sweeps.canceled, 1);
}

#[test]
fn an_attempt_that_the_provider_does_not_show_is_seen_later() {
    let world = failed(ChargeStatus::Held);
    world.bank.ledger.lock().unwrap().list_faults = [Some(Later::NoAnswer)].into();
    let summary = world.run();
    assert_eq!((summary.sweeps.unseen, summary.sweeps.canceled), (1, 0));
    world.clock.advance(60 * MINUTE);
    assert_eq!(world.run().sweeps.canceled, 1);
}
