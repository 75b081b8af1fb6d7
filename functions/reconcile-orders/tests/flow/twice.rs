//! Two runs at once over one database, one provider and one queue.

use std::time::Duration;

use backoff::Deadline;
use futures_util::future::join;
use order::PaymentStatus;
use payments::ChargeStatus;
use reconcile_orders::flow::reconcile;
use reconcile_orders::report::Summary;

use crate::world::{NOW_S, RUN, World, now};

/// Two instances, each let on by the other at every await that waits.
fn both(world: &World) -> [Summary; 2] {
    let (one, other) = (world.doors(), world.doors());
    let deadline = Deadline::after(&world.clock, RUN);
    let (one, other) = now(join(reconcile(&one, deadline), reconcile(&other, deadline)));
    [one, other]
}

#[test]
fn two_runs_at_once_do_everything_once() {
    let world = World::default();
    for number in 0..20 {
        world.rows.row(&format!("u{number:02}"), PaymentStatus::Unknown, Duration::from_hours(2));
        world.rows.row(&format!("x{number:02}"), PaymentStatus::Requested, Duration::from_hours(23));
        world.rows.row(&format!("f{number:02}"), PaymentStatus::Failed, Duration::from_mins(1));
        world.bank.charge(
            &format!("pi_{number:02}"),
            &format!("f{number:02}"),
            ChargeStatus::Held,
            NOW_S - 60,
        );
        world.rows.parked(&format!("p{number:02}"), 0);
    }
    world.bank.spare(&[7]);
    let runs = both(&world);
    let total = |count: fn(&Summary) -> usize| runs.iter().map(count).sum::<usize>();
    assert_eq!(total(|run| run.unknown.given_up), 20);
    assert_eq!(total(|run| run.expiries.expired), 20);
    assert_eq!(total(|run| run.sweeps.canceled), 20);
    let mut requests = world.post.requests();
    requests.sort();
    let once = requests.len();
    requests.dedup();
    assert_eq!((requests.len(), once), (40, 40), "the parked ones, and the second attempts");
    let (mut events, canceled) = (world.post.events(), world.bank.canceled());
    events.sort();
    events.dedup();
    assert_eq!((events.len(), canceled.len()), (20, 20));
}
