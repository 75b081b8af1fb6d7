//! What is for sale, as one listing: which layer answers, what that costs, and what is shown when layers are away.

use std::time::Duration;

use catalog::{CatalogLister, Listed, Source};

use crate::support::{COOL_DOWN_OVER, TestListings, World};

const KEY: &[u8] = b"{catalog}:listing:v1";

/// Longer than any listing is fresh.
const FRESH_OVER: Duration = Duration::from_millis(5_001);

/// As long as every listing is fresh.
const FRESH: Duration = Duration::from_millis(4_000);

/// Longer than an old listing is shown.
const STALE_OVER: Duration = Duration::from_secs(3_601);

/// Longer than the database is let alone after it has failed.
const REST_OVER: Duration = Duration::from_millis(2_001);

async fn list(world: &World, window: &TestListings) -> Listed {
    window.list(world.deadline()).await
}

/// The SKUs with their prices, in order.
fn prices(listed: &Listed) -> Vec<(String, i64)> {
    let products = listed.listing.as_ref().expect("a listing").products();
    products.iter().map(|product| (product.sku.to_string(), product.price_minor)).collect()
}

/// The price of `kit-1`.
fn price(listed: &Listed) -> i64 {
    prices(listed).first().expect("a product").1
}

/// Where it came from, and what it cost: Redis, Data API.
fn told(listed: &Listed) -> (Source, bool, [u64; 2]) {
    (listed.source, listed.stale, [listed.redis_calls, listed.data_api_calls])
}

fn text(world: &World) -> Option<String> {
    world.redis.ask::<Vec<Option<String>>>(&[b"MGET", KEY]).into_iter().next().flatten()
}

fn put_text(world: &World, text: &str) {
    world.redis.ask::<redis::Value>(&[b"SET", KEY, text.as_bytes()]);
}

#[tokio::test]
async fn one_read_serves_every_process_while_it_is_fresh() {
    let world = World::new();
    let (first, second) = (world.shop_window().await, world.shop_window().await);
    assert_eq!(told(&list(&world, &first).await), (Source::Database, false, [2, 1]), "cold");
    assert_eq!(told(&list(&world, &first).await), (Source::Snapshot, false, [0, 0]), "remembered");
    assert_eq!(told(&list(&world, &second).await), (Source::Redis, false, [1, 0]), "another process profits");
    world.clock.advance(FRESH);
    assert_eq!(told(&list(&world, &second).await), (Source::Snapshot, false, [0, 0]), "still fresh");
    world.table.put("kit-1", 777, 2);
    world.clock.advance(FRESH_OVER - FRESH);
    let listed = list(&world, &first).await;
    assert_eq!((told(&listed), price(&listed)), ((Source::Database, false, [2, 1]), 777), "read again");
    let listed = list(&world, &second).await;
    assert_eq!((told(&listed), price(&listed)), ((Source::Redis, false, [1, 0]), 777));
    assert_eq!(world.table.pages(), 2);
    let ttl_ms: i64 = world.redis.ask(&[b"PTTL", KEY]);
    assert!((3_500_000..=3_600_000).contains(&ttl_ms), "forgotten in {ttl_ms} ms");
}

#[tokio::test]
async fn only_what_is_for_sale_is_listed_in_order() {
    let world = World::new();
    world.table.retire("kit-4");
    world.table.put("a-kit", 50, 1);
    let listed = list(&world, &world.shop_window().await).await;
    let skus: Vec<String> = prices(&listed).into_iter().map(|(sku, _)| sku).collect();
    assert_eq!(skus, ["a-kit", "kit-1", "kit-2", "kit-3", "kit-5", "kit-6", "kit-7", "kit-8", "kit-9"]);
}

#[tokio::test]
async fn a_long_listing_takes_several_reads_and_reads_back_whole() {
    let world = World::new();
    for n in 0..800 {
        world.table.put(&format!("more-{n:04}"), n, 1);
    }
    let listed = list(&world, &world.shop_window().await).await;
    assert_eq!((prices(&listed).len(), listed.data_api_calls), (809, 3));
    let again = list(&world, &world.shop_window().await).await;
    assert_eq!((again.source, prices(&again)), (Source::Redis, prices(&listed)));
}

#[tokio::test]
async fn questions_at_the_same_time_share_one_read() {
    let world = World::new();
    let window = world.shop_window().await;
    world.table.hold();
    let questions: Vec<_> = (0..5)
        .map(|_| {
            let (window, deadline) = (window.clone(), world.deadline());
            tokio::spawn(async move { window.list(deadline).await })
        })
        .collect();
    world.until("one of them reads", || world.table.pages() == 1).await;
    world.table.release();
    for question in questions {
        assert_eq!(prices(&question.await.expect("no panic")).len(), 9);
    }
    assert_eq!(world.table.pages(), 1);
}

