//! The doors over the local Data API, as the functions' user: what is asked arrives, and what is answered is read.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_rdsdata::config::{Credentials, SharedCredentialsProvider};
use backoff::{Deadline, Random, SystemClock};
use data_api::{DataApi, Target};
use local_cloud::data_api as server;
use order::event::{self, EventData};
use order::{Currency, OrderId, OrderStatus, PaymentStatus, ProductView, ProviderRef};
use order_store::{
    AcceptOrder, Aurora, BeginPayment, CatalogChange, CatalogStore, Change, Difference, DuePayment, GiveUp,
    Move, Moved, Next, OrderStore, PaymentStore, ReconcileStore, Refreshed, Refreshing, SeenCharge, Step,
    Verdict,
};
use serde_json::json;

use crate::orders::{PRICE, Shop};

const CLUSTER: &str = "arn:aws:rds:eu-central-1:000000000000:cluster:test";
const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:app";

/// The trace of every order that is sold.
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// A shop and the doors to it.
struct World {
    shop: Shop,
    store: Aurora<SystemClock>,
    _server: server::DataApi,
}

impl World {
    async fn new() -> Self {
        let shop = Shop::open(&[("kit", 99)]).await;
        let credentials = server::Credentials { user: "orderflow_app".to_owned(), password: "a".to_owned() };
        let options = server::DataApiOptions {
            port: 0,
            server: shop.database.server(),
            cluster_arn: CLUSTER.to_owned(),
            secrets: BTreeMap::from([(SECRET.to_owned(), credentials)]),
            secrets_manager: None,
            rtt: Duration::ZERO,
            limits: server::Limits::default(),
        };
        let server = server::start(options).await.unwrap();
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-central-1"))
            .endpoint_url(server.url())
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "AKIATEST", "key", None, None, "test",
            )))
            .http_client(data_api::http_client())
            .build();
        let (cluster_arn, secret_arn) = (CLUSTER.to_owned(), SECRET.to_owned());
        let target = Target { cluster_arn, secret_arn, database: shop.database.name().to_owned() };
        let door = DataApi::new(data_api::client(&config), target, SystemClock, Random::seeded(7));
        Self { shop, store: Aurora::new(door), _server: server }
    }

    /// Accepts an order of one kit.
    async fn sell(&self, order_id: &str) {
        let answers = self.store.accept(&[accept_order(order_id)], &[], soon()).await.unwrap();
        assert_eq!(answers[0].verdict, Verdict::Accepted);
    }

    async fn begin(&self, order_id: &str) -> Next {
        let begun = self.store.begin(&[begin_payment(order_id)], &[], soon()).await.unwrap();
        assert_eq!(begun.len(), 1);
        begun[0].next.clone()
    }

    async fn record(&self, order_id: &str, step: Step) -> Moved {
        let made = Move { record_no: 0, order_id: id(order_id), attempt_no: 1, step };
        self.store.record(&[made], &[], soon()).await.unwrap().remove(0)
    }

    async fn set(&self, change: &str) {
        self.shop.owner.execute(change, &[]).await.unwrap();
    }
}

/// More than any call takes, on a busy machine too.
fn soon() -> Deadline {
    Deadline::after(&SystemClock, Duration::from_secs(30))
}

fn id(order_id: &str) -> OrderId {
    order_id.parse().unwrap()
}

fn charge(payment_id: &str) -> ProviderRef {
    payment_id.parse().unwrap()
}

fn begin_payment(order_id: &str) -> BeginPayment {
    BeginPayment { record_no: 5, order_id: id(order_id), attempt_no: 1 }
}

