//! An HTTP client that loses one chosen call, on its way there or on its way back.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// The server never sees the call.
    Request,
    /// The server does its work, and nobody hears of it.
    Answer,
}

#[derive(Debug, Clone)]
pub(crate) struct Lossy {
    inner: SharedHttpClient,
    call: usize,
    loss: Loss,
    calls: Arc<AtomicUsize>,
}

impl Lossy {
    /// Loses call number `call`, counted from 0.
    pub(crate) fn new(inner: SharedHttpClient, call: usize, loss: Loss) -> Self {
        Self { inner, call, loss, calls: Arc::default() }
    }

    pub(crate) fn lost(&self) -> bool {
        self.calls.load(Ordering::Relaxed) > self.call
    }
}

impl HttpClient for Lossy {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Connector { inner, wire: self.clone() })
    }
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    wire: Lossy,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if self.wire.calls.fetch_add(1, Ordering::Relaxed) != self.wire.call {
            return self.inner.call(request);
        }
        let answer = (self.wire.loss == Loss::Answer).then(|| self.inner.call(request));
        HttpConnectorFuture::new(async move {
            if let Some(answer) = answer {
                answer.await?;
            }
            Err(ConnectorError::io("lost on purpose".into()))
        })
    }
}
