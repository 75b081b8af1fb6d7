//! Duties 1 and 2: unsent events are published and marked, orders that nobody could pay in time end.

use std::time::Duration;

use order::PaymentStatus;
use order_store::OutboxEvent;

use crate::rows::State;
use crate::world::{NOW_S, World};

const HOUR: Duration = Duration::from_hours(1);

#[test]
fn unsent_events_are_published_oldest_first_in_their_writers_bytes_and_marked() {
    let world = World::default();
    world.rows.event("old", 60_000);
    world.rows.event("older", 30_000);
    world.rows.event("young", 29_999);
    let summary = world.run();
    assert_eq!(world.post.events(), ["old:order.accepted.v1:2", "older:order.accepted.v1:2"]);
    assert_eq!((summary.events.unsent, summary.events.published), (2, 2));
    let order_id = "old".parse().unwrap();
    let written = order::OutEvent::OrderAccepted { order_id, customer_id: "c_1".parse().unwrap() };
    let body = world.post.taken.lock().unwrap()[0].body.clone();
    assert_eq!(body, written.to_event_json(2, NOW_S * 1_000 - 60_000, None));
    world.run();
    assert_eq!(world.post.events().len(), 2, "the marked ones are not read again");
}

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// An old event, a parked payment and an order that expires, each of an order with and of one without a trace.
fn traced() -> World {
    let world = World::default();
    for (event, parked, late) in [("a", "b", "c"), ("d", "e", "f")] {
        world.rows.event(event, 60_000);
        world.rows.parked(parked, 0);
        world.rows.row(late, PaymentStatus::Requested, 23 * HOUR);
    }
    let traces = ["a", "b", "c"].map(|id| (id.parse().unwrap(), TRACE.to_owned()));
    world.rows.state.lock().unwrap().traces = traces.into();
    world.bank.spare(&[5]);
    world
}

#[test]
fn what_is_published_belongs_to_the_trace_of_its_order() {
    let (world, trace) = (traced(), Some(TRACE.to_owned()));
    world.run();
    let with = (trace.clone(), trace);
    assert_eq!((world.post.events().len(), world.post.requests().len()), (4, 2));
    let [a, d, c, f, b, e] = world.post.traces().try_into().unwrap();
    assert_eq!([a, c, b], [with.clone(), with.clone(), with]);
    assert_eq!([d, f, e], [(None, None), (None, None), (None, None)]);
}

/// Runs with traces that cannot be had.
#[track_caller]
fn check_untraced(prepare: impl FnOnce(&mut State)) {
    let world = traced();
    prepare(&mut world.rows.state.lock().unwrap());
    assert_eq!(world.run().stopped, []);
    assert_eq!((world.post.events().len(), world.post.requests().len()), (4, 2));
    assert!(world.post.traces().iter().all(|traces| *traces == (None, None)));
}

#[test]
fn what_is_published_hardly_waits_for_its_trace() {
    check_untraced(|rows| rows.fails = [("traces", 9)].into());
    check_untraced(|rows| rows.traces_hang = true);
}

#[test]
fn however_short_the_run_looking_for_traces_leaves_time_to_publish() {
    let world = traced();
    world.rows.state.lock().unwrap().traces_hang = true;
    world.run_for(Duration::from_millis(1_100));
    assert_eq!(world.post.events(), ["a:order.accepted.v1:2", "d:order.accepted.v1:2"]);
}

#[test]
fn where_nothing_is_published_no_trace_is_looked_up() {
    let world = World::default();
    world.run();
    assert_eq!(world.rows.calls("traces"), 0);
}

#[test]
fn an_event_that_the_queue_refuses_is_published_by_the_next_run() {
    let world = World::default();
    world.rows.event("a", 60_000);
    world.rows.event("b", 60_000);
    *world.post.refuses.lock().unwrap() = 1;
    assert_eq!(world.run().stopped, [("events", "queue_unavailable")]);
    assert_eq!(world.post.events(), ["b:order.accepted.v1:2"]);
    assert_eq!(world.run().stopped, []);
    assert_eq!(world.post.events(), ["b:order.accepted.v1:2", "a:order.accepted.v1:2"]);
}

#[test]
fn an_event_that_cannot_be_read_holds_up_no_other() {
    let world = World::default();
    world.rows.event("a", 60_000);
    world.rows.event("b", 60_000);
    let broken = |event: &mut OutboxEvent| event.payload = "{}".to_owned();
    broken(&mut world.rows.state.lock().unwrap().outbox[0].0);
    world.run();
    assert_eq!(world.post.events(), ["b:order.accepted.v1:2"]);
}

#[track_caller]
fn expires(status: PaymentStatus, age: Duration, expected: &str) {
    let world = World::default();
    world.rows.row("a", status, age);
    let summary = world.run();
    assert_eq!(world.rows.statuses(), [expected]);
    let expired = usize::from(expected.ends_with("failed"));
    assert_eq!((summary.expiries.expired, world.post.events().len()), (expired, expired));
}

#[test]
fn an_order_ends_after_23_hours_without_an_authorization_and_the_shop_hears_of_it_at_once() {
    expires(PaymentStatus::Requested, 23 * HOUR, "a/1 failed");
    expires(PaymentStatus::AwaitingCustomer, 23 * HOUR, "a/1 failed");
    expires(PaymentStatus::Requested, 23 * HOUR - Duration::from_millis(1), "a/1 requested");
    expires(PaymentStatus::Capturing, 99 * HOUR, "a/1 capturing");
}
