//! A client that sends JSON and shows answers as they are.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy, rt::TokioExecutor};
use serde_json::Value;

/// Sends requests signed in name only.
#[derive(Clone)]
pub(crate) struct Client {
    url: String,
    key_id: String,
    http: legacy::Client<legacy::connect::HttpConnector, Full<Bytes>>,
}

/// An answer that is an error; status 0 is no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) name: String,
    pub(crate) message: String,
}

impl Client {
    pub(crate) fn new(url: &str) -> Self {
        let http = legacy::Client::builder(TokioExecutor::new()).retry_canceled_requests(false).build_http();
        Self { url: url.to_owned(), key_id: "test".to_owned(), http }
    }

    /// The same client under another access key.
    pub(crate) fn signing_as(&self, key_id: String) -> Self {
        Self { key_id, ..self.clone() }
    }

    pub(crate) async fn post(&self, path: &str, request: &Value) -> Result<Value, Failure> {
        self.post_text(path, request.to_string()).await
    }

    pub(crate) async fn post_text(&self, path: &str, body: String) -> Result<Value, Failure> {
        let credential = format!("{}/20261123/eu-central-1/rds-data/aws4_request", self.key_id);
        let request = hyper::Request::post(format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .header("authorization", format!("AWS4-HMAC-SHA256 Credential={credential}, Signature=0"))
            .body(Full::from(body))
            .unwrap();
        let no_answer = |error: &dyn std::error::Error| Failure {
            status: 0,
            name: String::new(),
            message: error.to_string(),
        };
        let response = self.http.request(request).await.map_err(|error| no_answer(&error))?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| no_answer(&error))?.to_bytes();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        if head.status.is_success() {
            return Ok(answer);
        }
        let name = head.headers["x-amzn-errortype"].to_str().unwrap().to_owned();
        let message = answer["message"].as_str().unwrap().to_owned();
        Err(Failure { status: head.status.as_u16(), name, message })
    }
}
