//! A shop for tests: a stack with four kits on the shelf, and short ways to order and to look.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use harness::sandbox::{self, Ledger};
use harness::stack::{Stack, StackOptions, poll_until};
use hyper::HeaderMap;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tokio_postgres::Client;

/// The most that anything in these tests may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// The most that an order may take to its end when something was in its way: a killed function's message comes back
/// after 12 s, and each receive after the first waits at random for up to twice as long as the one before.
pub(crate) const LONG_LIMIT: Duration = Duration::from_secs(90);

/// The SKU, price in minor units and stock of each kit.
const KITS: [(&str, i64, i64); 4] =
    [(CURRY, 2490, 1_000), ("kit-ramen-2p", 1990, 1_000), (SCARCE, 2990, 3), ("kit-retired-2p", 1500, 1_000)];

/// The kit that most tests order.
pub(crate) const CURRY: &str = "kit-thai-curry-2p";

/// A kit with three left.
pub(crate) const SCARCE: &str = "kit-truffle-2p";

/// The trace under which [`Shop::send`] sends.
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A running stack and a connection to its database.
pub(crate) struct Shop {
    /// The stack.
    pub(crate) stack: Stack,
    /// PostgreSQL, as superuser.
    pub(crate) sql: Client,
}

/// What the function answered to a batch, and what it was given.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The message ids that the function reported as failed.
    pub(crate) failed: Vec<String>,
}

impl Shop {
    /// Opens a shop whose queues and clock invoke nobody: tests invoke, unless they [`Shop::let_orders_flow`] or
    /// [`Shop::let_everything_flow`].
    pub(crate) async fn open() -> Self {
        Self::open_with(StackOptions::default()).await
    }

    /// As [`Shop::open`], with options for the stack.
    pub(crate) async fn open_with(options: StackOptions) -> Self {
        let postgres_url = options.postgres_url.clone().or(Some(shared_postgres().await));
        let stack = Stack::start(StackOptions { postgres_url, ..options }).await.unwrap();
        let nothing = json!({"enabled": false});
        for invoker in [
            "event-sources/process-orders",
            "event-sources/settle-payments",
            "event-sources/refresh-catalog",
            "schedules/reconcile-orders",
        ] {
            stack.control("PUT", &format!("/{invoker}"), &nothing).await.unwrap();
        }
        let sql = stack.sql().await.unwrap();
        for (sku, price_minor, available) in KITS {
            let active = sku != "kit-retired-2p";
            let product = "INSERT INTO products (sku, name, price_minor, currency, active, version) VALUES (CAST($1 AS text), $1, CAST($2 AS bigint), 'EUR', $3, 1)";
            sql.execute(product, &[&sku, &price_minor, &active]).await.unwrap();
            sql.execute(
                "INSERT INTO stock (sku, available) VALUES (CAST($1 AS text), CAST($2 AS bigint))",
                &[&sku, &available],
            )
            .await
            .unwrap();
            let adjustment = "INSERT INTO stock_adjustments (event_id, sku, delta) VALUES ('seed-' || CAST($1 AS text), $1, $2)";
            sql.execute(adjustment, &[&sku, &available]).await.unwrap();
        }
        Self { stack, sql }
    }

    /// Lets the orders queue invoke the function that accepts orders; their payments stay requested.
    pub(crate) async fn let_orders_flow(&self) {
        self.enable("event-sources/process-orders").await;
    }

    /// Lets the payments queue invoke the function that settles payments.
    pub(crate) async fn let_payments_flow(&self) {
        self.enable("event-sources/settle-payments").await;
    }

    /// Lets the products queue invoke the function that refreshes the catalog.
    pub(crate) async fn let_products_flow(&self) {
        self.enable("event-sources/refresh-catalog").await;
    }

    /// Lets the clock invoke the reconciler, every second.
    pub(crate) async fn let_the_reconciler_run(&self) {
        self.enable("schedules/reconcile-orders").await;
    }

    /// Lets queues and clock invoke everything.
    pub(crate) async fn let_everything_flow(&self) {
        self.let_orders_flow().await;
        self.let_payments_flow().await;
        self.let_products_flow().await;
        self.let_the_reconciler_run().await;
    }

