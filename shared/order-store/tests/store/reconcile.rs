//! The reconciler's questions: what each takes, leases and leaves, and where it finds provider and rows to disagree.

use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::orders::{Shop, rejection, with};
use crate::paying::{begin, charged, declined, expire, give_up, own};

/// Makes a payment due, or whatever else is set.
async fn set(shop: &Shop, order_id: &str, change: &str) {
    let change = format!("UPDATE payments SET {change} WHERE order_id = '{order_id}' AND attempt_no = 1");
    assert_eq!(shop.owner.execute(&change, &[]).await.unwrap(), 1, "{change}");
}

const DUE: &str = "next_attempt_at = now() - interval '1 s'";

/// Takes due payments: their orders in the order of their ids, and how many others wait.
async fn take_due(client: &Client, limit: i64) -> (String, i64) {
    let rows = client.query("SELECT * FROM take_due_v1($1) ORDER BY order_id", &[&limit]).await.unwrap();
    let ids: Vec<String> = rows.iter().filter_map(|row| row.get("order_id")).collect();
    let waiting = rows.iter().filter_map(|row| row.get::<_, Option<i64>>("waiting")).sum();
    (ids.join(" "), waiting)
}

/// Runs a question and joins its first column, sorted.
async fn ask(client: &Client, question: &str) -> String {
    let rows = client.query(question, &[]).await.unwrap();
    let mut first: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    first.sort();
    first.join(" ")
}

#[tokio::test]
async fn what_is_due_is_taken_once_and_leased() {
    let shop = Shop::open(&[("kit", 99)]).await;
    for (id, status) in [
        ("a", "requested"),
        ("b", "capturing"),
        ("c", "voiding"),
        ("d", "unknown"),
        ("e", "captured"),
        ("f", "failed"),
        ("g", "awaiting_customer"),
        ("h", "review"),
    ] {
        shop.sell_and_move(id, status).await;
        set(&shop, id, DUE).await;
    }
    for (id, change) in [
        ("i", "next_attempt_at = now() + interval '59 s'"),
        ("j", "next_attempt_at = now() + interval '61 s'"),
    ] {
        shop.sell(id).await;
        set(&shop, id, change).await;
    }
    assert_eq!(take_due(&shop.app, 2).await.1, 2, "one that is due and one that will be");
    set(&shop, "a", DUE).await;
    set(&shop, "b", DUE).await;
    set(&shop, "c", DUE).await;
    assert_eq!(take_due(&shop.app, 10).await, ("a b c".to_owned(), 1));
    assert_eq!(take_due(&shop.app, 10).await, (String::new(), 1), "leased for five minutes");
    let lease =
        "SELECT round(extract(epoch FROM next_attempt_at - now()) / 60) FROM payments WHERE order_id = 'a'";
    assert_eq!(shop.number(lease).await, 5);
    begin(&shop.app, &[("a", 1)]).await;
    assert_eq!(take_due(&shop.app, 0).await, (String::new(), 1), "what is being paid does not wait");
}

#[tokio::test]
async fn the_longest_due_comes_first_and_the_switch_stops_the_publishing() {
    let shop = Shop::open(&[("kit", 99)]).await;
    for (id, minutes) in [("a", 1), ("b", 3), ("c", 2)] {
        shop.sell(id).await;
        set(&shop, id, &format!("next_attempt_at = now() - interval '{minutes} min'")).await;
    }
    let switch = async |on: bool| {
        shop.owner.execute("UPDATE switches SET enabled = $1", &[&on]).await.unwrap();
    };
    switch(false).await;
    assert_eq!(take_due(&shop.app, 9).await, (String::new(), 0), "nobody need stay up for them");
    switch(true).await;
    assert_eq!(take_due(&shop.app, 1).await, ("b".to_owned(), 2 + 1 - 1));
    assert_eq!(take_due(&shop.app, 1).await.0, "c");
}

/// Two sessions ask at once; the first has not committed yet.
async fn check_taken_once(shop: &Shop, question: &str) {
    let other = shop.database.app().await;
    shop.app.batch_execute("BEGIN").await.unwrap();
    let first = ask(&shop.app, question).await;
    let second = ask(&other, question).await;
    shop.app.batch_execute("COMMIT").await.unwrap();
    assert_eq!((first.as_str(), second.as_str()), ("a b", "c"), "{question}");
    assert_eq!(ask(&other, question).await, "", "{question}");
}

