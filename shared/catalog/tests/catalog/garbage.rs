//! Whatever lies under a product's key, the look-up is right, and afterwards Redis is too.

use crate::support::{SNAPSHOT_OVER, World, key, told};

/// Plants something under the key of `kit-1`, looks it up, and looks again.
async fn heals(world: &World, plant: &[&[u8]]) {
    let key = key("kit-1");
    let words: Vec<&[u8]> =
        plant.iter().map(|word| if *word == b"KEY" { key.as_bytes() } else { word }).collect();
    world.redis.ask::<i64>(&[b"DEL", key.as_bytes()]);
    world.redis.ask::<redis::Value>(&words);
    let process = world.warm_process().await;
    let planted = String::from_utf8_lossy(&plant.join(&b' ')).chars().take(60).collect::<String>();
    assert_eq!(
        told(world.look_up_right(&process, &["kit-1"]).await),
        ([0, 0, 1], [2, 1]),
        "a miss: {planted}"
    );
    assert_eq!(world.text("kit-1").as_deref(), Some("1 100 EUR 1"), "healed: {planted}");
    world.clock.advance(SNAPSHOT_OVER);
    assert_eq!(
        told(world.look_up_right(&process, &["kit-1"]).await),
        ([0, 1, 0], [1, 0]),
        "a hit: {planted}"
    );
    let ttl_ms: i64 = world.redis.ask(&[b"PTTL", key.as_bytes()]);
    assert!(ttl_ms > 0, "it expires: {planted}");
}

#[tokio::test]
async fn keys_of_another_type_are_misses_and_healed() {
    let world = World::new();
    heals(&world, &[b"RPUSH", b"KEY", b"1 100 EUR 1"]).await;
    heals(&world, &[b"HSET", b"KEY", b"version", b"9"]).await;
    heals(&world, &[b"SADD", b"KEY", b"1 100 EUR 1"]).await;
    heals(&world, &[b"ZADD", b"KEY", b"1", b"1 100 EUR 1"]).await;
}

#[tokio::test]
async fn text_that_is_no_product_is_a_miss_and_healed() {
    let world = World::new();
    heals(&world, &[b"SET", b"KEY", b""]).await;
    heals(&world, &[b"SET", b"KEY", b"hello"]).await;
    heals(&world, &[b"SET", b"KEY", b"\xff\xfe\x00"]).await;
    heals(&world, &[b"SET", b"KEY", b"{\"version\":9}"]).await;
    heals(&world, &[b"SET", b"KEY", &[b'9'; 100_000]]).await;
}

#[tokio::test]
async fn text_that_looks_newer_but_is_not_exactly_a_product_is_a_miss_and_healed() {
    let world = World::new();
    heals(&world, &[b"SET", b"KEY", b"99999999999999999999 100 EUR 1"]).await;
    heals(&world, &[b"SET", b"KEY", b"9 99999999999999999999 EUR 1"]).await;
    heals(&world, &[b"SET", b"KEY", b"007 100 EUR 1"]).await;
    heals(&world, &[b"SET", b"KEY", b"9 0100 EUR 1"]).await;
    heals(&world, &[b"SET", b"KEY", b"9 100 EUR 1 and more"]).await;
    heals(&world, &[b"SET", b"KEY", b"9 100 eur 1"]).await;
    heals(&world, &[b"SET", b"KEY", b"9 100 EUR 2"]).await;
    heals(&world, &[b"SET", b"KEY", b"9 -100 EUR 1"]).await;
    heals(&world, &[b"SET", b"KEY", b"-9 100 EUR 1"]).await;
    heals(&world, &[b"SET", b"KEY", b"9"]).await;
}