    async fn enable(&self, invoker: &str) {
        self.stack.control("PUT", &format!("/{invoker}"), &json!({"enabled": true})).await.unwrap();
    }

    /// Invokes the function with these bodies as one batch, as the event source would: message ids m0, m1 …
    pub(crate) async fn batch(&self, bodies: &[String]) -> Answer {
        let records: Vec<Value> = bodies.iter().enumerate().map(|(n, body)| record(n, Some(body))).collect();
        self.invoke(records).await
    }

    /// Invokes the function that accepts orders with these records.
    pub(crate) async fn invoke(&self, records: Vec<Value>) -> Answer {
        self.invoke_function("process-orders", records).await
    }

    /// Invokes the function that settles payments with requests for the first attempts of these orders, as one batch.
    pub(crate) async fn settle(&self, orders: &[String]) -> Answer {
        let records =
            orders.iter().enumerate().map(|(n, id)| record(n, Some(&payment_request(id, 1)))).collect();
        self.invoke_function("settle-payments", records).await
    }

    /// Invokes a function with these records.
    pub(crate) async fn invoke_function(&self, function: &str, records: Vec<Value>) -> Answer {
        let response = self.stack.invoke(function, &json!({ "Records": records })).await.unwrap();
        let failures = response["batchItemFailures"].as_array().cloned().unwrap_or_default();
        Answer {
            failed: failures
                .iter()
                .map(|failure| failure["itemIdentifier"].as_str().unwrap().to_owned())
                .collect(),
        }
    }

    /// Every order's status, with its reason if it has one: `accepted`, `rejected price_changed`.
    pub(crate) async fn orders(&self) -> BTreeMap<String, String> {
        let query = "SELECT order_id, status || coalesce(' ' || reason, '') FROM orders";
        let rows = self.sql.query(query, &[]).await.unwrap();
        rows.iter().map(|row| (row.get(0), row.get(1))).collect()
    }

    /// One number from the database.
    pub(crate) async fn number(&self, query: &str) -> i64 {
        self.sql.query_one(query, &[]).await.unwrap().get(0)
    }

    /// Where the catalog is shown, without a path.
    pub(crate) fn catalog_url(&self) -> &str {
        &self.stack.function_urls["serve-catalog"]
    }

    /// The reasons in the quarantine queue, sorted.
    pub(crate) async fn quarantined(&self) -> Vec<String> {
        let held = self.stack.sqs().peek(self.stack.queue("quarantine").unwrap(), 100).await.unwrap();
        let mut reasons: Vec<String> =
            held.iter().map(|message| message.attributes["reason"].clone()).collect();
        reasons.sort();
        reasons
    }

    /// The order ids for which a payment request was published, sorted, repeats included.
    pub(crate) async fn payments_requested(&self) -> Vec<String> {
        let held = self.stack.sqs().peek(self.stack.queue("payments").unwrap(), 1000).await.unwrap();
        let event = |body: &str| serde_json::from_str::<Value>(body).unwrap();
        let mut orders: Vec<String> = held
            .iter()
            .map(|message| event(&message.body)["data"]["orderId"].as_str().unwrap().to_owned())
            .collect();
        orders.sort();
        orders
    }

    /// Sends these bodies to the orders queue, all under one trace.
    pub(crate) async fn send(&self, bodies: &[String]) {
        for body in bodies {
            self.stack.send_order(body, TRACE).await.unwrap();
        }
    }

    /// How many orders are confirmed.
    pub(crate) async fn confirmed(&self) -> i64 {
        self.number("SELECT count(*) FROM orders WHERE status = 'confirmed'").await
    }

    /// The provider's ledger.
    pub(crate) async fn ledger(&self) -> Ledger {
        sandbox::ledger(&self.stack).await.unwrap()
    }

    /// How many calls the provider has got.
    pub(crate) async fn provider_calls(&self) -> u64 {
        sandbox::figures(&self.stack).await.unwrap().calls_total
    }

    /// Types of the published events by order, sorted; an event that was published twice under one id is there once.
    pub(crate) async fn events(&self) -> BTreeMap<String, Vec<String>> {
        let held = self.stack.sqs().peek(self.stack.queue("order-events").unwrap(), 10_000).await.unwrap();
        let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for message in held {
            let event: Value = serde_json::from_str(&message.body).unwrap();
            let order = event["data"]["orderId"].as_str().unwrap().to_owned();
            ids.entry(order).or_default().insert(event["id"].as_str().unwrap().to_owned());
        }
        let kind = |id: String| id.rsplit(':').nth(1).unwrap().to_owned();
        ids.into_iter().map(|(order, ids)| (order, ids.into_iter().map(kind).collect())).collect()
    }

