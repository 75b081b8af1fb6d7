//! The control API: what every part is doing, and levers to break it, as JSON over HTTP.
//!
//! | request | does |
//! |---|---|
//! | `GET /metrics` | metrics of functions, queues and instances, as Prometheus reads them |
//! | `GET /status` | figures of queues, functions, event sources, schedules, SQS, Data API and payment calls |
//! | `POST /functions` `{name, command: […], timeout_ms?, environment?, cap?, idle_ms?}` | hosts one more function |
//! | `PUT /functions/{name}` `{throttle?, cold_start_delay_ms?}` | faults of a function |
//! | `POST /functions/{name}/kill\|freeze\|thaw` | to a busy instance, else any; answers `{pid}` |
//! | `PUT /event-sources/{function}` `{enabled?, invoke_url?}` | polling on or off; another host, `null` for ours |
//! | `PUT /schedules/{function}` `{enabled}` | whether the clock invokes it |
//! | `POST /schedules/{function}/run` | runs it now; answers what it answers, 429 at its cap, 502 when it fails |
//! | `PUT /data-api` `{rtt_ms?, faults?: […]}` | round trip and failures to come |
//! | `POST /redis/kill\|start\|freeze\|thaw` | to the cache |
//! | `POST /shutdown` | ends the stack |
//!
//! An error is `{"error": "…"}`: 404 for what does not exist, 400 for what cannot be, 500 for what failed.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{Path, State},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use telemetry::catalogue;
use tokio::net::TcpListener;

use crate::{
    data_api::Fault,
    error::Error,
    event_source::Target,
    lambda_host::{FunctionSpec, Nudge},
    scheduler::Schedule,
    stack::Parts,
};

/// Serves until the process ends.
pub fn serve(listener: TcpListener, parts: Arc<Parts>) {
    let routes = Router::new()
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .route("/functions", post(register))
        .route("/functions/{name}", put(set_faults))
        .route("/functions/{name}/{nudge}", post(nudge))
        .route("/event-sources/{function}", put(set_event_source))
        .route("/schedules/{function}", put(set_schedule))
        .route("/schedules/{function}/run", post(run_schedule))
        .route("/data-api", put(set_data_api))
        .route("/redis/{action}", post(redis))
        .route("/shutdown", post(shutdown))
        .with_state(parts);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes).await {
            tracing::warn!(%error, "the control API ended");
        }
    });
}

type Answer = Result<Json<Value>, Problem>;

async fn status(State(parts): State<Arc<Parts>>) -> Answer {
    let mut queues = BTreeMap::new();
    for queue in parts.sqs.queues().keys() {
        queues.insert(queue.clone(), json!(parts.sqs.figures(queue).await?));
    }
    let mut sources = BTreeMap::new();
    for (function, source) in &parts.sources {
        let figures = source.figures().await;
        if let Some(Value::Object(queue)) = queues.get_mut(source.queue()) {
            queue.insert("oldest_age_ms".to_owned(), json!(figures.oldest_age_ms));
        }
        sources.insert(function.clone(), figures);
    }
    Ok(Json(json!({
        "queues": queues,
        "functions": parts.host.figures(),
        "event_sources": sources,
        "schedules": parts.schedules.iter().map(|(name, of)| (name, of.figures())).collect::<BTreeMap<_, _>>(),
        "sqs": { "calls": parts.sqs.calls() },
        "sandbox": parts.sandbox.figures(),
        "data_api": parts.data_api.status(),
        "redis": { "running": parts.redis.is_running().await },
        "metrics": { "refused_lines": parts.metrics.refused() },
    })))
}

