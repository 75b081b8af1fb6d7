//! What these tests share: a bench with queues and a host, the probe function, and a little HTTP.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use local_cloud::{
    children::Spawner,
    clock,
    lambda_host::{Answer, FunctionFigures, FunctionSpec, Host, Refusal, Surroundings},
    metrics::Metrics,
    settings::Settings,
    sqs::Sqs,
};
use serde_json::{Value, json};

/// The name of the probe on every bench.
pub(crate) const PROBE: &str = "probe";

/// A host and queues of their own, in a folder of their own.
pub(crate) struct Bench {
    pub(crate) host: Host,
    pub(crate) sqs: Sqs,
    pub(crate) log_dir: PathBuf,
}

impl Bench {
    /// With the queue `orders` (visibility 2 s, dead after 2 receives) and without functions.
    pub(crate) async fn start() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("functions-{}-{number}", std::process::id());
        let log_dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&log_dir).unwrap();
        let surroundings = Surroundings { region: "eu-central-1".to_owned(), endpoints: [].into() };
        let spawner = Spawner::new(env!("CARGO_BIN_EXE_local-cloud")).unwrap();
        let sqs = Sqs::start(&settings(), 0).await.unwrap();
        Self {
            host: Host::new(surroundings, spawner, log_dir.clone(), Arc::new(Metrics::new([]).unwrap())),
            sqs,
            log_dir,
        }
    }

    /// With the probe as well, changed by `change`.
    pub(crate) async fn with_probe(change: impl FnOnce(&mut FunctionSpec)) -> Self {
        let bench = Self::start().await;
        let mut spec = FunctionSpec::new(PROBE, probe());
        change(&mut spec);
        bench.host.register(spec).await.unwrap();
        bench
    }

    pub(crate) async fn invoke(&self, command: Value) -> Result<Answer, Refusal> {
        self.host.invoke(PROBE, Bytes::from(command.to_string())).await
    }

    /// Invokes a command that answers with the process id.
    pub(crate) async fn pid(&self) -> u64 {
        let answer = self.invoke(json!({"do": "ok"})).await.unwrap();
        assert_eq!(answer.failure, None, "{answer:?}");
        json_of(&answer.payload)["pid"].as_u64().unwrap()
    }

    pub(crate) fn figures(&self) -> FunctionFigures {
        self.host.figures().remove(PROBE).unwrap()
    }

    /// Sends a command as a message to the queue `orders`, over HTTP.
    pub(crate) async fn send(&self, command: Value) {
        let body = json!({
            "QueueUrl": self.sqs.queues()["orders"].url,
            "MessageBody": command.to_string(),
            "MessageAttributes": {"traceparent": {"DataType": "String", "StringValue": "00-1-2-01"}},
        });
        let headers =
            [("x-amz-target", "AmazonSQS.SendMessage"), ("content-type", "application/x-amz-json-1.0")];
        let (status, _, body) = post(&self.sqs.url(), &headers, body.to_string()).await;
        assert_eq!(status, StatusCode::OK, "{body:?}");
    }

    /// What the probe printed so far, one JSON object a line.
    pub(crate) fn log(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.log_dir.join(format!("{PROBE}.log"))).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A folder that stays is no failure.
        drop(std::fs::remove_dir_all(&self.log_dir));
    }
}

/// The probe function, which cargo builds with the tests.
pub(crate) fn probe() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples/probe_function");
    assert!(
        path.exists(),
        "{} is missing: build it: cargo build -p local-cloud --example probe_function",
        path.display()
    );
    path
}

pub(crate) fn settings() -> Settings {
    Settings::from_json(&settings_json(), "test").unwrap()
}

/// A settings file with the queue `orders` and without functions.
pub(crate) fn settings_json() -> Value {
    let number = |value: u64| json!({"value": value, "reason": "a test"});
    json!({
        "region": "eu-central-1",
        "functions": {},
        "queues": {
            "orders": {
                "visibility_timeout_s": number(2), "message_retention_s": number(60),
                "max_receive_count": number(2), "dead_letter_queue": "orders-dlq",
            },
            "orders-dlq": {"visibility_timeout_s": number(2), "message_retention_s": number(120)},
        },
        "database": {"name": "x", "statement_timeout_ms": number(1), "lock_timeout_ms": number(1)},
        "provider": {
            "rate_per_s": number(1_000), "global_rate_per_s": number(4_000), "burst": number(0),
            "used_percent": number(90), "settled_batch_ms": number(1_200), "attempt_timeout_ms": number(500), "look_up_timeout_ms": number(200),
            "connect_timeout_ms": number(100), "attempt_floor_ms": number(100), "reserve_ms": number(100),
        },
        "cdn": {
            "max_age_s": number(1), "shared_max_age_s": number(1), "stale_while_revalidate_s": number(1),
            "stale_if_error_s": number(1), "not_found_max_age_s": number(1),
        },
        "reconcile": {"unknown_quarantine_s": number(3), "compare_lag_s": number(2)},
        "local": {
            "data_api_rtt_ms": number(0), "function_instances": number(10),
            "provider_median_ms": number(0), "provider_sigma_percent": number(35),
        },
    })
}

/// Polls until `done`, for ten seconds at most; `what` is for the failure.
pub(crate) async fn wait_for(what: &str, done: impl AsyncFnMut() -> bool) {
    wait_for_seconds(10, what, done).await;
}

/// As [`wait_for`], with another limit.
pub(crate) async fn wait_for_seconds(limit_s: u64, what: &str, mut done: impl AsyncFnMut() -> bool) {
    for _ in 0..limit_s * 100 {
        if done().await {
            return;
        }
        clock::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within {limit_s} s: {what}");
}

pub(crate) async fn post(
    url: &str,
    headers: &[(&str, &str)],
    body: String,
) -> (StatusCode, HeaderMap, Bytes) {
    request(Method::POST, url, headers, body).await
}

pub(crate) async fn request(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: String,
) -> (StatusCode, HeaderMap, Bytes) {
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let (parts, body) = client.request(request).await.unwrap().into_parts();
    (parts.status, parts.headers, body.collect().await.unwrap().to_bytes())
}

#[track_caller]
pub(crate) fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap_or_else(|_| panic!("no JSON: {}", String::from_utf8_lossy(bytes)))
}

pub(crate) fn is_running(pid: u64) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z')))
}
