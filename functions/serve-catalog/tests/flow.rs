//! Requests in, answers out, over a listing that answers as told. What the function does with real servers, and what a
//! cache in front of it saves, is tested in `tests/flow` of the workspace.
#![cfg(test)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lambda_events::http::HeaderValue;
use aws_lambda_events::http::header::IF_NONE_MATCH;
use aws_lambda_events::lambda_function_urls::LambdaFunctionUrlRequest;
use backoff::{Deadline, ManualClock};
use catalog::{CatalogLister, Listed, ListedProduct, Listing, Source};
use order::{Currency, Sku};
use serde_json::{Value, json};
use serve_catalog::answer::{Answer, CacheTimes};
use serve_catalog::flow::respond;
use serve_catalog::report::{Line, Report};
use telemetry::Emf;

const TIMES: CacheTimes = CacheTimes {
    max_age: Duration::from_secs(1),
    shared_max_age: Duration::from_secs(2),
    stale_while_revalidate: Duration::from_secs(3),
    stale_if_error: Duration::from_secs(4),
    not_found_max_age: Duration::from_secs(5),
};

const CACHED: &str = "public, max-age=1, s-maxage=2, stale-while-revalidate=3, stale-if-error=4";

/// A catalog that lists these products, or nothing.
struct Window {
    listing: Option<Arc<Listing>>,
    asked: AtomicU64,
}

impl CatalogLister for Window {
    async fn list(&self, _: Deadline) -> Listed {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let (listing, source) = (self.listing.clone(), Source::Redis);
        Listed {
            listing,
            source,
            stale: true,
            age: Duration::from_secs(7),
            redis_calls: 1,
            data_api_calls: 2,
        }
    }
}

impl Window {
    fn of(products: Vec<ListedProduct>) -> Self {
        Self { listing: Some(Arc::new(Listing::new(0, products))), asked: AtomicU64::new(0) }
    }

    /// With `kit-a`, `kit-b` and `kit:c`.
    fn small() -> Self {
        Self::of(["kit-a", "kit-b", "kit:c"].map(|sku| product(sku, 1)).into())
    }

    async fn ask(&self, request: &LambdaFunctionUrlRequest) -> (Answer, Report) {
        let deadline = Deadline::after(&ManualClock::at_ms(1), Duration::from_secs(1));
        respond(self, TIMES, request, deadline).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&request("GET", path)).await.0
    }
}

fn product(sku: &str, version: i64) -> ListedProduct {
    ListedProduct {
        sku: Sku::parse(sku).unwrap(),
        name: format!("Kit {sku}"),
        price_minor: 2_490,
        currency: Currency::parse("EUR").unwrap(),
        image_key: Some(format!("{sku}.avif")),
        version,
    }
}

/// A function URL's event, as far as the function looks at it.
fn request(method: &str, path: &str) -> LambdaFunctionUrlRequest {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let query: Value = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(k, v)| (k.to_owned(), json!(v)))
        .collect();
    serde_json::from_value(json!({
        "version": "2.0", "rawPath": path, "queryStringParameters": query, "headers": {}, "isBase64Encoded": false,
        "requestContext": {"http": {"method": method, "path": path}, "timeEpoch": 1},
    }))
    .unwrap()
}

fn header(answer: &Answer, name: &str) -> Option<String> {
    answer.headers.iter().find(|(known, _)| known.as_str() == name).map(|(_, value)| value.clone())
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_str(answer.body.as_ref().unwrap()).unwrap()
}

