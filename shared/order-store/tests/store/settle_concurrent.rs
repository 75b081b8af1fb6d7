//! What concurrent calls about payments do to each other and to accepting: one move wins, stock stays right, nobody
//! deadlocks.

use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::concurrent::{patient, random_batch, until_somebody_waits};
use crate::orders::{Shop, accept};
use crate::paying::{begin, charged, declined, expire, give_up, own, record, step};

/// One call makes `first` and stays uncommitted until another call that makes `second` waits for it; then it ends with
/// `end`, and the other must answer `expected`.
async fn check_race(status: &str, first: Value, second: Value, (end, expected): (&str, &str)) {
    let shop = Shop::open(&[("kit", 5)]).await;
    shop.sell_and_move("o", status).await;
    let (observer, other) = (shop.database.master().await, patient(&shop).await);
    shop.app.batch_execute("BEGIN").await.unwrap();
    shop.record(&[first]).await;
    let second = [second];
    let waiting = record(&other, &second);
    let ending = async {
        until_somebody_waits(&observer).await;
        shop.app.batch_execute(end).await.unwrap();
    };
    let (answers, ()) = futures_util::join!(waiting, ending);
    assert_eq!(answers.unwrap(), [expected], "{second:?}");
    assert_eq!(shop.wrong_stock().await, 0);
    assert!(shop.number("SELECT max(seq) FROM outbox").await <= 2, "the order ends at most once");
}

const REJECTED: &str = "moved failed, order rejected, nothing, tells order.rejected.v1:2";
const CAPTURED: &str = "moved captured, order confirmed, nothing, tells order.confirmed.v1:2";
const CAPTURING: &str = "kept capturing, order accepted, capture own";
const FAILED: &str = "kept failed, order rejected, nothing";
const LATE: &str = "kept failed, order rejected, cancel own";

fn hold() -> Value {
    charged("o", "authorized", &own("o"))
}

#[tokio::test]
async fn of_two_ends_of_an_authorization_at_once_one_is_made() {
    let requested = "requested";
    let (hard, soft) = (|| declined("o", false), || declined("o", true));
    check_race(requested, hold(), hold(), ("COMMIT", CAPTURING)).await;
    check_race(requested, hold(), hold(), ("ROLLBACK", &CAPTURING.replace("kept", "moved"))).await;
    let second = charged("o", "authorized", "pi_2");
    check_race(requested, hold(), second, ("COMMIT", "kept capturing, order accepted, cancel pi_2")).await;
    check_race(requested, hard(), hold(), ("COMMIT", LATE)).await;
    check_race(requested, hold(), hard(), ("COMMIT", CAPTURING)).await;
    check_race(requested, hold(), hard(), ("ROLLBACK", REJECTED)).await;
    check_race(requested, soft(), soft(), ("COMMIT", "kept failed, order accepted, nothing")).await;
    check_race(requested, hard(), hard(), ("COMMIT", FAILED)).await;
    check_race(requested, hold(), step("o", "expired"), ("COMMIT", CAPTURING)).await;
    check_race("unknown", hold(), step("o", "given_up"), ("COMMIT", CAPTURING)).await;
    check_race("unknown", step("o", "given_up"), hold(), ("COMMIT", LATE)).await;
}

#[tokio::test]
async fn of_a_capture_and_a_cancellation_at_once_one_is_made() {
    let (capture, cancel) = (|| charged("o", "captured", &own("o")), || charged("o", "canceled", &own("o")));
    let captured = "kept captured, order confirmed, nothing";
    check_race("capturing", capture(), cancel(), ("COMMIT", captured)).await;
    check_race("capturing", cancel(), capture(), ("COMMIT", FAILED)).await;
    check_race("capturing", cancel(), capture(), ("ROLLBACK", CAPTURED)).await;
    check_race("capturing", capture(), capture(), ("COMMIT", captured)).await;
}

#[tokio::test]
async fn a_cancellation_while_a_soft_decline_waits_gives_the_batch_back() {
    let mut shop = Shop::open(&[("kit", 5)]).await;
    shop.sell_and_move("o", "requested").await;
    let (observer, other) = (shop.database.master().await, patient(&shop).await);
    let canceling = shop.owner.transaction().await.unwrap();
    canceling.execute("UPDATE orders SET cancel_requested_at = now()", &[]).await.unwrap();
    let moves = [declined("o", true)];
    let ending = async {
        until_somebody_waits(&observer).await;
        canceling.commit().await.unwrap();
    };
    let (answers, ()) = futures_util::join!(record(&other, &moves), ending);
    assert_eq!(
        answers,
        Err(tokio_postgres::error::SqlState::T_R_SERIALIZATION_FAILURE),
        "its stock was not locked"
    );
    assert_eq!(
        shop.record(&moves).await,
        ["moved failed, order canceled, nothing, tells order.canceled.v1:2"]
    );
    assert_eq!(shop.wrong_stock().await, 0);
}

