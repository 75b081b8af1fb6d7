//! The flow over doors that answer as told: what servers cannot easily be made to do (answer for half a batch, refuse a
//! queue, panic). What it does with real ones is tested in `tests/flow` of the workspace.
#![cfg(test)]

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use backoff::{Deadline, ManualClock, Random};
use catalog::{CatalogWriter, Fault, Published};
use data_api::Error;
use order::{Currency, ProductView, Sku};
use order_store::{CatalogChange, CatalogStore, Change, Refreshed, Refreshing};
use queue::{Batch, NotPublished, Outgoing, Queue, QueueUrl, Queues, Record, VisibilityChange};
use refresh_catalog::flow::{Doors, process};
use refresh_catalog::report::{Refresh, Report};

/// Answers each change by its SKU as planted, `applied` where nothing is, and nothing at all for `silent`.
#[derive(Default)]
struct Store {
    planted: BTreeMap<&'static str, Refreshing>,
    panics_on: Option<&'static str>,
    fails: bool,
    calls: Mutex<Vec<usize>>,
}

impl CatalogStore for Store {
    async fn refresh(&self, batch: &[CatalogChange], _: Deadline) -> Result<Vec<Refreshed>, Error> {
        self.calls.lock().unwrap().push(batch.len());
        if self.fails {
            return Err(Error::NoRegion);
        }
        let named = |name: &str| batch.iter().any(|change| sku(change) == name);
        assert!(!self.panics_on.is_some_and(named), "planted panic");
        Ok(batch.iter().filter(|change| sku(change) != "silent").map(|change| self.answer(change)).collect())
    }
}

impl Store {
    /// A product's row is in version 9, at 900, or in the version of the change, where that is newer.
    fn answer(&self, CatalogChange { record_no, change }: &CatalogChange) -> Refreshed {
        let (sku, product, owed) = match change {
            Change::Product { sku, version, .. } => {
                let version = (*version).max(9);
                let currency = Currency::parse("EUR").unwrap();
                let row = ProductView { price_minor: version * 100, currency, active: true, version };
                (sku, Some((sku.clone(), row)), 0)
            }
            Change::Stock { sku, delta, .. } => (sku, None, -delta.min(&0)),
        };
        let refreshing = self.planted.get(sku.as_str()).cloned().unwrap_or(Refreshing::Applied);
        let product = product.filter(|_| !matches!(refreshing, Refreshing::Refused { .. }));
        Refreshed { record_no: *record_no, refreshing, product, owed }
    }
}

fn sku(change: &CatalogChange) -> &str {
    match &change.change {
        Change::Product { sku, .. } | Change::Stock { sku, .. } => sku.as_str(),
    }
}

/// Remembers what it was given, in how many calls, or is not there.
#[derive(Default)]
struct Cache {
    gone: bool,
    products: Mutex<BTreeMap<String, i64>>,
    calls: Mutex<usize>,
}

impl CatalogWriter for Cache {
    async fn publish(
        &self,
        products: &BTreeMap<Sku, ProductView>,
        _: Deadline,
    ) -> Result<Published, catalog::Error> {
        *self.calls.lock().unwrap() += 1;
        if self.gone {
            return Err(catalog::Error::Publish(Fault::Skipped));
        }
        let versions = products.iter().map(|(sku, product)| (sku.to_string(), product.version));
        self.products.lock().unwrap().extend(versions);
        Ok(Published { written: u64::try_from(products.len()).unwrap(), superseded: 0 })
    }
}

/// Takes messages unless it refuses all.
#[derive(Default)]
struct Queuing {
    refuses: bool,
    reasons: Mutex<Vec<String>>,
}