fn accept_order(order_id: &str) -> AcceptOrder {
    let data = json!({
        "orderId": order_id, "customerId": "c_8f2", "currency": "EUR", "placedAt": "2026-11-23T10:15:00Z",
        "items": [{"sku": "kit", "quantity": 1, "unitPriceMinor": PRICE}], "adjustments": [],
        "totalMinor": PRICE, "payment": {"customerRef": "cus_x", "methodRef": "pm_x"},
    });
    let body = json!({"specversion": "1.0", "id": "evt_1", "source": "shop", "type": "order.placed.v1",
                      "time": "2026-11-23T10:15:00Z", "data": data});
    let EventData::OrderPlaced(placed) = event::parse(&body.to_string()).unwrap().data else {
        panic!("{body}")
    };
    AcceptOrder::new(0, &placed, Some(TRACE.to_owned()))
}

#[tokio::test]
async fn an_order_is_accepted_authorized_captured_and_told_of() {
    let world = World::new().await;
    world.sell("o").await;
    let asked = [begin_payment("o"), BeginPayment { record_no: 6, ..begin_payment("nobody") }];
    let mut begun = world.store.begin(&asked, &["o:order.accepted.v1:1".to_owned()], soon()).await.unwrap();
    begun.sort_by_key(|begun| begun.record_no);
    assert_eq!((&begun[0].next, begun[0].attempt_no, begun[0].order_id.as_str()), (&Next::Authorize, 1, "o"));
    assert_eq!(
        (&begun[1].next, &begun[1].frozen, begun[1].order_id.as_str()),
        (&Next::Missing, &None, "nobody")
    );
    let frozen = begun[0].frozen.clone().unwrap();
    assert_eq!((frozen.amount_minor, frozen.currency), (PRICE, Currency::parse("EUR").unwrap()));
    assert_eq!(
        (frozen.customer_ref.as_str(), frozen.method_ref.as_str(), frozen.params_hash.len()),
        ("cus_x", "pm_x", 64)
    );

    let held = world.record("o", Step::Authorized { payment_id: charge("pi_1") }).await;
    assert_eq!(
        (held.changed, held.payment_status, held.next),
        (true, PaymentStatus::Capturing, Next::Capture(charge("pi_1")))
    );
    let taken = world.record("o", Step::Captured { payment_id: charge("pi_1") }).await;
    assert_eq!(
        (taken.order_status, taken.payment_status, taken.next),
        (OrderStatus::Confirmed, PaymentStatus::Captured, Next::Nothing)
    );
    let event = taken.event.unwrap();
    assert_eq!(
        (event.id.as_str(), event.event_type.as_str()),
        ("o:order.confirmed.v1:2", "order.confirmed.v1")
    );
    assert!(event.created_ms > 1_700_000_000_000);

    let unsent = world.store.unsent_events(9, Duration::ZERO, soon()).await.unwrap();
    assert_eq!(unsent, std::slice::from_ref(&event), "what begin was handed is marked");
    world.store.mark_sent(&[event.id], soon()).await.unwrap();
    assert_eq!(world.store.unsent_events(9, Duration::ZERO, soon()).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_parked_is_due_again_and_counted_until_then() {
    let world = World::new().await;
    world.sell("o").await;
    assert_eq!(world.begin("o").await, Next::Authorize);
    let parked = world.record("o", Step::Parked { wait: Duration::from_secs(60), why: "breaker_open" }).await;
    assert_eq!((parked.changed, parked.next), (true, Next::Nothing));
    let due = world.store.take_due(9, soon()).await.unwrap();
    assert_eq!((due.requests, due.waiting), (vec![], 1));
    world.record("o", Step::Parked { wait: Duration::ZERO, why: "breaker_open" }).await;
    let due = world.store.take_due(9, soon()).await.unwrap();
    assert_eq!((due.requests, due.waiting), (vec![DuePayment { order_id: id("o"), attempt_no: 1 }], 0));
    world.set("UPDATE switches SET enabled = false").await;
    assert_eq!(world.begin("o").await, Next::Stopped);
}

#[tokio::test]
async fn a_doubt_is_taken_given_up_and_swept() {
    let world = World::new().await;
    for order_id in ["a", "b"] {
        world.sell(order_id).await;
        world.begin(order_id).await;
        world.record(order_id, Step::Unknown { why: "saved_failure" }).await;
    }
    world
        .set(
            "UPDATE payments SET unknown_at = now() - interval '2 h', first_sent_at = now() - interval '3 h'",
        )
        .await;
    let mut doubts = world.store.take_unknown(9, soon()).await.unwrap();
    doubts.sort_by(|a, b| a.order_id.cmp(&b.order_id));
    assert_eq!(doubts.len(), 2);
    assert_eq!((doubts[0].unknown_for.as_secs() / 60, doubts[0].frozen.key_age.as_secs() / 60), (120, 180));
    assert!(doubts[0].first_sent_s > 1_700_000_000);
    let again = world.store.give_up(&[(id("a"), 1)], GiveUp::NextAttempt, soon()).await.unwrap();
    assert_eq!(
        (again[0].payment_status, again[0].order_status),
        (PaymentStatus::Failed, OrderStatus::Accepted)
    );
    let over = world.store.give_up(&[(id("b"), 1)], GiveUp::Fail, soon()).await.unwrap();
    assert_eq!(over[0].event.as_ref().map(|event| event.id.as_str()), Some("b:order.rejected.v1:2"));
    let mut sweeps = world.store.take_sweeps(9, Duration::from_secs(60), soon()).await.unwrap();
    sweeps.sort_by(|a, b| a.order_id.cmp(&b.order_id));
    assert_eq!(
        sweeps.iter().map(|sweep| (sweep.order_id.as_str(), sweep.customer_ref.as_str())).collect::<Vec<_>>(),
        [("a", "cus_x"), ("b", "cus_x")]
    );
    assert_eq!(world.store.expire(9, Duration::from_secs(3_600), soon()).await.unwrap(), []);
    let expired = world.store.expire(9, Duration::ZERO, soon()).await.unwrap();
    assert_eq!(
        expired.iter().map(|moved| (moved.order_id.as_str(), moved.attempt_no)).collect::<Vec<_>>(),
        [("a", 2)]
    );
    assert_eq!(world.shop.wrong_stock().await, 0);
}

#[tokio::test]
async fn an_order_keeps_the_trace_that_it_came_with() {
    let world = World::new().await;
    world.sell("traced").await;
    let untraced = AcceptOrder { traceparent: None, ..accept_order("untraced") };
    let answers = world.store.accept(&[untraced], &[], soon()).await.unwrap();
    assert_eq!(answers[0].verdict, Verdict::Accepted);
    let again = AcceptOrder { traceparent: Some(TRACE.replace('1', "2")), ..accept_order("traced") };
    let answers = world.store.accept(&[again], &[], soon()).await.unwrap();
    assert_eq!(answers[0].verdict, Verdict::Known);
    let ids = ["traced", "untraced", "nobody"].map(id);
    let traces = world.store.traces(&ids.each_ref(), soon()).await.unwrap();
    assert_eq!(traces, BTreeMap::from([(id("traced"), TRACE.to_owned())]));
}

#[tokio::test]
async fn no_order_is_refused_for_its_trace() {
    let world = World::new().await;
    let unusable = [
        TRACE.to_uppercase(),
        TRACE.replacen("00", "ff", 1),
        TRACE.replace("b7ad6b7169203331", "0000000000000000"),
        TRACE.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32)),
        format!("{TRACE}-01"),
        "4242 4242 4242 4242".to_owned(),
    ];
    for (at, trace) in unusable.into_iter().enumerate() {
        let order_id = format!("o{at}");
        let order = AcceptOrder { traceparent: Some(trace), ..accept_order(&order_id) };
        assert_eq!(world.store.accept(&[order], &[], soon()).await.unwrap()[0].verdict, Verdict::Accepted);
        assert_eq!(world.store.traces(&[&id(&order_id)], soon()).await.unwrap(), BTreeMap::new());
    }
}

