//! What `begin_payments_v1` answers and marks, the switch, and the marking of published events.

use serde_json::json;

use crate::orders::{Shop, order, rejection};
use crate::paying::begin;

#[tokio::test]
async fn each_status_needs_one_thing() {
    let shop = Shop::open(&[("kit", 99)]).await;
    for (status, next) in [
        ("requested", "authorize"),
        ("capturing", "capture pi_capturing"),
        ("captured", "nothing pi_captured"),
        ("failed", "nothing"),
        ("unknown", "nothing"),
        ("voiding", "cancel pi_voiding"),
        ("awaiting_customer", "nothing"),
        ("awaiting_provider", "nothing"),
        ("refunding", "nothing pi_refunding"),
        ("refunded", "nothing pi_refunded"),
        ("review", "nothing"),
    ] {
        shop.sell_and_move(status, status).await;
        assert_eq!(begin(&shop.app, &[(status, 1)]).await, [next], "{status}");
    }
    assert_eq!(
        begin(&shop.app, &[("requested", 2), ("nobody", 1), ("requested", 1), ("requested", 1)]).await,
        ["missing", "missing", "authorize", "authorize"]
    );
    shop.owner
        .execute("UPDATE orders SET status = 'review' WHERE order_id = 'requested'", &[])
        .await
        .unwrap();
    assert_eq!(begin(&shop.app, &[("requested", 1)]).await, ["nothing"]);
}

/// Minutes until the row is due, and what is set.
const MARKS: &str = "SELECT concat_ws(' ', 'due ' || round(extract(epoch FROM next_attempt_at - now()) / 60) || ' min',
    CASE WHEN received_at IS NOT NULL THEN 'received' END, CASE WHEN first_sent_at IS NOT NULL THEN 'sent' END) FROM payments";

#[tokio::test]
async fn a_request_that_nobody_receives_is_due_after_five_minutes_and_one_that_was_begun_after_ten() {
    let shop = Shop::open(&[("kit", 9)]).await;
    shop.sell("o").await;
    assert_eq!(shop.text(MARKS).await, "due 5 min");
    begin(&shop.app, &[("o", 1)]).await;
    assert_eq!(shop.text(MARKS).await, "due 10 min received sent");
    // The message is a hint: whatever time was set, the row is begun now.
    shop.owner.execute("UPDATE payments SET next_attempt_at = now() + interval '3 h'", &[]).await.unwrap();
    assert_eq!(begin(&shop.app, &[("o", 1)]).await, ["authorize"]);
    assert_eq!(shop.text(MARKS).await, "due 10 min received sent");
}

#[tokio::test]
async fn the_switch_parks_everything_and_freezes_no_key() {
    let shop = Shop::open(&[("kit", 9)]).await;
    for (id, status) in [("b", "capturing"), ("c", "voiding"), ("d", "captured")] {
        shop.sell_and_move(id, status).await;
    }
    shop.sell("a").await;
    shop.owner.execute("UPDATE switches SET enabled = false, changed_at = now()", &[]).await.unwrap();
    let stopped = begin(&shop.app, &[("a", 1), ("b", 1), ("c", 1), ("d", 1), ("e", 1)]).await;
    assert_eq!(stopped, ["stopped", "stopped pi_b", "stopped pi_c", "nothing pi_d", "missing"]);
    assert_eq!(shop.text(&format!("{MARKS} WHERE order_id = 'a'")).await, "due 1 min received");
    assert_eq!(shop.text(&format!("{MARKS} WHERE order_id = 'b'")).await, "due 1 min received sent");
    shop.owner.execute("UPDATE switches SET enabled = true, changed_at = now()", &[]).await.unwrap();
    assert_eq!(
        begin(&shop.app, &[("a", 1), ("b", 1), ("c", 1)]).await,
        ["authorize", "capture pi_b", "cancel pi_c"]
    );
}

