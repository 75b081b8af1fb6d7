//! What a batch of product changes and stock adjustments leads to, one caller at a time.

use fastrand::Rng;
use serde_json::{Value, json};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};

use crate::orders::{PRICE, Shop, order, with};
use crate::paying::{begin, declined};

/// A product in a version, at a price.
pub(crate) fn product(sku: &str, version: i64, price_minor: i64) -> Value {
    json!({"kind": "product", "sku": sku, "name": format!("A kit, {version}"), "price_minor": price_minor, "currency": "EUR",
           "active": true, "version": version, "image_key": null})
}

/// An adjustment.
pub(crate) fn stock(event_id: &str, sku: &str, delta: i64) -> Value {
    json!({"kind": "stock", "event_id": event_id, "sku": sku, "delta": delta})
}

/// Calls `refresh_catalog_v1` with the changes numbered from 0, and describes the answers in their order:
/// `<verdict> [<SQLSTATE>] [v<version> at <price>] [owes <pieces>]`.
pub(crate) async fn refresh(client: &Client, changes: &[Value]) -> Result<Vec<String>, SqlState> {
    let numbered =
        changes.iter().enumerate().map(|(number, change)| with(change.clone(), "record_no", json!(number)));
    let batch = Value::from_iter(numbered).to_string();
    let call = "SELECT * FROM refresh_catalog_v1(CAST(CAST($1 AS text) AS jsonb)) ORDER BY record_no";
    let rows = client.query(call, &[&batch]).await.map_err(|error| error.code().cloned().unwrap())?;
    assert_eq!(rows.len(), changes.len(), "one answer a change");
    Ok(rows.iter().map(describe).collect())
}

fn describe(row: &Row) -> String {
    let mut words: Vec<String> = vec![row.get("verdict")];
    words.extend(row.get::<_, Option<String>>("reason"));
    let price: Option<i64> = row.get("price_minor");
    words.extend(price.map(|price| format!("v{} at {price}", row.get::<_, i64>("version"))));
    words.extend(
        row.get::<_, Option<i64>>("owed").filter(|owed| *owed > 0).map(|owed| format!("owes {owed}")),
    );
    words.join(" ")
}

impl Shop {
    /// Applies a batch of changes as the functions' user.
    pub(crate) async fn refresh(&self, changes: &[Value]) -> Vec<String> {
        refresh(&self.app, changes).await.unwrap()
    }

    /// All rows of the catalog, but for the times of their writing: products, then stock, then adjustments.
    pub(crate) async fn catalog(&self) -> String {
        self.text(
            "SELECT concat_ws(E'\\n',
               (SELECT string_agg(concat_ws(' ', sku, version, price_minor, currency, active, name, image_key), E'\\n' ORDER BY sku)
                FROM products),
               (SELECT string_agg(concat_ws(' ', sku, available, owed, version), E'\\n' ORDER BY sku) FROM stock),
               (SELECT string_agg(concat_ws(' ', event_id, sku, delta), E'\\n' ORDER BY event_id) FROM stock_adjustments))",
        )
        .await
    }

    /// Empties the catalog, of which nothing was sold.
    async fn clear(&self) {
        let clear = "DELETE FROM products; DELETE FROM stock; DELETE FROM stock_adjustments";
        self.owner.batch_execute(clear).await.unwrap();
    }

    /// On the shelf and owed, of one SKU.
    async fn shelf(&self, sku: &str) -> (i64, i64) {
        let owed = format!("SELECT owed FROM stock WHERE sku = '{sku}'");
        (self.available(sku).await, self.number(&owed).await)
    }
}

#[tokio::test]
async fn a_product_comes_changes_and_keeps_its_newest_version() {
    let shop = Shop::open(&[]).await;
    assert_eq!(shop.refresh(&[product("kit", 3, 300)]).await, ["applied v3 at 300"]);
    assert_eq!(shop.refresh(&[product("kit", 5, 500)]).await, ["applied v5 at 500"]);
    // The answer carries the row as it is, for the cache.
    assert_eq!(shop.refresh(&[product("kit", 4, 400)]).await, ["superseded v5 at 500"]);
    assert_eq!(shop.refresh(&[product("kit", 5, 500)]).await, ["known v5 at 500"]);
    assert_eq!(shop.refresh(&[product("kit", 5, 501)]).await, ["id_reused v5 at 500"]);
    for (field, value) in [
        ("name", json!("Another")),
        ("currency", json!("USD")),
        ("active", json!(false)),
        ("image_key", json!("x")),
    ] {
        assert_eq!(
            shop.refresh(&[with(product("kit", 5, 500), field, value)]).await,
            ["id_reused v5 at 500"],
            "{field}"
        );
    }
    assert_eq!(shop.catalog().await, "kit 5 500 EUR t A kit, 5");
    let change = json!({"kind": "product", "sku": "kit", "name": "Neu", "price_minor": 0, "currency": "CHF", "active": false,
                        "version": 6, "image_key": "kit.webp"});
    assert_eq!(shop.refresh(&[change]).await, ["applied v6 at 0"]);
    assert_eq!(shop.catalog().await, "kit 6 0 CHF f Neu kit.webp");
}