impl Queue for Queuing {
    async fn publish(
        &self,
        to: &QueueUrl,
        messages: Vec<Outgoing>,
        _: Deadline,
    ) -> Vec<Result<(), NotPublished>> {
        assert_eq!(to.0, "quarantine");
        if self.refuses {
            return vec![Err(NotPublished { code: "Test".to_owned(), sender_fault: false }); messages.len()];
        }
        let results = vec![Ok(()); messages.len()];
        let attributes = messages.into_iter().flat_map(|message| message.attributes);
        let reasons = attributes.filter(|(name, _)| *name == "reason").map(|(_, reason)| reason);
        self.reasons.lock().unwrap().extend(reasons);
        results
    }

    async fn change_visibility(&self, of: &QueueUrl, _: Vec<VisibilityChange>, _: Deadline) -> usize {
        assert_eq!(of.0, "products");
        0
    }
}

#[derive(Debug, PartialEq)]
struct Ran {
    failed: Vec<String>,
    report: Report,
    calls: Vec<usize>,
    cached: BTreeMap<String, i64>,
    cache_calls: usize,
    quarantined: Vec<String>,
}

/// Processes one batch of these bodies, message ids m0, m1 …
fn run(store: Store, catalog: Cache, queue: Queuing, bodies: &[String]) -> Ran {
    let url = |name: &str| QueueUrl(name.to_owned());
    let queues = Queues { source: url("products"), quarantine: url("quarantine") };
    let clock = ManualClock::at_ms(5_000);
    let doors = Doors { store, catalog, queue, clock, random: Random::seeded(1), queues };
    let batch = Batch { records: bodies.iter().enumerate().map(record).collect() };
    let deadline = Deadline::after(&doors.clock, Duration::from_secs(10));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (response, report) = runtime.block_on(process(&doors, &batch, deadline));
    Ran {
        failed: response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect(),
        report,
        calls: doors.store.calls.into_inner().unwrap(),
        cached: doors.catalog.products.into_inner().unwrap(),
        cache_calls: doors.catalog.calls.into_inner().unwrap(),
        quarantined: doors.queue.reasons.into_inner().unwrap(),
    }
}

fn run_well(store: Store, bodies: &[String]) -> Ran {
    run(store, Cache::default(), Queuing::default(), bodies)
}

fn record((number, body): (usize, &String)) -> Record {
    Record {
        message_id: format!("m{number}"),
        receipt_handle: "r".to_owned(),
        body: Some(body.clone()),
        receive_count: 1,
        sent_ms: Some(4_960),
        traceparent: None,
    }
}

fn event(kind: &str, data: serde_json::Value) -> String {
    serde_json::json!({"specversion": "1.0", "id": "evt_1", "source": "shop/catalog", "type": kind,
                       "time": "2026-11-23T10:15:00Z", "data": data})
    .to_string()
}

fn product(sku: &str, version: i64) -> String {
    event(
        "product.changed.v1",
        serde_json::json!({"sku": sku, "name": "A kit", "priceMinor": 2490, "currency": "EUR", "active": true,
                           "version": version}),
    )
}

fn stock(sku: &str, delta: i64) -> String {
    event("stock.adjusted.v1", serde_json::json!({"sku": sku, "delta": delta}))
}

#[track_caller]
fn check(answer: Refreshing, quarantined: &[&str]) {
    for body in [product("kit", 3), stock("kit", 3)] {
        let planted = BTreeMap::from([("kit", answer.clone())]);
        let ran = run_well(Store { planted, ..Store::default() }, &[body]);
        assert_eq!(ran.failed, [""; 0]);
        assert_eq!(ran.quarantined, quarantined);
    }
}

#[test]
fn each_answer_of_the_database_has_one_end() {
    check(Refreshing::Applied, &[]);
    check(Refreshing::Known, &[]);
    check(Refreshing::Superseded, &[]);
    check(Refreshing::IdReused, &["id_reused"]);
    check(Refreshing::Refused { sqlstate: "23514".to_owned() }, &["bad_schema"]);
}

