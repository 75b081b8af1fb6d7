//! Two writers of one product, with the interleavings that lose updates in a cache without versions.

use std::collections::BTreeMap;

use catalog::{CatalogReader, CatalogWriter, Published};

use crate::support::{SNAPSHOT_OVER, TestCatalog, World, product, sku, skus, told};

async fn publish(world: &World, process: &TestCatalog, price_minor: i64, version: i64) -> Published {
    let products = BTreeMap::from([(sku("kit-1"), product(price_minor, version))]);
    process.publish(&products, world.deadline()).await.expect("Redis answers")
}

#[tokio::test]
async fn a_write_back_that_was_read_before_a_publish_does_not_win() {
    let world = World::new();
    let (reader, writer) = (world.warm_process().await, world.warm_process().await);
    world.table.hold();
    let slow = tokio::spawn({
        let (reader, deadline) = (reader.clone(), world.deadline());
        async move { reader.look_up(&skus(&["kit-1"]), deadline).await }
    });
    world.until("the old version is read", || world.table.reads() == 1).await;
    world.table.put("kit-1", 200, 2);
    assert_eq!(publish(&world, &writer, 200, 2).await.written, 1);
    world.table.release();
    slow.await.expect("no panic");
    assert_eq!(world.text("kit-1").as_deref(), Some("2 200 EUR 1"), "the newer version stays");
    world.clock.advance(SNAPSHOT_OVER);
    assert_eq!(told(world.look_up_right(&reader, &["kit-1"]).await), ([0, 1, 0], [1, 0]));
}

#[tokio::test]
async fn an_absence_that_was_read_before_a_publish_does_not_win() {
    let world = World::new();
    let (reader, writer) = (world.warm_process().await, world.warm_process().await);
    world.table.hold();
    let slow = tokio::spawn({
        let (reader, deadline) = (reader.clone(), world.deadline());
        async move { reader.look_up(&skus(&["kit-new", "kit-other"]), deadline).await }
    });
    world.until("the absence is read", || world.table.reads() == 1).await;
    world.table.put("kit-new", 300, 1);
    let products = BTreeMap::from([(sku("kit-new"), product(300, 1))]);
    writer.publish(&products, world.deadline()).await.expect("Redis answers");
    world.table.release();
    slow.await.expect("no panic");
    assert_eq!(world.text("kit-new").as_deref(), Some("1 300 EUR 1"));
    assert_eq!(
        world.text("kit-other").as_deref(),
        Some("0"),
        "the rest of the batch is written all the same"
    );
}

#[tokio::test]
async fn publishes_in_any_order_leave_the_newest() {
    let world = World::new();
    let process = world.warm_process().await;
    let old_and_new =
        [(9, 10), (99, 100), (9_007_199_254_740_992, 9_007_199_254_740_993), (i64::MAX - 1, i64::MAX)];
    for (old, new) in old_and_new {
        world.redis.ask::<redis::Value>(&[b"FLUSHALL"]);
        assert_eq!(publish(&world, &process, 200, new).await, Published { written: 1, superseded: 0 });
        assert_eq!(
            publish(&world, &process, 100, old).await,
            Published { written: 0, superseded: 1 },
            "{old} after {new}"
        );
        assert_eq!(world.text("kit-1"), Some(format!("{new} 200 EUR 1")));
        assert_eq!(
            publish(&world, &process, 200, new).await,
            Published { written: 1, superseded: 0 },
            "repeated"
        );
    }
}

#[tokio::test]
async fn a_product_that_cannot_be_stored_is_not_published() {
    let world = World::new();
    let process = world.warm_process().await;
    assert_eq!(publish(&world, &process, -1, 1).await, Published { written: 0, superseded: 1 });
    assert_eq!(publish(&world, &process, 1, -1).await, Published { written: 0, superseded: 1 });
    assert_eq!(world.text("kit-1"), None);
}

#[tokio::test]
async fn many_publishers_and_readers_at_once_leave_the_newest() {
    let world = World::new();
    let mut tasks = Vec::new();
    for n in 0..40_i64 {
        let version = 2 + (n * 17) % 40;
        let (process, deadline) = (world.warm_process().await, world.deadline());
        tasks.push(tokio::spawn(async move {
            if version % 4 == 0 {
                process.look_up(&skus(&["kit-1"]), deadline).await;
            }
            process.publish(&BTreeMap::from([(sku("kit-1"), product(version, version))]), deadline).await
        }));
    }
    for task in tasks {
        task.await.expect("no panic").expect("Redis answers");
    }
    assert_eq!(world.text("kit-1").as_deref(), Some("41 41 EUR 1"));
}
