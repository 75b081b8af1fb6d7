//! The layers in health: what a look-up answers and which calls it makes.

use std::collections::BTreeMap;
use std::time::Duration;

use catalog::{CatalogReader, CatalogWriter, Known, Published};

use crate::support::{SNAPSHOT_OVER, World, key, product, sku, told};

#[tokio::test]
async fn a_cold_look_up_reads_once_and_later_ones_cost_less_and_less() {
    let world = World::new();
    let process = world.warm_process().await;
    let names = ["kit-1", "kit-2", "kit-3"];
    assert_eq!(
        told(world.look_up_right(&process, &names).await),
        ([0, 0, 3], [2, 1]),
        "cold: read and write back"
    );
    assert_eq!(
        told(world.look_up_right(&process, &names).await),
        ([3, 0, 0], [0, 0]),
        "fresh: no call at all"
    );
    world.clock.advance(SNAPSHOT_OVER);
    assert_eq!(told(world.look_up_right(&process, &names).await), ([0, 3, 0], [1, 0]), "warm: one MGET");
    let other = world.warm_process().await;
    assert_eq!(
        told(world.look_up_right(&other, &names).await),
        ([0, 3, 0], [1, 0]),
        "another process profits"
    );
    assert_eq!(world.table.reads(), 1);
}

#[tokio::test]
async fn a_look_up_reads_only_what_is_missing() {
    let world = World::new();
    let process = world.warm_process().await;
    world.look_up_right(&process, &["kit-1"]).await;
    assert_eq!(told(world.look_up_right(&process, &["kit-1", "kit-2"]).await), ([1, 0, 1], [2, 1]));
    world.clock.advance(SNAPSHOT_OVER);
    assert_eq!(told(world.look_up_right(&process, &["kit-1", "kit-2", "kit-3"]).await), ([0, 2, 1], [2, 1]));
}

#[tokio::test]
async fn a_look_up_of_nothing_costs_nothing() {
    let world = World::new();
    assert_eq!(told(world.look_up(&world.process(), &[]).await.counts), ([0, 0, 0], [0, 0]));
}

#[tokio::test]
async fn the_snapshot_is_not_used_after_half_a_second() {
    let world = World::new();
    let process = world.warm_process().await;
    world.look_up_right(&process, &["kit-1"]).await;
    world.clock.advance(Duration::from_millis(500));
    assert_eq!(told(world.look_up_right(&process, &["kit-1"]).await), ([1, 0, 0], [0, 0]));
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(told(world.look_up_right(&process, &["kit-1"]).await), ([0, 1, 0], [1, 0]));
}

#[tokio::test]
async fn an_unknown_sku_is_remembered_for_a_few_seconds() {
    let world = World::new();
    let first = world.look_up_right(&world.warm_process().await, &["no-such-kit"]).await;
    assert_eq!(told(first), ([0, 0, 1], [2, 1]));
    let second = world.look_up_right(&world.warm_process().await, &["no-such-kit"]).await;
    assert_eq!(told(second), ([0, 1, 0], [1, 0]), "remembered as unknown");
    let ttl_ms: i64 = world.redis.ask(&[b"PTTL", key("no-such-kit").as_bytes()]);
    assert!((1..=6_000).contains(&ttl_ms), "forgotten in {ttl_ms} ms");
}

#[tokio::test]
async fn a_product_that_appears_replaces_the_memory_of_its_absence() {
    let world = World::new();
    let process = world.warm_process().await;
    world.look_up_right(&process, &["kit-new"]).await;
    world.table.put("kit-new", 500, 0);
    let published =
        process.publish(&BTreeMap::from([(sku("kit-new"), product(500, 0))]), world.deadline()).await;
    assert_eq!(
        published,
        Ok(Published { written: 1, superseded: 0 }),
        "even version 0 is newer than nothing"
    );
    assert_eq!(told(world.look_up_right(&process, &["kit-new"]).await), ([0, 1, 0], [1, 0]));
}