#[tokio::test]
async fn without_redis_the_database_answers() {
    let mut world = World::without_redis();
    let window = world.cold_shop_window();
    assert!(!window.warm_up().await);
    assert_eq!(told(&list(&world, &window).await), (Source::Database, false, [0, 1]));
    assert_eq!(told(&list(&world, &window).await), (Source::Snapshot, false, [0, 0]));
    world.redis.start_again();
    world.clock.advance(FRESH_OVER.max(COOL_DOWN_OVER));
    assert_eq!(told(&list(&world, &window).await), (Source::Database, false, [2, 1]), "in use again");
}

#[tokio::test]
async fn a_frozen_redis_costs_one_timeout() {
    let world = World::of_trouble();
    let window = world.shop_window().await;
    world.redis.freeze();
    assert_eq!(told(&list(&world, &window).await), (Source::Database, false, [1, 1]));
}

#[tokio::test]
async fn without_the_database_an_old_listing_is_shown_for_an_hour() {
    let world = World::new();
    let (first, second) = (world.shop_window().await, world.shop_window().await);
    list(&world, &first).await;
    world.table.set_down(true);
    world.clock.advance(FRESH_OVER);
    let listed = list(&world, &first).await;
    assert_eq!((told(&listed), price(&listed)), ((Source::Snapshot, true, [1, 1]), 100), "remembered");
    assert_eq!(listed.age, FRESH_OVER);
    let listed = list(&world, &second).await;
    assert_eq!((told(&listed), price(&listed)), ((Source::Redis, true, [1, 1]), 100), "from Redis");
    world.clock.advance(STALE_OVER);
    let listed = list(&world, &first).await;
    assert_eq!((listed.listing, listed.source), (None, Source::Nowhere), "too old for anything");
    world.table.set_down(false);
    assert_eq!(list(&world, &first).await.source, Source::Database);
}

#[tokio::test]
async fn without_any_layer_there_is_no_listing_and_every_question_asks_again() {
    let world = World::without_redis();
    let window = world.cold_shop_window();
    world.table.set_down(true);
    assert_eq!(list(&world, &window).await.listing, None);
    world.table.set_down(false);
    assert_eq!(told(&list(&world, &window).await), (Source::Database, false, [0, 1]));
}

#[tokio::test]
async fn a_database_that_failed_is_let_alone_while_there_is_an_old_listing() {
    let world = World::new();
    let window = world.shop_window().await;
    list(&world, &window).await;
    world.table.set_down(true);
    world.clock.advance(FRESH_OVER);
    assert_eq!(list(&world, &window).await.data_api_calls, 1);
    assert_eq!(told(&list(&world, &window).await), (Source::Snapshot, true, [1, 0]), "it rests");
    world.clock.advance(REST_OVER);
    assert_eq!(list(&world, &window).await.data_api_calls, 1, "asked again");
}

#[tokio::test]
async fn a_question_without_time_gets_what_is_remembered() {
    let world = World::new();
    let window = world.shop_window().await;
    let late = world.deadline_in(Duration::ZERO);
    assert_eq!(window.list(late).await, Listed::default());
    list(&world, &window).await;
    world.clock.advance(FRESH_OVER);
    let late = world.deadline_in(Duration::ZERO);
    assert_eq!(told(&window.list(late).await), (Source::Snapshot, true, [0, 0]));
}

#[tokio::test]
async fn a_listing_that_was_read_earlier_does_not_replace_a_later_one() {
    let world = World::new();
    let slow = world.shop_window().await;
    world.table.hold();
    let reading = tokio::spawn({
        let (slow, deadline) = (slow.clone(), world.deadline());
        async move { slow.list(deadline).await }
    });
    world.until("the old prices are read", || world.table.pages() == 1).await;
    // Meanwhile another process reads the new prices, and is quicker to write them.
    let later = r#"1800000000010 [["kit-1","Kit",777,"EUR",null,2]]"#;
    put_text(&world, later);
    world.table.release();
    assert_eq!(price(&reading.await.expect("no panic")), 100);
    assert_eq!(text(&world).as_deref(), Some(later));
    world.clock.advance(FRESH_OVER);
    list(&world, &slow).await;
    assert_ne!(text(&world).as_deref(), Some(later), "what is read later still replaces it");
}

#[tokio::test]
async fn garbage_is_replaced() {
    let world = World::new();
    for garbage in ["", "x", "1800000000000 [1]", "99999999999999 []", "18446744073709551615 []"] {
        put_text(&world, garbage);
        let listed = list(&world, &world.shop_window().await).await;
        assert_eq!(told(&listed), (Source::Database, false, [2, 1]), "{garbage}");
        let listed = list(&world, &world.shop_window().await).await;
        assert_eq!((listed.source, prices(&listed).len()), (Source::Redis, 9), "{garbage}");
    }
    world.redis.ask::<redis::Value>(&[b"DEL", KEY]);
    world.redis.ask::<redis::Value>(&[b"RPUSH", KEY, b"a list"]);
    assert_eq!(list(&world, &world.shop_window().await).await.source, Source::Database);
    assert_eq!(list(&world, &world.shop_window().await).await.source, Source::Redis);
}
