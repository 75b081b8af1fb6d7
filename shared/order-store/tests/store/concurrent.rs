//! What concurrent calls do to each other: nothing is accepted twice, nothing is oversold, nobody deadlocks.

use std::collections::BTreeMap;

use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::orders::{PRICE, Shop, accept, fingerprint, order, rejection, with};

const ACCEPTED: &str = "accepted is accepted attempt 1 publish";
const KNOWN: &str = "known is accepted attempt 1 publish";

/// The concurrency of the benchmark, and of `process-orders` on one machine.
const CLIENTS: usize = 8;

/// A session of the functions' user that waits as long as a busy machine may need.
pub(crate) async fn patient(shop: &Shop) -> Client {
    let client = shop.database.app().await;
    client.batch_execute("SET lock_timeout = '30s'; SET statement_timeout = '60s'").await.unwrap();
    client
}

/// Waits until some session waits for another's lock; the statement timeout is the limit.
pub(crate) async fn until_somebody_waits(observer: &Client) {
    let wait = "DO $$ BEGIN
        WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock') LOOP
          PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
        END LOOP; END $$";
    observer.batch_execute("SET statement_timeout = '20s'").await.unwrap();
    observer.batch_execute(wait).await.unwrap();
}

/// One call inserts `first` and stays uncommitted until another call that offers `second` waits for it; then it ends
/// with `end`, and the other must answer `expected`.
async fn check_race(first: Value, second: Value, end: &str, expected: &str) {
    let shop = Shop::open(&[("kit", 5)]).await;
    let (observer, other) = (shop.database.master().await, patient(&shop).await);
    shop.app.batch_execute("BEGIN").await.unwrap();
    shop.accept(&[first]).await;
    let waiting = accept(&other, std::slice::from_ref(&second));
    let ending = async {
        until_somebody_waits(&observer).await;
        shop.app.batch_execute(end).await.unwrap();
    };
    let (answers, ()) = futures_util::join!(waiting, ending);
    assert_eq!(answers.unwrap(), [expected], "{second}");
    assert_eq!(shop.number("SELECT count(*) FROM orders").await, 1);
    assert_eq!(shop.number("SELECT count(*) FROM order_history").await, 1);
}

#[tokio::test]
async fn of_two_concurrent_calls_with_one_order_one_accepts_and_the_other_knows() {
    let kit = || order("o1", &[("kit", 1, PRICE)]);
    let unknown = || order("o1", &[("none", 1, PRICE)]);
    let invalid = || rejection("o1", "invalid_order");
    let other = |record| with(record, "fingerprint", json!(fingerprint(2)));
    // They meet at the stock row.
    check_race(kit(), kit(), "COMMIT", KNOWN).await;
    check_race(kit(), kit(), "ROLLBACK", ACCEPTED).await;
    check_race(kit(), other(kit()), "COMMIT", "id_reused is accepted attempt 1").await;
    // They share no stock and meet at the insert.
    check_race(unknown(), unknown(), "COMMIT", "known unknown_sku is rejected").await;
    check_race(unknown(), unknown(), "ROLLBACK", "rejected unknown_sku is rejected").await;
    check_race(invalid(), kit(), "COMMIT", "known invalid_order is rejected").await;
    check_race(invalid(), kit(), "ROLLBACK", ACCEPTED).await;
    check_race(invalid(), other(kit()), "COMMIT", "id_reused invalid_order is rejected").await;
}

#[tokio::test]
async fn a_repeat_does_not_wait_for_whoever_updates_its_order() {
    let mut shop = Shop::open(&[("kit", 5)]).await;
    shop.accept(&[order("o1", &[("kit", 1, PRICE)])]).await;
    let settle = shop.owner.transaction().await.unwrap();
    settle.execute("UPDATE orders SET status = 'confirmed'", &[]).await.unwrap();
    // The app's lock timeout would end a wait.
    assert_eq!(accept(&shop.app, &[order("o1", &[("kit", 1, PRICE)])]).await.unwrap(), [KNOWN]);
    settle.rollback().await.unwrap();
}

