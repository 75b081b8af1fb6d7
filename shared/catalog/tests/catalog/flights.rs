//! Concurrent look-ups of one process: one read for all, and nobody hangs when one of them is cancelled.

use std::time::Duration;

use catalog::{CatalogReader, Known, Lookup};
use data_api::Deadline;
use tokio::task::JoinHandle;

use crate::support::{SNAPSHOT_OVER, TestCatalog, World, ended, sku, skus, told};

fn spawn_look_up(world: &World, process: &TestCatalog, names: &[&str]) -> JoinHandle<Lookup> {
    spawn_look_up_by(process, names, world.deadline())
}

fn spawn_look_up_by(process: &TestCatalog, names: &[&str], deadline: Deadline) -> JoinHandle<Lookup> {
    let (process, asked) = (process.clone(), skus(names));
    tokio::spawn(async move { process.look_up(&asked, deadline).await })
}

#[tokio::test]
async fn fifty_look_ups_of_one_missing_product_read_it_once() {
    let world = World::new();
    let process = world.warm_process().await;
    world.table.hold();
    let look_ups: Vec<_> = (0..50).map(|_| spawn_look_up(&world, &process, &["kit-1", "kit-2"])).collect();
    world.until("a read is under way", || world.table.reads() == 1).await;
    world.table.release();
    let mut joined = 0;
    for look_up in look_ups {
        let lookup = ended(look_up).await;
        assert_eq!(lookup.products[&sku("kit-1")], world.table.known(&sku("kit-1")));
        joined += lookup.counts.joined + lookup.counts.snapshot_hits;
    }
    assert_eq!(world.table.reads(), 1);
    assert_eq!(joined, 98, "all but one look-up of two products are answered by the one");
}

#[tokio::test]
async fn overlapping_look_ups_read_each_product_once() {
    let world = World::new();
    let process = world.warm_process().await;
    world.table.hold();
    let first = spawn_look_up(&world, &process, &["kit-1", "kit-2"]);
    world.until("the first reads", || world.table.reads() == 1).await;
    let second = spawn_look_up(&world, &process, &["kit-2", "kit-3"]);
    world.until("the second reads", || world.table.reads() == 2).await;
    world.table.release();
    assert_eq!(told(ended(first).await.counts).0, [0, 0, 2]);
    let second = ended(second).await;
    assert_eq!((second.counts.misses, second.counts.joined), (1, 1));
    assert_eq!(second.products[&sku("kit-2")], world.table.known(&sku("kit-2")));
}

#[tokio::test]
async fn a_follower_takes_over_from_a_cancelled_look_up() {
    let world = World::new();
    let process = world.warm_process().await;
    world.table.hold();
    let leader = spawn_look_up(&world, &process, &["kit-1"]);
    world.until("the leader reads", || world.table.reads() == 1).await;
    let followers: Vec<_> = (0..5).map(|_| spawn_look_up(&world, &process, &["kit-1"])).collect();
    tokio::task::yield_now().await;
    leader.abort();
    assert!(leader.await.is_err_and(|end| end.is_cancelled()));
    world.until("a follower reads", || world.table.reads() == 2).await;
    world.table.release();
    for follower in followers {
        assert_eq!(ended(follower).await.products[&sku("kit-1")], world.table.known(&sku("kit-1")));
    }
    assert_eq!(world.table.reads(), 2, "one took over, for all");
}

#[tokio::test]
async fn a_follower_waits_no_longer_than_its_own_deadline() {
    let world = World::new();
    let process = world.warm_process().await;
    world.table.hold();
    let leader = spawn_look_up(&world, &process, &["kit-1"]);
    world.until("the leader reads", || world.table.reads() == 1).await;
    let hurried = spawn_look_up_by(&process, &["kit-1"], world.deadline_in(Duration::from_millis(100)));
    tokio::task::yield_now().await;
    world.clock.advance(Duration::from_millis(101));
    let lookup = ended(hurried).await;
    assert_eq!(lookup.products[&sku("kit-1")], Known::Unread);
    assert_eq!((lookup.counts.joined, lookup.counts.unread), (1, 1));
    world.table.release();
    assert!(matches!(ended(leader).await.products[&sku("kit-1")], Known::Product(_)));
}

#[tokio::test]
async fn a_failing_database_is_asked_once_for_all_who_wait() {
    let world = World::new();
    let process = world.warm_process().await;
    world.table.set_down(true);
    world.table.hold();
    let look_ups: Vec<_> = (0..10).map(|_| spawn_look_up(&world, &process, &["kit-1"])).collect();
    world.until("a read is under way", || world.table.reads() == 1).await;
    world.table.release();
    for look_up in look_ups {
        assert_eq!(ended(look_up).await.products[&sku("kit-1")], Known::Unread);
    }
    assert_eq!(world.table.reads(), 1);
}

#[tokio::test]
async fn what_is_learned_is_as_old_as_the_question() {
    let world = World::new();
    let process = world.warm_process().await;
    world.table.hold();
    let slow = spawn_look_up(&world, &process, &["kit-1"]);
    world.until("the read is under way", || world.table.reads() == 1).await;
    world.clock.advance(SNAPSHOT_OVER);
    world.table.release();
    ended(slow).await;
    let counts = world.look_up_right(&process, &["kit-1"]).await;
    assert_eq!(
        told(counts),
        ([0, 1, 0], [1, 0]),
        "the snapshot has nothing that is older than half a second"
    );
}
