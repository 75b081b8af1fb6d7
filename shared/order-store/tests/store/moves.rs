//! Every move from every status: what it answers, that a repeat changes nothing, and what it leaves behind.

use serde_json::{Value, json};

use crate::orders::{Shop, with};
use crate::paying::{charged, declined, give_up, own, record, step};

/// Every status, with the answer to a move that does not start there.
const KEPT: [(&str, &str); 11] = [
    ("requested", "kept requested, order accepted, authorize"),
    ("capturing", "kept capturing, order accepted, capture own"),
    ("captured", "kept captured, order confirmed, nothing"),
    ("failed", "kept failed, order rejected, nothing"),
    ("unknown", "kept unknown, order accepted, nothing"),
    ("voiding", "kept voiding, order accepted, cancel own"),
    ("awaiting_customer", "kept awaiting_customer, order accepted, nothing"),
    ("awaiting_provider", "kept awaiting_provider, order accepted, nothing"),
    ("refunding", "kept refunding, order confirmed, nothing"),
    ("refunded", "kept refunded, order refunded, nothing"),
    ("review", "kept review, order review, nothing"),
];

const WAITING: &str = "requested unknown awaiting_customer awaiting_provider";

/// Makes the move from every status. `expected` names those that it starts from, or is answered otherwise in; from all
/// others nothing changes. `name` tells the orders apart, and `make` is given an order's id.
async fn check(shop: &Shop, name: &str, make: impl Fn(&str) -> Value, expected: &[(&str, &str)]) {
    for (status, kept) in KEPT {
        let order_id = format!("{name}-{status}");
        shop.sell_and_move(&order_id, status).await;
        let found = expected.iter().find(|(from, _)| from.split(' ').any(|from| from == status));
        let expected = found.map_or(kept, |(_, answer)| answer);
        let made = make(&order_id);
        assert_eq!(shop.record(std::slice::from_ref(&made)).await, [expected], "{made}");
        let before = state(shop, &order_id).await;
        let again = shop.record(std::slice::from_ref(&made)).await;
        if name != "parked" {
            assert!(again[0].starts_with("kept "), "a repeat changes nothing: {made}, {again:?}");
            assert_eq!(state(shop, &order_id).await, before, "{made}");
        }
    }
    assert_eq!(shop.wrong_stock().await, 0, "after {name}");
}

/// Everything that a move of this order could have changed.
async fn state(shop: &Shop, order_id: &str) -> String {
    let tables = ["orders", "payments", "order_history", "outbox"];
    let dumps = tables.map(|table| {
        format!("(SELECT string_agg(CAST(t AS text), '; ' ORDER BY t) FROM {table} AS t WHERE order_id = '{order_id}')")
    });
    shop.text(&format!(
        "SELECT concat_ws(' / ', {}, (SELECT string_agg(CAST(t AS text), '; ' ORDER BY t) FROM stock AS t))",
        dumps.join(", ")
    ))
    .await
}

#[tokio::test]
async fn an_authorization_counts_where_it_was_waited_for_and_is_released_where_it_came_too_late() {
    let shop = Shop::open(&[("kit", 1_000)]).await;
    let late = "kept failed, order rejected, cancel own";
    check(
        &shop,
        "hold",
        |id| charged(id, "authorized", &own(id)),
        &[(WAITING, "moved capturing, order accepted, capture own"), ("failed", late)],
    )
    .await;
}