#[tokio::test]
async fn differences_and_the_moment_of_comparing_are_read() {
    let world = World::new().await;
    world.sell("o").await;
    let seen = |order_id: &str, held, captured_minor| SeenCharge {
        payment_id: charge("pi_1"),
        order_id: id(order_id),
        attempt_no: 1,
        held,
        captured_minor,
        currency: Currency::parse("EUR").ok(),
    };
    let charges = [seen("o", true, 0), seen("o", false, 5), seen("nobody", true, 0)];
    let mut differences = world.store.compare(&charges, soon()).await.unwrap();
    differences.sort_by(|a, b| a.order_id.cmp(&b.order_id));
    let difference = |order_id, payment_status, what: &str| Difference {
        payment_id: Some(charge("pi_1")),
        order_id: id(order_id),
        attempt_no: 1,
        payment_status,
        what: what.to_owned(),
    };
    let expected = [
        difference("nobody", None, "no_such_row"),
        difference("o", Some(PaymentStatus::Requested), "captured_not_recorded"),
    ];
    assert_eq!(differences, expected);
    assert_eq!(world.store.compared_until(soon()).await.unwrap(), None);
    for (until_s, expected) in
        [(1_700_000_060, 1_700_000_060), (1_700_000_000, 1_700_000_060), (u64::MAX, 253_402_300_799)]
    {
        world.store.set_compared_until(until_s, soon()).await.unwrap();
        assert_eq!(world.store.compared_until(soon()).await.unwrap(), Some(expected));
    }
}