#[test]
fn a_batch_is_one_call_of_the_database_and_one_of_the_cache() {
    let bodies = [product("a", 12), stock("a", 5), product("b", 3), product("b", 10), stock("c", -2)];
    let ran = run_well(Store::default(), &bodies);
    assert_eq!((ran.calls, ran.cache_calls), (vec![5], 1));
    // The rows as they are, not as the events say.
    assert_eq!(ran.cached, BTreeMap::from([("a".to_owned(), 12), ("b".to_owned(), 10)]));
    assert_eq!(ran.report.messages.messages, 5);
    let report = Report {
        messages: ran.report.messages.clone(),
        applied: 5,
        owing: 1,
        commits: 1,
        applied_after: vec![Duration::from_millis(40); 5],
        cache: Refresh { written: 2, missed: 0 },
        ..Report::default()
    };
    assert_eq!(ran.report, report);
}

#[test]
fn stock_alone_does_not_touch_the_cache() {
    assert_eq!(run_well(Store::default(), &[stock("a", 5)]).cache_calls, 0);
}

#[test]
fn a_repeat_and_old_news_refresh_the_cache_again() {
    for answer in [Refreshing::Known, Refreshing::Superseded] {
        let planted = BTreeMap::from([("kit", answer)]);
        let ran = run_well(Store { planted, ..Store::default() }, &[product("kit", 3)]);
        assert_eq!(ran.cached, BTreeMap::from([("kit".to_owned(), 9)]));
    }
}

#[test]
fn without_the_cache_nothing_comes_back() {
    let gone = Cache { gone: true, ..Cache::default() };
    let ran = run(Store::default(), gone, Queuing::default(), &[product("a", 12), stock("b", 1)]);
    assert_eq!((ran.failed, ran.quarantined), (vec![], vec![]));
    assert_eq!((ran.report.applied, ran.report.cache), (2, Refresh { written: 0, missed: 1 }));
}

#[test]
fn what_was_not_committed_is_not_published_and_comes_back() {
    let store = Store { fails: true, ..Store::default() };
    let ran = run_well(store, &[product("a", 12)]);
    assert_eq!((ran.failed, ran.cache_calls), (vec!["m0".to_owned()], 0));
}

#[test]
fn events_of_other_queues_and_unreadable_bodies_are_quarantined_and_their_neighbours_applied() {
    let bodies = [
        product("a", 1),
        event("order.canceled.v1", serde_json::json!({"orderId": "ord_1"})),
        "{".to_owned(),
        String::new(),
        stock("b", 0),
        product("a b", 1),
        product("kit", 1).replace("changed.v1", "changed.v2"),
        stock("b", 1),
    ];
    let ran = run_well(Store::default(), &bodies);
    let expected = ["unknown_type", "not_json", "no_body", "bad_schema", "bad_schema", "unknown_version"];
    assert_eq!(ran.quarantined, expected);
    assert_eq!((ran.failed, ran.calls, ran.report.applied), (vec![], vec![2], 2));
}

#[test]
fn what_the_quarantine_does_not_take_comes_back() {
    let refusing = Queuing { refuses: true, ..Queuing::default() };
    let ran = run(Store::default(), Cache::default(), refusing, &["{".to_owned(), stock("b", 1)]);
    assert_eq!(ran.failed, ["m0"]);
}

#[test]
fn a_change_that_the_database_does_not_answer_for_comes_back_alone() {
    assert_eq!(
        run_well(Store::default(), &[stock("a", 1), stock("silent", 1), stock("b", 1)]).failed,
        ["m1"]
    );
}

#[test]
fn a_panic_in_the_call_is_pinned_on_its_change() {
    let store = Store { panics_on: Some("bad"), ..Store::default() };
    let ran = run_well(store, &[stock("a", 1), product("bad", 1), stock("b", 1)]);
    assert_eq!(ran.failed, ["m1"]);
    assert_eq!(ran.calls, [3, 1, 1, 1]);
}

#[test]
fn the_same_batch_over_the_same_doors_has_the_same_effects() {
    let bodies = [product("c", 1), stock("a", 1), product("b", 1), "{".to_owned()];
    let once = || run_well(Store::default(), &bodies);
    assert_eq!(once(), once());
}