/// What the platform knows is read now; what functions have said is there already.
async fn metrics(State(parts): State<Arc<Parts>>) -> Result<Response, Problem> {
    let metrics = &parts.metrics;
    for queue in parts.sqs.queues().keys() {
        let figures = parts.sqs.figures(queue).await?;
        metrics.set(&catalogue::QUEUE_VISIBLE, queue, float(figures.visible));
        metrics.set(&catalogue::QUEUE_IN_FLIGHT, queue, float(figures.in_flight));
        metrics.set(&catalogue::QUEUE_OLDEST_AGE, queue, 0.0);
    }
    for source in parts.sources.values() {
        let (queue, figures) = (source.queue(), source.figures().await);
        let oldest_age_ms = figures.oldest_age_ms.unwrap_or_default();
        metrics.set(&catalogue::QUEUE_OLDEST_AGE, queue, float(oldest_age_ms) / 1_000.0);
        metrics.set(&catalogue::QUEUE_DELETED, queue, float(figures.deleted));
    }
    for (function, figures) in parts.host.figures() {
        metrics.set(&catalogue::INSTANCES, &function, float(u64::try_from(figures.busy).unwrap_or(u64::MAX)));
        metrics.set(&catalogue::INVOCATIONS, &function, float(figures.invocations));
        metrics.set(&catalogue::ERRORS, &function, float(figures.errors));
        metrics.set(&catalogue::TIMEOUTS, &function, float(figures.timeouts));
        metrics.set(&catalogue::THROTTLES, &function, float(figures.throttles));
        metrics.set(&catalogue::MEMORY, &function, float(figures.memory_kb_max) * 1_024.0);
    }
    Ok(([(CONTENT_TYPE, prometheus::TEXT_FORMAT)], metrics.text()?).into_response())
}