#[tokio::test]
async fn versions_of_one_product_in_one_batch_end_with_the_newest() {
    let shop = Shop::open(&[]).await;
    let batch = [product("kit", 9, 900), product("kit", 10, 1_000), product("kit", 8, 800)];
    let expected = ["superseded v10 at 1000", "applied v10 at 1000", "superseded v10 at 1000"];
    assert_eq!(shop.refresh(&batch).await, expected);
}

#[tokio::test]
async fn a_changed_price_is_the_next_orders_price_and_stock_is_untouched() {
    let shop = Shop::open(&[("kit", 5)]).await;
    shop.refresh(&[product("kit", 2, 1_200)]).await;
    let answers =
        shop.accept(&[order("old", &[("kit", 1, PRICE)]), order("new", &[("kit", 1, 1_200)])]).await;
    assert_eq!(
        answers,
        ["rejected price_changed is rejected", "accepted is accepted attempt 1 publish"],
        "the database holds one price"
    );
    assert_eq!(shop.shelf("kit").await, (4, 0));
}

#[tokio::test]
async fn an_adjustment_counts_once_and_needs_no_product() {
    let shop = Shop::open(&[]).await;
    assert_eq!(shop.refresh(&[stock("e1", "kit", 10), stock("e2", "kit", -3)]).await, ["applied", "applied"]);
    assert_eq!(shop.refresh(&[stock("e2", "kit", -3), stock("e1", "kit", 10)]).await, ["known", "known"]);
    let reused = [stock("e1", "kit", 11), stock("e2", "other", -3)];
    assert_eq!(shop.refresh(&reused).await, ["id_reused", "id_reused"]);
    assert_eq!(shop.refresh(&[stock("e3", "kit", 1), stock("e3", "kit", 1)]).await, ["applied", "known"]);
    assert_eq!(shop.shelf("kit").await, (8, 0));
    assert_eq!(shop.number("SELECT sum(delta) FROM stock_adjustments").await, 8);
    assert_eq!(shop.accept(&[order("o", &[("kit", 1, PRICE)])]).await, ["rejected unknown_sku is rejected"]);
    shop.refresh(&[product("kit", 1, PRICE)]).await;
    assert_eq!(
        shop.accept(&[order("p", &[("kit", 8, PRICE)])]).await,
        ["accepted is accepted attempt 1 publish"]
    );
    assert_eq!(shop.wrong_stock().await, 0);
}

#[tokio::test]
async fn what_is_taken_beyond_the_shelf_is_owed_and_paid_before_anything_is_sold() {
    let shop = Shop::open(&[("kit", 5)]).await;
    shop.sell("held").await;
    shop.sell("lost").await;
    assert_eq!(shop.refresh(&[stock("e1", "kit", -5)]).await, ["applied owes 2"]);
    assert_eq!(shop.shelf("kit").await, (0, 2));
    let sold_out = ["rejected out_of_stock is rejected"];
    assert_eq!(shop.accept(&[order("o1", &[("kit", 1, PRICE)])]).await, sold_out);
    // The kit of an order that is not paid comes back, and pays.
    begin(&shop.app, &[("lost", 1)]).await;
    shop.record(&[declined("lost", false)]).await;
    assert_eq!(shop.shelf("kit").await, (0, 1));
    assert_eq!(shop.accept(&[order("o2", &[("kit", 1, PRICE)])]).await, sold_out);
    assert_eq!(shop.wrong_stock().await, 0);
    assert_eq!(shop.refresh(&[stock("e2", "kit", 3)]).await, ["applied"]);
    assert_eq!(shop.shelf("kit").await, (2, 0));
    assert_eq!(shop.wrong_stock().await, 0);
    // Adjusted 5 - 5 + 3, of which one is held.
    let equation = "SELECT concat_ws(' ', adjusted, reserved, sold, owed) FROM stock_equation";
    assert_eq!(shop.text(equation).await, "3 1 0 0");
}