/// Batches of 10 orders with 3 random lines each, over the SKUs; ids are unique per client.
pub(crate) fn random_batch(random: &mut Rng, skus: &[String], name: &str) -> Vec<Value> {
    let line = |random: &mut Rng| (random.choice(skus).unwrap().as_str(), random.i64(1..3), PRICE);
    (0..10)
        .map(|number| order(&format!("{name}-{number}"), &[line(random), line(random), line(random)]))
        .collect()
}

#[tokio::test]
async fn eight_clients_over_forty_hot_skus_never_deadlock() {
    let skus: Vec<_> = (0..40).map(|number| format!("kit-{number}")).collect();
    let kits: Vec<_> = skus.iter().map(|sku| (sku.as_str(), 1_000_000)).collect();
    let shop = Shop::open(&kits).await;
    let clients = join_all((0..CLIENTS).map(|_| patient(&shop))).await;
    let work = clients.iter().enumerate().map(async |(client_no, client)| {
        let mut random = Rng::with_seed(u64::try_from(client_no).unwrap());
        for batch_no in 0..40 {
            let batch = random_batch(&mut random, &skus, &format!("o-{client_no}-{batch_no}"));
            let answers = accept(client, &batch).await;
            assert_eq!(answers, Ok(vec![ACCEPTED.to_owned(); 10]), "client {client_no}, batch {batch_no}");
        }
    });
    join_all(work).await;
    assert_eq!(shop.number("SELECT count(*) FROM orders").await, 8 * 40 * 10);
    assert_eq!(shop.number("SELECT count(*) FROM stock_equation WHERE difference <> 0").await, 0);
}

/// Offers the batches in the order that the seed shuffles them to, and notes each order's answers.
async fn offer(
    client: &Client,
    batches: &[Vec<Value>],
    seed: u64,
    answers: &mut BTreeMap<String, Vec<String>>,
) {
    let mut random = Rng::with_seed(seed);
    let mut turns: Vec<_> = (0..batches.len()).collect();
    random.shuffle(&mut turns);
    for turn in turns {
        let mut batch = batches[turn].clone();
        random.shuffle(&mut batch);
        for (record, answer) in batch.iter().zip(accept(client, &batch).await.unwrap()) {
            answers.entry(record["order_id"].as_str().unwrap().to_owned()).or_default().push(answer);
        }
    }
}

/// Four clients offer the same orders, each in an order of its own, of kits of which there are too few.
async fn check_random_run(seed: u64) {
    let skus: Vec<_> = (0..6).map(|number| format!("kit-{number}")).collect();
    let kits: Vec<_> = skus.iter().map(|sku| (sku.as_str(), 60)).collect();
    let shop = Shop::open(&kits).await;
    let mut random = Rng::with_seed(seed);
    let batches: Vec<_> =
        (0..15).map(|number| random_batch(&mut random, &skus, &format!("o-{number}"))).collect();
    let clients = join_all((0..4).map(|_| patient(&shop))).await;
    let mut answers = vec![BTreeMap::new(); clients.len()];
    let runs = clients.iter().zip(&mut answers).enumerate().map(|(number, (client, answers))| {
        offer(client, &batches, seed + u64::try_from(number).unwrap(), answers)
    });
    let watch = async {
        for _ in 0..50 {
            let wrong = shop.number("SELECT count(*) FROM stock_equation WHERE difference <> 0").await;
            assert_eq!(wrong, 0, "available = adjusted - reserved - sold at every moment, seed {seed}");
        }
    };
    futures_util::join!(join_all(runs), watch);

    let mut by_order: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (order_id, answers) in answers.into_iter().flatten() {
        by_order.entry(order_id).or_default().extend(answers);
    }
    for (order_id, answers) in by_order {
        let first = answers.iter().filter(|answer| !answer.starts_with("known")).count();
        assert_eq!(
            (answers.len(), first),
            (4, 1),
            "one call decides, the others know: {order_id}, seed {seed}"
        );
    }
    assert_eq!(
        shop.number("SELECT count(*) FROM stock_equation WHERE difference <> 0").await,
        0,
        "seed {seed}"
    );
    let sold_out = shop.number("SELECT count(*) FROM stock WHERE available <= 1").await;
    assert!(sold_out > 0, "the run was meant to sell something out, seed {seed}");
}

#[tokio::test]
async fn the_stock_equation_holds_at_every_moment_of_a_random_concurrent_run() {
    for seed in 1..=5 {
        check_random_run(seed).await;
    }
}
