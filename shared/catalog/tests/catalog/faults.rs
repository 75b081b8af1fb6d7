//! A sick Redis: each look-up stays right and quick, pays at most one timeout, and Redis is used again once it is well.

use std::collections::BTreeMap;
use std::time::Duration;

use catalog::{CatalogReader, CatalogWriter, Error, Fault, RedisSettings};

use crate::support::{
    COOL_DOWN_OVER, Proxy, SNAPSHOT_OVER, TestCatalog, World, ended, now, product, sku, skus, told,
};

/// Redis is in use again: after the cool-down the product is found there, or brought there.
async fn recovers(world: &World, process: &TestCatalog) {
    world.clock.advance(COOL_DOWN_OVER);
    world.look_up_right(process, &["kit-1"]).await;
    world.clock.advance(SNAPSHOT_OVER);
    assert_eq!(told(world.look_up_right(process, &["kit-1"]).await), ([0, 1, 0], [1, 0]));
}

#[tokio::test]
async fn redis_may_be_down_at_the_start() {
    let mut world = World::without_redis();
    let process = world.process();
    assert!(!process.warm_up().await, "init goes on without Redis");
    assert_eq!(
        told(world.look_up_right(&process, &["kit-1"]).await),
        ([0, 0, 1], [0, 1]),
        "Redis is not asked"
    );
    world.redis.start_again();
    recovers(&world, &process).await;
}

#[tokio::test]
async fn redis_may_be_killed_and_restarted_in_the_middle() {
    let mut world = World::of_trouble();
    let process = world.warm_process().await;
    world.look_up_right(&process, &["kit-1"]).await;
    world.redis.kill();
    world.clock.advance(SNAPSHOT_OVER);
    let (hits, calls) = told(world.look_up_right(&process, &["kit-1"]).await);
    assert_eq!((hits, calls[1]), ([0, 0, 1], 1), "the database answers");
    world.clock.advance(COOL_DOWN_OVER);
    assert_eq!(
        told(world.look_up_right(&process, &["kit-1"]).await),
        ([0, 0, 1], [0, 1]),
        "no connection, no call"
    );
    world.redis.start_again();
    recovers(&world, &process).await;
}

#[tokio::test]
async fn a_frozen_redis_costs_one_timeout_and_is_then_skipped() {
    let world = World::of_trouble();
    let process = world.warm_process().await;
    world.look_up_right(&process, &["kit-1"]).await;
    world.clock.advance(SNAPSHOT_OVER);
    world.redis.freeze();
    assert_eq!(
        told(world.look_up_right(&process, &["kit-1"]).await),
        ([0, 0, 1], [1, 1]),
        "one command, timed out"
    );
    assert_eq!(told(world.look_up_right(&process, &["kit-2"]).await), ([0, 0, 1], [0, 1]), "skipped");
    world.clock.advance(Duration::from_millis(249));
    assert_eq!(told(world.look_up_right(&process, &["kit-3"]).await), ([0, 0, 1], [0, 1]), "still skipped");
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(
        told(world.look_up_right(&process, &["kit-4"]).await),
        ([0, 0, 1], [0, 1]),
        "connecting fails"
    );
    world.clock.advance(Duration::from_millis(499));
    world.redis.thaw();
    assert_eq!(
        told(world.look_up_right(&process, &["kit-5"]).await),
        ([0, 0, 1], [0, 1]),
        "twice the cool-down"
    );
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(told(world.look_up_right(&process, &["kit-1"]).await), ([0, 1, 0], [1, 0]), "in use again");
}

#[tokio::test]
async fn after_a_short_freeze_the_first_cool_down_is_short_again() {
    let world = World::of_trouble();
    let process = world.warm_process().await;
    for _ in 0..3 {
        world.redis.freeze();
        world.look_up_right(&process, &["kit-1"]).await;
        world.redis.thaw();
        world.clock.advance(Duration::from_millis(501));
        let (_, calls) = told(world.look_up_right(&process, &["kit-1"]).await);
        assert!(calls[0] > 0, "an answer resets the cool-down to 250 ms");
        world.clock.advance(SNAPSHOT_OVER);
    }
}