#[tokio::test]
async fn two_runs_at_once_never_take_one_row_twice() {
    let shop = Shop::open(&[("kit", 99)]).await;
    for id in ["a", "b", "c"] {
        shop.sell(id).await;
        begin(&shop.app, &[(id, 1)]).await;
    }
    let due = async |status: &str| {
        let due = format!(
            "UPDATE payments SET status = '{status}', unknown_at = now() - interval '1 h',
                           next_attempt_at = now() - interval '1 h' + ascii(order_id) * interval '1 s',
                           sweep_until = CASE '{status}' WHEN 'failed' THEN now() + interval '1 h' END"
        );
        shop.owner.execute(&due, &[]).await.unwrap();
    };
    due("requested").await;
    check_taken_once(&shop, "SELECT order_id FROM take_due_v1(2) WHERE order_id IS NOT NULL").await;
    due("unknown").await;
    check_taken_once(&shop, "SELECT order_id FROM take_unknown_v1(2)").await;
    due("failed").await;
    check_taken_once(&shop, "SELECT order_id FROM take_sweeps_v1(2, 60000)").await;
}

#[tokio::test]
async fn a_doubt_is_taken_with_its_request_and_comes_again_after_a_minute() {
    let shop = Shop::open(&[("kit", 99)]).await;
    shop.sell_and_move("o", "unknown").await;
    set(&shop, "o", "first_sent_at = now() - interval '2 h', unknown_at = now() - interval '1 h'").await;
    let question = "SELECT concat_ws(' ', order_id, attempt_no, amount_minor, currency, customer_ref, method_ref, length(params_hash),
                    round(key_age_ms / 60000.0), round(unknown_for_ms / 60000.0), round((extract(epoch FROM now()) - first_sent_s) / 60))
                    FROM take_unknown_v1(9)";
    assert_eq!(ask(&shop.app, question).await, "o 1 1000 EUR cus_1 pm_1 64 120 60 120");
    assert_eq!(ask(&shop.app, question).await, "");
    let lease = "SELECT round(extract(epoch FROM next_attempt_at - now())) FROM payments";
    assert_eq!(shop.number(lease).await, 60);
    set(&shop, "o", DUE).await;
    shop.owner.execute("UPDATE switches SET enabled = false", &[]).await.unwrap();
    assert_eq!(ask(&shop.app, question).await, "", "resolving may send the request again");
}

