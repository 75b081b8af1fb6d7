//! The HTTP side of the queues: one task a connection, calls counted by caller.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper::{Request, body::Incoming, service::Service as _};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustack_sqs_core::{handler::RustackSqsHandler, provider::RustackSqs};
use rustack_sqs_http::service::{SqsHttpConfig, SqsHttpService};
use tokio::net::{TcpListener, TcpStream};

use crate::{caller, clock};

/// How long to leave a process alone that is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Calls by caller and operation.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls(Arc<Mutex<BTreeMap<String, BTreeMap<String, u64>>>>);

impl Calls {
    pub(super) fn by_caller(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, request: &Request<Incoming>) {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let caller = caller::of(header("authorization"));
        let target = header("x-amz-target").unwrap_or_default();
        let operation = target.strip_prefix("AmazonSQS.").unwrap_or("unknown").to_owned();
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(caller).or_default().entry(operation).or_default() += 1;
    }
}

/// Serves until the process ends; a connection that breaks is its client's affair.
pub(super) fn serve(listener: TcpListener, provider: Arc<RustackSqs>, region: String, calls: Calls) {
    let config = SqsHttpConfig { skip_signature_validation: true, region, credential_provider: None };
    let service = SqsHttpService::new(Arc::new(RustackSqsHandler::new(provider)), config);
    tokio::spawn(async move {
        loop {
            // An accept fails when descriptors run out; the next one may succeed.
            let Ok((stream, _)) = listener.accept().await else {
                clock::sleep(ACCEPT_PAUSE).await;
                continue;
            };
            tokio::spawn(serve_connection(stream, service.clone(), calls.clone()));
        }
    });
}

async fn serve_connection(stream: TcpStream, service: SqsHttpService<RustackSqsHandler>, calls: Calls) {
    // Without this, a small answer waits for the client's delayed acknowledgement: 40 ms.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let counted = hyper::service::service_fn(move |request| {
        calls.count(&request);
        service.call(request)
    });
    let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
    if let Err(error) = server.serve_connection(TokioIo::new(stream), counted).await {
        tracing::debug!(error, "an SQS connection ended early");
    }
}
