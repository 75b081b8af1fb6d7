//! What concurrent refreshes and orders do to each other: nothing counts twice, no order gets a price that the database
//! does not hold, nobody deadlocks.

use std::cell::RefCell;
use std::time::Duration;

use backoff::{Clock, SystemClock};
use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::Value;
use tokio_postgres::Client;

use crate::concurrent::{patient, until_somebody_waits};
use crate::orders::{PRICE, Shop, accept, order};
use crate::refresh::{product, refresh, stock};

/// One call applies `first` and stays uncommitted until another call that offers `second` waits for it; then it ends
/// with `end`, and the other must answer `expected`.
async fn check_race(first: Value, second: Value, end: &str, expected: &str) {
    let shop = Shop::open(&[("kit", 5)]).await;
    let (observer, other) = (shop.database.master().await, patient(&shop).await);
    shop.app.batch_execute("BEGIN").await.unwrap();
    shop.refresh(&[first]).await;
    let waiting = refresh(&other, std::slice::from_ref(&second));
    let ending = async {
        until_somebody_waits(&observer).await;
        shop.app.batch_execute(end).await.unwrap();
    };
    let (answers, ()) = futures_util::join!(waiting, ending);
    assert_eq!(answers.unwrap(), [expected], "{second}");
    assert_eq!(shop.wrong_stock().await, 0);
}

#[tokio::test]
async fn of_two_concurrent_calls_with_one_change_one_applies_it_and_the_other_knows() {
    for sku in ["kit", "new"] {
        check_race(product(sku, 2, 200), product(sku, 2, 200), "COMMIT", "known v2 at 200").await;
        check_race(product(sku, 2, 200), product(sku, 2, 200), "ROLLBACK", "applied v2 at 200").await;
        check_race(product(sku, 3, 300), product(sku, 2, 200), "COMMIT", "superseded v3 at 300").await;
        check_race(product(sku, 2, 200), product(sku, 3, 300), "COMMIT", "applied v3 at 300").await;
        check_race(stock("e", sku, 4), stock("e", sku, 4), "COMMIT", "known").await;
        check_race(stock("e", sku, 4), stock("e", sku, 4), "ROLLBACK", "applied").await;
        check_race(
            stock("e", sku, 4),
            stock("f", sku, -9),
            "ROLLBACK",
            if sku == "new" { "applied owes 9" } else { "applied owes 4" },
        )
        .await;
    }
}

/// Its stock comes while the batch waits for other stock: what is not locked could be gone before the order has it.
#[tokio::test]
async fn stock_that_appears_while_a_batch_waits_is_not_sold_by_it() {
    let shop = Shop::open(&[("kit", 5)]).await;
    shop.refresh(&[product("new", 1, PRICE)]).await;
    let (observer, other) = (shop.database.master().await, patient(&shop).await);
    shop.app.batch_execute("BEGIN").await.unwrap();
    shop.refresh(&[stock("held", "kit", 1)]).await;
    let batch = [order("o1", &[("kit", 1, PRICE)]), order("o2", &[("new", 1, PRICE)])];
    let waiting = accept(&other, &batch);
    let meanwhile = async {
        until_somebody_waits(&observer).await;
        refresh(&shop.database.app().await, &[stock("made", "new", 1)]).await.unwrap();
        shop.app.batch_execute("COMMIT").await.unwrap();
    };
    let (answers, ()) = futures_util::join!(waiting, meanwhile);
    assert_eq!(
        answers.unwrap(),
        ["accepted is accepted attempt 1 publish", "rejected out_of_stock is rejected"]
    );
    assert_eq!((shop.available("new").await, shop.wrong_stock().await), (1, 0));
}

/// A repeated event id under two SKUs is the sender's mistake, and no reason to deadlock.
#[tokio::test]
async fn the_same_event_ids_under_other_skus_do_not_deadlock() {
    let shop = Shop::open(&[("a", 5), ("b", 5), ("c", 5), ("d", 5)]).await;
    let clients = join_all((0..4).map(|_| patient(&shop))).await;
    let batches = [
        [("e1", "a"), ("e2", "b")],
        [("e2", "c"), ("e1", "d")],
        [("e1", "b"), ("e2", "a")],
        [("e2", "d"), ("e1", "c")],
    ];
    for round in 0..30 {
        let calls = clients.iter().zip(&batches).map(async |(client, batch)| {
            let changes = batch.map(|(event, sku)| stock(&format!("{event}-{round}"), sku, 1));
            refresh(client, &changes).await.unwrap()
        });
        let applied = join_all(calls).await.concat().iter().filter(|answer| *answer == "applied").count();
        assert_eq!(applied, 2, "each id once, round {round}");
    }
    assert_eq!(shop.wrong_stock().await, 0);
}

/// A price of `kit-0`, with the time before it was asked for and the time when that was answered.
struct Priced {
    price_minor: i64,
    asked: Duration,
    known: Duration,
}

/// What happened, on one clock.
struct Run {
    skus: Vec<String>,
    prices: RefCell<Vec<Priced>>,
    /// Orders of `kit-0`: price, whether accepted, when asked, when answered.
    orders: RefCell<Vec<(i64, bool, Duration, Duration)>>,
    /// Calls of the refreshing clients that are not over.
    refreshing: RefCell<usize>,
}

