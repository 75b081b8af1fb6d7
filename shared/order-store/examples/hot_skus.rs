//! What contention costs: batches/s of one client and of eight concurrent clients that all sell the same 40 SKUs.
//!
//! `cargo run --profile local -p order-store --example hot_skus`
//!
//! Rounds alternate, so that a busy neighbour disturbs both sides alike; the medians are compared. Every batch has
//! ten orders of three lines, and the answers are checked: a deadlock or a wrong verdict ends the run. A batch that
//! waited a second for a lock is offered again, as its queue would, and counted. Nothing else is in between, neither Data API nor network, so this is the database's share alone. fsync is
//! off: a real commit is slower, and as serial.

#[path = "../tests/store/postgres.rs"]
#[expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the tests' own: a server that does not start ends the run"
)]
#[expect(dead_code, reason = "the tests use the rest")]
mod postgres;

use std::error::Error;
use std::slice::from_ref;

use backoff::{Clock, SystemClock};
use fastrand::Rng;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use telemetry::Counter;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

const SKUS: u32 = 40;
const CLIENTS: usize = 8;
const ORDERS_PER_BATCH: usize = 10;
const ROUNDS: usize = 9;
/// Batches of one round, shared by however many clients take part.
const BATCHES_PER_ROUND: usize = 160;
/// The design's budget: eight clients keep at least this share of one client's rate.
const RATIO_MIN: f64 = 0.70;

/// Batches that waited too long for a lock.
static LOCK_TIMEOUTS: Counter = Counter::new();

/// What `accept_orders_v1` has to say about every order.
const CALL: &str = "SELECT count(*) FILTER (WHERE verdict = 'accepted')
                    FROM accept_orders_v1(CAST(CAST($1 AS text) AS jsonb))";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let database = postgres::database().await;
    let (owner, observer) = (database.owner().await, database.master().await);
    owner.batch_execute(&seed()).await?;
    let first = database.app().await;
    let mut all = vec![];
    for _ in 0..CLIENTS {
        all.push(database.app().await);
    }
    let mut random = Rng::with_seed(1);
    round(&all, &mut random).await?; // Warms caches and plans.
    round(from_ref(&first), &mut random).await?;

    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(round(from_ref(&first), &mut random).await?);
        together.push(round(&all, &mut random).await?);
    }
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let deadlocks = observer.query_one(deadlocks, &[]).await?.get(0);
    let wrong = "SELECT count(*) FROM stock_equation WHERE difference <> 0";
    let wrong = owner.query_one(wrong, &[]).await?.get(0);
    report((median(alone), median(together)), deadlocks, wrong)
}

/// Sells one round's batches, shared evenly by the clients, and returns batches/s.
async fn round(clients: &[Client], random: &mut Rng) -> Result<f64, Box<dyn Error>> {
    let share = BATCHES_PER_ROUND / clients.len();
    let work: Vec<Vec<String>> =
        clients.iter().map(|_| (0..share).map(|_| batch(random)).collect()).collect();
    let began = SystemClock.monotonic();
    try_join_all(clients.iter().zip(&work).map(|(client, batches)| sell(client, batches))).await?;
    let took = SystemClock.monotonic().saturating_sub(began);
    Ok(f64::from(u32::try_from(share * clients.len())?) / took.as_secs_f64())
}

async fn sell(client: &Client, batches: &[String]) -> Result<(), Box<dyn Error>> {
    let call = client.prepare(CALL).await?;
    for batch in batches {
        let mut answer = client.query_one(&call, &[batch]).await;
        while answer.as_ref().is_err_and(|error| error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE)) {
            LOCK_TIMEOUTS.increment();
            answer = client.query_one(&call, &[batch]).await;
        }
        let accepted: i64 = answer?.get(0);
        if usize::try_from(accepted)? != ORDERS_PER_BATCH {
            return Err(format!("{accepted} of {ORDERS_PER_BATCH} orders were accepted").into());
        }
    }
    Ok(())
}

/// Ten new orders of three random lines, as JSON.
fn batch(random: &mut Rng) -> String {
    let line = |random: &mut Rng| json!({"sku": format!("kit-{}", random.u32(0..SKUS)), "quantity": 1, "unit_price_minor": 1_000});
    let order = |record_no| {
        json!({
            "record_no": record_no, "order_id": format!("ord_{:032x}", random.u128(..)), "customer_id": "c_8f2", "currency": "EUR",
            "total_minor": 3_000, "fingerprint": format!("{:064x}", 1), "placed_at": "2026-11-23T10:15:00Z", "reject_reason": null,
            "items": [line(random), line(random), line(random)], "payment": {"customer_ref": "cus_x", "method_ref": "pm_x"},
        })
    };
    Value::from_iter((0..ORDERS_PER_BATCH).map(order)).to_string()
}

/// Forty products with more kits than the run can sell.
fn seed() -> String {
    format!(
        "INSERT INTO products (sku, name, price_minor, currency, active, version)
           SELECT 'kit-' || number, 'A kit', 1000, 'EUR', true, 1 FROM generate_series(0, {SKUS} - 1) AS number;
         INSERT INTO stock (sku, available) SELECT sku, 1000000 FROM products;
         INSERT INTO stock_adjustments (event_id, sku, delta) SELECT sku, sku, available FROM stock;
         ANALYZE"
    )
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

/// Prints one line of JSON, and fails where the budget is exceeded.
fn report((alone, together): (f64, f64), deadlocks: i64, wrong: i64) -> Result<(), Box<dyn Error>> {
    let ratio = together / alone;
    telemetry::emit_line(&json!({
        "one_client_batches_per_s": alone.round(), "eight_clients_batches_per_s": together.round(),
        "ratio": (ratio * 100.0).round() / 100.0, "deadlocks": deadlocks, "lock_timeouts": LOCK_TIMEOUTS.value(),
        "skus_with_wrong_stock": wrong,
        "skus": SKUS, "orders_per_batch": ORDERS_PER_BATCH, "rounds": ROUNDS,
    }));
    if ratio < RATIO_MIN || deadlocks > 0 || wrong > 0 {
        return Err(
            format!("expected a ratio of at least {RATIO_MIN}, no deadlock and no wrong stock").into()
        );
    }
    Ok(())
}