    /// How many messages of this type were published to `order-events` under the trace of [`Shop::send`].
    pub(crate) async fn traced_events(&self, event_type: &str) -> usize {
        let held = self.stack.sqs().peek(self.stack.queue("order-events").unwrap(), 10_000).await.unwrap();
        let of = |body: &str| serde_json::from_str::<Value>(body).unwrap()["type"].clone();
        let of_type = held.iter().filter(|message| of(&message.body) == event_type);
        of_type
            .filter(|message| message.attributes.get("traceparent").map(String::as_str) == Some(TRACE))
            .count()
    }

    /// Asserts that every order is confirmed and paid exactly once, by the rows and by the provider's ledger, and that
    /// nothing is held, nothing is a dead letter, and the stock adds up.
    pub(crate) async fn assert_all_paid_once(&self, orders: usize) {
        let expected = i64::try_from(orders).unwrap();
        assert_eq!(self.confirmed().await, expected);
        let captured = "SELECT count(*) FROM payments WHERE status = 'captured' AND payment_id IS NOT NULL";
        assert_eq!(self.number(captured).await, expected);
        let rows =
            self.sql.query("SELECT order_id, total_minor FROM orders WHERE status = 'confirmed'", &[]).await;
        let totals: BTreeMap<String, i64> =
            rows.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect();
        let ledger = self.ledger().await;
        let charged: BTreeMap<String, i64> = ledger
            .orders
            .iter()
            .filter(|(_, charges)| charges.captures > 0)
            .map(|(id, charges)| (id.clone(), charges.captured_minor))
            .collect();
        assert_eq!(charged, totals, "what was charged is what was ordered, each once");
        assert_eq!(ledger.double_captures, [""; 0]);
        assert_eq!(ledger.orphan_holds, [""; 0]);
        let status = self.stack.status().await.unwrap();
        for queue in ["orders-dlq", "payments-dlq"] {
            assert_eq!(status.depth(queue).total(), 0, "{queue}");
        }
        self.assert_stock_adds_up().await;
    }

    /// Asserts that available = adjusted − reserved − sold for every kit, and that none is below zero.
    #[track_caller]
    pub(crate) fn assert_stock_adds_up(&self) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let off = self
                .number("SELECT count(*) FROM stock_equation WHERE difference <> 0 OR available < 0")
                .await;
            assert_eq!(off, 0, "the stock of {off} kits does not add up, at {caller}");
        }
    }

    /// Waits until the condition holds.
    pub(crate) async fn wait_for(&self, what: &str, holds: impl AsyncFnMut(&Self) -> bool) {
        self.wait_up_to(LIMIT, what, holds).await;
    }

    /// Waits until so many orders are confirmed and nothing is held at the provider, for as long as trouble may take.
    pub(crate) async fn wait_for_payment_of(&self, orders: usize) {
        let orders = i64::try_from(orders).unwrap();
        self.wait_up_to(LONG_LIMIT, "all orders confirmed", async |shop| shop.confirmed().await == orders)
            .await;
        self.wait_up_to(LONG_LIMIT, "no hold left", async |shop| shop.ledger().await.orphan_holds.is_empty())
            .await;
    }

    /// Waits for at most so long until the condition holds.
    pub(crate) async fn wait_up_to(
        &self,
        limit: Duration,
        what: &str,
        mut holds: impl AsyncFnMut(&Self) -> bool,
    ) {
        poll_until(what, limit, async || Ok(holds(self).await)).await.unwrap();
    }

    /// Everything that Prometheus would read now.
    pub(crate) async fn metrics(&self) -> String {
        let url = format!("{}/metrics", self.stack.control_url);
        let answer = harness::http::fetch("GET", &url, HeaderMap::new()).await.unwrap();
        String::from_utf8(answer.into_body().to_vec()).unwrap()
    }

    /// The value of the series with this name and these values of its labels, in any order.
    pub(crate) async fn metric(&self, name: &str, labels: &[&str]) -> Option<f64> {
        let text = self.metrics().await;
        let wanted: BTreeSet<&str> = labels.iter().copied().collect();
        let mut series =
            text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.split_once("} "));
        let found = series.find(|(all, _)| {
            let values = all.split(',').filter_map(|label| label.split('"').nth(1));
            values.collect::<BTreeSet<&str>>() == wanted
        });
        found.map(|(_, value)| value.parse().unwrap())
    }

    /// Ends the stack in good order; what its functions have said must stand in the catalogue of metrics.
    pub(crate) async fn close(self) {
        let text = self.metrics().await;
        let others = text.lines().filter(|line| line.contains("=\"other\"") && !line.ends_with(" 0"));
        assert_eq!(
            others.collect::<Vec<_>>(),
            [""; 0],
            "words that shared/telemetry/src/catalogue/words.rs lacks"
        );
        assert_eq!(
            self.stack.status().await.unwrap().metrics.refused_lines,
            0,
            "metrics that the catalogue lacks"
        );
        drop(self.sql);
        self.stack.end().await.unwrap();
    }
}

