//! The flow over doors that answer as told: what servers cannot easily be made to do (answer for half a batch, refuse a
//! queue, panic). What it does with real ones is tested in `tests/flow` of the workspace.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use backoff::{Deadline, ManualClock, Random};
use catalog::{CatalogReader, Lookup};
use data_api::Error;
use order::{Known, OrderStatus, RejectReason, Sku};
use order_store::{AcceptOrder, Accepted, OrderStore, SentEvents, Verdict};
use process_orders::flow::{Doors, process};
use process_orders::report::Report;
use queue::{Batch, NotPublished, Outgoing, Queue, QueueUrl, Queues, Record, VisibilityChange};

/// Answers each order with the verdict planted for it, `accepted` where there is none, and nothing for `silent`.
#[derive(Default)]
struct Store {
    verdicts: BTreeMap<&'static str, Verdict>,
    panics_on: Option<&'static str>,
    /// The call of this number fails, counted from 0.
    fails_at: Option<usize>,
    calls: Mutex<Vec<usize>>,
    /// The ids handed to each call, to be marked as sent.
    sent: Mutex<Vec<Vec<String>>>,
}

impl OrderStore for Store {
    async fn accept(
        &self,
        batch: &[AcceptOrder],
        sent: &[String],
        _: Deadline,
    ) -> Result<Vec<Accepted>, Error> {
        self.calls.lock().unwrap().push(batch.len());
        self.sent.lock().unwrap().push(sent.to_vec());
        if self.fails_at.is_some_and(|number| number + 1 == self.calls.lock().unwrap().len()) {
            return Err(Error::NoRegion);
        }
        let ids: Vec<&str> = batch.iter().map(|order| order.order_id.as_str()).collect();
        assert!(!self.panics_on.is_some_and(|id| ids.contains(&id)), "planted panic");
        Ok(batch
            .iter()
            .filter(|order| order.order_id.as_str() != "silent")
            .map(|order| self.answer(order))
            .collect())
    }
}

impl Store {
    fn answer(&self, order: &AcceptOrder) -> Accepted {
        let planted = self.verdicts.get(order.order_id.as_str()).cloned();
        let verdict = planted.or(order.reject_reason.map(Verdict::Rejected)).unwrap_or(Verdict::Accepted);
        Accepted {
            record_no: order.record_no,
            order_id: order.order_id.clone(),
            publish_payment: matches!(verdict, Verdict::Accepted | Verdict::Known),
            order_status: Some(OrderStatus::Accepted),
            attempt_no: Some(1),
            verdict,
        }
    }
}

/// Knows nothing, and remembers what it was told to forget.
#[derive(Default)]
struct Shelf {
    forgotten: Mutex<BTreeSet<Sku>>,
}

impl CatalogReader for Shelf {
    async fn look_up(&self, skus: &BTreeSet<Sku>, _: Deadline) -> Lookup {
        let products = skus.iter().map(|sku| (sku.clone(), Known::Unknown)).collect();
        Lookup { products, ..Lookup::default() }
    }

    fn forget(&self, sku: &Sku) {
        self.forgotten.lock().unwrap().insert(sku.clone());
    }
}

/// Takes messages, except for the queue it refuses.
#[derive(Default)]
struct Queuing {
    refuses: Option<&'static str>,
    published: Mutex<Vec<Published>>,
}

/// A message that a queue took.
#[derive(Debug, Clone, PartialEq)]
struct Published {
    to: String,
    body: String,
    attributes: Vec<(&'static str, String)>,
}

impl Queue for Queuing {
    async fn publish(
        &self,
        to: &QueueUrl,
        messages: Vec<Outgoing>,
        _: Deadline,
    ) -> Vec<Result<(), NotPublished>> {
        let refused = Err(NotPublished { code: "Test".to_owned(), sender_fault: false });
        if self.refuses == Some(to.0.as_str()) {
            return vec![refused; messages.len()];
        }
        let results = vec![Ok(()); messages.len()];
        let published = |Outgoing { body, attributes }| Published { to: to.0.clone(), body, attributes };
        self.published.lock().unwrap().extend(messages.into_iter().map(published));
        results
    }