#[tokio::test]
async fn the_frozen_request_and_the_age_of_its_key_come_with_the_answer() {
    let shop = Shop::open(&[("kit", 9)]).await;
    shop.sell("o").await;
    let frozen = "SELECT concat_ws(' ', amount_minor, currency, customer_ref, method_ref, params_hash = (SELECT params_hash FROM payments),
                  round(key_age_ms / 60000.0)) FROM begin_payments_v1('[{\"record_no\":0,\"order_id\":\"o\",\"attempt_no\":1}]')";
    assert_eq!(shop.text(frozen).await, "1000 EUR cus_1 pm_1 t 0");
    shop.owner.execute("UPDATE payments SET first_sent_at = now() - interval '90 min'", &[]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(shop.text(frozen).await, "1000 EUR cus_1 pm_1 t 90", "beginning makes no key younger");
    }
}

/// The ids of events that are not marked as sent.
const UNSENT: &str =
    "SELECT coalesce(string_agg(order_id, ' ' ORDER BY id), '') FROM outbox WHERE sent_at IS NULL";

#[tokio::test]
async fn events_are_marked_as_sent_by_every_statement_that_is_handed_their_ids() {
    let shop = Shop::open(&[("kit", 9)]).await;
    let ids = |orders: &[&str]| {
        json!(orders.iter().map(|id| format!("{id}:order.rejected.v1:1")).collect::<Vec<_>>()).to_string()
    };
    for id in ["a", "b", "c", "d", "e"] {
        shop.accept(&[rejection(id, "invalid_order")]).await;
    }
    for (call, sent, unsent) in [
        ("accept_orders_v1('[]', CAST(CAST($1 AS text) AS jsonb))", ids(&["a", "nobody"]), "b c d e"),
        ("begin_payments_v1('[]', CAST(CAST($1 AS text) AS jsonb))", ids(&["b", "a", "b"]), "c d e"),
        ("record_payments_v1('[]', CAST(CAST($1 AS text) AS jsonb))", ids(&["c"]), "d e"),
        ("mark_events_sent_v1(CAST(CAST($1 AS text) AS jsonb))", ids(&["d"]), "e"),
        (
            "mark_events_sent_v1(CAST(CAST($1 AS text) AS jsonb))",
            json!([1, null, {"x": 1}, ["e"]]).to_string(),
            "e",
        ),
        ("mark_events_sent_v1(CAST(CAST($1 AS text) AS jsonb))", "{}".to_owned(), "e"),
    ] {
        shop.app.query(&format!("SELECT FROM {call}"), &[&sent]).await.unwrap();
        assert_eq!(shop.text(UNSENT).await, unsent, "{call} {sent}");
    }
    let marked = "SELECT CAST(sent_at AS text) FROM outbox WHERE order_id = 'a'";
    let first = shop.text(marked).await;
    shop.app
        .query("SELECT mark_events_sent_v1(CAST(CAST($1 AS text) AS jsonb))", &[&ids(&["a"])])
        .await
        .unwrap();
    assert_eq!(shop.text(marked).await, first, "marked once");
}

#[tokio::test]
async fn a_statement_does_not_wait_for_who_marks_the_same_event() {
    let mut shop = Shop::open(&[("kit", 9)]).await;
    shop.accept(&[rejection("a", "invalid_order"), rejection("b", "invalid_order")]).await;
    let marking = shop.owner.transaction().await.unwrap();
    marking.execute("UPDATE outbox SET sent_at = now() WHERE order_id = 'a'", &[]).await.unwrap();
    // The app's lock timeout would end a wait.
    let both = json!(["a:order.rejected.v1:1", "b:order.rejected.v1:1"]).to_string();
    let call = "SELECT FROM accept_orders_v1('[]', CAST(CAST($1 AS text) AS jsonb))";
    shop.app.query(call, &[&both]).await.unwrap();
    marking.rollback().await.unwrap();
    assert_eq!(shop.text(UNSENT).await, "a");
}

#[tokio::test]
async fn the_call_of_older_code_stays_valid() {
    let shop = Shop::open(&[("kit", 9)]).await;
    assert_eq!(
        shop.accept(&[order("o", &[("kit", 1, crate::orders::PRICE)])]).await,
        ["accepted is accepted attempt 1 publish"]
    );
}