#[tokio::test]
async fn one_look_up_connects_while_the_others_skip_redis() {
    let world = World::of_trouble();
    let process = world.process();
    world.redis.freeze();
    let names = ["kit-1", "kit-2", "kit-3", "kit-4", "kit-5"];
    let look_ups = names.map(|name| {
        let (process, deadline) = (process.clone(), world.deadline());
        tokio::spawn(async move { process.look_up(&skus(&[name]), deadline).await })
    });
    world.until("all but the connecting one have read", || world.table.reads() == 4).await;
    for look_up in look_ups {
        ended(look_up).await;
    }
    world.redis.thaw();
    recovers(&world, &process).await;
}

#[tokio::test]
async fn a_look_up_that_is_cancelled_while_connecting_lets_the_next_one_try() {
    let world = World::of_trouble();
    let process = world.process();
    world.redis.freeze();
    let cancelled = tokio::spawn({
        let (process, deadline) = (process.clone(), world.deadline());
        async move { process.look_up(&skus(&["kit-1"]), deadline).await }
    });
    tokio::task::yield_now().await;
    cancelled.abort();
    assert!(cancelled.await.is_err_and(|end| end.is_cancelled()));
    world.redis.thaw();
    assert_eq!(told(world.look_up_right(&process, &["kit-1"]).await), ([0, 0, 1], [2, 1]), "no cool-down");
}

#[tokio::test]
async fn a_slow_redis_counts_as_none_and_late_answers_reach_nobody() {
    let world = World::of_trouble();
    let proxy = Proxy::to(world.redis.port()).await;
    let process = world.process_at(&proxy.url());
    assert!(process.warm_up().await);
    world.look_up_right(&process, &["kit-1", "kit-2", "kit-3", "kit-4"]).await;
    for name in ["kit-1", "kit-2", "kit-3", "kit-4"] {
        proxy.delay(Duration::from_millis(300));
        world.clock.advance(SNAPSHOT_OVER);
        world.look_up_right(&process, &[name]).await;
        proxy.delay(Duration::ZERO);
        world.clock.advance(COOL_DOWN_OVER);
        let next = if name == "kit-4" { "kit-1" } else { "kit-4" };
        assert_eq!(told(world.look_up_right(&process, &[next]).await), ([0, 1, 0], [1, 0]));
    }
}

/// The least time of five look-ups, each after the cool-down: the catalog's own waiting, without the machine's noise.
async fn least_time(world: &World, process: &TestCatalog) -> Duration {
    let mut least = Duration::MAX;
    for _ in 0..5 {
        world.clock.advance(COOL_DOWN_OVER);
        let started = now();
        world.look_up_right(process, &["kit-1"]).await;
        least = least.min(started.elapsed());
    }
    least
}

/// Redis is in use; with production's timeouts a busy machine may need more than one look-up for that.
async fn hits_sooner_or_later(world: &World, process: &TestCatalog) {
    for _ in 0..20 {
        world.clock.advance(COOL_DOWN_OVER);
        if world.look_up_right(process, &["kit-1"]).await.redis_hits == 1 {
            return;
        }
    }
    panic!("no look-up of twenty was answered by Redis");
}

#[tokio::test]
async fn by_default_a_look_up_takes_under_100_ms_when_redis_freezes_and_while_it_is_frozen() {
    let world = World::of_trouble();
    let process = world.process_with(RedisSettings::parse(&world.redis.url()).expect("a usable URL"));
    let mut when_it_freezes = Duration::MAX;
    for _ in 0..5 {
        hits_sooner_or_later(&world, &process).await;
        world.clock.advance(SNAPSHOT_OVER);
        world.redis.freeze();
        let started = now();
        world.look_up_right(&process, &["kit-1"]).await;
        when_it_freezes = when_it_freezes.min(started.elapsed());
        world.redis.thaw();
    }
    assert!(when_it_freezes < Duration::from_millis(60), "a look-up took {when_it_freezes:?}");
    world.redis.freeze();
    let while_frozen = least_time(&world, &process).await;
    assert!(while_frozen < Duration::from_millis(100), "a look-up took {while_frozen:?}");
    let skips = world.look_up_right(&process, &["kit-2"]).await;
    assert_eq!(told(skips), ([0, 0, 1], [0, 1]));
}