#[tokio::test]
async fn a_doubt_that_is_given_up_is_swept_and_followed_by_one_attempt() {
    let shop = Shop::open(&[("kit", 9)]).await;
    shop.sell_and_move("a", "unknown").await;
    shop.sell_and_move("b", "unknown").await;
    assert_eq!(give_up(&shop.app, &["a"], true).await.unwrap(), ["moved failed, order accepted, nothing"]);
    let rejected = "moved failed, order rejected, nothing, tells order.rejected.v1:2";
    assert_eq!(give_up(&shop.app, &["b"], false).await.unwrap(), [rejected]);
    let rows = "SELECT string_agg(concat_ws(' ', order_id, attempt_no, status, round(extract(epoch FROM sweep_until - now()) / 3600),
                next_attempt_at <= clock_timestamp()), ', ' ORDER BY order_id, attempt_no) FROM payments";
    assert_eq!(shop.text(rows).await, "a 1 failed 24 t, a 2 requested t, b 1 failed 24 t");
    assert_eq!(shop.text("SELECT reason FROM orders WHERE order_id = 'b'").await, "payment_unavailable");
    assert_eq!(take_due(&shop.app, 9).await, ("a".to_owned(), 0));
    // From the second attempt on there is no other.
    shop.owner
        .execute("UPDATE payments SET status = 'unknown', unknown_at = now() WHERE attempt_no = 2", &[])
        .await
        .unwrap();
    let second = "SELECT concat_ws(' ', changed, order_status) FROM give_up_v1('[{\"record_no\":0,\"order_id\":\"a\",\"attempt_no\":2}]', true)";
    assert_eq!(ask(&shop.app, second).await, "t rejected");
    assert_eq!((shop.available("kit").await, shop.wrong_stock().await), (9, 0));
    assert_eq!(give_up(&shop.app, &[], true).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn only_old_orders_that_nobody_has_paid_expire() {
    let shop = Shop::open(&[("kit", 99)]).await;
    for status in [
        "requested",
        "capturing",
        "captured",
        "failed",
        "unknown",
        "voiding",
        "awaiting_customer",
        "awaiting_provider",
        "refunding",
        "refunded",
        "review",
    ] {
        shop.sell_and_move(status, status).await;
    }
    shop.sell_and_move("second", "requested").await;
    shop.record(&[declined("second", true)]).await;
    assert_eq!(expire(&shop.app, 99, 60_000).await.unwrap(), [""; 0], "nothing is a minute old");
    let rejected = "moved failed, order rejected, nothing, tells order.rejected.v1:2";
    let all = ["awaiting_customer", "awaiting_provider", "requested", "second", "unknown"]
        .map(|id| format!("{id} {rejected}"));
    let first = expire(&shop.app, 1, 0).await.unwrap();
    assert_eq!(first, [format!("requested {rejected}")], "the oldest first");
    let rest: Vec<_> = all.into_iter().filter(|line| *line != first[0]).collect();
    assert_eq!(expire(&shop.app, 99, 0).await.unwrap(), rest);
    assert_eq!(expire(&shop.app, 99, 0).await.unwrap(), [""; 0]);
    let reasons = "SELECT string_agg(concat_ws(' ', order_id, reason), ', ' ORDER BY order_id) FROM orders WHERE status = 'rejected'";
    assert_eq!(
        shop.text(reasons).await,
        "awaiting_customer payment_expired, awaiting_provider payment_unavailable, failed payment_declined, requested payment_unavailable, second payment_unavailable, unknown payment_unavailable"
    );
    let swept = "SELECT string_agg(order_id || attempt_no, ' ' ORDER BY order_id, attempt_no) FROM payments WHERE sweep_until > now() + interval '23 h'";
    assert_eq!(
        shop.text(swept).await,
        "awaiting_customer1 awaiting_provider1 requested1 unknown1",
        "all that were sent and not refused"
    );
    assert_eq!(shop.wrong_stock().await, 0);
}

#[tokio::test]
async fn a_failed_attempt_is_swept_again_and_again_until_its_time_is_over() {
    let shop = Shop::open(&[("kit", 9)]).await;
    shop.sell_and_move("o", "unknown").await;
    give_up(&shop.app, &["o"], false).await.unwrap();
    shop.sell_and_move("p", "captured").await;
    let take = "SELECT concat_ws(' ', order_id, attempt_no, customer_ref, first_sent_s <= extract(epoch FROM now())) FROM take_sweeps_v1(9, 600000)";
    assert_eq!(ask(&shop.app, take).await, "o 1 cus_1 t");
    assert_eq!(ask(&shop.app, take).await, "");
    assert_eq!(shop.number("SELECT round(extract(epoch FROM next_attempt_at - now()) / 60) FROM payments WHERE order_id = 'o'").await, 10);
    set(&shop, "o", &format!("{DUE}, sweep_until = now() + interval '3 min'")).await;
    assert_eq!(ask(&shop.app, take).await, "o 1 cus_1 t");
    assert_eq!(shop.number("SELECT round(extract(epoch FROM next_attempt_at - now()) / 60) FROM payments WHERE order_id = 'o'").await, 3);
    set(&shop, "o", &format!("{DUE}, sweep_until = now() - interval '1 s'")).await;
    assert_eq!(ask(&shop.app, take).await, "o 1 cus_1 t", "once more when its time is over");
    assert_eq!(
        shop.text(
            "SELECT coalesce(CAST(next_attempt_at AS text), 'never') FROM payments WHERE order_id = 'o'"
        )
        .await,
        "never"
    );
    assert_eq!(ask(&shop.app, take).await, "");
}

#[tokio::test]
async fn events_that_were_not_sent_are_found_when_they_are_old_enough() {
    let shop = Shop::open(&[]).await;
    for id in ["a", "b", "c"] {
        shop.accept(&[rejection(id, "invalid_order")]).await;
    }
    shop.owner
        .execute("UPDATE outbox SET created_at = now() - interval '1 min' WHERE order_id < 'c'", &[])
        .await
        .unwrap();
    shop.owner
        .execute("UPDATE outbox SET created_at = to_timestamp(1700000000.25) WHERE order_id = 'b'", &[])
        .await
        .unwrap();
    assert_eq!(ask(&shop.app, "SELECT order_id FROM unsent_events_v1(9, 30000)").await, "a b");
    let oldest = "SELECT concat_ws(' ', id, order_id, type, payload, created_ms) FROM unsent_events_v1(1, 0)";
    assert_eq!(
        ask(&shop.app, oldest).await,
        r#"b:order.rejected.v1:1 b order.rejected.v1 {"reason": "invalid_order", "orderId": "b", "customerId": "c_1"} 1700000000250"#
    );
    ask(&shop.app, "SELECT CAST(mark_events_sent_v1('[\"b:order.rejected.v1:1\"]') AS text)").await;
    assert_eq!(ask(&shop.app, "SELECT order_id FROM unsent_events_v1(9, 0)").await, "a c");
}

/// Shows the provider's charge `own(status)` of the order of this name, and expects this difference.
async fn check(shop: &Shop, status: &str, charge: Value, expected: &str) {
    let shown = json!({"payment_id": own(status), "order_id": status, "attempt_no": 1, "held": false, "captured_minor": 0, "currency": "EUR"});
    let charge = charge
        .as_object()
        .unwrap()
        .iter()
        .fold(shown, |shown, (field, value)| with(shown, field, value.clone()));
    let call = format!(
        "SELECT concat_ws(' ', what, payment_status) FROM compare_charges_v1(CAST('[{charge}]' AS jsonb)) WHERE payment_id IS NOT NULL"
    );
    assert_eq!(ask(&shop.app, &call).await, expected, "{status} {charge}");
}

#[tokio::test]
async fn charges_and_rows_that_disagree_are_named() {
    let shop = Shop::open(&[("kit", 99)]).await;
    let (held, nothing) = (json!({"held": true}), json!({}));
    let captured = json!({"captured_minor": 1000});
    let statuses = [
        "requested",
        "capturing",
        "captured",
        "failed",
        "unknown",
        "voiding",
        "awaiting_customer",
        "awaiting_provider",
        "refunding",
        "refunded",
        "review",
    ];
    for status in statuses {
        shop.sell_and_move(status, status).await;
    }
    // A row on its way is no difference, nor is one that a person looks at.
    for status in
        ["requested", "unknown", "awaiting_customer", "awaiting_provider", "capturing", "voiding", "review"]
    {
        check(&shop, status, held.clone(), "").await;
        check(&shop, status, nothing.clone(), "").await;
    }
    check(&shop, "failed", held.clone(), "orphan_hold failed").await;
    check(&shop, "failed", nothing.clone(), "").await;
    for status in ["captured", "refunding", "refunded"] {
        check(&shop, status, captured.clone(), "").await;
        check(&shop, status, held.clone(), &format!("not_captured {status}")).await;
        check(&shop, status, nothing.clone(), &format!("not_captured {status}")).await;
        let differs = format!("amount_differs {status}");
        check(&shop, status, json!({"captured_minor": 999}), &differs).await;
        check(&shop, status, json!({"captured_minor": 1000, "currency": "USD"}), &differs).await;
        check(&shop, status, json!({"captured_minor": 1000, "currency": null}), &differs).await;
    }
    check(&shop, "capturing", captured.clone(), "").await;
    check(&shop, "review", captured.clone(), "").await;
    for status in ["requested", "failed", "unknown", "voiding", "awaiting_customer", "awaiting_provider"] {
        check(&shop, status, captured.clone(), &format!("captured_not_recorded {status}")).await;
    }
    // Another charge than the row's, of the same attempt.
    for status in ["capturing", "voiding", "captured", "refunding", "refunded"] {
        check(&shop, status, json!({"payment_id": "pi_2", "held": true}), &format!("orphan_hold {status}"))
            .await;
        check(
            &shop,
            status,
            json!({"payment_id": "pi_2", "captured_minor": 1000}),
            &format!("captured_not_recorded {status}"),
        )
        .await;
        check(&shop, status, json!({"payment_id": "pi_2"}), "").await;
    }
    // Of no attempt of ours, or of another row's.
    check(&shop, "nobody", held.clone(), "no_such_row").await;
    check(&shop, "nobody", captured.clone(), "no_such_row").await;
    check(&shop, "nobody", nothing.clone(), "").await;
    check(&shop, "failed", json!({"attempt_no": 2, "held": true}), "no_such_row").await;
    check(&shop, "failed", json!({"payment_id": own("captured"), "held": true}), "no_such_row failed").await;
}

#[tokio::test]
async fn what_was_compared_stays_compared() {
    let shop = Shop::open(&[]).await;
    let until = "SELECT CAST(extract(epoch FROM compared_until) AS bigint)::text FROM reconcile_cursors";
    let set = async |client: &Client, until: i64| {
        let set = "INSERT INTO reconcile_cursors (name, compared_until) VALUES ('charges', to_timestamp($1))
                   ON CONFLICT (name) DO UPDATE SET compared_until = excluded.compared_until";
        client.execute(set, &[&(until as f64)]).await.unwrap();
    };
    assert_eq!(ask(&shop.app, until).await, "");
    for (moment, expected) in
        [(1_700_000_000, "1700000000"), (1_700_000_060, "1700000060"), (1_600_000_000, "1700000060")]
    {
        set(&shop.app, moment).await;
        assert_eq!(ask(&shop.app, until).await, expected);
    }
    shop.app.execute("UPDATE reconcile_cursors SET compared_until = to_timestamp(0)", &[]).await.unwrap();
    assert_eq!(ask(&shop.app, until).await, "1700000060");
}

#[tokio::test]
async fn a_late_hold_of_a_swept_attempt_is_canceled_and_recorded_as_nothing() {
    let shop = Shop::open(&[("kit", 9)]).await;
    shop.sell_and_move("o", "failed").await;
    let moves = [charged("o", "authorized", &own("o")), charged("o", "canceled", &own("o"))];
    assert_eq!(
        shop.record(&moves).await,
        ["kept failed, order rejected, cancel own", "kept failed, order rejected, nothing"]
    );
}
