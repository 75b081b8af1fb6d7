//! What `accept_orders_v1` answers and leaves behind, one caller at a time.

use order::event::{self, EventData};
use order::{OrderStatus, RejectReason};
use order_store::{AcceptOrder, Accepted, Verdict};
use serde_json::{Value, json};
use tokio_postgres::error::SqlState;

use crate::orders::{PRICE, Shop, accept, fingerprint, order, rejection, with};

const ACCEPTED: &str = "accepted is accepted attempt 1 publish";
const KNOWN: &str = "known is accepted attempt 1 publish";

/// Offers one order that nobody has seen before and expects this answer.
async fn check(shop: &Shop, record: Value, expected: &str) {
    let answers = shop.accept(std::slice::from_ref(&record)).await;
    assert_eq!(answers, [expected], "{record}");
}

#[tokio::test]
async fn an_order_gets_the_verdict_that_its_lines_deserve() {
    let shop =
        Shop::open(&[("kit", 5), ("last", 1), ("gone", 0), ("off", 5), ("usd", 5), ("fresh", 5)]).await;
    let spoil =
        "UPDATE products SET active = sku <> 'off', currency = CASE sku WHEN 'usd' THEN 'USD' ELSE 'EUR' END";
    shop.owner.execute(spoil, &[]).await.unwrap();
    shop.owner.execute("DELETE FROM stock WHERE sku = 'fresh'", &[]).await.unwrap();

    check(&shop, order("a1", &[("kit", 1, PRICE)]), ACCEPTED).await;
    check(&shop, order("a2", &[("kit", 1, PRICE), ("kit", 1, PRICE)]), ACCEPTED).await;
    check(&shop, order("a3", &[("last", 1, PRICE), ("kit", 2, PRICE)]), ACCEPTED).await;
    check(&shop, order("b1", &[("none", 1, PRICE)]), "rejected unknown_sku is rejected").await;
    check(&shop, order("b2", &[("off", 1, PRICE)]), "rejected inactive_sku is rejected").await;
    check(&shop, order("b3", &[("usd", 1, PRICE)]), "rejected currency_mismatch is rejected").await;
    check(&shop, order("b4", &[("kit", 1, PRICE - 1)]), "rejected price_changed is rejected").await;
    check(&shop, order("b5", &[("kit", 1, PRICE + 1)]), "rejected price_changed is rejected").await;
    check(&shop, order("b6", &[("gone", 1, PRICE)]), "rejected out_of_stock is rejected").await;
    check(&shop, order("b7", &[("fresh", 1, PRICE)]), "rejected out_of_stock is rejected").await;
    check(&shop, order("b8", &[("last", 1, PRICE)]), "rejected out_of_stock is rejected").await;
    // Several faults: the reason does not depend on the order of the lines.
    check(
        &shop,
        order("c1", &[("kit", 9, 1), ("off", 1, 1), ("none", 1, 1)]),
        "rejected unknown_sku is rejected",
    )
    .await;
    check(
        &shop,
        order("c2", &[("none", 1, 1), ("off", 1, 1), ("kit", 9, 1)]),
        "rejected unknown_sku is rejected",
    )
    .await;
    check(&shop, order("c3", &[("gone", 1, PRICE), ("kit", 1, 1)]), "rejected price_changed is rejected")
        .await;
    // One line at the right price does not hide another at a wrong one.
    check(&shop, order("c4", &[("usd", 1, PRICE), ("kit", 1, 1)]), "rejected currency_mismatch is rejected")
        .await;
    check(&shop, order("c5", &[("kit", 1, PRICE), ("kit", 1, 1)]), "rejected price_changed is rejected")
        .await;
    assert_eq!((shop.available("kit").await, shop.available("last").await), (0, 0));
}

