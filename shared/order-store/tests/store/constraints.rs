//! What the schema itself refuses, whoever asks: one line per rule.

use crate::orders::{PRICE, Shop, fingerprint, order, rejection};

/// A shop with an accepted order `o1`, a rejected order `o2`, and a tombstone `o3`.
async fn shop() -> Shop {
    let shop = Shop::open(&[("kit", 5)]).await;
    shop.accept(&[order("o1", &[("kit", 2, PRICE)]), rejection("o2", "invalid_order")]).await;
    shop.owner.execute("INSERT INTO orders (order_id, status) VALUES ('o3', 'canceled')", &[]).await.unwrap();
    shop
}

/// Runs the statement as the owner of the schema and expects that this constraint, or this message, refuses it.
#[track_caller]
fn check(shop: &Shop, statement: &str, refused_by: &str) -> impl Future<Output = ()> {
    let location = std::panic::Location::caller();
    async move {
        let error =
            shop.owner.execute(statement, &[]).await.expect_err(&format!("line {location}: {statement}"));
        let error = error.as_db_error().unwrap();
        let class = error.code().code();
        assert!(class.starts_with("23"), "{location}: {error}");
        let by = error.constraint().or(error.column()).unwrap_or(error.message());
        assert_eq!(by, refused_by, "{location}: {statement}");
    }
}

#[tokio::test]
async fn products_and_stock_hold_their_ranges() {
    let s = shop().await;
    check(&s, "UPDATE products SET sku = ''", "identifier_format").await;
    check(&s, "UPDATE products SET sku = 'a b'", "identifier_format").await;
    check(&s, "UPDATE products SET sku = E'a\\n'", "identifier_format").await;
    check(&s, "UPDATE products SET sku = repeat('a', 65)", "identifier_format").await;
    check(&s, "UPDATE products SET sku = 'other'", "order_items_of_product").await;
    check(&s, "UPDATE products SET price_minor = -1", "minor_units_range").await;
    check(&s, "UPDATE products SET price_minor = 1000000000000", "minor_units_range").await;
    check(&s, "UPDATE products SET currency = 'eur'", "currency_code_format").await;
    check(&s, "UPDATE products SET name = ''", "products_name_length").await;
    check(&s, "UPDATE products SET version = -1", "row_version_range").await;
    check(&s, "UPDATE products SET image_key = ''", "products_image_key_length").await;
    check(&s, "UPDATE stock SET available = -1", "stock_never_below_zero").await;
    check(&s, "UPDATE stock SET owed = -1", "stock_never_below_zero").await;
    check(&s, "UPDATE stock SET sku = '?'", "identifier_format").await;
    s.owner.execute("ALTER TABLE stock DISABLE TRIGGER stock_pays_what_is_owed", &[]).await.unwrap();
    check(&s, "UPDATE stock SET owed = 1", "stock_owed_only_when_empty").await;
    check(&s, "INSERT INTO stock_adjustments VALUES ('evt_kit', 'kit', 1)", "stock_adjustments_pk").await;
    check(&s, "INSERT INTO stock_adjustments VALUES ('e', 'kit', 0)", "stock_adjustments_delta_range").await;
    check(&s, "INSERT INTO stock_adjustments VALUES ('e ', 'kit', 1)", "stock_adjustments_event_id_format")
        .await;
    check(&s, "INSERT INTO stock_adjustments VALUES ('e', '', 1)", "identifier_format").await;
}

