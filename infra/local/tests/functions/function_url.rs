//! A function's own HTTP address, as a browser or the CDN speaks to it.

use hyper::{HeaderMap, Method, StatusCode};
use local_cloud::lambda_host::function_url;
use serde_json::{Value, json};

use crate::support::{Bench, PROBE, json_of, post, request};

async fn serve(bench: &Bench) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    function_url::serve(listener, bench.host.clone(), PROBE);
    url
}

/// Lets the function answer `raw`.
async fn answered(url: &str, raw: Value) -> (StatusCode, HeaderMap, Vec<u8>) {
    let command = json!({"do": "answer", "raw": raw}).to_string();
    let (status, headers, body) = post(url, &[("content-type", "application/json")], command).await;
    (status, headers, body.to_vec())
}

#[tokio::test]
async fn a_request_becomes_an_event_of_format_2() {
    let bench = Bench::with_probe(|_| {}).await;
    let url = serve(&bench).await;
    let headers = [("X-One", "1"), ("x-one", "2"), ("user-agent", "probe/1"), ("cookie", "a=b; c=d")];
    let path = "/catalog/kit%3A1?after=kit%3A2&x=1&x=2&empty";
    let (status, _, body) = request(Method::GET, &format!("{url}{path}"), &headers, String::new()).await;
    assert_eq!(status, StatusCode::OK);
    let event = json_of(&body);
    assert_eq!(event["version"], "2.0");
    assert_eq!(
        (&event["rawPath"], &event["rawQueryString"]),
        (&json!("/catalog/kit%3A1"), &json!("after=kit%3A2&x=1&x=2&empty"))
    );
    assert_eq!(event["queryStringParameters"], json!({"after": "kit:2", "x": "1,2", "empty": ""}));
    assert_eq!((&event["headers"]["x-one"], &event["cookies"]), (&json!("1,2"), &json!(["a=b", "c=d"])));
    assert_eq!(event["headers"].get("cookie"), None);
    let http = &event["requestContext"]["http"];
    let expected = json!({"method": "GET", "path": "/catalog/kit%3A1", "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1",
                          "userAgent": "probe/1"});
    assert_eq!(*http, expected);
    assert!(event["requestContext"]["timeEpoch"].as_u64().is_some_and(|ms| ms > 1_700_000_000_000));
    let time = event["requestContext"]["time"].as_str().unwrap();
    assert!(time.len() == 26 && time.ends_with(" +0000"), "{time}");
    assert_eq!((event.get("body"), &event["isBase64Encoded"]), (None, &json!(false)));
}

/// A body of this type arrives as text or in base64.
async fn check_body(content_type: &str, body: &str, expected: &str, base64: bool) {
    let bench = Bench::with_probe(|_| {}).await;
    let url = serve(&bench).await;
    let (_, _, answer) = post(&url, &[("content-type", content_type)], body.to_owned()).await;
    let event = json_of(&answer);
    assert_eq!(
        (&event["body"], &event["isBase64Encoded"]),
        (&json!(expected), &json!(base64)),
        "{content_type}"
    );
}

#[tokio::test]
async fn a_body_arrives_as_text_or_in_base64() {
    check_body("text/plain; charset=utf-8", "hé", "hé", false).await;
    check_body("application/json", "[1]", "[1]", false).await;
    check_body("application/octet-stream", "hé", "aMOp", true).await;
    check_body("application/x-www-form-urlencoded", "a=b", "YT1i", true).await;
}

#[tokio::test]
async fn an_answer_with_a_status_is_a_response() {
    let bench = Bench::with_probe(|_| {}).await;
    let url = serve(&bench).await;
    let raw = json!({"statusCode": 404, "headers": {"ETag": "\"x\"", "content-type": "text/html"}, "cookies": ["a=b", "c=d"],
                     "body": "aMOp", "isBase64Encoded": true});
    let (status, headers, body) = answered(&url, raw).await;
    assert_eq!(
        (status.as_u16(), headers["etag"].to_str().unwrap(), body.as_slice()),
        (404, "\"x\"", "hé".as_bytes())
    );
    assert_eq!(headers["content-type"], "text/html");
    let cookies: Vec<&str> =
        headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(cookies, ["a=b", "c=d"]);
    let (status, _, body) = answered(&url, json!({"statusCode": 304})).await;
    assert_eq!((status.as_u16(), body.len()), (304, 0));
}

#[tokio::test]
async fn any_other_answer_is_a_body_in_json() {
    let bench = Bench::with_probe(|_| {}).await;
    let url = serve(&bench).await;
    let (status, headers, body) = answered(&url, json!({"a": 1})).await;
    assert_eq!((status.as_u16(), json_of(&body)), (200, json!({"a": 1})));
    assert_eq!(headers["content-type"], "application/json");
    let (_, _, body) = answered(&url, json!("hello")).await;
    assert_eq!(body, b"hello");
}

#[tokio::test]
async fn what_fails_is_a_bad_gateway_and_a_full_function_says_so() {
    let bench = Bench::with_probe(|_| {}).await;
    let url = serve(&bench).await;
    for command in [r#"{"do":"error"}"#, r#"{"do":"exit"}"#, r#"{"do":"answer","raw":{"statusCode":"x"}}"#] {
        let (status, ..) = post(&url, &[("content-type", "application/json")], command.to_owned()).await;
        assert_eq!(status, StatusCode::BAD_GATEWAY, "{command}");
    }
    bench.host.set_faults(PROBE, |faults| faults.throttle = true).unwrap();
    let (status, _, body) = post(&url, &[], String::new()).await;
    assert_eq!((status.as_u16(), json_of(&body)), (429, json!({"Message": "Rate Exceeded."})));
}
