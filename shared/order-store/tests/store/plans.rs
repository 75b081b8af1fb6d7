//! No question reads more rows than it answers for, however many there are.

use tokio_postgres::Client;

use crate::orders::Shop;

/// Orders in the filled table: enough that a scan of it is told from a look-up.
const ORDERS: i64 = 30_000;

/// Products beside the one that the orders are for.
const PRODUCTS: i64 = 2_000;

/// Of every hundred orders ninety are paid, and one each is due, parked, unknown, swept, expired; the rest is failed.
/// Events of all but a few have been sent. Constraints hold; triggers and foreign keys are not asked, to be quick.
fn fill() -> String {
    format!(
        "SET session_replication_role = replica;
         INSERT INTO products (sku, name, price_minor, currency, active, version)
           SELECT 'kit-' || n, 'A kit', 1000, 'EUR', true, 1 FROM generate_series(1, {PRODUCTS}) AS n;
         INSERT INTO stock (sku, available) SELECT 'kit-' || n, 10 FROM generate_series(1, {PRODUCTS}) AS n;
         INSERT INTO orders (order_id, customer_id, status, reason, currency, total_minor, fingerprint, placed_at, accepted_at)
           SELECT 'o-' || n, 'c', CASE WHEN n % 100 < 90 THEN 'confirmed' WHEN n % 100 < 95 THEN 'accepted' ELSE 'rejected' END,
                  CASE WHEN n % 100 >= 95 THEN 'payment_declined' END, 'EUR', 1000, repeat('0', 64), now(),
                  now() - interval '1 day' + n * interval '1 s'
           FROM generate_series(1, {ORDERS}) AS n;
         INSERT INTO order_items SELECT 'o-' || n, 1, 'kit', 1, 1000 FROM generate_series(1, {ORDERS}) AS n;
         INSERT INTO payments (order_id, attempt_no, status, payment_id, params, params_hash, amount_minor, first_sent_at, next_attempt_at,
                               unknown_at, sweep_until)
           SELECT 'o-' || n, 1,
                  CASE WHEN n % 100 < 90 THEN 'captured' WHEN n % 100 < 92 THEN 'requested' WHEN n % 100 = 92 THEN 'unknown'
                       WHEN n % 100 < 95 THEN 'requested' ELSE 'failed' END,
                  CASE WHEN n % 100 < 90 THEN 'pi_o-' || n END,
                  '{{\"amountMinor\":1000,\"currency\":\"EUR\",\"customerRef\":\"cus\",\"methodRef\":\"pm\"}}', repeat('0', 64), 1000, now(),
                  CASE WHEN n % 100 >= 90 THEN now() + (n % 7 - 3) * interval '1 min' END, now(),
                  CASE WHEN n % 100 >= 95 THEN now() + interval '1 h' END
           FROM generate_series(1, {ORDERS}) AS n;
         INSERT INTO order_history (order_id, seq, what) SELECT 'o-' || n, 1, 'accepted' FROM generate_series(1, {ORDERS}) AS n;
         INSERT INTO outbox (id, order_id, seq, type, payload, created_at, sent_at)
           SELECT 'o-' || n || ':order.accepted.v1:1', 'o-' || n, 1, 'order.accepted.v1', '{{}}', now() - interval '1 h',
                  CASE WHEN n % 100 > 0 THEN now() END
           FROM generate_series(1, {ORDERS}) AS n;
         SET session_replication_role = origin;
         ANALYZE"
    )
}

/// Runs the statement and expects that it reads no table whole, and at most so many rows by index.
async fn check(app: &Client, statement: &str, rows_max: i64) {
    app.batch_execute("BEGIN").await.unwrap();
    let before = read_so_far(app).await;
    let answers = app.query(statement, &[]).await.unwrap().len();
    let after = read_so_far(app).await;
    app.batch_execute("ROLLBACK").await.unwrap();
    assert!(answers > 0, "the question was meant to find something: {statement}");
    assert_eq!(after.0 - before.0, 0, "tables read whole by {statement}");
    let fetched = after.1 - before.1;
    assert!(fetched <= rows_max, "{fetched} rows read, {rows_max} expected by {statement}");
}

/// Whole reads of tables that grow, and rows read by index, of this session (the server counts them until it has told
/// its other parts, which no transaction does before its end).
async fn read_so_far(app: &Client) -> (i64, i64) {
    let read =
        "SELECT CAST(coalesce(sum(seq_scan), 0) AS bigint), CAST(coalesce(sum(idx_tup_fetch), 0) AS bigint)
                FROM pg_stat_xact_user_tables WHERE relname NOT IN ('switches', 'reconcile_cursors')";
    let read = app.query_one(read, &[]).await.unwrap();
    (read.get(0), read.get(1))
}