#[tokio::test]
async fn an_accepted_order_leaves_its_rows_its_frozen_request_and_its_event() {
    let shop = Shop::open(&[("kit", 5), ("pot", 5)]).await;
    check(&shop, order("o1", &[("pot", 2, PRICE), ("kit", 1, PRICE)]), ACCEPTED).await;

    let order = "SELECT concat_ws(' ', status, customer_id, currency, total_minor, fingerprint, accepted_at > placed_at) FROM orders";
    assert_eq!(shop.text(order).await, format!("accepted c_1 EUR 3000 {} t", fingerprint(1)));
    let items = "SELECT string_agg(concat_ws(' ', line_no, sku, quantity, unit_price_minor), ', ' ORDER BY line_no) FROM order_items";
    assert_eq!(shop.text(items).await, "1 pot 2 1000, 2 kit 1 1000");
    let payment = "SELECT concat_ws(' ', order_id, attempt_no, status, amount_minor, params) FROM payments";
    let params = r#"{"currency": "EUR", "methodRef": "pm_1", "amountMinor": 3000, "customerRef": "cus_1"}"#;
    assert_eq!(shop.text(payment).await, format!("o1 1 requested 3000 {params}"));
    let hashed = "SELECT params_hash = encode(sha256('v1|o1|1|3000|EUR|cus_1|pm_1'), 'hex') FROM payments";
    assert_eq!(shop.text(hashed).await, "true");
    assert_eq!(shop.text("SELECT concat_ws(' ', seq, what) FROM order_history").await, "1 accepted");
    let event = "SELECT concat_ws(' ', id, type, seq, payload, sent_at) FROM outbox";
    let payload = r#"{"orderId": "o1", "customerId": "c_1"}"#;
    assert_eq!(shop.text(event).await, format!("o1:order.accepted.v1:1 order.accepted.v1 1 {payload}"));
    let stock = "SELECT string_agg(concat_ws(' ', sku, available, version), ', ' ORDER BY sku) FROM stock";
    assert_eq!(shop.text(stock).await, "kit 4 2, pot 3 2");
}

#[tokio::test]
async fn a_rejected_order_is_kept_as_it_was_sent_and_told_to_the_shop() {
    let shop = Shop::open(&[("kit", 0)]).await;
    check(&shop, rejection("r1", "invalid_order"), "rejected invalid_order is rejected").await;
    check(
        &shop,
        with(rejection("r2", "total_mismatch"), "total_minor", json!(-7)),
        "rejected total_mismatch is rejected",
    )
    .await;
    check(
        &shop,
        with(order("r3", &[("kit", 1, PRICE)]), "total_minor", json!(5)),
        "rejected out_of_stock is rejected",
    )
    .await;

    let rows =
        "SELECT string_agg(concat_ws(' ', order_id, status, reason, coalesce(currency, '-'), total_minor,
                coalesce(CAST(accepted_at AS text), 'never')), ', ' ORDER BY order_id) FROM orders";
    let expected = "r1 rejected invalid_order - 0 never, r2 rejected total_mismatch - -7 never, r3 rejected out_of_stock EUR 5 never";
    assert_eq!(shop.text(rows).await, expected);
    let events = "SELECT string_agg(concat_ws(' ', id, payload ->> 'reason'), ', ' ORDER BY id) FROM outbox";
    let expected = "r1:order.rejected.v1:1 invalid_order, r2:order.rejected.v1:1 total_mismatch, r3:order.rejected.v1:1 out_of_stock";
    assert_eq!(shop.text(events).await, expected);
    let history = "SELECT string_agg(concat_ws(' ', what, detail ->> 'reason'), ', ' ORDER BY order_id) FROM order_history";
    assert_eq!(
        shop.text(history).await,
        "rejected invalid_order, rejected total_mismatch, rejected out_of_stock"
    );
    assert_eq!(
        shop.number("SELECT (SELECT count(*) FROM order_items) + (SELECT count(*) FROM payments)").await,
        0
    );
}

