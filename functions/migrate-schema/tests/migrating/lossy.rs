//! An HTTP client that loses one chosen call, on its way there or on its way back.

use std::sync::{Arc, Mutex};

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
    /// How many calls are let through before one is lost, and how that one is.
    plan: Arc<Mutex<Option<(usize, Loss)>>>,
}

impl Lossy {
    pub(crate) fn new(inner: SharedHttpClient) -> Self {
        Self { inner, plan: Arc::default() }
    }

    /// Loses one call, after `calls` others.
    pub(crate) fn lose(&self, calls: usize, loss: Loss) {
        *self.plan.lock().unwrap() = Some((calls, loss));
    }

    /// Whether that call was made.
    pub(crate) fn lost(&self) -> bool {
        self.plan.lock().unwrap().is_none()
    }

    /// Counts a call, and says how it is lost, if it is.
    fn count(&self) -> Option<Loss> {
        let mut plan = self.plan.lock().unwrap();
        match plan.take()? {
            (0, loss) => Some(loss),
            (calls, loss) => {
                *plan = Some((calls - 1, loss));
                None
            }
        }
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
        let Some(loss) = self.wire.count() else { return self.inner.call(request) };
        let answer = (loss == Loss::Answer).then(|| self.inner.call(request));
        HttpConnectorFuture::new(async move {
            if let Some(answer) = answer {
                answer.await?;
            }
            Err(ConnectorError::io("lost on purpose".into()))
        })
    }
}