/// One PostgreSQL for the whole test binary: the first stack's, which lives as long as this process.
async fn shared_postgres() -> String {
    static SERVER: OnceCell<Stack> = OnceCell::const_new();
    let server = SERVER.get_or_init(async || Stack::start(StackOptions::default()).await.unwrap()).await;
    server.postgres_url.clone()
}

/// A record as the event source makes it, first received now.
pub(crate) fn record(n: usize, body: Option<&str>) -> Value {
    json!({
        "messageId": format!("m{n}"), "receiptHandle": format!("r{n}"), "body": body, "eventSource": "aws:sqs",
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1700000000000"}, "messageAttributes": {},
    })
}

/// A `payment.requested.v1`, as the function that accepts orders publishes it.
pub(crate) fn payment_request(order_id: &str, attempt_no: i32) -> String {
    json!({
        "specversion": "1.0", "id": format!("{order_id}:payment.requested.v1:{attempt_no}"), "source": "orderflow",
        "type": "payment.requested.v1", "time": "2026-11-23T10:15:00.123Z", "datacontenttype": "application/json",
        "data": {"orderId": order_id, "attemptNo": attempt_no},
    })
    .to_string()
}

/// As [`order`] of one kit, to be paid with this card.
pub(crate) fn order_with_card(order_id: &str, card: &str) -> String {
    let mut event: Value = serde_json::from_str(&order(order_id, CURRY, 1)).unwrap();
    event["data"]["payment"]["methodRef"] = json!(card);
    event.to_string()
}

/// The ids `prefix`-0 to `prefix`-`count - 1`.
pub(crate) fn ids(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}-{n}")).collect()
}

/// An `order.placed.v1` for `quantity` kits at the catalog's price, which adds up.
pub(crate) fn order(order_id: &str, sku: &str, quantity: i64) -> String {
    let price_minor = KITS.iter().find(|kit| kit.0 == sku).map_or(1234, |kit| kit.1);
    order_at(order_id, sku, quantity, price_minor)
}

/// As [`order`], at another price.
pub(crate) fn order_at(order_id: &str, sku: &str, quantity: i64, price_minor: i64) -> String {
    json!({
        "specversion": "1.0", "id": format!("evt_{order_id}"), "source": "shop/checkout", "type": "order.placed.v1",
        "time": "2026-11-23T10:15:00.123Z", "datacontenttype": "application/json", "data": {
            "orderId": order_id, "customerId": "c_8f2", "currency": "EUR", "placedAt": "2026-11-23T10:15:00Z",
            "items": [{"sku": sku, "quantity": quantity, "unitPriceMinor": price_minor}],
            "adjustments": [{"kind": "shipping", "amountMinor": 490}], "totalMinor": price_minor * quantity + 490,
            "payment": {"customerRef": "cus_x", "methodRef": "pm_card_visa"},
        },
    })
    .to_string()
}

/// Ten orders of one kit each, `prefix`-0 to `prefix`-9.
pub(crate) fn ten_orders(prefix: &str) -> Vec<String> {
    (0..10).map(|n| order(&format!("{prefix}-{n}"), CURRY, 1)).collect()
}
