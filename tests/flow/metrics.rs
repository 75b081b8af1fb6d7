//! What the functions' lines become in `/metrics`, after orders of every kind. That nothing is said which the catalogue does
//! not know is looked at when any shop of these tests closes.

use hyper::HeaderMap;
use telemetry::{Metric, catalogue};

use crate::refreshing::stock;
use crate::shop::{CURRY, Shop, order, ten_orders};

#[tokio::test]
async fn what_happened_to_orders_and_payments_is_said_once_and_by_every_metric_of_the_catalogue() {
    let shop = Shop::open().await;
    shop.let_everything_flow().await;
    let mut bodies = ten_orders("paid");
    bodies.extend([order("strange", "kit-none", 1), "no order".to_owned()]);
    shop.send(&bodies).await;
    shop.wait_for("ten confirmed orders", async |shop| shop.confirmed().await == 10).await;
    shop.wait_for("a message aside", async |shop| shop.quarantined().await.len() == 1).await;
    shop.refresh(&[stock("came", CURRY, 5)]).await;
    let page =
        harness::http::fetch("GET", &format!("{}/catalog", shop.catalog_url()), HeaderMap::new()).await;
    assert!(page.unwrap().status().is_success());
    shop.wait_for("the line of a run", async |shop| {
        shop.metric("payments_captured_not_confirmed", &["reconcile-orders"]).await.is_some()
    })
    .await;

    let expected = [
        (&catalogue::ORDERS_ACCEPTED, "process-orders", None, 10.0),
        (&catalogue::ORDERS_REJECTED, "process-orders", Some("unknown_sku"), 1.0),
        (&catalogue::QUARANTINED, "process-orders", Some("not_json"), 1.0),
        (&catalogue::CONSUMED, "process-orders", None, 12.0),
        (&catalogue::RETRIED, "process-orders", Some("no_answer"), 0.0),
        (&catalogue::PAYMENTS_MOVED, "settle-payments", Some("confirmed"), 10.0),
        (&catalogue::PAYMENT_ATTEMPTS, "settle-payments", Some("charge_held"), 10.0),
        (&catalogue::PAYMENT_ATTEMPTS, "settle-payments", Some("charge_captured"), 10.0),
        (&catalogue::CAPTURED_NOT_CONFIRMED, "reconcile-orders", None, 0.0),
        (&catalogue::CATALOG_CHANGES, "refresh-catalog", Some("applied"), 1.0),
        (&catalogue::HTTP_RESPONSES, "serve-catalog", Some("2xx"), 1.0),
        (&catalogue::QUEUE_VISIBLE, "orders", None, 0.0),
    ];
    for (metric, about, attribute, value) in expected {
        let labels: Vec<&str> = std::iter::once(about).chain(attribute).collect();
        let found = shop.metric(&metric.prometheus_name(), &labels).await;
        assert_eq!(found, Some(value), "{} of {labels:?}", metric.name);
    }
    let accepted = format!("{}_count", catalogue::ORDERS_ACCEPTED_DURATION.prometheus_name());
    assert_eq!(shop.metric(&accepted, &["process-orders"]).await, Some(10.0));
    let text = shop.metrics().await;
    let silent = |metric: &&Metric| !text.contains(&format!("# TYPE {} ", metric.prometheus_name()));
    assert_eq!(
        catalogue::METRICS.iter().filter(silent).map(|metric| metric.name).collect::<Vec<_>>(),
        [""; 0]
    );
    shop.close().await;
}

#[tokio::test]
async fn every_call_to_the_data_api_is_counted_and_timed() {
    let shop = Shop::open().await;
    shop.batch(&ten_orders("counted")).await;
    let counted = shop.stack.status().await.unwrap().data_api_calls("process-orders");
    let duration = format!("{}_count", catalogue::DATA_API_DURATION.prometheus_name());
    for name in [catalogue::DATA_API_CALLS.prometheus_name(), duration] {
        let found = shop.metric(&name, &["process-orders"]).await;
        assert_eq!(found, Some(f64::from(u32::try_from(counted).unwrap())), "{name}");
    }
    shop.close().await;
}