fn skus(page: &Value) -> Vec<String> {
    page["products"].as_array().unwrap().iter().map(|p| p["sku"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_list_is_in_order_and_says_what_may_be_cached() {
    let answer = Window::small().get("/catalog").await;
    assert_eq!((answer.status, header(&answer, "cache-control").as_deref()), (200, Some(CACHED)));
    assert_eq!(header(&answer, "content-type").as_deref(), Some("application/json"));
    let page = json_of(&answer);
    assert_eq!(skus(&page), ["kit-a", "kit-b", "kit:c"]);
    let expected = json!({"sku": "kit-a", "name": "Kit kit-a", "priceMinor": 2490, "currency": "EUR",
                          "imageUrl": "/images/kit-a.avif", "version": 1});
    assert_eq!(page["products"][0], expected, "and nothing more: no stock");
    assert_eq!(page["next"], Value::Null);
}

#[tokio::test]
async fn pages_follow_each_other_until_all_is_shown() {
    let window = Window::of((0..450).map(|n| product(&format!("kit:{n:03}"), 1)).collect());
    let mut shown = Vec::new();
    let mut next = "/catalog".to_owned();
    for expected in [200, 200, 50] {
        let page = json_of(&window.get(&next).await);
        assert_eq!(skus(&page).len(), expected);
        shown.extend(skus(&page));
        next = page["next"].as_str().unwrap_or_default().to_owned();
    }
    assert_eq!((shown.len(), next.as_str()), (450, ""));
    assert!(shown.is_sorted());
    let exact = Window::of((0..200).map(|n| product(&format!("kit:{n:03}"), 1)).collect());
    assert_eq!(json_of(&exact.get("/catalog").await)["next"], Value::Null, "no empty page behind a full one");
}

#[tokio::test]
async fn one_product_is_shown_alone_encoded_or_not() {
    let window = Window::small();
    for path in ["/catalog/kit:c", "/catalog/kit%3Ac", "/catalog/kit:c?utm_source=x"] {
        let answer = window.get(path).await;
        assert_eq!((answer.status, &json_of(&answer)["sku"]), (200, &json!("kit:c")), "{path}");
    }
}

/// What is refused, or is not there, is answered with this status and may be cached like this.
async fn check(method: &str, path: &str, status: u16, cached: &str) -> Answer {
    let window = Window::small();
    let (answer, report) = window.ask(&request(method, path)).await;
    assert_eq!((answer.status, report.status), (status, status), "{method} {path}");
    assert_eq!(header(&answer, "cache-control").as_deref(), Some(cached), "{method} {path}");
    assert_eq!(header(&answer, "etag"), None);
    assert!(json_of(&answer)["error"].is_string());
    let asked = window.asked.load(Ordering::Relaxed);
    assert_eq!(asked, u64::from(status == 404 && path.starts_with("/catalog/kit")), "{method} {path}");
    answer
}

#[tokio::test]
async fn what_is_not_there_is_remembered_for_a_short_time() {
    check("GET", "/catalog/kit-none", 404, "public, max-age=5").await;
    for path in ["", "/", "/catalogue", "/catalog/", "/Catalog", "/images/x.avif"] {
        check("GET", path, 404, "public, max-age=5").await;
    }
}

#[tokio::test]
async fn what_can_be_no_sku_is_refused() {
    let long = format!("/catalog/{}", "x".repeat(65));
    for path in [
        long.as_str(),
        "/catalog/a/b",
        "/catalog/a%20b",
        "/catalog/%ff",
        "/catalog?after=a,b",
        "/catalog?after=",
    ] {
        check("GET", path, 400, "public, max-age=5").await;
    }
}

#[tokio::test]
async fn other_methods_are_refused_and_told_which_there_are() {
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "get", ""] {
        let answer = check(method, "/catalog", 405, "no-store").await;
        assert_eq!(header(&answer, "allow").as_deref(), Some("GET, HEAD"));
    }
}

#[tokio::test]
async fn whoever_has_the_page_is_told_so() {
    let window = Window::small();
    let tag = header(&window.get("/catalog").await, "etag").unwrap();
    let ask = async |known: &str| {
        let mut request = request("GET", "/catalog");
        request.headers.insert(IF_NONE_MATCH, HeaderValue::from_str(known).unwrap());
        window.ask(&request).await.0
    };
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let answer = ask(&known).await;
        assert_eq!((answer.status, answer.body.as_deref()), (304, None), "{known}");
        assert_eq!(header(&answer, "etag"), Some(tag.clone()));
        assert_eq!(
            header(&answer, "cache-control").as_deref(),
            Some(CACHED),
            "the cached page is fresh again"
        );
    }
    for known in ["\"other\"", "", tag.trim_matches('"')] {
        assert_eq!(ask(known).await.status, 200, "{known}");
    }
}

#[tokio::test]
async fn a_tag_changes_with_the_content_and_with_nothing_else() {
    let tag = async |products: Vec<ListedProduct>, path: &str| {
        header(&Window::of(products).get(path).await, "etag").unwrap()
    };
    let (a, b) = (product("kit-a", 1), product("kit-b", 1));
    let both = tag(vec![a.clone(), b.clone()], "/catalog").await;
    assert_eq!(tag(vec![b.clone(), a.clone()], "/catalog").await, both, "another order of reading");
    assert_ne!(tag(vec![a.clone(), product("kit-b", 2)], "/catalog").await, both);
    assert_eq!(
        tag(vec![a.clone(), product("kit-b", 2)], "/catalog/kit-a").await,
        tag(vec![a], "/catalog/kit-a").await,
        "the other product's change"
    );
    assert!(both.len() == 34 && both.starts_with('"') && both.ends_with('"'), "{both}");
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let window = Window::small();
    let (get, head) = (window.get("/catalog").await, window.ask(&request("HEAD", "/catalog")).await.0);
    assert_eq!((head.status, &head.headers, head.body), (200, &get.headers, None));
}

#[tokio::test]
async fn without_a_listing_nobody_is_told_to_remember_that() {
    let window = Window { listing: None, asked: AtomicU64::new(0) };
    for path in ["/catalog", "/catalog/kit-a"] {
        let answer = window.get(path).await;
        assert_eq!((answer.status, header(&answer, "cache-control").as_deref()), (503, Some("no-store")));
        assert_eq!(header(&answer, "retry-after").as_deref(), Some("5"));
    }
}

#[tokio::test]
async fn a_line_tells_counts_and_nothing_that_stood_in_the_request() {
    let (answer, report) = Window::small().ask(&request("GET", "/catalog/kit-none?canary=bird")).await;
    let line = Line {
        report,
        now_ms: 0,
        duration: Duration::from_millis(3),
        data_api: data_api::Counts { calls: 2, ..data_api::Counts::default() },
        cold_start: true,
    };
    let emf = Emf::from(&line);
    let expected = [
        "http.route",
        "http.status",
        "http.body_bytes",
        "listing.source",
        "listing.stale",
        "duration_ms",
        "cold_start",
        "faas.coldstarts",
        "faas.invoke_duration",
        "http.server.request.duration",
        "http.server.responses.4xx",
        "catalog.listings.redis",
        "catalog.listing.age",
        "data_api.calls",
        "redis.calls",
    ];
    assert_eq!(emf.names().collect::<Vec<_>>(), expected);
    assert!(answer.body.is_some() && !format!("{emf:?}").contains("canary"), "{emf:?}");
}

#[tokio::test]
async fn lambda_gets_the_answer_in_its_own_form() {
    let response = Window::small().get("/catalog").await.into_response();
    let sent = serde_json::to_value(response).unwrap();
    assert_eq!((&sent["statusCode"], &sent["isBase64Encoded"]), (&json!(200), &json!(false)));
    assert_eq!(sent["headers"]["cache-control"], CACHED);
    assert!(sent["body"].as_str().unwrap().starts_with("{\"products\":["));
}
