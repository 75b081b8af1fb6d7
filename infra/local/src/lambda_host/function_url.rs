//! A function's own HTTP address: requests become events of payload format 2.0, answers become responses.
//!
//! As a Lambda function URL with the response buffered: an answer with a `statusCode` is a response, any other JSON is
//! the body of a 200; a body in base64 is bytes. What fails inside the function is 502, one at its cap 429. Requests
//! are not signed: on AWS the URL asks for a signature, and only the CDN can give one.

use std::collections::BTreeMap;

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Query, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header, request::Parts},
    response::{IntoResponse, Response},
    serve::ListenerExt as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;

use super::{Host, Refusal, runtime_api::PAYLOAD_BYTES_MAX};
use crate::clock;

/// What stands in for the id that AWS gives a URL.
const URL_ID: &str = "local";
/// How an event says when it came, as Apache's log does.
const TIME_FORMAT: &str = "%d/%b/%Y:%H:%M:%S +0000";

/// Serves one function at the listener's address until the process ends.
pub fn serve(listener: TcpListener, host: Host, function: &str) {
    let routes = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::max(PAYLOAD_BYTES_MAX))
        .with_state((host, function.to_owned()));
    let listener = listener.tap_io(|stream| {
        // A socket that refuses the option is slower, not wrong.
        drop(stream.set_nodelay(true));
    });
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::warn!(%error, "a function URL ended");
        }
    });
}

async fn answer(State((host, function)): State<(Host, String)>, parts: Parts, body: Bytes) -> Response {
    let event = Bytes::from(event(&parts, &body).to_string());
    match host.invoke(&function, event).await {
        Ok(answer) if answer.failure.is_none() => response(&answer.payload).unwrap_or_else(failed),
        Ok(_) => failed(),
        Err(Refusal::Throttled) => refused(StatusCode::TOO_MANY_REQUESTS, "Rate Exceeded."),
        Err(Refusal::Unknown) => refused(StatusCode::FORBIDDEN, "Forbidden"),
    }
}

/// The event of a request. The path stays encoded as it came.
fn event(parts: &Parts, body: &Bytes) -> Value {
    let text =
        |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    let now_ms = clock::now_ms();
    let now =
        jiff::Timestamp::from_millisecond(i64::try_from(now_ms).unwrap_or_default()).unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers(&parts.headers),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": URL_ID,
            "domainName": text(header::HOST),
            "domainPrefix": URL_ID,
            "http": {
                "method": parts.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": text(header::USER_AGENT),
            },
            "requestId": Uuid::new_v4().to_string(),
            "routeKey": "$default",
            "stage": "$default",
            "time": now.strftime(TIME_FORMAT).to_string(),
            "timeEpoch": now_ms,
        },
        "isBase64Encoded": false,
    });
    if let Some(event) = event.as_object_mut() {
        event.extend(optional(parts, body));
    }
    event
}

/// What an event has only if the request has it: parameters, cookies, a body.
fn optional(parts: &Parts, body: &Bytes) -> Map<String, Value> {
    let text =
        |name: HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut fields = Map::new();
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    let parameters = parameters(&parts.uri);
    if !parameters.is_empty() {
        add("queryStringParameters", json!(parameters));
    }
    let cookies: Vec<&str> = text(header::COOKIE).split("; ").filter(|cookie| !cookie.is_empty()).collect();
    if !cookies.is_empty() {
        add("cookies", json!(cookies));
    }
    if !body.is_empty() {
        let as_text = std::str::from_utf8(body).ok().filter(|_| is_text(text(header::CONTENT_TYPE)));
        add("body", json!(as_text.map_or_else(|| STANDARD.encode(body), str::to_owned)));
        add("isBase64Encoded", json!(as_text.is_none()));
    }
    fields
}

/// Names in lower case; values of one name joined by commas. Cookies are apart.
fn headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != header::COOKIE) {
        let Ok(value) = value.to_str() else { continue };
        joined
            .entry(name.as_str().to_owned())
            .and_modify(|known| *known = format!("{known},{value}"))
            .or_insert_with(|| value.to_owned());
    }
    joined
}

/// Decoded; values of one name joined by commas.
fn parameters(uri: &Uri) -> BTreeMap<String, String> {
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(pairs)| pairs);
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pairs.unwrap_or_default() {
        joined.entry(name).and_modify(|known| *known = format!("{known},{value}")).or_insert(value);
    }
    joined
}

/// What arrives as it is; everything else in base64.
fn is_text(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence.starts_with("text/")
        || ["application/json", "application/javascript", "application/xml"].contains(&essence)
}

/// The function's answer in the form that it uses to name a status.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answered {
    status_code: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    cookies: Vec<String>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// The response that a payload stands for; nothing if it cannot be one.
fn response(payload: &Bytes) -> Option<Response> {
    let value: Value = serde_json::from_slice(payload).ok()?;
    if value.get("statusCode").is_none() {
        let body = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        return Some(([(header::CONTENT_TYPE, "application/json")], body).into_response());
    }
    let answered: Answered = serde_json::from_value(value).ok()?;
    let body = answered.body.unwrap_or_default();
    let body = if answered.is_base64_encoded { STANDARD.decode(body).ok()? } else { body.into_bytes() };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answered.status_code).ok()?;
    let to = response.headers_mut();
    for (name, value) in answered.headers {
        to.insert(HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?);
    }
    for cookie in answered.cookies {
        to.append(header::SET_COOKIE, HeaderValue::try_from(cookie).ok()?);
    }
    Some(response)
}

fn failed() -> Response {
    refused(StatusCode::BAD_GATEWAY, "Internal Server Error")
}

fn refused(status: StatusCode, message: &str) -> Response {
    (status, axum::Json(json!({ "Message": message }))).into_response()
}
