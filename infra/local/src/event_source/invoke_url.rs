//! Invoking another host of the function by its URL, such as `cargo lambda watch`.
//!
//! Where AWS answers 200 with `X-Amz-Function-Error`, `cargo lambda watch` answers 500; any status but 200
//! counts as a function error here. It enforces no timeout, so the caller does.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode, header::CONTENT_TYPE};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use super::worker::Invoked;

/// Connections to other hosts, kept open between invocations.
#[derive(Debug, Clone)]
pub(super) struct UrlClient(Client<HttpConnector, Full<Bytes>>);

impl UrlClient {
    pub(super) fn new() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self(Client::builder(TokioExecutor::new()).build(connector))
    }

    /// Posts the event. Whatever goes wrong is an invocation that failed, in words without content.
    pub(super) async fn invoke(&self, url: &str, event: Bytes) -> Invoked {
        let request = Request::post(url).header(CONTENT_TYPE, "application/json").body(Full::new(event));
        let request = match request {
            Ok(request) => request,
            Err(error) => return Invoked::Failed(format!("the invoke URL is no URL: {error}")),
        };
        let response = match self.0.request(request).await {
            Ok(response) => response,
            Err(error) => return Invoked::Failed(format!("nobody answers at the invoke URL: {error}")),
        };
        let status = response.status();
        let failed = response.headers().contains_key("x-amz-function-error");
        match response.into_body().collect().await {
            _ if status == StatusCode::TOO_MANY_REQUESTS => Invoked::Throttled,
            _ if status != StatusCode::OK => Invoked::Failed(format!("the invoke URL answered {status}")),
            _ if failed => Invoked::Failed("the function reported an error".to_owned()),
            Ok(body) => Invoked::Answered(body.to_bytes()),
            Err(error) => Invoked::Failed(format!("the answer of the invoke URL broke off: {error}")),
        }
    }
}
