//! The wire: HTTP/1.1 requests in, answers out, between them the injected round trip and failures.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Response,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{
    DataApiOptions, Fault, FaultKind, Status,
    counts::Counts,
    exception::Exception,
    fault::Faults,
    operations,
    request::{Operation, Request},
    session::Sessions,
};
use crate::{caller, clock};

/// The most that a request may hold (AWS: 4 MiB, headers included).
const REQUEST_BYTES_MAX: usize = 4 * 1024 * 1024;
/// A larger body is read up to here, so that its sender gets to read the refusal.
const READ_BYTES_MAX: usize = 16 * REQUEST_BYTES_MAX;
/// How often transactions are looked at for their limits.
const REAP_EVERY: Duration = Duration::from_millis(250);

/// What the connections share.
#[derive(Debug)]
pub(super) struct Server {
    sessions: Arc<Sessions>,
    faults: Faults,
    counts: Counts,
    rtt_us: AtomicU64,
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("dropped on demand")]
struct Dropped;

impl Server {
    pub(super) fn new(sessions: Sessions, options: &DataApiOptions) -> Self {
        let server = Self {
            sessions: Arc::new(sessions),
            faults: Faults::default(),
            counts: Counts::default(),
            rtt_us: AtomicU64::new(0),
        };
        server.set_rtt(options.rtt);
        server
    }

    pub(super) fn set_rtt(&self, rtt: Duration) {
        self.rtt_us.store(u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn rtt(&self) -> Duration {
        Duration::from_micros(self.rtt_us.load(Ordering::Relaxed))
    }

    pub(super) fn inject(&self, faults: Vec<Fault>) {
        self.faults.replace(faults);
    }

    pub(super) fn status(&self) -> Status {
        Status {
            rtt_ms: clock::whole_ms(self.rtt()),
            in_flight: self.counts.in_flight(),
            open_transactions: self.sessions.open(),
            calls: self.counts.calls(),
            faults: self.faults.remaining(),
        }
    }
}

/// Accepts connections until it is aborted, which closes them too.
pub(super) async fn accept(server: Arc<Server>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(connection(Arc::clone(&server), stream))),
                // Too many open files, most likely: others will close theirs.
                Err(error) => {
                    tracing::warn!(%error, "a connection to the Data API could not be accepted");
                    clock::sleep(Duration::from_millis(10)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Ends transactions whose time is over, until it is aborted.
pub(super) async fn reap(server: Arc<Server>) {
    loop {
        clock::sleep(REAP_EVERY).await;
        server.sessions.expire();
    }
}

async fn connection(server: Arc<Server>, stream: TcpStream) {
    // Answers are small and waited for.
    stream.set_nodelay(true).ok();
    let service = service_fn(|request| serve(Arc::clone(&server), request));
    let served =
        http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(stream), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection to the Data API ended early");
    }
}

async fn serve(
    server: Arc<Server>,
    request: hyper::Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Dropped> {
    let Some(operation) = Operation::at(request.uri().path()) else {
        return Ok(respond(Err(Exception::unknown_operation("There is no such operation"))));
    };
    let authorization = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let _in_flight = server.counts.begin(caller::of(authorization), operation.name());
    let request = match read(request).await {
        Ok(request) => request,
        Err(exception) => return Ok(respond(Err(exception))),
    };

    let rtt = server.rtt();
    // Timers are exact to the millisecond: the half is rounded down, so that the sum stays near.
    let there = Duration::from_millis(clock::whole_ms(rtt / 2));
    pause(there).await;
    let fault = server.faults.take(request.sql.as_deref());
    let answer = match fault {
        Some(FaultKind::DropBefore) => return Err(Dropped),
        Some(FaultKind::Hang) => std::future::pending().await,
        Some(fault) if fault.exception().is_some() => {
            Err(fault.exception().unwrap_or_else(|| Exception::internal("")))
        }
        _ => operations::perform(&server.sessions, operation, request).await,
    };
    if fault == Some(FaultKind::DropAfterCommit) {
        return Err(Dropped);
    }
    pause(rtt.saturating_sub(there)).await;
    Ok(respond(answer))
}

async fn pause(duration: Duration) {
    if !duration.is_zero() {
        clock::sleep(duration).await;
    }
}

async fn read(request: hyper::Request<Incoming>) -> Result<Request, Exception> {
    let headers: usize =
        request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    let body = match Limited::new(request.into_body(), READ_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Err(Exception::too_large("The request could not be read, or exceeds 4 MiB")),
    };
    if body.len() + headers > REQUEST_BYTES_MAX {
        return Err(Exception::too_large("The request exceeds 4 MiB"));
    }
    // The message says where, never what: the body may hold anything.
    serde_json::from_slice(&body).map_err(|error| {
        Exception::serialization(format!(
            "The body is not valid JSON at line {} column {}",
            error.line(),
            error.column()
        ))
    })
}

fn respond(answer: Result<Vec<u8>, Exception>) -> Response<Full<Bytes>> {
    let (status, error_type, body) = match answer {
        Ok(body) => (200, None, body),
        Err(exception) => {
            let body = serde_json::json!({"message": exception.message}).to_string().into_bytes();
            (exception.status, Some(exception.name), body)
        }
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(name) = error_type {
        response.headers_mut().insert("x-amzn-errortype", HeaderValue::from_static(name));
    }
    if let Ok(id) = HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}
