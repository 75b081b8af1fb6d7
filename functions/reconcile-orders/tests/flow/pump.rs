//! Duty 6: parked payments flow at the pace that is left, and not at all while the provider is away.

use std::time::Duration;

use reconcile_orders::ROWS_PER_TURN;

use crate::world::{NOW_S, World};

/// So many payments that are due now.
fn parked(count: usize) -> World {
    let world = World::default();
    (0..count).for_each(|number| world.rows.parked(&format!("o{number:04}"), 0));
    world
}

#[track_caller]
fn published(count: usize, spare: &[u32], time_ms: u64, expected: usize) {
    let world = parked(count);
    world.bank.spare(spare);
    let summary = world.run_for(Duration::from_millis(time_ms));
    assert_eq!((summary.pump.published, world.post.requests().len()), (expected, expected));
}

#[test]
fn what_is_spare_is_published_each_second_until_nothing_waits() {
    published(10, &[10], 55_000, 10);
    published(25, &[10], 55_000, 25);
    published(25, &[10, 0, 5], 55_000, 25);
    published(25, &[10], 2_500, 20); // Half a second is kept for the answer.
    published(0, &[10], 55_000, 0);
}

#[test]
fn the_pump_ends_when_nothing_waits() {
    let world = parked(25);
    world.bank.spare(&[10]);
    world.run();
    assert_eq!(world.clock.sleeps(), [Duration::from_secs(1); 2]);
}

#[test]
fn while_nothing_is_spare_nothing_is_published_and_the_store_is_asked_once() {
    let world = parked(5);
    let summary = world.run();
    assert_eq!((summary.pump.published, summary.pump.waiting), (0, 5));
    assert_eq!(world.rows.calls("take_due"), 1);
    assert!(world.bank.ledger.lock().unwrap().spare_asked > 200, "asked four times a second");
}

#[test]
fn a_probe_is_one_row() {
    let world = parked(5);
    world.bank.spare(&[0, 0, 1, 0]);
    assert_eq!(world.run().pump.published, 1);
}

#[test]
fn the_end_of_an_outage_is_noticed_within_a_quarter_of_a_second() {
    let world = parked(5);
    let mut outage = vec![0; 40];
    outage.push(5);
    world.bank.spare(&outage);
    world.run();
    assert_eq!(world.post.request_times_ms(), [NOW_S * 1_000 + 40 * 250; 5]);
}

#[test]
fn rows_that_are_not_due_yet_are_waited_for() {
    let world = parked(0);
    world.rows.parked("soon", 4_500);
    world.bank.spare(&[10]);
    let summary = world.run();
    assert_eq!((summary.pump.published, summary.pump.turns), (1, 6));
}

#[test]
fn however_much_is_spare_a_turn_is_bounded() {
    let limit = usize::try_from(ROWS_PER_TURN).unwrap();
    let world = parked(limit + 1);
    world.bank.spare(&[u32::MAX]);
    world.run_for(Duration::from_millis(1_300));
    assert_eq!(world.post.requests().len(), limit);
}

#[test]
fn what_the_queue_refuses_is_published_first_in_the_next_turn_and_counts_as_spare() {
    let world = parked(6);
    world.bank.spare(&[4]);
    *world.post.refuses.lock().unwrap() = 2;
    let summary = world.run();
    assert_eq!(world.post.requests(), ["o0002/1", "o0003/1", "o0000/1", "o0001/1", "o0004/1", "o0005/1"]);
    assert_eq!((summary.pump.published, summary.stopped), (6, vec![]));
}

#[test]
fn a_turn_that_fails_is_tried_again_and_the_third_in_a_row_is_the_last() {
    let world = parked(6);
    world.bank.spare(&[4]);
    world.rows.state.lock().unwrap().fails.insert("take_due", 2);
    assert_eq!((world.run().stopped, world.post.requests().len()), (vec![], 6));
    let world = parked(6);
    world.bank.spare(&[4]);
    world.rows.state.lock().unwrap().fails.insert("take_due", 3);
    assert_eq!((world.run().stopped, world.post.requests().len()), (vec![("pump", "database_refused")], 0));
}