#[tokio::test]
async fn nothing_to_say_costs_no_call() {
    let world = World::new().await;
    let too_late = Deadline::after(&SystemClock, Duration::ZERO);
    assert_eq!(world.store.accept(&[], &[], too_late).await.unwrap(), []);
    assert_eq!(world.store.begin(&[], &[], too_late).await.unwrap(), []);
    assert_eq!(world.store.record(&[], &[], too_late).await.unwrap(), []);
    assert_eq!(world.store.give_up(&[], GiveUp::Fail, too_late).await.unwrap(), []);
    assert_eq!(world.store.compare(&[], too_late).await.unwrap(), []);
    world.store.mark_sent(&[], too_late).await.unwrap();
    assert!(world.store.record(&[], &["x".to_owned()], too_late).await.is_err(), "ids are worth one");
}

#[tokio::test]
async fn changes_of_the_catalog_are_applied_and_answered() {
    let world = World::new().await;
    let kit = |version, price_minor| Change::Product {
        sku: "kit".parse().unwrap(),
        name: "A kit".to_owned(),
        price_minor,
        currency: Currency::parse("EUR").unwrap(),
        active: false,
        version,
        image_key: None,
    };
    let adjusted = |event_id: &str, delta| Change::Stock {
        event_id: event_id.parse().unwrap(),
        sku: "kit".parse().unwrap(),
        delta,
    };
    let changes = [kit(2, 900), kit(0, 1), kit(2, 901), adjusted("e1", -100), adjusted("e1", -100)];
    let changes = changes.into_iter().zip(4..).map(|(change, record_no)| CatalogChange { record_no, change });
    let batch: Vec<CatalogChange> = changes.collect();
    let mut answers = world.store.refresh(&batch, soon()).await.unwrap();
    answers.sort_by_key(|answer| answer.record_no);
    let view = ProductView {
        price_minor: 900,
        currency: Currency::parse("EUR").unwrap(),
        active: false,
        version: 2,
    };
    let of_product = |record_no, refreshing| Refreshed {
        record_no,
        refreshing,
        product: Some(("kit".parse().unwrap(), view.clone())),
        owed: 0,
    };
    let of_stock = |record_no, refreshing| Refreshed { record_no, refreshing, product: None, owed: 1 };
    assert_eq!(
        answers,
        [
            of_product(4, Refreshing::Applied),
            of_product(5, Refreshing::Superseded),
            of_product(6, Refreshing::IdReused),
            of_stock(7, Refreshing::Applied),
            of_stock(8, Refreshing::Known),
        ]
    );
    assert_eq!(world.store.refresh(&[], soon()).await.unwrap(), []);
}