#[tokio::test]
async fn orders_hold_their_states_and_are_whole() {
    let s = shop().await;
    check(&s, "INSERT INTO orders (order_id, status) VALUES ('o1', 'canceled')", "orders_pk").await;
    check(&s, "INSERT INTO orders (order_id, status) VALUES ('o/1', 'canceled')", "identifier_format").await;
    check(&s, "INSERT INTO orders (order_id, status) VALUES ('o4', 'accepted')", "orders_payload_whole")
        .await;
    check(
        &s,
        "INSERT INTO orders (order_id, status, currency) VALUES ('o4', 'canceled', 'EUR')",
        "orders_payload_whole",
    )
    .await;
    check(&s, "UPDATE orders SET status = 'lost' WHERE order_id = 'o1'", "order_status_known").await;
    check(&s, "UPDATE orders SET status = 'rejected' WHERE order_id = 'o1'", "orders_rejected_has_reason")
        .await;
    check(
        &s,
        "UPDATE orders SET reason = 'out_of_stock' WHERE order_id = 'o1'",
        "orders_rejected_has_reason",
    )
    .await;
    check(
        &s,
        "UPDATE orders SET status = 'rejected', reason = 'mood' WHERE order_id = 'o1'",
        "rejection_reason_known",
    )
    .await;
    let final_state = |status| format!("an order that is {status} stays so");
    check(
        &s,
        "UPDATE orders SET status = 'review', reason = NULL WHERE order_id = 'o2'",
        &final_state("rejected"),
    )
    .await;
    check(&s, "UPDATE orders SET status = 'accepted' WHERE order_id = 'o3'", &final_state("canceled")).await;
    s.owner.execute("UPDATE orders SET status = 'refunded' WHERE order_id = 'o1'", &[]).await.unwrap();
    check(&s, "UPDATE orders SET status = 'confirmed' WHERE order_id = 'o1'", &final_state("refunded")).await;
    check(&s, "UPDATE orders SET traceparent = '00-1-1-01' WHERE order_id = 'o1'", "traceparent_format")
        .await;
    for change in [
        "order_id = 'o9'",
        "total_minor = 1",
        "currency = 'USD'",
        "customer_id = 'c_2'",
        "placed_at = now()",
        "accepted_at = now()",
    ] {
        let statement = format!("UPDATE orders SET {change} WHERE order_id = 'o1'");
        check(&s, &statement, "the payload of an order never changes").await;
    }
    let whole = format!(
        "INSERT INTO orders (order_id, status, fingerprint, customer_id, total_minor, placed_at, accepted_at, currency)
         SELECT 'o5', 'accepted', '{}', 'c', 100, now(), now(), 'EUR'",
        fingerprint(1)
    );
    check(&s, &whole.replace("100", "0"), "orders_accepted_is_priced").await;
    check(&s, &whole.replace("100", "1000000000000"), "orders_accepted_is_priced").await;
    check(&s, &whole.replace("'EUR'", "NULL"), "orders_accepted_is_priced").await;
    check(&s, &whole.replace("'EUR'", "'euro'"), "currency_code_format").await;
    check(&s, &whole.replace("'c'", "NULL"), "orders_payload_whole").await;
    check(&s, &whole.replace("'c'", "''"), "identifier_format").await;
    check(&s, &whole.replace("00'", "0g'").replace("01'", "0g'"), "sha256_hex_format").await;
    s.owner.execute(&whole, &[]).await.unwrap();
}

#[tokio::test]
async fn lines_history_and_events_belong_to_an_order_and_hold_their_ranges() {
    let s = shop().await;
    let line = "INSERT INTO order_items VALUES ('o1', 2, 'kit', 1, 5)";
    check(&s, &line.replace("'o1', 2", "'o1', 1"), "order_items_pk").await;
    check(&s, &line.replace("'o1'", "'o9'"), "order_items_of_order").await;
    check(&s, &line.replace("'kit'", "'none'"), "order_items_of_product").await;
    check(&s, &line.replace(", 2,", ", 51,"), "line_number_range").await;
    check(&s, &line.replace(" 1,", " 0,"), "line_quantity_range").await;
    check(&s, &line.replace(" 1,", " 100,"), "line_quantity_range").await;
    check(&s, &line.replace("5)", "-1)"), "minor_units_range").await;
    let history = "INSERT INTO order_history (order_id, seq, what) VALUES ('o1', 2, 'seen')";
    check(&s, &history.replace("2,", "1,"), "order_history_pk").await;
    check(&s, &history.replace("2,", "0,"), "sequence_number_range").await;
    check(&s, &history.replace("'o1'", "'o9'"), "order_history_of_order").await;
    check(&s, &history.replace("seen", "Seen it"), "history_word_format").await;
    let append_only = "order_history is append-only, add a row that corrects the wrong one";
    check(&s, "UPDATE order_history SET what = 'other'", append_only).await;
    check(&s, "DELETE FROM order_history", append_only).await;
    check(&s, "TRUNCATE order_history", append_only).await;
    let event = "INSERT INTO outbox (id, order_id, seq, type, payload) VALUES ('o1:order.confirmed.v1:2', 'o1', 2, 'order.confirmed.v1', '{}')";
    check(&s, &event.replace("2'", "3'"), "outbox_id_derived").await;
    check(&s, &event.replace(":2'", ":1'").replace(" 2,", " 1,"), "outbox_seq_once").await;
    check(&s, &event.replace("confirmed", "lost"), "event_type_known").await;
    check(&s, &event.replace("{}", "[]"), "details_object").await;
    check(&s, &event.replace("o1", "o9"), "outbox_of_order").await;
    check(
        &s,
        "INSERT INTO processed_webhooks (event_id) VALUES (''), ('x')",
        "processed_webhooks_event_id_format",
    )
    .await;
    check(&s, "INSERT INTO processed_webhooks (event_id) VALUES ('x'), ('x')", "processed_webhooks_pk").await;
}