/// Both plans: of a session that planned while the tables were empty, and of one that knows how full they are.
#[tokio::test]
async fn no_question_reads_a_table_whole() {
    let shop = Shop::open(&[("kit", 1_000)]).await;
    shop.sell("first").await;
    let early = shop.database.app().await;
    for _ in 0..8 {
        for (statement, _) in QUESTIONS {
            early.query(*statement, &[]).await.unwrap();
        }
    }
    shop.database.master().await.batch_execute(&fill()).await.unwrap();
    let late = shop.database.app().await;
    for (statement, rows_max) in QUESTIONS {
        check(&early, statement, *rows_max).await;
        check(&late, statement, *rows_max).await;
    }
}

/// Each with the rows it may read: a few for every row that it takes, and the ten thousand that it counts.
const QUESTIONS: &[(&str, i64)] = &[
    ("SELECT * FROM begin_payments_v1('[{\"record_no\":0,\"order_id\":\"o-90\",\"attempt_no\":1}]')", 20),
    ("SELECT * FROM record_payments_v1('[{\"record_no\":0,\"order_id\":\"o-90\",\"attempt_no\":1,\"step\":\"authorized\",\"payment_id\":\"pi_new\"},
       {\"record_no\":1,\"order_id\":\"o-91\",\"attempt_no\":1,\"step\":\"declined\",\"again\":false},
       {\"record_no\":2,\"order_id\":\"o-95\",\"attempt_no\":1,\"step\":\"authorized\",\"payment_id\":\"pi_late\"}]', '[\"o-100:order.accepted.v1:1\"]')", 60),
    ("SELECT * FROM take_due_v1(20)", 2_000),
    ("SELECT * FROM unsent_events_v1(20, 30000) UNION ALL SELECT NULL, NULL, NULL, NULL, NULL", 30),
    ("SELECT * FROM order_traces_v1('[\"o-90\",\"o-91\",\"nobody\"]') UNION ALL SELECT NULL, NULL", 10),
    ("SELECT order_id FROM take_unknown_v1(20) UNION ALL SELECT NULL", 60),
    ("SELECT * FROM give_up_v1('[{\"record_no\":0,\"order_id\":\"o-92\",\"attempt_no\":1}]', false)
      UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL", 30),
    ("SELECT record_no FROM expire_orders_v1(20, 82800000) UNION ALL SELECT NULL", 600),
    ("SELECT order_id FROM take_sweeps_v1(20, 60000) UNION ALL SELECT NULL", 60),
    ("SELECT what FROM compare_charges_v1('[{\"payment_id\":\"pi_x\",\"order_id\":\"o-95\",\"attempt_no\":1,\"held\":true,\"captured_minor\":0},
       {\"payment_id\":\"pi_o-1\",\"order_id\":\"o-1\",\"attempt_no\":1,\"held\":false,\"captured_minor\":1}]') UNION ALL SELECT NULL", 20),
    ("SELECT record_no FROM refresh_catalog_v1('[{\"record_no\":0,\"kind\":\"product\",\"sku\":\"kit\",\"name\":\"A kit\",\"price_minor\":7,
       \"currency\":\"EUR\",\"active\":true,\"version\":9},{\"record_no\":1,\"kind\":\"stock\",\"event_id\":\"e\",\"sku\":\"kit\",\"delta\":3}]')", 20),
    // New orders each time: one of the kit that has always been there, one of a kit that came later.
    ("SELECT * FROM accept_orders_v1((SELECT jsonb_agg(jsonb_build_object('record_no', n, 'order_id', gen_random_uuid(), 'customer_id', 'c',
       'currency', 'EUR', 'total_minor', 1000, 'fingerprint', repeat('0', 64), 'placed_at', now(),
       'items', jsonb_build_array(jsonb_build_object('sku', sku, 'quantity', 1, 'unit_price_minor', 1000)),
       'payment', jsonb_build_object('customer_ref', 'cus', 'method_ref', 'pm')))
       FROM (VALUES (0, 'kit'), (1, 'kit-7')) AS wanted(n, sku)))", 30),
    ("SELECT * FROM accept_orders_v1('[]', '[\"o-100:order.accepted.v1:1\"]') UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL", 10),
];