/// What a client does with the orders it has sold: settle at random, in batches.
async fn settle(client: &Client, random: &mut Rng, orders: &[String]) {
    let payments: Vec<(&str, i32)> = orders.iter().map(|id| (id.as_str(), 1)).collect();
    begin(client, &payments).await;
    let first: Vec<Value> = orders
        .iter()
        .map(|id| match random.u8(0..10) {
            0..3 => charged(id, "authorized", &own(id)),
            3..6 => declined(id, false),
            6 => declined(id, true),
            7..9 => step(id, "unknown"),
            _ => step(id, "awaiting_customer"),
        })
        .collect();
    record(client, &first).await.unwrap();
    let second: Vec<Value> = orders
        .iter()
        .map(|id| charged(id, if random.bool() { "captured" } else { "canceled" }, &own(id)))
        .collect();
    record(client, &second).await.unwrap();
}

/// Accepts, settles, gives up and expires, over the same orders as everybody else.
async fn mixed(client: &Client, client_no: usize, skus: &[String], rounds: usize) {
    let mut random = Rng::with_seed(u64::try_from(client_no).unwrap());
    for round in 0..rounds {
        let batch = random_batch(&mut random, skus, &format!("o-{}-{round}", client_no % 4));
        accept(client, &batch).await.unwrap();
        let mut orders: Vec<String> =
            batch.iter().map(|order| order["order_id"].as_str().unwrap().to_owned()).collect();
        random.shuffle(&mut orders);
        settle(client, &mut random, &orders).await;
        let ids: Vec<&str> = orders.iter().map(String::as_str).collect();
        give_up(client, &ids, random.bool()).await.unwrap();
        if round % 5 == 4 {
            expire(client, 20, 0).await.unwrap();
            client
                .query("SELECT FROM take_due_v1(20), take_unknown_v1(20), take_sweeps_v1(20, 0)", &[])
                .await
                .unwrap();
        }
    }
}

#[tokio::test]
async fn eight_clients_that_sell_settle_and_give_up_over_forty_hot_skus_never_deadlock() {
    let skus: Vec<_> = (0..40).map(|number| format!("kit-{number}")).collect();
    let kits: Vec<_> = skus.iter().map(|sku| (sku.as_str(), 1_000_000)).collect();
    let shop = Shop::open(&kits).await;
    let clients = join_all((0..8).map(|_| patient(&shop))).await;
    let work = clients.iter().enumerate().map(|(client_no, client)| mixed(client, client_no, &skus, 15));
    let watch = async {
        for _ in 0..50 {
            assert_eq!(shop.wrong_stock().await, 0, "available = adjusted - reserved - sold at every moment");
        }
    };
    futures_util::join!(join_all(work), watch);
    assert_eq!(shop.wrong_stock().await, 0);
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(shop.number(deadlocks).await, 0);
    let ends = "SELECT string_agg(DISTINCT status, ' ' ORDER BY status) FROM orders";
    assert!(shop.text(ends).await.contains("confirmed") && shop.text(ends).await.contains("rejected"));
    let twice = "SELECT count(*) FROM (SELECT FROM outbox WHERE type <> 'order.accepted.v1' GROUP BY order_id HAVING count(*) > 1) AS twice";
    assert_eq!(shop.number(twice).await, 0, "every order ends once");
    let adrift = "SELECT count(*) FROM orders JOIN payments USING (order_id)
                  WHERE (orders.status = 'confirmed') <> (payments.status = 'captured') AND payments.status IN ('captured', 'capturing')";
    assert_eq!(
        shop.number(adrift).await,
        0,
        "a confirmed order is captured, and no captured one is anything else"
    );
}

#[tokio::test]
async fn begin_and_record_of_the_same_payments_in_opposite_order_do_not_deadlock() {
    let shop = Shop::open(&[("kit", 1_000)]).await;
    let ids: Vec<String> = (0..10).map(|number| format!("o-{number}")).collect();
    for id in &ids {
        shop.sell(id).await;
    }
    let clients = join_all((0..8).map(|_| patient(&shop))).await;
    let work = clients.iter().enumerate().map(async |(client_no, client)| {
        let mut random = Rng::with_seed(u64::try_from(client_no).unwrap());
        for _ in 0..30 {
            let mut turn: Vec<&str> = ids.iter().map(String::as_str).collect();
            random.shuffle(&mut turn);
            let payments: Vec<_> = turn.iter().map(|id| (*id, 1)).collect();
            assert_eq!(begin(client, &payments).await, ["authorize"; 10]);
            let parked: Vec<_> = turn
                .iter()
                .map(|id| json!({"order_id": id, "attempt_no": 1, "step": "parked", "wait_ms": 0}))
                .collect();
            record(client, &parked).await.unwrap();
        }
    });
    join_all(work).await;
}
