//! Bounds: rows per duty, calls to the provider per run, time per duty, and nothing that starts without time for it.

use std::time::Duration;

use order::PaymentStatus;
use payments::{ChargeStatus, Later};
use reconcile_orders::PROVIDER_CALLS_MAX;

use crate::world::{NOW_S, World};

const MINUTE: Duration = Duration::from_mins(1);

fn rows(count: usize, status: PaymentStatus, age: Duration) -> World {
    let world = World::default();
    (0..count).for_each(|number| world.rows.row(&format!("o{number:05}"), status, age));
    world
}

#[test]
fn each_duty_takes_so_many_rows_a_run() {
    let events = World::default();
    (0..10_001).for_each(|number| events.rows.event(&format!("o{number}"), 60_000));
    assert_eq!(events.run().events.published, 10_000);
    let expiries = rows(2_001, PaymentStatus::Requested, Duration::from_hours(23));
    assert_eq!(expiries.run().expiries.expired, 2_000);
    assert_eq!(rows(51, PaymentStatus::Unknown, MINUTE).run().unknown.taken, 50);
    assert_eq!(rows(101, PaymentStatus::Failed, MINUTE).run().sweeps.taken, 100);
}

#[test]
fn a_run_makes_only_so_many_calls_to_the_provider() {
    let world = rows(300, PaymentStatus::Unknown, MINUTE);
    (0..300).for_each(|number| world.rows.row(&format!("f{number}"), PaymentStatus::Failed, MINUTE));
    // A day behind, and so many charges that each page is full.
    world.rows.state.lock().unwrap().compared_until = Some(NOW_S - 86_400);
    (0..20_000).for_each(|number| {
        world.bank.charge(&format!("pi_{number}"), "x", ChargeStatus::Held, NOW_S - 86_400 + number);
    });
    let summary = world.run();
    let ledger = world.bank.ledger.lock().unwrap();
    assert_eq!(ledger.lists + ledger.sends, usize::try_from(PROVIDER_CALLS_MAX).unwrap());
    assert_eq!(summary.provider_calls, PROVIDER_CALLS_MAX);
    assert!(summary.stopped.contains(&("compare", Later::RateLimited.as_str())));
}

/// With so much time, and look-ups of a second each, which duties stop for want of time.
#[track_caller]
fn stops(time_ms: u64, expected: &[&str]) {
    let mut world = rows(50, PaymentStatus::Unknown, MINUTE);
    world.bank.look_up_takes = Duration::from_secs(1);
    let summary = world.run_for(Duration::from_millis(time_ms));
    let stopped: Vec<&str> = summary.stopped.iter().map(|(duty, _)| *duty).collect();
    assert_eq!(stopped, expected, "{time_ms} ms");
}

#[test]
fn nothing_starts_without_time_for_it() {
    stops(0, &["events", "expiries", "unknown", "sweeps", "compare", "backlog", "pump"]);
    stops(799, &["events", "expiries", "unknown", "sweeps", "compare", "backlog", "pump"]);
    stops(800, &["events", "expiries", "unknown", "sweeps", "compare", "backlog"]);
    stops(1_100, &["unknown", "sweeps", "compare"]);
}

#[test]
fn a_slow_provider_leaves_the_later_duties_their_time() {
    let mut world = rows(50, PaymentStatus::Unknown, MINUTE);
    world.bank.look_up_takes = Duration::from_secs(1);
    world.rows.row("f", PaymentStatus::Failed, MINUTE);
    world.rows.parked("p", 0);
    world.bank.spare(&[5]);
    let summary = world.run();
    assert_eq!((summary.sweeps.taken, summary.pump.published), (1, 1));
}