impl Run {
    fn price(&self) -> i64 {
        self.prices.borrow().last().map_or(PRICE, |priced| priced.price_minor)
    }

    /// Orders, at the price that was answered last, of the kit whose price changes and of another.
    async fn sell(&self, client: &Client, client_no: usize) {
        let mut random = Rng::with_seed(u64::try_from(client_no).unwrap());
        let mut order_no = 0;
        while *self.refreshing.borrow() > 0 {
            let price = self.price();
            let other = random.choice(&self.skus[1..]).unwrap();
            let batch: Vec<Value> = (0..3)
                .map(|n| {
                    order(
                        &format!("o-{client_no}-{order_no}-{n}"),
                        &[(&self.skus[0], 1, price), (other, 1, PRICE)],
                    )
                })
                .collect();
            let asked = SystemClock.monotonic();
            let answers = accept(client, &batch).await.unwrap();
            let answered = SystemClock.monotonic();
            for answer in answers {
                let accepted = answer == "accepted is accepted attempt 1 publish";
                assert!(
                    accepted || answer.contains("price_changed") || answer.contains("out_of_stock"),
                    "{answer}"
                );
                if !answer.contains("out_of_stock") {
                    self.orders.borrow_mut().push((price, accepted, asked, answered));
                }
            }
            order_no += 1;
        }
    }

    /// Changes the price of the first kit again and again, and adjusts the stock of all, each change twice.
    async fn change(&self, client: &Client) {
        let mut random = Rng::with_seed(99);
        for version in 2..=60 {
            let price_minor = 1_000 + version;
            let mut batch = vec![product(&self.skus[0], version, price_minor)];
            batch.extend(
                self.skus.iter().map(|sku| stock(&format!("{sku}-{version}"), sku, random.i64(-6..=12) | 1)),
            );
            random.shuffle(&mut batch);
            let asked = SystemClock.monotonic();
            refresh(client, &batch).await.unwrap();
            let known = SystemClock.monotonic();
            self.prices.borrow_mut().push(Priced { price_minor, asked, known });
            assert!(refresh(client, &batch).await.unwrap().iter().all(|answer| answer.starts_with("known")));
        }
        *self.refreshing.borrow_mut() -= 1;
    }

    /// Adjusts the stock of existing and of new products, in batches whose SKUs overlap.
    async fn deliver(&self, client: &Client, client_no: usize) {
        let mut random = Rng::with_seed(u64::try_from(client_no).unwrap());
        for number in 0..60 {
            let mut skus = self.skus.clone();
            skus.extend((0..3).map(|n| format!("new-{}", number / 4 * 3 + n)));
            random.shuffle(&mut skus);
            let batch: Vec<Value> = skus
                .iter()
                .take(8)
                .map(|sku| stock(&format!("d-{client_no}-{number}-{sku}"), sku, random.i64(-3..=6) | 1))
                .collect();
            refresh(client, &batch).await.unwrap();
        }
        *self.refreshing.borrow_mut() -= 1;
    }

    /// Every order was judged by a price that the database held while it was asked.
    fn assert_prices_were_held(&self) {
        let prices = self.prices.borrow();
        for (price, accepted, asked, answered) in &*self.orders.borrow() {
            let at = prices.iter().position(|priced| priced.price_minor == *price).unwrap();
            let gone = prices.get(at + 1);
            let could_hold = prices[at].asked <= *answered && gone.is_none_or(|next| next.known >= *asked);
            let held_throughout =
                prices[at].known <= *asked && gone.is_none_or(|next| next.asked >= *answered);
            assert!(!accepted || could_hold, "accepted at {price}, which the database did not hold");
            assert!(*accepted || !held_throughout, "rejected at {price}, which the database held");
        }
    }
}

#[tokio::test]
async fn orders_and_refreshes_of_the_same_hot_products_agree_on_stock_and_prices() {
    let skus: Vec<_> = (0..6).map(|number| format!("kit-{number}")).collect();
    let kits: Vec<_> = skus.iter().map(|sku| (sku.as_str(), 300)).collect();
    let shop = Shop::open(&kits).await;
    let start = Priced { price_minor: PRICE, asked: Duration::ZERO, known: Duration::ZERO };
    let run = Run {
        skus,
        prices: RefCell::new(vec![start]),
        orders: RefCell::default(),
        refreshing: RefCell::new(3),
    };
    let clients = join_all((0..7).map(|_| patient(&shop))).await;
    let watch = async {
        while *run.refreshing.borrow() > 0 {
            let off = "SELECT count(*) FROM stock_equation WHERE difference <> 0 OR available < 0";
            assert_eq!(shop.number(off).await, 0, "available = adjusted - reserved - sold at every moment");
        }
    };
    futures_util::join!(
        join_all(clients[..4].iter().enumerate().map(|(number, client)| run.sell(client, number))),
        run.change(&clients[4]),
        join_all(clients[5..].iter().zip(5..).map(|(client, number)| run.deliver(client, number))),
        watch,
    );
    run.assert_prices_were_held();
    let accepted = run.orders.borrow().iter().filter(|order| order.1).count();
    assert!(accepted > 50, "the run was meant to accept orders while prices change, not {accepted}");
    assert_eq!(shop.wrong_stock().await, 0);
}
