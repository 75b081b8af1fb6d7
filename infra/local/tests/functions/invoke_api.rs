//! The Invoke API over HTTP, as the AWS SDKs speak it.

use base64::Engine as _;
use hyper::{HeaderMap, StatusCode};
use local_cloud::lambda_host::invoke_api;
use serde_json::{Value, json};

use crate::support::{Bench, PROBE, json_of, post, wait_for};

async fn serve(bench: &Bench) -> String {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/2015-03-31/functions", listener.local_addr().unwrap());
    invoke_api::serve(listener, bench.host.clone());
    url
}

async fn invoke(
    url: &str,
    name: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (StatusCode, HeaderMap, Vec<u8>) {
    let (status, headers, body) = post(&format!("{url}/{name}/invocations"), headers, body.to_owned()).await;
    (status, headers, body.to_vec())
}

#[track_caller]
fn check_error(answer: &(StatusCode, HeaderMap, Vec<u8>), status: u16, error_type: &str) {
    assert_eq!(answer.0.as_u16(), status);
    assert_eq!(answer.1["x-amzn-errortype"], error_type);
}

#[tokio::test]
async fn a_request_gets_the_functions_answer() {
    let bench = Bench::with_probe(|_| {}).await;
    let url = serve(&bench).await;
    let (status, headers, body) = invoke(&url, PROBE, &[], r#"{"do":"answer","raw":[1]}"#).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(json_of(&body), json!({"raw": [1]}));
    assert_eq!(headers["x-amz-executed-version"], "$LATEST");
    assert!(!headers.contains_key("x-amz-function-error"));
    let (status, ..) = invoke(&url, PROBE, &[], "").await;
    assert_eq!(status, StatusCode::OK, "no body is an empty event");
}

#[tokio::test]
async fn a_function_error_is_status_200_with_a_header() {
    let bench = Bench::with_probe(|_| {}).await;
    let url = serve(&bench).await;
    let (status, headers, body) = invoke(&url, PROBE, &[], r#"{"do":"exit"}"#).await;
    assert_eq!((status, &headers["x-amz-function-error"]), (StatusCode::OK, &"Unhandled".parse().unwrap()));
    assert_eq!(json_of(&body)["errorType"], "Runtime.ExitError");
}

#[tokio::test]
async fn events_are_answered_at_once_and_dry_runs_run_nothing() {
    let bench = Bench::with_probe(|_| {}).await;
    let url = serve(&bench).await;
    let (status, ..) = invoke(&url, PROBE, &[("x-amz-invocation-type", "DryRun")], "{}").await;
    assert_eq!((status.as_u16(), bench.figures().invocations), (204, 0));
    let (status, ..) = invoke(&url, PROBE, &[("x-amz-invocation-type", "Event")], "{}").await;
    assert_eq!(status.as_u16(), 202);
    wait_for("the event was handled", async || bench.figures().invocations == 1).await;
}

#[tokio::test]
async fn the_api_refuses_what_lambda_refuses() {
    let bench = Bench::with_probe(|spec| spec.cap = 1).await;
    let url = serve(&bench).await;
    check_error(&invoke(&url, "nobody", &[], "{}").await, 404, "ResourceNotFoundException");
    check_error(&invoke(&url, PROBE, &[], "{").await, 400, "InvalidRequestContentException");
    let odd = invoke(&url, PROBE, &[("x-amz-invocation-type", "Later")], "{}").await;
    check_error(&odd, 400, "InvalidParameterValueException");
    bench.host.set_faults(PROBE, |faults| faults.throttle = true).unwrap();
    check_error(&invoke(&url, PROBE, &[], "{}").await, 429, "TooManyRequestsException");
}

#[tokio::test]
async fn the_log_tail_is_handed_over_on_demand() {
    let bench = Bench::with_probe(|_| {}).await;
    let url = serve(&bench).await;
    let event = json!({"Records": [{"messageId": "a", "body": "{}"}]}).to_string();
    let tail = async || -> Option<Value> {
        let (_, headers, _) = invoke(&url, PROBE, &[("x-amz-log-type", "Tail")], &event).await;
        let encoded = headers.get("x-amz-log-result")?.as_bytes();
        let log = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
        serde_json::from_slice(log.split(|byte| *byte == b'\n').next()?).ok()
    };
    // A line may reach the host a moment after the answer, so the second invocation shows the first's.
    wait_for("the log tail", async || tail().await.is_some_and(|line| line["message"] == "record")).await;
}
