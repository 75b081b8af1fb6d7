//! Lambda's Invoke API over HTTP, for the AWS command line, the SDKs and curl.
//!
//! `POST /2015-03-31/functions/{name}/invocations` with `X-Amz-Invocation-Type` `RequestResponse` (the
//! default), `Event` (answered at once; run once, where AWS would try a failed one twice more) or `DryRun`.
//! A function error is status 200 with `X-Amz-Function-Error`, as on AWS; errors of the API itself are JSON
//! with `x-amzn-errortype`.

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
    serve::ListenerExt as _,
};
use base64::Engine as _;
use bytes::Bytes;
use serde_json::json;
use tokio::net::TcpListener;

use super::{Answer, Host, Refusal, VERSION, runtime_api::PAYLOAD_BYTES_MAX};

/// An event without a body, as Lambda hands it to the function.
const EMPTY_EVENT: &[u8] = b"{}";

/// Serves the functions of `host` until the process ends.
pub fn serve(listener: TcpListener, host: Host) {
    let routes = Router::new()
        .route("/2015-03-31/functions/{name}/invocations", post(invoke))
        .layer(DefaultBodyLimit::max(PAYLOAD_BYTES_MAX))
        .with_state(host);
    let listener = listener.tap_io(|stream| {
        // A socket that refuses the option is slower, not wrong.
        drop(stream.set_nodelay(true));
    });
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::warn!(%error, "the Invoke API ended");
        }
    });
}

/// What the caller wants to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InvocationType {
    RequestResponse,
    Event,
    DryRun,
}

async fn invoke(
    State(host): State<Host>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let name = function_name(&name);
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(invocation_type) = invocation_type(header("x-amz-invocation-type")) else {
        return refuse(StatusCode::BAD_REQUEST, "InvalidParameterValueException", "unknown invocation type");
    };
    if !host.names().iter().any(|known| known == name) {
        return unknown(name);
    }
    let payload = if body.is_empty() { Bytes::from_static(EMPTY_EVENT) } else { body };
    if serde_json::from_slice::<serde::de::IgnoredAny>(&payload).is_err() {
        let message = "Could not parse request body into json";
        return refuse(StatusCode::BAD_REQUEST, "InvalidRequestContentException", message);
    }
    match invocation_type {
        InvocationType::DryRun => StatusCode::NO_CONTENT.into_response(),
        InvocationType::Event => {
            let name = name.to_owned();
            tokio::spawn(async move { host.invoke(&name, payload).await });
            StatusCode::ACCEPTED.into_response()
        }
        InvocationType::RequestResponse => match host.invoke(name, payload).await {
            Ok(answer) => answered(answer, header("x-amz-log-type") == Some("Tail")),
            Err(Refusal::Unknown) => unknown(name),
            Err(Refusal::Throttled) => throttled(),
        },
    }
}

fn answered(answer: Answer, with_log: bool) -> Response {
    let Answer { request_id, payload, failure, log_tail } = answer;
    let mut values = vec![
        ("x-amzn-requestid", request_id),
        ("x-amz-executed-version", VERSION.to_owned()),
        ("content-type", "application/json".to_owned()),
    ];
    if failure.is_some() {
        values.push(("x-amz-function-error", "Unhandled".to_owned()));
    }
    if with_log {
        values.push(("x-amz-log-result", base64::engine::general_purpose::STANDARD.encode(log_tail)));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in values {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    (headers, Body::from(payload)).into_response()
}

fn unknown(name: &str) -> Response {
    let message = format!("Function not found: {name}");
    refuse(StatusCode::NOT_FOUND, "ResourceNotFoundException", &message)
}

fn throttled() -> Response {
    let body =
        json!({ "Reason": "ConcurrentInvocationLimitExceeded", "Type": "User", "message": "Rate Exceeded." });
    let headers = [("x-amzn-errortype", "TooManyRequestsException")];
    (StatusCode::TOO_MANY_REQUESTS, headers, axum::Json(body)).into_response()
}

fn refuse(status: StatusCode, error_type: &'static str, message: &str) -> Response {
    (status, [("x-amzn-errortype", error_type)], axum::Json(json!({ "Type": "User", "Message": message })))
        .into_response()
}

fn invocation_type(header: Option<&str>) -> Option<InvocationType> {
    match header {
        None | Some("RequestResponse") => Some(InvocationType::RequestResponse),
        Some("Event") => Some(InvocationType::Event),
        Some("DryRun") => Some(InvocationType::DryRun),
        Some(_) => None,
    }
}

/// The function's name in a name, a partial ARN or an ARN, each with or without a version.
fn function_name(identifier: &str) -> &str {
    let behind = identifier.rsplit_once("function:").map_or(identifier, |(_, name)| name);
    behind.split(':').next().unwrap_or(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_name(identifier: &str) {
        assert_eq!(function_name(identifier), "process-orders");
    }

    #[test]
    fn a_function_is_found_by_all_its_names() {
        check_name("process-orders");
        check_name("process-orders:$LATEST");
        check_name("arn:aws:lambda:eu-central-1:000000000000:function:process-orders");
        check_name("arn:aws:lambda:eu-central-1:000000000000:function:process-orders:live");
        check_name("000000000000:function:process-orders");
    }

    #[test]
    fn the_invocation_type_is_one_of_three() {
        assert_eq!(invocation_type(None), Some(InvocationType::RequestResponse));
        assert_eq!(invocation_type(Some("Event")), Some(InvocationType::Event));
        assert_eq!(invocation_type(Some("DryRun")), Some(InvocationType::DryRun));
        assert_eq!(invocation_type(Some("event")), None);
    }
}