    async fn change_visibility(&self, _: &QueueUrl, _: Vec<VisibilityChange>, _: Deadline) -> usize {
        0
    }
}

struct Ran {
    failed: Vec<String>,
    report: Report,
    calls: Vec<usize>,
    sent: Vec<Vec<String>>,
    forgotten: Vec<String>,
    published: Vec<Published>,
}

impl Ran {
    /// The bodies that this queue took.
    fn bodies(&self, queue: &str) -> Vec<&str> {
        self.published
            .iter()
            .filter(|message| message.to == queue)
            .map(|message| message.body.as_str())
            .collect()
    }
}

/// Processes records that hold these orders, message id = order id.
fn process_all(store: Store, queue: Queuing, order_ids: &[&str]) -> Ran {
    process_batches(store, queue, &[order_ids])
}

/// Processes batches by one instance, one after the other; what is told of records is of the last one.
fn process_batches(store: Store, queue: Queuing, batches: &[&[&str]]) -> Ran {
    let url = |name: &str| QueueUrl(name.to_owned());
    let doors = Doors {
        store,
        catalog: Shelf::default(),
        queue,
        clock: ManualClock::at_ms(5_000),
        random: Random::seeded(1),
        queues: Queues { source: url("orders"), quarantine: url("quarantine") },
        payments: url("payments"),
        order_events: url("order-events"),
        sent: SentEvents::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (mut failed, mut report) = (Vec::new(), Report::default());
    for order_ids in batches {
        let batch = Batch { records: order_ids.iter().map(|id| record(id)).collect() };
        let deadline = Deadline::after(&doors.clock, Duration::from_secs(10));
        let (response, of_batch) = runtime.block_on(process(&doors, &batch, deadline));
        failed = response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect();
        report = of_batch;
    }
    Ran {
        failed,
        report,
        calls: doors.store.calls.into_inner().unwrap(),
        sent: doors.store.sent.into_inner().unwrap(),
        forgotten: doors.catalog.forgotten.into_inner().unwrap().iter().map(ToString::to_string).collect(),
        published: doors.queue.published.into_inner().unwrap(),
    }
}

fn record(order_id: &str) -> Record {
    Record {
        message_id: order_id.to_owned(),
        receipt_handle: "r".to_owned(),
        body: Some(body(order_id)),
        receive_count: 1,
        sent_ms: Some(4_960),
        traceparent: None,
    }
}

fn body(order_id: &str) -> String {
    serde_json::json!({
        "specversion": "1.0", "id": "evt_1", "source": "shop/checkout", "type": "order.placed.v1",
        "time": "2026-11-23T10:15:00Z", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "data": {
            "orderId": order_id, "customerId": "c_1", "currency": "EUR", "placedAt": "2026-11-23T10:15:00Z",
            "items": [{"sku": "kit", "quantity": 1, "unitPriceMinor": 2490}], "totalMinor": 2490, "adjustments": [],
            "payment": {"customerRef": "cus_x", "methodRef": "pm_x"},
        },
    })
    .to_string()
}

#[track_caller]
fn check(verdict: Verdict, failed: bool, published_to: &[&str]) {
    let store = Store { verdicts: BTreeMap::from([("one", verdict)]), ..Store::default() };
    let ran = process_all(store, Queuing::default(), &["one"]);
    assert_eq!(!ran.failed.is_empty(), failed);
    let queues: Vec<&str> = ran.published.iter().map(|message| message.to.as_str()).collect();
    assert_eq!(queues, published_to);
}

#[test]
fn each_verdict_of_the_database_has_one_end() {
    check(Verdict::Accepted, false, &["payments", "order-events"]);
    check(Verdict::Known, false, &["payments"]);
    check(Verdict::Rejected(RejectReason::OutOfStock), false, &["order-events"]);
    check(Verdict::Canceled, false, &[]);
    check(Verdict::IdReused, false, &["quarantine"]);
    check(Verdict::Refused { sqlstate: "23514".to_owned() }, false, &["quarantine"]);
}

#[test]
fn an_order_whose_payment_request_is_not_taken_comes_back() {
    let ran = process_all(
        Store::default(),
        Queuing { refuses: Some("payments"), ..Queuing::default() },
        &["a", "b"],
    );
    assert_eq!(ran.failed, ["a", "b"]);
}

#[test]
fn an_order_that_the_database_does_not_answer_for_comes_back_alone() {
    assert_eq!(process_all(Store::default(), Queuing::default(), &["a", "silent", "b"]).failed, ["silent"]);
}

#[test]
fn a_panic_in_the_call_is_pinned_on_its_order() {
    let store = Store { panics_on: Some("bad"), ..Store::default() };
    let ran = process_all(store, Queuing::default(), &["a", "bad", "b"]);
    assert_eq!(ran.failed, ["bad"]);
    assert_eq!(ran.calls, [3, 1, 1, 1]);
}

#[test]
fn a_payment_request_carries_the_trace_of_its_order() {
    let ran = process_all(Store::default(), Queuing::default(), &["a"]);
    assert!(ran.bodies("payments")[0].contains("0af7651916cd43dd8448eb211c80319c"));
}

#[test]
fn an_event_carries_its_rows_id_and_the_trace_of_its_order() {
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let rejected = BTreeMap::from([("b", Verdict::Rejected(RejectReason::OutOfStock))]);
    let ran = process_all(Store { verdicts: rejected, ..Store::default() }, Queuing::default(), &["a", "b"]);
    let event = |id: &str, kind: &str, data: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"orderflow","type":"{kind}","time":"1970-01-01T00:00:05Z","datacontenttype":"application/json","traceparent":"{trace}","data":{data}}}"#
        )
    };
    let expected = [
        event("a:order.accepted.v1:1", "order.accepted.v1", r#"{"orderId":"a","customerId":"c_1"}"#),
        event(
            "b:order.rejected.v1:1",
            "order.rejected.v1",
            r#"{"orderId":"b","customerId":"c_1","reason":"out_of_stock"}"#,
        ),
    ];
    assert_eq!(ran.bodies("order-events"), expected);
    let attributes = ran.published.last().map(|message| message.attributes.clone());
    assert_eq!(attributes, Some(vec![("traceparent", trace.to_owned())]));
}

