//! The payment sandbox at the wire: what a client sees, and what the ledger says of it.

mod cards;
mod faults;
mod idempotency;
mod ledger;
mod levers;
mod limits;
mod payments;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Method, Request};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use local_cloud::sandbox::{self, Latency, Limits, Sandbox, SandboxOptions};
use serde_json::Value;

/// A hold of 10 euros for the order `ord_1`.
pub(crate) const HOLD: &str = "amount=1000&currency=eur&confirm=true&capture_method=manual&customer=cus_1\
    &payment_method=pm_card_visa&metadata[order_id]=ord_1&metadata[attempt_no]=1";

/// A sandbox that takes no time, and a client of it.
pub(crate) struct Provider {
    sandbox: Sandbox,
    http: Client<HttpConnector, Full<Bytes>>,
}

/// What a client sees; status 0 is a connection that ended without a whole answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// A field of the body, `.`-separated; empty for null or nothing.
    pub(crate) fn text(&self, path: &str) -> &str {
        self.body.pointer(&format!("/{}", path.replace('.', "/"))).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn number(&self, path: &str) -> i64 {
        self.body.pointer(&format!("/{}", path.replace('.', "/"))).and_then(Value::as_i64).unwrap_or_default()
    }
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let limits = Limits { rate_per_s: 1_000, global_rate_per_s: 4_000, burst: 0 };
        let latency = Latency { median_ms: 0, sigma: 0.35 };
        let sandbox = sandbox::start(SandboxOptions { port: 0, limits, latency }).await.unwrap();
        let http = Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http();
        Self { sandbox, http }
    }

    /// Without `http://`.
    pub(crate) fn address(&self) -> String {
        self.sandbox.url().replace("http://", "")
    }

    pub(crate) async fn post(&self, path: &str, form: &str) -> Answer {
        self.call(Method::POST, path, &[], form).await
    }

    pub(crate) async fn post_with(&self, key: &str, path: &str, form: &str) -> Answer {
        self.call(Method::POST, path, &[("idempotency-key", key)], form).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, &[], "").await
    }

    /// Calls the API with a good key, unless `headers` brings another.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        form: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.sandbox.url()));
        if !headers.iter().any(|(name, _)| *name == "authorization") {
            request = request.header("authorization", "Bearer sk_test_local");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let lost = Answer { status: 0, headers: HeaderMap::new(), body: Value::Null };
        let sent = self.http.request(request.body(Full::from(form.to_owned())).unwrap()).await;
        let Ok(response) = sent else { return lost };
        let (head, body) = response.into_parts();
        let Ok(body) = body.collect().await else { return Answer { headers: head.headers, ..lost } };
        let body = serde_json::from_slice(&body.to_bytes()).unwrap();
        Answer { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// Pulls a lever that must work.
    pub(crate) async fn set(&self, lever: &str, body: Value) -> Value {
        let answer = self.call(Method::PUT, &format!("/_sandbox/{lever}"), &[], &body.to_string()).await;
        assert_eq!(answer.status, 200, "{lever} {body}: {answer:?}");
        answer.body
    }

    pub(crate) async fn figures(&self) -> Value {
        self.get("/_sandbox/figures").await.body
    }

    pub(crate) async fn ledger(&self) -> Value {
        self.get("/_sandbox/ledger").await.body
    }

    /// Places the hold and answers its id.
    pub(crate) async fn hold(&self) -> String {
        let held = self.post("/v1/payment_intents", HOLD).await;
        assert_eq!((held.status, held.text("status")), (200, "requires_capture"), "{held:?}");
        held.text("id").to_owned()
    }
}