#[tokio::test]
async fn by_default_a_redis_of_twenty_milliseconds_is_still_used() {
    let world = World::of_trouble();
    let proxy = Proxy::to(world.redis.port()).await;
    let process = world.process_with(RedisSettings::parse(&proxy.url()).expect("a usable URL"));
    world.look_up_right(&process, &["kit-1"]).await;
    proxy.delay(Duration::from_millis(20));
    hits_sooner_or_later(&world, &process).await;
}

#[tokio::test]
async fn a_full_redis_is_still_read() {
    let world = World::of_trouble();
    let process = world.warm_process().await;
    world.look_up_right(&process, &["kit-1"]).await;
    world.redis.ask::<String>(&[b"CONFIG", b"SET", b"maxmemory", b"1"]);
    world.clock.advance(SNAPSHOT_OVER);
    assert_eq!(
        told(world.look_up_right(&process, &["kit-1", "kit-2"]).await),
        ([0, 1, 1], [2, 1]),
        "the write is refused"
    );
    let products = BTreeMap::from([(sku("kit-2"), product(1, 2))]);
    assert_eq!(process.publish(&products, world.deadline()).await, Err(Error::Publish(Fault::Refused)));
    world.clock.advance(SNAPSHOT_OVER);
    assert_eq!(told(world.look_up_right(&process, &["kit-1"]).await), ([0, 1, 0], [1, 0]), "no cool-down");
    world.redis.ask::<String>(&[b"CONFIG", b"SET", b"maxmemory", b"0"]);
    assert_eq!(told(world.look_up_right(&process, &["kit-2"]).await), ([0, 0, 1], [2, 1]));
    recovers(&world, &process).await;
}

#[tokio::test]
async fn a_redis_that_became_a_replica_is_left_and_tried_again() {
    let world = World::of_trouble();
    let process = world.warm_process().await;
    world.redis.ask::<String>(&[b"REPLICAOF", b"127.0.0.1", b"1"]);
    assert_eq!(
        told(world.look_up_right(&process, &["kit-1"]).await),
        ([0, 0, 1], [2, 1]),
        "the write is refused"
    );
    assert_eq!(told(world.look_up_right(&process, &["kit-2"]).await), ([0, 0, 1], [0, 1]), "skipped");
    world.redis.ask::<String>(&[b"REPLICAOF", b"NO", b"ONE"]);
    recovers(&world, &process).await;
}

#[tokio::test]
async fn a_wrong_password_leaves_the_database_and_a_right_one_the_cache() {
    let world = World::of_trouble();
    world.redis.ask::<String>(&[b"CONFIG", b"SET", b"requirepass", b"correct-horse"]);
    let port = world.redis.port();
    for wrong in [format!("redis://127.0.0.1:{port}"), format!("redis://:battery@127.0.0.1:{port}")] {
        let process = world.process_at(&wrong);
        assert!(!process.warm_up().await);
        world.look_up_right(&process, &["kit-1"]).await;
    }
    let process = world.process_at(&format!("redis://:correct-horse@127.0.0.1:{port}"));
    assert!(process.warm_up().await);
    recovers(&world, &process).await;
}

#[tokio::test]
async fn publishing_without_redis_says_so() {
    let world = World::without_redis();
    let process = world.process();
    let products = BTreeMap::from([(sku("kit-1"), product(100, 2))]);
    assert_eq!(process.publish(&products, world.deadline()).await, Err(Error::Publish(Fault::Lost)));
    assert_eq!(process.publish(&products, world.deadline()).await, Err(Error::Publish(Fault::Skipped)));
}
