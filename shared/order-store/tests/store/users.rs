//! The two database users: what the functions' user may do, and that creating both again changes nothing.

use order_store::{ROLES, statements};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::orders::{PRICE, Shop, order};

async fn check_refused(app: &Client, statement: &str) {
    let error = app.execute(statement, &[]).await.expect_err(statement);
    assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{statement}: {error}");
}

#[tokio::test]
async fn the_functions_user_reads_the_catalog_calls_the_function_and_can_do_nothing_else() {
    let shop = Shop::open(&[("kit", 5)]).await;
    shop.accept(&[order("o1", &[("kit", 1, PRICE)])]).await;
    shop.app.execute("SELECT sku, price_minor, currency, active, version FROM products", &[]).await.unwrap();
    shop.app.execute("SELECT sku, available FROM stock", &[]).await.unwrap();
    for ddl in [
        "CREATE TABLE t (i integer)",
        "CREATE TEMPORARY TABLE t (i integer)",
        "CREATE SCHEMA s",
        "CREATE FUNCTION f() RETURNS integer LANGUAGE sql RETURN 1",
        "CREATE OR REPLACE FUNCTION accept_orders_v1(batch jsonb) RETURNS integer LANGUAGE sql RETURN 1",
        "ALTER TABLE orders DROP COLUMN fingerprint",
        "ALTER TABLE orders DISABLE TRIGGER ALL",
        "DROP TABLE outbox",
        "CREATE INDEX ON orders (status)",
        "TRUNCATE order_history",
        "CREATE ROLE other",
        "SET ROLE orderflow_migrator",
    ] {
        check_refused(&shop.app, ddl).await;
    }
    for table in [
        "orders",
        "order_items",
        "order_history",
        "payments",
        "outbox",
        "processed_webhooks",
        "switches",
        "schema_migrations",
    ] {
        check_refused(&shop.app, &format!("INSERT INTO {table} SELECT * FROM {table}")).await;
        check_refused(&shop.app, &format!("DELETE FROM {table}")).await;
    }
    check_refused(&shop.app, "UPDATE orders SET status = 'confirmed'").await;
    check_refused(&shop.app, "UPDATE payments SET status = 'captured'").await;
    check_refused(&shop.app, "UPDATE payments SET next_attempt_at = now()").await;
    check_refused(&shop.app, "UPDATE outbox SET sent_at = now()").await;
    check_refused(&shop.app, "UPDATE switches SET enabled = true").await;
    check_refused(&shop.app, "DELETE FROM reconcile_cursors").await;
    // What the calls are made of can be called by no one else: it trusts its caller.
    for part in [
        "move_payments('[]')",
        "end_order('o1', 'confirmed', NULL, '{}')",
        "payments_enabled()",
        "payment_next('requested', 'accepted', false)",
        "guard_cursor()",
        "pay_owed_stock()",
        "is_traceparent('')",
    ] {
        check_refused(&shop.app, &format!("SELECT {part}")).await;
    }
    check_refused(&shop.app, "UPDATE stock SET available = 100").await;
    check_refused(&shop.app, "UPDATE stock SET owed = 1").await;
    check_refused(&shop.app, "UPDATE products SET price_minor = 1").await;
    check_refused(&shop.app, "INSERT INTO stock_adjustments VALUES ('e', 'kit', 1)").await;
}

#[tokio::test]
async fn the_functions_user_waits_neither_long_for_a_statement_nor_for_a_lock() {
    let shop = Shop::open(&[]).await;
    let setting = async |name: &str| -> String {
        shop.app.query_one(&format!("SHOW {name}"), &[]).await.unwrap().get(0)
    };
    assert_eq!(
        (setting("statement_timeout").await.as_str(), setting("lock_timeout").await.as_str()),
        ("3s", "1s")
    );
}

#[tokio::test]
async fn the_call_finds_its_tables_whatever_the_callers_search_path_is() {
    let shop = Shop::open(&[("kit", 5)]).await;
    shop.owner
        .batch_execute("CREATE SCHEMA decoy; GRANT USAGE ON SCHEMA decoy TO orderflow_app")
        .await
        .unwrap();
    shop.owner.batch_execute("CREATE TABLE decoy.orders (order_id text)").await.unwrap();
    shop.app.batch_execute("SET search_path = decoy").await.unwrap();
    let call = "SELECT verdict FROM public.accept_orders_v1(CAST(CAST($1 AS text) AS jsonb))";
    let mut record = order("o1", &[("kit", 1, PRICE)]);
    record["record_no"] = 0.into();
    let row = shop.app.query_one(call, &[&format!("[{record}]")]).await.unwrap();
    assert_eq!(row.get::<_, String>("verdict"), "accepted");
}

#[test]
fn the_text_for_the_master_user_has_exactly_two_placeholders() {
    let placeholders: Vec<_> =
        statements(ROLES).filter(|statement| statement.contains("PASSWORD '{{")).collect();
    assert_eq!(placeholders.len(), 2);
}