/// Elements that no sender of ours can make, each with its answer.
fn poison() -> Vec<(Value, &'static str)> {
    let (kit, came) = (product("poison", 1, 100), stock("poison", "poison", 1));
    vec![
        (with(kit.clone(), "sku", json!("a b")), "refused 23514"),
        (with(kit.clone(), "sku", Value::Null), "refused 23502"),
        (with(kit.clone(), "name", json!("")), "refused 23514"),
        (with(kit.clone(), "price_minor", json!(-1)), "refused 23514"),
        (with(kit.clone(), "price_minor", json!(1e30)), "refused 22003"),
        (with(kit.clone(), "currency", json!("euro")), "refused 23514"),
        (with(kit.clone(), "active", json!("maybe")), "refused 22P02"),
        (with(kit.clone(), "version", json!("two")), "refused 22P02"),
        (with(kit, "version", json!(-1)), "refused 23514"),
        (with(came.clone(), "sku", json!("?")), "refused 23514"),
        (with(came.clone(), "sku", Value::Null), "refused 23502"),
        (with(came.clone(), "event_id", json!("")), "refused 23514"),
        (with(came.clone(), "delta", json!(0)), "refused 23514"),
        (with(came.clone(), "delta", json!(1_000_000_001)), "refused 23514"),
        (with(came, "delta", json!("many")), "refused 22P02"),
        (stock("too-much", "full", 2), "refused 22003"),
    ]
}

#[tokio::test]
async fn a_bad_change_is_refused_alone() {
    let shop = Shop::open(&[]).await;
    for (bad, expected) in poison() {
        shop.clear().await;
        let full = format!("INSERT INTO stock (sku, available) VALUES ('full', {})", i64::MAX - 1);
        shop.owner.execute(&full, &[]).await.unwrap();
        let batch = [product("kit", 2, 200), stock("e1", "kit", 4), bad.clone(), stock("e2", "other", 1)];
        let answers = shop.refresh(&batch).await;
        assert_eq!(answers, ["applied v2 at 200", "applied", expected, "applied"], "{bad}");
        let left = "SELECT (SELECT count(*) FROM products WHERE sku <> 'kit')
                         + (SELECT count(*) FROM stock_adjustments WHERE event_id NOT IN ('e1', 'e2'))
                         + (SELECT count(*) FROM stock WHERE available > 0 AND sku NOT IN ('kit', 'other', 'full'))";
        assert_eq!(shop.number(left).await, 0, "{bad} left something");
        assert_eq!((shop.available("kit").await, shop.available("other").await), (4, 1), "{bad}");
    }
}

/// Changes of four products: versions in a row of which some are left out, and adjustments that sum up above and below
/// zero.
fn history(random: &mut Rng) -> Vec<Value> {
    let mut changes = Vec::new();
    for sku in ["kit-a", "kit-b", "kit-c", "kit-d"] {
        for version in 1..=6 {
            if random.bool() {
                changes.push(product(sku, version, random.i64(0..5_000)));
            }
        }
        for number in 0..6 {
            let delta = random.i64(1..20) * if random.bool() { 1 } else { -1 };
            changes.push(stock(&format!("{sku}-{number}"), sku, delta));
        }
    }
    changes
}

/// Applies the changes in batches of random sizes, shuffled, with a third of them twice or more, and tells what is left.
async fn applied(shop: &Shop, changes: &[Value], random: &mut Rng) -> String {
    shop.clear().await;
    let mut deliveries = changes.to_vec();
    for _ in 0..changes.len() / 3 {
        deliveries.push(random.choice(changes).unwrap().clone());
    }
    random.shuffle(&mut deliveries);
    while !deliveries.is_empty() {
        let rest = deliveries.split_off(random.usize(1..=10).min(deliveries.len()));
        let answers = shop.refresh(&deliveries).await;
        let good =
            |answer: &String| ["applied", "known", "superseded"].iter().any(|good| answer.starts_with(good));
        assert!(answers.iter().all(good), "{answers:?}");
        assert_eq!(shop.wrong_stock().await, 0);
        deliveries = rest;
    }
    shop.catalog().await
}

#[tokio::test]
async fn any_permutation_with_duplicates_leaves_the_same_rows() {
    let shop = Shop::open(&[]).await;
    for seed in 0..20 {
        let mut random = Rng::with_seed(seed);
        let changes = history(&mut random);
        let expected = applied(&shop, &changes, &mut random).await;
        for _ in 0..6 {
            assert_eq!(applied(&shop, &changes, &mut random).await, expected, "seed {seed}");
        }
    }
}
