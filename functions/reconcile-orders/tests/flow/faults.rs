//! A duty that fails keeps no other from running: whatever fails, everything else is done, and the run says what was not.

use std::time::Duration;

use order::PaymentStatus;
use payments::{ChargeStatus, Later};
use reconcile_orders::report::Summary;

use crate::world::{NOW_S, World};

const MINUTE: Duration = Duration::from_mins(1);

/// Something to do for every duty.
fn busy() -> World {
    let world = World::default();
    world.rows.event("a", 60_000);
    world.rows.row("b", PaymentStatus::Requested, Duration::from_hours(23));
    world.rows.row("c", PaymentStatus::Unknown, MINUTE);
    world.bank.charge("pi_c", "c", ChargeStatus::Held, NOW_S - 60);
    world.rows.row("d", PaymentStatus::Failed, MINUTE);
    world.bank.charge("pi_d", "d", ChargeStatus::Held, NOW_S - 60);
    world.bank.charge("pi_x", "x", ChargeStatus::Held, NOW_S - 630);
    world.rows.parked("e", 0);
    world.bank.spare(&[10]);
    world
}

/// What each duty did.
fn done(summary: &Summary) -> [usize; 6] {
    let Summary { events, expiries, unknown, sweeps, compare, pump, .. } = summary;
    [events.published, expiries.expired, unknown.moved, sweeps.canceled, compare.differences, pump.published]
}

const ALL: [usize; 6] = [1, 1, 1, 1, 1, 1];

#[test]
fn every_duty_has_its_turn() {
    let summary = busy().run();
    assert_eq!((done(&summary), summary.stopped), (ALL, vec![]));
}

/// A call that always fails, and which duties must do their work nevertheless.
#[track_caller]
fn fails(call: &'static str, stopped: &str, expected: [usize; 6]) {
    let world = busy();
    world.rows.state.lock().unwrap().fails.insert(call, usize::MAX);
    let summary = world.run();
    assert_eq!(done(&summary), expected, "{call}");
    assert_eq!(summary.stopped, [(stopped, "database_refused")], "{call}");
}

#[test]
fn a_call_that_the_database_refuses_stops_its_duty_only() {
    fails("unsent_events", "events", [0, 1, 1, 1, 1, 1]);
    fails("expire", "expiries", [1, 0, 1, 1, 1, 1]);
    fails("take_unknown", "unknown", [1, 1, 0, 1, 1, 1]);
    fails("record", "unknown", [1, 1, 0, 1, 1, 1]);
    fails("take_sweeps", "sweeps", [1, 1, 1, 0, 1, 1]);
    fails("compare", "compare", [1, 1, 1, 1, 0, 1]);
    fails("compared_until", "compare", [1, 1, 1, 1, 0, 1]);
    fails("set_compared_until", "compare", ALL);
    fails("take_due", "pump", [1, 1, 1, 1, 1, 0]);
}

#[track_caller]
fn panics(call: &'static str, stopped: &str) {
    let world = busy();
    world.rows.state.lock().unwrap().panics_in.insert(call);
    let summary = world.run();
    assert_eq!(summary.stopped, [(stopped, "panicked")], "{call}");
    assert_eq!(done(&summary).iter().sum::<usize>(), 5, "{call}");
}

#[test]
fn a_panic_stops_its_duty_only() {
    panics("unsent_events", "events");
    panics("expire", "expiries");
    panics("take_unknown", "unknown");
    panics("take_sweeps", "sweeps");
    panics("compare", "compare");
    panics("take_due", "pump");
}

#[test]
fn events_that_could_not_be_marked_are_published_again() {
    let world = busy();
    world.rows.state.lock().unwrap().fails.insert("mark_sent", 1);
    assert_eq!(world.run().stopped, [("events", "database_refused")]);
    assert_eq!(world.run().events.published, 1);
}

#[track_caller]
fn provider_says(why: Later, lists: usize) {
    let world = busy();
    world.bank.ledger.lock().unwrap().list_faults = [Some(why); 9].into();
    let summary = world.run();
    assert_eq!(done(&summary), [1, 1, 0, 0, 0, 1], "{why:?}");
    assert_eq!(world.bank.ledger.lock().unwrap().lists, lists, "{why:?}");
    assert!(summary.stopped.contains(&("compare", why.as_str())), "{why:?}");
}

#[test]
fn a_provider_that_does_not_answer_is_not_looked_up_again_in_this_run() {
    provider_says(Later::NoAnswer, 1);
    provider_says(Later::NotConnected, 1);
    provider_says(Later::BreakerOpen, 1);
    provider_says(Later::Unauthorized, 1);
    provider_says(Later::RateLimited, 1);
    provider_says(Later::InFlight, 4); // `b` has just expired, and is swept as well.
}

#[test]
fn a_queue_that_takes_nothing_loses_nothing() {
    let world = busy();
    *world.post.refuses.lock().unwrap() = usize::MAX;
    let summary = world.run();
    assert_eq!(done(&summary), [0, 1, 1, 1, 1, 0]);
    *world.post.refuses.lock().unwrap() = 0;
    world.clock.advance(11 * MINUTE);
    world.run();
    let mut requests = world.post.requests();
    requests.sort();
    assert_eq!(requests, ["c/1", "e/1"], "both have become due by their rows");
    assert_eq!(world.post.events(), ["a:order.accepted.v1:2", "b:order.rejected.v1:2"]);
}