#[tokio::test]
async fn a_second_hold_of_an_attempt_is_released() {
    let shop = Shop::open(&[("kit", 1_000)]).await;
    check(
        &shop,
        "o",
        |id| charged(id, "authorized", &format!("pi_2_{id}")),
        &[
            ("requested", "moved capturing, order accepted, capture pi_2_o-requested"),
            ("unknown", "moved capturing, order accepted, capture pi_2_o-unknown"),
            ("awaiting_customer", "moved capturing, order accepted, capture pi_2_o-awaiting_customer"),
            ("awaiting_provider", "moved capturing, order accepted, capture pi_2_o-awaiting_provider"),
            ("capturing", "kept capturing, order accepted, cancel pi_2_o-capturing"),
            ("captured", "kept captured, order confirmed, cancel pi_2_o-captured"),
            ("failed", "kept failed, order rejected, cancel pi_2_o-failed"),
            ("voiding", "kept voiding, order accepted, cancel pi_2_o-voiding"),
            ("refunding", "kept refunding, order confirmed, cancel pi_2_o-refunding"),
            ("refunded", "kept refunded, order refunded, cancel pi_2_o-refunded"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_capture_confirms_where_it_was_committed_and_is_for_a_person_where_nobody_asked_for_it() {
    let shop = Shop::open(&[("kit", 1_000)]).await;
    let unasked = "moved review, order review, nothing";
    check(
        &shop,
        "own",
        |id| charged(id, "captured", &own(id)),
        &[
            ("capturing", "moved captured, order confirmed, nothing, tells order.confirmed.v1:2"),
            (WAITING, unasked),
            ("voiding", unasked),
        ],
    )
    .await;
    check(&shop, "other", |id| charged(id, "captured", &format!("pi_2_{id}")), &[(WAITING, unasked)]).await;
}

#[tokio::test]
async fn only_the_rows_own_charge_can_be_canceled_into_a_failure() {
    let shop = Shop::open(&[("kit", 1_000)]).await;
    check(
        &shop,
        "own",
        |id| charged(id, "canceled", &own(id)),
        &[
            ("capturing", "moved failed, order rejected, nothing, tells order.rejected.v1:2"),
            ("voiding", "moved failed, order canceled, nothing, tells order.canceled.v1:2"),
        ],
    )
    .await;
    check(&shop, "other", |id| charged(id, "canceled", &format!("pi_2_{id}")), &[]).await;
    check(&shop, "none", |id| step(id, "canceled"), &[]).await;
}

#[tokio::test]
async fn a_decline_ends_what_waits_and_never_what_is_being_captured() {
    let shop = Shop::open(&[("kit", 1_000)]).await;
    let rejected = "moved failed, order rejected, nothing, tells order.rejected.v1:2";
    check(&shop, "hard", |id| declined(id, false), &[(WAITING, rejected)]).await;
    check(&shop, "soft", |id| declined(id, true), &[(WAITING, "moved failed, order accepted, nothing")])
        .await;
}

#[tokio::test]
async fn what_is_not_settled_waits_for_somebody() {
    let shop = Shop::open(&[("kit", 1_000)]).await;
    let awaited = "moved awaiting_customer, order accepted, nothing";
    check(&shop, "customer", |id| step(id, "awaiting_customer"), &[("requested unknown", awaited)]).await;
    let awaited = "moved awaiting_provider, order accepted, nothing";
    check(&shop, "provider", |id| step(id, "awaiting_provider"), &[("requested unknown", awaited)]).await;
    let unknown = "moved unknown, order accepted, nothing";
    check(&shop, "unknown", |id| step(id, "unknown"), &[("requested", unknown)]).await;
    check(
        &shop,
        "parked",
        |id| with(step(id, "parked"), "wait_ms", json!(5_000)),
        &[
            ("requested", "moved requested, order accepted, nothing"),
            ("capturing", "moved capturing, order accepted, nothing"),
            ("voiding", "moved voiding, order accepted, nothing"),
            ("unknown", unknown),
        ],
    )
    .await;
}

#[tokio::test]
async fn anything_but_a_failure_can_be_put_before_a_person() {
    let shop = Shop::open(&[("kit", 1_000)]).await;
    let review = "moved review, order review, nothing";
    check(
        &shop,
        "review",
        |id| with(step(id, "review"), "why", json!("params_differ")),
        &[
            (WAITING, review),
            ("capturing voiding", review),
            ("captured refunding", "moved review, order confirmed, nothing"),
            ("refunded", "moved review, order refunded, nothing"),
        ],
    )
    .await;
    check(&shop, "nonsense", |id| step(id, "paid"), &[]).await;
}

#[tokio::test]
async fn only_what_is_in_doubt_can_be_given_up() {
    let shop = Shop::open(&[("kit", 1_000)]).await;
    for (next_attempt, expected) in [
        (true, "moved failed, order accepted, nothing"),
        (false, "moved failed, order rejected, nothing, tells order.rejected.v1:2"),
    ] {
        for (status, kept) in KEPT {
            let order_id = format!("{next_attempt}-{status}");
            shop.sell_and_move(&order_id, status).await;
            let expected = if status == "unknown" { expected } else { kept };
            assert_eq!(
                give_up(&shop.app, &[&order_id], next_attempt).await.unwrap(),
                [expected],
                "{order_id}"
            );
            let again = give_up(&shop.app, &[&order_id], next_attempt).await.unwrap();
            assert!(again[0].starts_with("kept "), "{order_id}: {again:?}");
        }
    }
    assert_eq!(shop.wrong_stock().await, 0);
}

/// What a row looks like after a move, relative to now: `<status> <columns that are set>`.
const ROW: &str = "SELECT concat_ws(' ', attempt_no, status, payment_id, last_reason,
    'due ' || round(extract(epoch FROM next_attempt_at - now()) / 60) || ' min',
    'swept ' || round(extract(epoch FROM sweep_until - now()) / 3600) || ' h',
    'unknown ' || round(extract(epoch FROM now() - unknown_at)) || ' s')";

async fn check_row(shop: &Shop, moved: Value, expected: &str) {
    shop.sell("o").await;
    crate::paying::begin(&shop.app, &[("o", 1)]).await;
    shop.record(std::slice::from_ref(&moved)).await;
    let row = shop.text(&format!("SELECT string_agg(line, ', ' ORDER BY line) FROM ({ROW} AS line FROM payments WHERE order_id = 'o') AS lines")).await;
    assert_eq!(row, expected, "{moved}");
    let forget = "SET session_replication_role = replica; DELETE FROM payments; DELETE FROM outbox; DELETE FROM order_history;
                  DELETE FROM order_items; DELETE FROM orders; UPDATE stock SET available = 1000;
                  SET session_replication_role = origin";
    shop.database.master().await.batch_execute(forget).await.unwrap();
}

#[tokio::test]
async fn a_move_leaves_when_the_row_is_due_why_and_how_long_it_is_swept() {
    let shop = Shop::open(&[("kit", 1_000)]).await;
    check_row(&shop, charged("o", "authorized", "pi_1"), "1 capturing pi_1 due 10 min").await;
    check_row(&shop, declined("o", false), "1 failed insufficient_funds").await;
    check_row(&shop, declined("o", true), "1 failed insufficient_funds, 2 requested due 10 min").await;
    check_row(
        &shop,
        with(step("o", "unknown"), "why", json!("saved_failure")),
        "1 unknown saved_failure due 0 min unknown 0 s",
    )
    .await;
    check_row(
        &shop,
        with(with(step("o", "parked"), "why", json!("breaker_open")), "wait_ms", json!(120_000)),
        "1 requested breaker_open due 2 min",
    )
    .await;
    check_row(&shop, step("o", "awaiting_customer"), "1 awaiting_customer").await;
    check_row(&shop, with(step("o", "review"), "why", json!("amount_differs")), "1 review amount_differs")
        .await;
    // A word that no column would take is made one.
    let odd = with(declined("o", false), "why", json!("Do not honor: 4000 0000"));
    check_row(&shop, odd, "1 failed do_not_honor__4000_0000").await;
    check_row(&shop, with(declined("o", false), "why", json!("")), "1 failed").await;
}

#[tokio::test]
async fn a_canceled_hold_a_refusal_and_a_request_never_sent_need_no_sweep() {
    let shop = Shop::open(&[("kit", 9)]).await;
    let swept = |id: &str| {
        format!("SELECT coalesce(CAST(sweep_until AS text), 'no') FROM payments WHERE order_id = '{id}'")
    };
    shop.sell_and_move("held", "capturing").await;
    shop.record(&[charged("held", "canceled", &own("held"))]).await;
    shop.sell("unsent").await;
    shop.record(&[step("unsent", "expired")]).await;
    shop.sell_and_move("refused", "failed").await;
    for id in ["held", "unsent", "refused"] {
        assert_eq!(shop.text(&swept(id)).await, "no", "{id}");
    }
}

#[tokio::test]
async fn the_end_of_an_order_is_told_with_its_reason_and_its_kits_come_back() {
    let shop = Shop::open(&[("kit", 9)]).await;
    for (id, status) in [("a", "capturing"), ("b", "requested"), ("c", "capturing"), ("d", "voiding")] {
        shop.sell_and_move(id, status).await;
    }
    assert_eq!(shop.available("kit").await, 5);
    shop.record(&[
        charged("a", "captured", &own("a")),
        declined("b", false),
        charged("c", "canceled", &own("c")),
        charged("d", "canceled", &own("d")),
    ])
    .await;
    assert_eq!((shop.available("kit").await, shop.wrong_stock().await), (8, 0));
    let events = "SELECT string_agg(concat_ws(' ', id, payload), ', ' ORDER BY id) FROM outbox WHERE seq = 2";
    assert_eq!(
        shop.text(events).await,
        r#"a:order.confirmed.v1:2 {"orderId": "a", "customerId": "c_1"}, b:order.rejected.v1:2 {"reason": "payment_declined", "orderId": "b", "customerId": "c_1"}, c:order.rejected.v1:2 {"reason": "payment_expired", "orderId": "c", "customerId": "c_1"}, d:order.canceled.v1:2 {"orderId": "d"}"#
    );
    let history = "SELECT string_agg(concat_ws(' ', order_id, what, detail), ', ' ORDER BY order_id) FROM order_history WHERE seq = 2";
    assert_eq!(
        shop.text(history).await,
        r#"a confirmed {"attemptNo": 1}, b rejected {"code": "insufficient_funds", "reason": "payment_declined", "attemptNo": 1}, c rejected {"reason": "payment_expired", "attemptNo": 1}, d canceled {"attemptNo": 1}"#
    );
}

#[tokio::test]
async fn a_soft_decline_opens_one_more_attempt_of_the_same_request() {
    let shop = Shop::open(&[("kit", 9)]).await;
    shop.sell("o").await;
    shop.record(&[declined("o", true)]).await;
    let second = "SELECT concat_ws(' ', status, amount_minor, params = (SELECT params FROM payments WHERE attempt_no = 1),
                  params_hash = encode(sha256('v1|o|2|1000|EUR|cus_1|pm_1'), 'hex'), received_at, first_sent_at)
                  FROM payments WHERE attempt_no = 2";
    assert_eq!(shop.text(second).await, "requested 1000 true true".replace("true", "t"));
    assert_eq!(
        shop.text("SELECT concat_ws(' ', what, detail) FROM order_history WHERE seq = 2").await,
        r#"payment.retried {"code": "insufficient_funds", "attemptNo": 2}"#
    );
    // A repeat of the order does not publish it early.
    let order = crate::orders::order("o", &[("kit", 1, crate::orders::PRICE)]);
    assert_eq!(shop.accept(std::slice::from_ref(&order)).await, ["known is accepted attempt 2"]);
    shop.owner
        .execute("UPDATE payments SET next_attempt_at = now() WHERE attempt_no = 2", &[])
        .await
        .unwrap();
    assert_eq!(shop.accept(&[order]).await, ["known is accepted attempt 2 publish"]);
    let second = with(declined("o", true), "attempt_no", json!(2));
    assert_eq!(
        shop.record(&[second]).await,
        ["moved failed, order rejected, nothing, tells order.rejected.v1:2"]
    );
    assert_eq!((shop.available("kit").await, shop.wrong_stock().await), (9, 0));
}

#[tokio::test]
async fn a_cancellation_turns_holds_into_releases_and_declines_into_cancellations() {
    let shop = Shop::open(&[("kit", 99)]).await;
    let cancel = async |id: &str| {
        let cancel = format!("UPDATE orders SET cancel_requested_at = now() WHERE order_id = '{id}'");
        shop.owner.execute(&cancel, &[]).await.unwrap();
    };
    for id in ["a", "b", "c", "d", "e", "f"] {
        shop.sell_and_move(id, if id < "e" { "requested" } else { "capturing" }).await;
        cancel(id).await;
    }
    let canceled = "moved failed, order canceled, nothing, tells order.canceled.v1:2";
    let moves = [
        charged("a", "authorized", &own("a")),
        declined("b", false),
        declined("c", true),
        step("d", "unknown"),
        charged("e", "captured", &own("e")),
        charged("f", "canceled", &own("f")),
    ];
    let expected = [
        "moved voiding, order accepted, cancel own",
        canceled,
        canceled,
        "moved unknown, order accepted, nothing",
        "moved captured, order confirmed, nothing, tells order.confirmed.v1:2",
        canceled,
    ];
    assert_eq!(shop.record(&moves).await, expected);
    assert_eq!(give_up(&shop.app, &["d"], true).await.unwrap(), [canceled]);
    // What is being captured is canceled first.
    shop.sell_and_move("g", "capturing").await;
    cancel("g").await;
    assert_eq!(crate::paying::begin(&shop.app, &[("g", 1)]).await, ["cancel pi_g"]);
    // An order that a person looks at is not charged.
    shop.sell("h").await;
    shop.owner.execute("UPDATE orders SET status = 'review' WHERE order_id = 'h'", &[]).await.unwrap();
    assert_eq!(
        shop.record(&[charged("h", "authorized", &own("h"))]).await,
        ["moved voiding, order review, cancel own"]
    );
    assert_eq!(shop.wrong_stock().await, 0);
}

#[tokio::test]
async fn a_payment_id_belongs_to_one_row() {
    let shop = Shop::open(&[("kit", 9)]).await;
    shop.sell_and_move("first", "capturing").await;
    for id in ["a", "b", "c"] {
        shop.sell_and_move(id, "requested").await;
    }
    let moves = [
        charged("a", "authorized", &own("a")),
        charged("b", "authorized", &own("first")),
        charged("c", "authorized", &own("c")),
    ];
    let capture = "moved capturing, order accepted, capture own";
    assert_eq!(shop.record(&moves).await, [capture, "moved review, order review, nothing", capture]);
    assert_eq!(
        shop.text("SELECT concat_ws(' ', payment_id, last_reason) FROM payments WHERE order_id = 'b'").await,
        "payment_id_reused"
    );
    // A failed row never has another row's charge canceled.
    shop.sell_and_move("d", "failed").await;
    assert_eq!(
        shop.record(&[charged("d", "authorized", &own("first"))]).await,
        ["kept failed, order rejected, nothing"]
    );
    assert_eq!(
        shop.record(&[charged("a", "authorized", &own("first"))]).await,
        ["kept capturing, order accepted, capture own"]
    );
}

/// Makes the poisonous move between two good ones, and expects that many answers and this of the row.
async fn check_alone(poison: Value, answers: usize, row: &str) {
    let shop = Shop::open(&[("kit", 9)]).await;
    for id in ["a", "b", "c"] {
        shop.sell_and_move(id, "requested").await;
    }
    let moves = [declined("a", false), poison.clone(), charged("c", "authorized", &own("c"))];
    let answered = record(&shop.app, &moves).await.unwrap();
    assert_eq!(answered.len(), answers, "{poison}");
    assert_eq!(answered.first().unwrap(), "moved failed, order rejected, nothing, tells order.rejected.v1:2");
    assert_eq!(answered.last().unwrap(), "moved capturing, order accepted, capture own");
    assert_eq!(
        shop.text("SELECT concat_ws(' ', status, last_reason) FROM payments WHERE order_id = 'b'").await,
        row,
        "{poison}"
    );
    assert_eq!(shop.wrong_stock().await, 0);
}

#[tokio::test]
async fn a_poisonous_move_harms_no_other() {
    check_alone(charged("b", "authorized", "not an id"), 3, "review refused_23514").await;
    check_alone(step("b", "authorized"), 3, "review refused_23514").await;
    check_alone(step("b", "parked"), 3, "review refused_23514").await;
    check_alone(with(step("b", "parked"), "wait_ms", json!("soon")), 2, "requested").await;
    check_alone(with(step("b", "declined"), "attempt_no", json!("first")), 2, "requested").await;
    check_alone(with(step("b", "declined"), "attempt_no", json!(2)), 2, "requested").await;
    check_alone(with(step("b", "declined"), "attempt_no", Value::Null), 2, "requested").await;
    check_alone(with(step("b", "declined"), "order_id", json!("bb")), 2, "requested").await;
    check_alone(with(step("b", "declined"), "step", Value::Null), 3, "requested").await;
}
