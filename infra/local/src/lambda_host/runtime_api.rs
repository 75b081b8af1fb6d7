//! The Runtime API (2018-06-01) of one instance, on a loopback port of its own.
//!
//! One port an instance tells instances apart without a token in the path, and dies with the instance.

use std::sync::{Arc, Weak};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
    serve::ListenerExt as _,
};
use bytes::Bytes;
use serde_json::json;
use tokio::net::TcpListener;

use super::{
    function::Function,
    instance::{Delivery, Instance, Reply},
};
use crate::clock;

/// Lambda's limit for a synchronous answer.
pub(super) const PAYLOAD_BYTES_MAX: usize = 6 * 1024 * 1024;
/// What is read of a body: an answer that is too long has to be read before the runtime hears of it.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

#[derive(Debug, Clone)]
struct Endpoint {
    function: Weak<Function>,
    instance: Arc<Instance>,
}

/// Serves until the task is aborted.
pub(super) async fn serve(listener: TcpListener, function: Weak<Function>, instance: Arc<Instance>) {
    let routes = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{request_id}/response", post(response))
        .route("/2018-06-01/runtime/invocation/{request_id}/error", post(error))
        .route("/2018-06-01/runtime/init/error", post(init_error))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(Endpoint { function, instance });
    let listener = listener.tap_io(|stream| {
        // A socket that refuses the option is slower, not wrong.
        drop(stream.set_nodelay(true));
    });
    if let Err(error) = axum::serve(listener, routes).await {
        tracing::warn!(%error, "the Runtime API of an instance ended");
    }
}

/// Blocks until there is an event; that no answer comes tells the runtime to wait.
async fn next(State(endpoint): State<Endpoint>) -> Response {
    let Endpoint { function, instance } = endpoint;
    let Some(parked) = instance.park() else {
        let message = "the runtime asked for an event before answering the last one";
        return refuse(StatusCode::FORBIDDEN, "InvalidStateTransition", message);
    };
    if let Some(function) = function.upgrade() {
        function.ready(instance.id);
    }
    match parked.await {
        Ok(delivery) => event(delivery),
        Err(_) => refuse(StatusCode::GONE, "Runtime.Gone", "the host is shutting down"),
    }
}

fn event(delivery: Delivery) -> Response {
    let Delivery { request_id, payload, deadline_ms, function_arn } = delivery;
    let trace_id = format!(
        "Root=1-{:08x}-{:024x};Sampled=0",
        clock::now_ms() / 1_000,
        uuid::Uuid::new_v4().as_u128() >> 32
    );
    let mut headers = HeaderMap::new();
    let values = [
        ("lambda-runtime-aws-request-id", request_id),
        ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
        ("lambda-runtime-invoked-function-arn", function_arn),
        ("lambda-runtime-trace-id", trace_id),
        ("content-type", "application/json".to_owned()),
    ];
    for (name, value) in values {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    (headers, Body::from(payload)).into_response()
}

async fn response(State(endpoint): State<Endpoint>, Path(request_id): Path<String>, body: Bytes) -> Response {
    if body.len() > PAYLOAD_BYTES_MAX {
        endpoint.instance.reply(&request_id, Reply::TooLarge);
        let message = "the answer is longer than 6 MiB";
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", message);
    }
    reply(&endpoint, &request_id, Reply::Response(body))
}

async fn error(State(endpoint): State<Endpoint>, Path(request_id): Path<String>, body: Bytes) -> Response {
    reply(&endpoint, &request_id, Reply::Error(body))
}

/// The runtime exits after this by itself; the exit fails whoever waits for the instance.
async fn init_error(State(endpoint): State<Endpoint>, body: Bytes) -> Response {
    endpoint.instance.set_init_error(body);
    accepted()
}

fn reply(endpoint: &Endpoint, request_id: &str, reply: Reply) -> Response {
    if endpoint.instance.reply(request_id, reply) {
        accepted()
    } else {
        refuse(StatusCode::BAD_REQUEST, "InvalidRequestID", "the instance works on no such invocation")
    }
}

fn accepted() -> Response {
    (StatusCode::ACCEPTED, axum::Json(json!({ "status": "OK" }))).into_response()
}

fn refuse(status: StatusCode, error_type: &str, message: &str) -> Response {
    (status, axum::Json(json!({ "errorType": error_type, "errorMessage": message }))).into_response()
}