#[tokio::test]
async fn products_live_in_redis_for_five_minutes_give_or_take_a_fifth() {
    let world = World::new();
    let names = ["kit-1", "kit-2", "kit-3", "kit-4", "kit-5", "kit-6", "kit-7", "kit-8", "kit-9"];
    world.look_up_right(&world.warm_process().await, &names).await;
    let ttls_s = names.map(|name| world.redis.ask::<i64>(&[b"PTTL", key(name).as_bytes()]) / 1_000);
    for ttl_s in ttls_s {
        assert!((230..=360).contains(&ttl_s), "forgotten in {ttl_s} s");
    }
    assert!(ttls_s.iter().any(|ttl_s| *ttl_s != ttls_s[0]), "not all at once: {ttls_s:?}");
}

#[tokio::test]
async fn a_published_product_is_seen_at_once_by_its_process_and_within_half_a_second_by_others() {
    let world = World::new();
    let (writer, other) = (world.warm_process().await, world.warm_process().await);
    world.look_up_right(&writer, &["kit-1"]).await;
    world.look_up_right(&other, &["kit-1"]).await;
    world.table.put("kit-1", 777, 2);
    let published =
        writer.publish(&BTreeMap::from([(sku("kit-1"), product(777, 2))]), world.deadline()).await;
    assert_eq!(published, Ok(Published { written: 1, superseded: 0 }));
    assert_eq!(told(world.look_up_right(&writer, &["kit-1"]).await), ([0, 1, 0], [1, 0]));
    world.clock.advance(SNAPSHOT_OVER);
    assert_eq!(told(world.look_up_right(&other, &["kit-1"]).await), ([0, 1, 0], [1, 0]));
}

#[tokio::test]
async fn forgetting_reads_past_a_stale_redis_and_heals_it() {
    let world = World::new();
    let process = world.warm_process().await;
    world.look_up_right(&process, &["kit-1", "kit-2"]).await;
    world.table.put("kit-1", 777, 2);
    process.forget(&sku("kit-1"));
    assert_eq!(
        told(world.look_up_right(&process, &["kit-1", "kit-2"]).await),
        ([1, 0, 1], [1, 1]),
        "only a write"
    );
    assert_eq!(world.text("kit-1").as_deref(), Some("2 777 EUR 1"));
    world.clock.advance(SNAPSHOT_OVER);
    assert_eq!(told(world.look_up_right(&process, &["kit-1"]).await), ([0, 1, 0], [1, 0]), "trusted again");
}

#[tokio::test]
async fn a_database_that_is_down_leaves_products_unread_and_nothing_remembered() {
    let world = World::new();
    let process = world.warm_process().await;
    world.look_up_right(&process, &["kit-1"]).await;
    world.clock.advance(SNAPSHOT_OVER);
    world.table.set_down(true);
    let lookup = world.look_up(&process, &["kit-1", "kit-2"]).await;
    assert_eq!(told(lookup.counts), ([0, 1, 1], [1, 1]));
    assert_eq!(lookup.counts.unread, 1);
    assert_eq!(lookup.products[&sku("kit-2")], Known::Unread);
    assert!(matches!(lookup.products[&sku("kit-1")], Known::Product(_)));
    world.table.set_down(false);
    assert_eq!(told(world.look_up_right(&process, &["kit-2"]).await), ([0, 0, 1], [2, 1]));
}

#[tokio::test]
async fn a_look_up_without_time_asks_nobody() {
    let world = World::new();
    let process = world.warm_process().await;
    let late = world.deadline_in(Duration::ZERO);
    let lookup = process.look_up(&crate::support::skus(&["kit-1"]), late).await;
    assert_eq!(told(lookup.counts), ([0, 0, 1], [0, 0]));
    assert_eq!(lookup.products[&sku("kit-1")], Known::Unread);
}