/// The records of the crate itself, from an event to a verdict, without the Data API in between.
#[tokio::test]
async fn the_crate_and_the_call_speak_of_the_same_columns() {
    let shop = Shop::open(&[("kit", 5)]).await;
    let event = |order_id, total_minor| {
        let data = json!({
            "orderId": order_id, "customerId": "c_8f2", "currency": "EUR", "placedAt": "2026-11-23T10:15:00.5Z",
            "items": [{"sku": "kit", "quantity": 2, "unitPriceMinor": PRICE}], "adjustments": [],
            "totalMinor": total_minor, "payment": {"customerRef": "cus_x", "methodRef": "pm_x"},
        });
        json!({"specversion": "1.0", "id": "evt_1", "source": "shop", "type": "order.placed.v1",
               "time": "2026-11-23T10:15:00Z", "data": data})
    };
    let bodies = [event("o2", 2 * PRICE), event("o1", 1), event("o2", 2 * PRICE)];
    let records = bodies.iter().enumerate().map(|(number, body)| {
        let EventData::OrderPlaced(placed) = event::parse(&body.to_string()).unwrap().data else {
            panic!("{body}")
        };
        AcceptOrder::new(number, &placed, None)
    });
    let batch = serde_json::to_string(&records.collect::<Vec<_>>()).unwrap();
    let call = "SELECT CAST(json_agg(answer ORDER BY record_no) AS text)
                FROM accept_orders_v1(CAST(CAST($1 AS text) AS jsonb)) AS answer";
    let answers: String = shop.app.query_one(call, &[&batch]).await.unwrap().get(0);
    let answers: Vec<Accepted> = serde_json::from_str(&answers).unwrap();
    let verdicts: Vec<_> =
        answers.iter().map(|answer| (answer.record_no, answer.order_id.as_str(), &answer.verdict)).collect();
    let mismatch = Verdict::Rejected(RejectReason::TotalMismatch);
    assert_eq!(verdicts, [(0, "o2", &Verdict::Accepted), (1, "o1", &mismatch), (2, "o2", &Verdict::Known)]);
    assert_eq!(answers[0].order_status, Some(OrderStatus::Accepted));
    assert_eq!((answers[0].attempt_no, answers[0].publish_payment), (Some(1), true));
    assert_eq!((answers[1].attempt_no, answers[1].publish_payment), (None, false));
    assert_eq!(
        shop.text("SELECT placed_at = '2026-11-23T10:15:00.5Z' FROM orders WHERE order_id = 'o2'").await,
        "true"
    );
}

/// Everything that a call could have changed, as one text.
async fn state(shop: &Shop) -> String {
    let tables = ["orders", "order_items", "order_history", "payments", "outbox", "stock"];
    let dumps = tables
        .map(|table| format!("(SELECT string_agg(CAST(t AS text), '; ' ORDER BY t) FROM {table} AS t)"));
    shop.text(&format!("SELECT concat_ws(' / ', {})", dumps.join(", "))).await
}

#[tokio::test]
async fn a_repeat_is_known_and_changes_nothing() {
    let shop = Shop::open(&[("kit", 5)]).await;
    let records = [
        order("o1", &[("kit", 2, PRICE)]),
        order("o2", &[("none", 1, PRICE)]),
        rejection("o3", "quantity_limit"),
    ];
    shop.accept(&records).await;
    let before = state(&shop).await;
    let again = [KNOWN, "known unknown_sku is rejected", "known quantity_limit is rejected"];
    assert_eq!(shop.accept(&records).await, again);
    assert_eq!(state(&shop).await, before);
}

#[tokio::test]
async fn records_of_one_order_in_one_batch_are_applied_in_sequence() {
    let shop = Shop::open(&[("kit", 5)]).await;
    let (first, other) = (order("o1", &[("kit", 2, PRICE)]), order("o0", &[("kit", 1, PRICE)]));
    let reused = with(first.clone(), "fingerprint", json!(fingerprint(2)));
    let answers = shop.accept(&[first.clone(), other, first, reused]).await;
    assert_eq!(answers, [ACCEPTED, ACCEPTED, KNOWN, "id_reused is accepted attempt 1"]);
    assert_eq!(shop.available("kit").await, 2);
}

