//! The wire: HTTP/1.1 connections of the sandbox's own, so that they can be reset, cut and ignored.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use base64::Engine as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::Interest,
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use super::{
    Server, control,
    endpoints::Operation,
    faults::FaultKind,
    flow::{self, Call, Outcome, Reply},
    form::Form,
    line::{Ended, Line, Text},
    problem::Problem,
};
use crate::clock;

/// Where the levers are.
const CONTROL: &str = "/_sandbox";
/// The most that a request's body may hold; a request of ours holds less than 1 KiB.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// How long to leave a process alone that is out of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);
/// The most of a request that is looked at without reading it.
const PEEK_BYTES: usize = 512;
/// How often a connection in a black hole is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// The version of the API that this is.
const API_VERSION: &str = "2025-09-30.clover";

/// Accepts connections until it is aborted, which closes them too.
pub(super) async fn accept(server: Arc<Server>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => drop(connections.spawn(connection(Arc::clone(&server), stream))),
                Err(error) => {
                    tracing::warn!(%error, "a connection to the payment sandbox could not be accepted");
                    clock::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(server: Arc<Server>, stream: TcpStream) {
    // Answers are small and waited for. A socket that refuses the option is slower, not wrong.
    stream.set_nodelay(true).ok();
    if server.lock().faults.swallows_all() && !is_for_us(&server, &stream).await {
        return ignore(&server, &stream).await;
    }
    let (line, reset) = Line::new(stream);
    let service = service_fn(|request| serve(Arc::clone(&server), Arc::clone(&reset), request));
    let served =
        http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(line), service);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a connection to the payment sandbox ended early");
    }
}

/// Looks at a request without reading it: the levers work also while everything else is swallowed. Counts the call
/// if it is one that will be.
async fn is_for_us(server: &Server, stream: &TcpStream) -> bool {
    let mut head = [0; PEEK_BYTES];
    loop {
        let Ok(seen) = stream.peek(&mut head).await else { return false };
        let head = head.get(..seen).unwrap_or_default();
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        if seen == 0 || line.len() < head.len() || seen == PEEK_BYTES {
            let line = String::from_utf8_lossy(line);
            let mut words = line.split(' ');
            let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let path = target.split('?').next().unwrap_or_default();
            if let Some(operation) = Operation::at(method, path) {
                let mut state = server.lock();
                state.tally.answered(operation.endpoint(), 0);
                state.tally.hit(FaultKind::Blackhole);
            }
            return path.starts_with(CONTROL);
        }
        clock::sleep(Duration::from_millis(1)).await;
    }
}

/// Reads nothing until the client has gone or the black hole has.
async fn ignore(server: &Server, stream: &TcpStream) {
    loop {
        let ready = stream.ready(Interest::READABLE).await;
        if ready.map_or(true, |ready| ready.is_read_closed()) || !server.lock().faults.swallows_all() {
            return;
        }
        clock::sleep(LOOK_EVERY).await;
    }
}

async fn serve(
    server: Arc<Server>,
    reset: Arc<AtomicBool>,
    request: Request<Incoming>,
) -> Result<Response<Text>, Ended> {
    if request.uri().path().starts_with(CONTROL) {
        return Ok(answer_control(&server, request).await);
    }
    match answer(&server, request).await {
        Outcome::Whole(reply) => {
            let body = Text::whole(reply.body.clone());
            Ok(respond(&reply, body))
        }
        Outcome::Half(reply) => Ok(respond(&reply, Text::half(&reply.body))),
        Outcome::Reset => {
            reset.store(true, Ordering::Relaxed);
            Err(Ended)
        }
        Outcome::Never => std::future::pending().await,
    }
}

async fn answer(server: &Arc<Server>, request: Request<Incoming>) -> Outcome {
    let (method, path) = (request.method().as_str(), request.uri().path());
    let Some(operation) = Operation::at(method, path) else {
        return Outcome::Whole(server.lock().reply(&Problem::no_such_url(method, path)));
    };
    let key = header(&request, "idempotency-key").filter(|_| request.method() == Method::POST);
    let call = Call {
        operation,
        path: path.to_owned(),
        key: key.map(str::to_owned),
        arrived: clock::now(),
        arrived_ms: clock::now_ms(),
    };
    if let Err(problem) = authorize(header(&request, AUTHORIZATION.as_str())) {
        return Outcome::Whole(server.lock().refuse(&call, &problem));
    }
    let admitted = match flow::admit(server, &call) {
        Ok(admitted) => admitted,
        Err(reply) => return Outcome::Whole(reply),
    };
    if admitted.hit.is_some_and(|hit| hit.kind == FaultKind::Blackhole) {
        // The body stays unread.
        server.lock().unanswered(&call);
        return Outcome::Never;
    }
    let form = if request.method() == Method::GET {
        Form::parse(request.uri().query().unwrap_or_default().as_bytes())
    } else {
        match Limited::new(request.into_body(), BODY_BYTES_MAX).collect().await {
            Ok(body) => Form::parse(&body.to_bytes()),
            Err(_) => Err(Problem::malformed("The request's body could not be read.")),
        }
    };
    flow::proceed(server, call, form, admitted).await
}

async fn answer_control(server: &Server, request: Request<Incoming>) -> Response<Text> {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => Bytes::new(),
    };
    let path = head.uri.path().strip_prefix(CONTROL).unwrap_or_default();
    let (status, json) = control::answer(server, head.method.as_str(), path, &body);
    let mut response = Response::new(Text::whole(Bytes::from(json)));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Any secret test key is good: there is one account.
fn authorize(header: Option<&str>) -> Result<(), Problem> {
    let Some(header) = header else {
        let message = "You did not provide an API key. You need to provide your API key in the Authorization header, \
                       using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').";
        return Err(Problem::unauthorized(message));
    };
    let basic = |encoded: &str| base64::engine::general_purpose::STANDARD.decode(encoded).ok();
    let key = match header.split_once(' ') {
        Some(("Bearer", key)) => Some(key.to_owned()),
        // As user name, without a password.
        Some(("Basic", encoded)) => basic(encoded)
            .and_then(|user| String::from_utf8(user).ok())
            .map(|user| user.trim_end_matches(':').to_owned()),
        _ => None,
    };
    let is_good = |key: &String| {
        let rest = key.strip_prefix("sk_test_").or_else(|| key.strip_prefix("rk_test_"));
        rest.is_some_and(|rest| !rest.is_empty())
    };
    match key.filter(is_good) {
        Some(_) => Ok(()),
        None => Err(Problem::unauthorized("Invalid API Key provided.")),
    }
}

fn header<'a>(request: &'a Request<Incoming>, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

fn respond(reply: &Reply, body: Text) -> Response<Text> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("stripe-version", HeaderValue::from_static(API_VERSION));
    let mut add = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    add("request-id", &reply.request_id);
    if let Some(key) = &reply.key {
        add("idempotency-key", key);
        add("original-request", reply.replays.as_ref().unwrap_or(&reply.request_id));
    }
    if reply.replays.is_some() {
        add("idempotent-replayed", "true");
    }
    if let Some(should_retry) = reply.should_retry {
        add("stripe-should-retry", if should_retry { "true" } else { "false" });
    }
    if let Some(reason) = reply.limited {
        add("stripe-rate-limited-reason", reason.as_str());
    }
    response
}