#[tokio::test]
async fn payments_are_frozen_named_once_and_one_at_a_time() {
    let s = shop().await;
    let attempt = |values: &str| {
        format!(
            "INSERT INTO payments (order_id, attempt_no, status, params, params_hash, amount_minor) SELECT {values} FROM payments"
        )
    };
    check(
        &s,
        &attempt("order_id, 2, status, params, params_hash, amount_minor"),
        "payments_one_live_attempt",
    )
    .await;
    check(&s, &attempt("order_id, 1, 'failed', params, params_hash, amount_minor"), "payments_pk").await;
    check(&s, &attempt("order_id, 0, 'failed', params, params_hash, amount_minor"), "attempt_number_range")
        .await;
    check(&s, &attempt("'o2', 1, 'paid', params, params_hash, amount_minor"), "payment_status_known").await;
    check(&s, &attempt("'o9', 1, status, params, params_hash, amount_minor"), "payments_of_order").await;
    check(&s, &attempt("'o2', 1, status, params, 'none', amount_minor"), "sha256_hex_format").await;
    check(
        &s,
        &attempt("'o2', 1, status, params, params_hash, amount_minor + 1"),
        "payments_amount_as_requested",
    )
    .await;
    check(
        &s,
        &attempt("'o2', 1, status, params - 'methodRef', params_hash, amount_minor"),
        "payment_params_whole",
    )
    .await;
    check(
        &s,
        &attempt("'o2', 1, status, params || '{\"amountMinor\":0}', params_hash, 0"),
        "payment_params_whole",
    )
    .await;
    check(&s, "UPDATE payments SET next_attempt_at = NULL", "payments_waiting_is_timed").await;
    check(&s, "UPDATE payments SET status = 'unknown'", "payments_unknown_since").await;
    check(&s, "UPDATE payments SET sweep_until = now()", "payments_sweep_after_failure").await;
    check(&s, "UPDATE payments SET last_reason = 'Do not honor'", "short_word_format").await;
    check(&s, "UPDATE payments SET last_reason = repeat('a', 65)", "short_word_format").await;
    check(&s, "UPDATE payments SET status = 'capturing'", "payments_charge_is_named").await;
    check(&s, "UPDATE payments SET payment_id = 'pi 1'", "identifier_format").await;
    let frozen = "a payment request is frozen, open a new attempt";
    check(&s, "UPDATE payments SET params_hash = repeat('0', 64)", frozen).await;
    check(&s, "UPDATE payments SET attempt_no = 2", frozen).await;

    s.owner.execute("UPDATE payments SET status = 'capturing', payment_id = 'pi_1'", &[]).await.unwrap();
    check(&s, "UPDATE payments SET payment_id = 'pi_2'", "payment_id is written once").await;
    check(&s, "UPDATE payments SET payment_id = NULL", "payment_id is written once").await;
    s.accept(&[order("o4", &[("kit", 1, PRICE)])]).await;
    check(&s, "UPDATE payments SET payment_id = 'pi_1' WHERE order_id = 'o4'", "payments_payment_id_once")
        .await;
    s.owner.execute("UPDATE payments SET status = 'failed' WHERE order_id = 'o4'", &[]).await.unwrap();
    let failed = "a failed attempt stays failed, open a new attempt";
    check(&s, "UPDATE payments SET status = 'requested' WHERE order_id = 'o4'", failed).await;
}

#[tokio::test]
async fn switches_and_cursors_have_the_names_that_are_asked_for() {
    let s = shop().await;
    check(&s, "INSERT INTO switches (name, enabled) VALUES ('payments', true)", "switches_pk").await;
    check(&s, "INSERT INTO switches (name, enabled) VALUES ('paiments', true)", "switches_name_known").await;
    check(&s, "UPDATE switches SET enabled = NULL", "enabled").await;
    let cursor = "INSERT INTO reconcile_cursors VALUES ('charges', now()), ('charges', now())";
    check(&s, cursor, "reconcile_cursors_pk").await;
    check(&s, "INSERT INTO reconcile_cursors VALUES ('charge', now())", "reconcile_cursors_name_known").await;
    check(&s, "INSERT INTO reconcile_cursors VALUES ('charges', NULL)", "compared_until").await;
}