#[tokio::test]
async fn an_id_that_comes_back_with_other_contents_is_reused() {
    let shop = Shop::open(&[("kit", 5)]).await;
    let (accepted, rejected) = (order("o1", &[("kit", 1, PRICE)]), rejection("o2", "invalid_order"));
    shop.accept(&[accepted.clone(), rejected.clone()]).await;
    let before = state(&shop).await;
    let other = |record: Value| with(record, "fingerprint", json!(fingerprint(2)));
    check(&shop, other(accepted), "id_reused is accepted attempt 1").await;
    check(&shop, other(rejected), "id_reused invalid_order is rejected").await;
    check(&shop, other(rejection("o1", "invalid_order")), "id_reused is accepted attempt 1").await;
    assert_eq!(state(&shop).await, before);
}

#[tokio::test]
async fn a_canceled_order_stays_canceled_also_if_its_cancellation_came_first() {
    let shop = Shop::open(&[("kit", 5)]).await;
    shop.owner
        .execute("INSERT INTO orders (order_id, status) VALUES ('early', 'canceled')", &[])
        .await
        .unwrap();
    check(&shop, order("early", &[("kit", 1, PRICE)]), "canceled is canceled").await;
    check(&shop, order("late", &[("kit", 1, PRICE)]), ACCEPTED).await;
    shop.owner.execute("UPDATE orders SET status = 'canceled' WHERE order_id = 'late'", &[]).await.unwrap();
    check(&shop, order("late", &[("kit", 1, PRICE)]), "canceled is canceled attempt 1").await;
}

#[tokio::test]
async fn a_payment_is_published_until_it_was_received() {
    let shop = Shop::open(&[("kit", 9)]).await;
    for (change, expected) in [
        ("status = 'requested'", KNOWN),
        ("received_at = now()", "known is accepted attempt 1"),
        ("received_at = NULL, status = 'unknown', unknown_at = now()", "known is accepted attempt 1"),
        ("status = 'failed'", "known is accepted attempt 1"),
    ] {
        shop.accept(&[order("o1", &[("kit", 1, PRICE)])]).await;
        shop.owner.execute(&format!("UPDATE payments SET {change}"), &[]).await.unwrap();
        check(&shop, order("o1", &[("kit", 1, PRICE)]), expected).await;
    }
    let attempt = "INSERT INTO payments (order_id, attempt_no, status, params, params_hash, amount_minor, next_attempt_at)
                   SELECT order_id, 2, 'requested', params, params_hash, amount_minor, now() FROM payments";
    shop.owner.execute(attempt, &[]).await.unwrap();
    check(&shop, order("o1", &[("kit", 1, PRICE)]), "known is accepted attempt 2 publish").await;
    shop.owner.execute("UPDATE orders SET status = 'review'", &[]).await.unwrap();
    check(&shop, order("o1", &[("kit", 1, PRICE)]), "known is review attempt 2").await;
}

#[tokio::test]
async fn an_order_gets_all_its_kits_or_none() {
    let shop = Shop::open(&[("many", 9), ("two", 2)]).await;
    check(&shop, order("o1", &[("many", 1, PRICE), ("two", 3, PRICE)]), "rejected out_of_stock is rejected")
        .await;
    check(
        &shop,
        order("o2", &[("two", 2, PRICE), ("many", 1, PRICE), ("two", 1, PRICE)]),
        "rejected out_of_stock is rejected",
    )
    .await;
    assert_eq!((shop.available("many").await, shop.available("two").await), (9, 2));
    check(&shop, order("o3", &[("two", 1, PRICE), ("many", 9, PRICE), ("two", 1, PRICE)]), ACCEPTED).await;
    assert_eq!((shop.available("many").await, shop.available("two").await), (0, 0));
}

#[tokio::test]
async fn the_last_kit_goes_to_the_lower_order_id_and_what_a_rejected_order_wanted_to_the_next() {
    let shop = Shop::open(&[("last", 1), ("pot", 4)]).await;
    let answers = shop
        .accept(&[
            order("o3", &[("last", 1, PRICE)]),
            order("o1", &[("last", 1, PRICE), ("pot", 5, PRICE)]),
            order("o4", &[("pot", 4, PRICE)]),
            order("o2", &[("last", 1, PRICE)]),
        ])
        .await;
    let out_of_stock = "rejected out_of_stock is rejected";
    assert_eq!(answers, [out_of_stock, out_of_stock, ACCEPTED, ACCEPTED]);
}