#[test]
fn the_next_commit_marks_what_was_published_and_none_after_it() {
    let ran = process_batches(Store::default(), Queuing::default(), &[&["a", "b"], &["c"], &["d"]]);
    let ids = |orders: &[&str]| -> Vec<String> {
        orders.iter().map(|order| format!("{order}:order.accepted.v1:1")).collect()
    };
    assert_eq!(ran.sent, [ids(&[]), ids(&["a", "b"]), ids(&["c"])]);
}

#[test]
fn what_a_failed_commit_did_not_mark_the_next_one_does() {
    let store = Store { fails_at: Some(1), ..Store::default() };
    let ran = process_batches(store, Queuing::default(), &[&["a"], &["c"], &["c"]]);
    assert_eq!(ran.sent[1..], [["a:order.accepted.v1:1"], ["a:order.accepted.v1:1"]]);
}

#[test]
fn an_event_that_its_queue_does_not_take_fails_no_order_and_is_not_marked() {
    let refusing = Queuing { refuses: Some("order-events"), ..Queuing::default() };
    let ran = process_batches(Store::default(), refusing, &[&["a", "b"], &["c"]]);
    assert_eq!(ran.failed, [""; 0]);
    assert_eq!(ran.sent, [[""; 0], [""; 0]]);
    assert_eq!(ran.bodies("payments").len(), 3);
}

#[test]
fn what_the_database_contradicts_is_forgotten() {
    assert_eq!(process_all(Store::default(), Queuing::default(), &["a"]).forgotten, ["kit"]);
    let unknown = BTreeMap::from([("a", Verdict::Rejected(RejectReason::UnknownSku))]);
    let agreed = process_all(Store { verdicts: unknown, ..Store::default() }, Queuing::default(), &["a"]);
    assert_eq!(agreed.forgotten, [""; 0]);
}

#[test]
fn the_report_counts_what_happened() {
    let report = process_all(Store::default(), Queuing::default(), &["a", "silent"]).report;
    assert_eq!((report.messages.messages, report.accepted, report.commits), (2, 1, 1));
    assert_eq!(report.messages.retried, BTreeMap::from([("no_answer", 1)]));
    assert_eq!(report.accepted_after, [Duration::from_millis(40)]);
}

#[test]
fn the_same_batch_over_the_same_doors_has_the_same_effects() {
    let run = || process_all(Store::default(), Queuing::default(), &["c", "a", "b"]).published;
    assert_eq!(run(), run());
}