/// Exact below 2^53, far more than anybody counts here.
#[expect(clippy::cast_precision_loss, reason = "no count comes near 2^53")]
const fn float(n: u64) -> f64 {
    n as f64
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewFunction {
    name: String,
    command: Vec<String>,
    timeout_ms: Option<u64>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    cap: Option<usize>,
    idle_ms: Option<u64>,
}

async fn register(State(parts): State<Arc<Parts>>, Json(new): Json<NewFunction>) -> Answer {
    let mut command = new.command.into_iter();
    let Some(program) = command.next() else {
        return Err(Problem::unusable("command must name a program"));
    };
    let known = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if new.name.is_empty() || new.name.len() > 64 || !new.name.chars().all(known) {
        return Err(Problem::unusable("name must be 1 to 64 letters, digits, - and _"));
    }
    let mut spec = FunctionSpec::new(new.name, program);
    spec.args = command.collect();
    spec.environment = new.environment;
    spec.cap = new.cap.unwrap_or(parts.function_instances);
    spec.timeout = new.timeout_ms.map_or(spec.timeout, Duration::from_millis);
    spec.idle_limit = new.idle_ms.map(Duration::from_millis);
    let name = spec.name.clone();
    parts.host.register(spec).await?;
    Ok(Json(json!({ "name": name })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewFaults {
    throttle: Option<bool>,
    cold_start_delay_ms: Option<u64>,
}

async fn set_faults(
    State(parts): State<Arc<Parts>>,
    Path(name): Path<String>,
    Json(new): Json<NewFaults>,
) -> Answer {
    parts.host.set_faults(&name, |faults| {
        faults.throttle = new.throttle.unwrap_or(faults.throttle);
        let delay = new.cold_start_delay_ms.map(Duration::from_millis);
        faults.cold_start_delay = delay.unwrap_or(faults.cold_start_delay);
    })?;
    Ok(Json(json!({})))
}

async fn nudge(State(parts): State<Arc<Parts>>, Path((name, nudge)): Path<(String, String)>) -> Answer {
    let nudge = match nudge.as_str() {
        "kill" => Nudge::Kill,
        "freeze" => Nudge::Freeze,
        "thaw" => Nudge::Thaw,
        _ => return Err(Problem::missing("a function can be sent kill, freeze or thaw")),
    };
    let pid = parts.host.nudge(&name, nudge)?;
    let pid = pid.ok_or_else(|| Problem::missing("the function has no instance; invoke it first"))?;
    Ok(Json(json!({ "pid": pid })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewEventSource {
    enabled: Option<bool>,
    /// Absent leaves it, null is our own host.
    #[serde(default, deserialize_with = "present")]
    invoke_url: Option<Option<String>>,
}

async fn set_event_source(
    State(parts): State<Arc<Parts>>,
    Path(function): Path<String>,
    Json(new): Json<NewEventSource>,
) -> Answer {
    let source = parts.sources.get(&function);
    let source = source.ok_or_else(|| Problem::missing("no queue invokes a function of this name"))?;
    if let Some(invoke_url) = new.invoke_url {
        source.set_target(invoke_url.map_or(Target::Host, Target::Url));
    }
    if let Some(enabled) = new.enabled {
        source.set_enabled(enabled);
    }
    Ok(Json(json!(source.figures().await)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewSchedule {
    enabled: bool,
}

async fn set_schedule(
    State(parts): State<Arc<Parts>>,
    Path(function): Path<String>,
    Json(new): Json<NewSchedule>,
) -> Answer {
    let schedule = scheduled(&parts, &function)?;
    schedule.set_enabled(new.enabled);
    Ok(Json(json!(schedule.figures())))
}

async fn run_schedule(State(parts): State<Arc<Parts>>, Path(function): Path<String>) -> Answer {
    let Ok(answer) = scheduled(&parts, &function)?.run().await else {
        let message = "the function is at its cap or throttled; try again".to_owned();
        return Err(Problem(StatusCode::TOO_MANY_REQUESTS, message));
    };
    let payload = serde_json::from_slice(&answer.payload).unwrap_or(Value::Null);
    match answer.failure {
        None => Ok(Json(payload)),
        Some(failure) => {
            Err(Problem(StatusCode::BAD_GATEWAY, format!("the function failed ({failure:?}): {payload}")))
        }
    }
}

fn scheduled<'a>(parts: &'a Parts, function: &str) -> Result<&'a Schedule, Problem> {
    let schedule = parts.schedules.get(function);
    schedule.ok_or_else(|| Problem::missing("the clock invokes no function of this name"))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewDataApi {
    rtt_ms: Option<u64>,
    faults: Option<Vec<Fault>>,
}

async fn set_data_api(State(parts): State<Arc<Parts>>, Json(new): Json<NewDataApi>) -> Answer {
    if let Some(rtt_ms) = new.rtt_ms {
        parts.data_api.set_rtt(Duration::from_millis(rtt_ms));
    }
    if let Some(faults) = new.faults {
        parts.data_api.inject(faults);
    }
    Ok(Json(json!(parts.data_api.status())))
}

async fn redis(State(parts): State<Arc<Parts>>, Path(action): Path<String>) -> Answer {
    match action.as_str() {
        "kill" => parts.redis.kill().await?,
        "start" => parts.redis.start().await?,
        "freeze" => parts.redis.freeze().await?,
        "thaw" => parts.redis.thaw().await?,
        _ => return Err(Problem::missing("Redis can be sent kill, start, freeze or thaw")),
    }
    Ok(Json(json!({ "running": parts.redis.is_running().await })))
}

async fn shutdown(State(parts): State<Arc<Parts>>) -> Answer {
    parts.shutdown.notify_one();
    Ok(Json(json!({})))
}

/// Tells a field that is null from one that is absent.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// What a caller hears instead of an answer.
#[derive(Debug)]
struct Problem(StatusCode, String);

impl Problem {
    fn missing(message: &str) -> Self {
        Self(StatusCode::NOT_FOUND, message.to_owned())
    }

    fn unusable(message: &str) -> Self {
        Self(StatusCode::BAD_REQUEST, message.to_owned())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::UnknownFunction { .. } => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: Option<Option<&str>>) {
        let new: NewEventSource = serde_json::from_str(body).unwrap();
        assert_eq!(new.invoke_url.as_ref().map(Option::as_deref), expected);
    }

    #[test]
    fn an_invoke_url_is_left_reset_or_set() {
        check("{}", None);
        check(r#"{"invoke_url":null}"#, Some(None));
        check(r#"{"invoke_url":"http://127.0.0.1:9000"}"#, Some(Some("http://127.0.0.1:9000")));
    }

    #[test]
    fn a_misspelt_lever_is_refused() {
        assert!(serde_json::from_str::<NewFaults>(r#"{"throtle":true}"#).is_err());
    }
}