/// Offers the record between two good orders that want the same kits, and expects that it is refused alone.
async fn check_refused(record: Value, sqlstate: &str) {
    let shop = Shop::open(&[("kit", 3)]).await;
    let batch = [order("a", &[("kit", 1, PRICE)]), record, order("c", &[("kit", 2, PRICE)])];
    assert_eq!(
        shop.accept(&batch).await,
        [ACCEPTED, &format!("refused {sqlstate}"), ACCEPTED],
        "{}",
        batch[1]
    );
    assert_eq!(shop.number("SELECT count(*) FROM orders").await, 2);
    assert_eq!(shop.number("SELECT count(*) FROM stock_equation WHERE difference <> 0").await, 0);
}

#[tokio::test]
async fn a_poisonous_record_is_refused_alone() {
    let poison = |field, value| with(order("b", &[("kit", 1, PRICE)]), field, value);
    check_refused(poison("total_minor", json!(9_999_999_999_999_999_999_u64)), "22003").await;
    check_refused(poison("total_minor", json!(0)), "23514").await;
    check_refused(poison("total_minor", json!(1_000_000_000_000_i64)), "23514").await;
    check_refused(poison("total_minor", json!("many")), "22P02").await;
    check_refused(poison("placed_at", json!("yesterday evening")), "22007").await;
    check_refused(poison("placed_at", Value::Null), "23514").await;
    check_refused(poison("currency", json!("Euro")), "23514").await;
    check_refused(poison("currency", Value::Null), "23514").await;
    check_refused(poison("customer_id", json!("not an id")), "23514").await;
    check_refused(poison("order_id", json!("b ")), "23514").await;
    check_refused(poison("order_id", Value::Null), "23502").await;
    check_refused(poison("fingerprint", json!("short")), "23514").await;
    check_refused(poison("fingerprint", Value::Null), "23514").await;
    check_refused(poison("reject_reason", json!("bad mood")), "23514").await;
    check_refused(poison("payment", Value::Null), "23514").await;
    check_refused(poison("payment", json!({"customer_ref": "cus_1"})), "23514").await;
    check_refused(poison("items", json!([])), "23514").await;
    check_refused(poison("items", json!({})), "22023").await;
    check_refused(poison("items", json!([{"sku": "kit", "quantity": 1}])), "23502").await;
    check_refused(
        poison("items", json!([{"sku": "kit", "quantity": 0, "unit_price_minor": PRICE}])),
        "23514",
    )
    .await;
    check_refused(
        poison("items", json!([{"sku": "kit", "quantity": -9, "unit_price_minor": PRICE}])),
        "23514",
    )
    .await;
    check_refused(
        poison("items", json!([{"sku": "kit", "quantity": 1.5, "unit_price_minor": PRICE}])),
        "22P02",
    )
    .await;
    check_refused(poison("items", json!([{"quantity": 1, "unit_price_minor": PRICE}])), "23502").await;
}

#[tokio::test]
async fn a_lock_that_cannot_be_had_gives_the_whole_batch_back() {
    let mut shop = Shop::open(&[("kit", 3)]).await;
    let holder = shop.owner.transaction().await.unwrap();
    let hold_stock = "UPDATE stock SET available = available";
    let batch = [rejection("a", "invalid_order"), order("b", &[("kit", 1, PRICE)])];
    holder.execute(hold_stock, &[]).await.unwrap();
    assert_eq!(accept(&shop.app, &batch).await, Err(SqlState::LOCK_NOT_AVAILABLE));
    holder.rollback().await.unwrap();

    // Also where the wait is in the middle of the batch, inside the part that forgives bad records.
    let holder = shop.owner.transaction().await.unwrap();
    let hold_order = "INSERT INTO orders (order_id, status) VALUES ('b', 'canceled')";
    holder.execute(hold_order, &[]).await.unwrap();
    assert_eq!(accept(&shop.app, &batch).await, Err(SqlState::LOCK_NOT_AVAILABLE));
    holder.rollback().await.unwrap();
    assert_eq!(shop.number("SELECT count(*) FROM orders").await, 0);
}
