//! Faults on the wire: what each becomes, how often a call is made, and when it ends.

use std::net::TcpListener;
use std::time::Duration;

use backoff::{Clock, Deadline, SystemClock};
use data_api::{Decision, Fault, Ran, SqlError, SqlState, Statement};

use crate::server::{Reply, Server};
use crate::{AMPLE, door, door_to, idempotent, once, soon};

/// Shorter than an attempt may take in production, so that a hanging test ends sooner.
const SHORT: Duration = Duration::from_millis(300);

fn exception(status: u16, code: &'static str) -> Reply {
    Reply::Exception(status, code, "words".to_owned())
}

/// Runs `statement` against a server that replies `reply` three times; returns fault and attempts.
async fn run(statement: Statement, reply: Reply) -> (Fault, usize) {
    let server = Server::start([reply.clone(), reply.clone(), reply]);
    let door = door(&server).with_attempt_timeout(SHORT);
    let error = door.execute(statement, soon()).await.unwrap_err();
    let attempts = server.requests().len();
    let counts = door.take_counts();
    assert_eq!(counts.calls, u64::try_from(attempts).unwrap());
    assert_eq!(counts.retries, counts.calls - 1);
    assert!(!format!("{error} {error:?}").contains("words"));
    (error.fault().unwrap().clone(), attempts)
}

/// What an idempotent statement's fault is, and how many attempts it is worth.
async fn check(reply: Reply, fault: Fault, attempts: usize) {
    assert_eq!(run(idempotent(), reply).await, (fault.clone(), attempts), "{fault:?}");
}

#[tokio::test]
async fn every_modelled_exception_is_told_by_its_code() {
    check(exception(403, "AccessDeniedException"), Fault::AccessDenied, 1).await;
    check(exception(400, "BadRequestException"), Fault::BadRequest, 1).await;
    check(exception(404, "DatabaseNotFoundException"), Fault::DatabaseNotFound, 1).await;
    check(exception(400, "DatabaseResumingException"), Fault::DatabaseResuming, 1).await;
    check(exception(504, "DatabaseUnavailableException"), Fault::DatabaseUnavailable, 2).await;
    check(exception(403, "ForbiddenException"), Fault::Forbidden, 1).await;
    check(exception(400, "HttpEndpointNotEnabledException"), Fault::HttpEndpointNotEnabled, 1).await;
    check(exception(500, "InternalServerErrorException"), Fault::InternalServerError, 2).await;
    check(exception(400, "InvalidResourceStateException"), Fault::InvalidResourceState, 1).await;
    check(exception(400, "InvalidSecretException"), Fault::InvalidSecret, 1).await;
    check(exception(404, "NotFoundException"), Fault::NotFound, 1).await;
    check(exception(400, "SecretsErrorException"), Fault::SecretsError, 1).await;
    check(exception(503, "ServiceUnavailableError"), Fault::ServiceUnavailable, 2).await;
    check(exception(400, "StatementTimeoutException"), Fault::StatementTimeout, 1).await;
    check(exception(404, "TransactionNotFoundException"), Fault::TransactionNotFound, 1).await;
    check(exception(400, "UnsupportedResultException"), Fault::UnsupportedResult, 1).await;
}

#[tokio::test]
async fn so_is_what_the_model_does_not_name() {
    let unmodelled = |code: &str, status| Fault::Unmodelled { code: code.to_owned(), status };
    check(exception(400, "ValidationException"), Fault::Validation, 1).await;
    check(exception(400, "ThrottlingException"), Fault::Throttling, 1).await;
    check(exception(403, "ExpiredTokenException"), unmodelled("ExpiredTokenException", 403), 1).await;
    check(Reply::Answer(502, "<html>words</html>".to_owned()), unmodelled("none", 502), 2).await;
    check(Reply::Answer(429, "{}".to_owned()), Fault::Throttling, 1).await;
}

#[tokio::test]
async fn database_errors_are_told_by_their_sqlstate() {
    for (state, attempts) in
        [("40P01", 2), ("40001", 2), ("08006", 2), ("55P03", 1), ("57014", 1), ("53300", 1), ("42P01", 1)]
    {
        let fault = Fault::Database(SqlError { state: SqlState::parse(state), constraint: None });
        check(Reply::sql("words", state), fault, attempts).await;
    }
    let no_state = exception(400, "DatabaseErrorException");
    check(no_state, Fault::Database(SqlError::default()), 1).await;
}

#[tokio::test]
async fn a_lost_reply_is_asked_for_again_only_where_twice_is_once() {
    assert_eq!(run(idempotent(), Reply::Drop).await, (Fault::Lost, 2));
    assert_eq!(run(once(), Reply::Drop).await, (Fault::Lost, 1));
    assert_eq!(run(idempotent(), Reply::Half).await, (Fault::Lost, 2));
    assert_eq!(run(once(), Reply::Half).await, (Fault::Lost, 1));
    assert_eq!(run(once(), exception(503, "ServiceUnavailableError")).await, (Fault::ServiceUnavailable, 1));
}

#[tokio::test]
async fn nothing_else_is_tried_twice_even_where_it_surely_did_not_run() {
    let deadlock = || Reply::sql("words", "40P01");
    assert_eq!(run(once(), deadlock()).await.1, 1);
    let begun = Reply::Answer(200, "{\"transactionId\":\"tx\"}".to_owned());
    // One transaction: begun, a statement that deadlocks, one whose reply is lost, a rollback whose reply is lost.
    let server = Server::start([begun, deadlock(), Reply::Drop, Reply::Drop]);
    let door = door(&server);
    let transaction = door.begin(soon()).await.unwrap();
    for _ in 0..2 {
        let error = door.execute_in(&transaction, idempotent(), soon()).await.unwrap_err();
        assert_eq!(error.decision(), Decision::Retry, "of the whole transaction");
    }
    assert_eq!(door.rollback(transaction, soon()).await.unwrap_err().ran(), Ran::Perhaps);
    assert_eq!((server.requests().len(), door.take_counts().retries), (4, 0));
}

#[tokio::test]
async fn a_second_attempt_that_passes_is_a_success() {
    let server = Server::start([Reply::Drop, Reply::changed(1)]);
    let door = door(&server);
    assert_eq!(door.execute(idempotent(), soon()).await.unwrap(), 1);
    let counts = door.take_counts();
    assert_eq!((counts.calls, counts.retries), (2, 1));
}

#[tokio::test]
async fn a_lost_commit_is_not_repeated_and_not_called_a_failure() {
    let begun = Reply::Answer(200, "{\"transactionId\":\"tx\"}".to_owned());
    let server =
        Server::start([begun.clone(), Reply::Drop, begun, exception(404, "TransactionNotFoundException")]);
    let door = door(&server);
    let lost = door.begin(soon()).await.unwrap();
    let error = door.commit(lost, soon()).await.unwrap_err();
    assert_eq!((error.decision(), error.ran()), (Decision::Reject, Ran::Perhaps));
    let ended = door.begin(soon()).await.unwrap();
    assert_eq!(door.commit(ended, soon()).await.unwrap_err().decision(), Decision::AlreadyDone);
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn an_answer_that_does_not_come_ends_with_the_attempts_time() {
    let (ran, took) = timed(run(once(), Reply::Hang)).await;
    assert_eq!(ran, (Fault::TimedOut, 1));
    assert!(took >= SHORT && took < SHORT * 10, "{took:?}");
    assert_eq!(run(idempotent(), Reply::Hang).await, (Fault::TimedOut, 2));
}

#[tokio::test]
async fn a_near_deadline_shortens_the_attempt_and_forbids_the_second() {
    let server = Server::start([Reply::Hang, Reply::changed(1)]);
    let door = door(&server).with_attempt_timeout(AMPLE);
    let call = async { door.execute(idempotent(), Deadline::after(&SystemClock, SHORT)).await.unwrap_err() };
    let (error, took) = timed(call).await;
    assert_eq!(error.fault(), Some(&Fault::TimedOut));
    assert!(took < SHORT * 10, "{took:?}");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn without_time_nothing_is_sent() {
    let server = Server::start([Reply::changed(1)]);
    let door = door(&server);
    for deadline in [Deadline { at_ms: 600_000 }, Deadline::after(&SystemClock, Duration::from_millis(50))] {
        let error = door.execute(idempotent(), deadline).await.unwrap_err();
        assert_eq!(error.fault(), Some(&Fault::OutOfTime));
        assert_eq!((error.decision(), error.ran()), (Decision::Retry, Ran::No));
    }
    assert_eq!((server.requests().len(), door.take_counts().calls), (0, 0));
}

#[tokio::test]
async fn where_nobody_listens_nothing_ran_and_one_more_attempt_is_made() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let door = door_to(&url);
    let error = door.execute(idempotent(), soon()).await.unwrap_err();
    assert_eq!(error.fault(), Some(&Fault::NotConnected));
    let calls = door.take_counts().calls;
    assert_eq!((error.decision(), error.ran(), calls), (Decision::Retry, Ran::No, 2));
}

/// What a future returns, and how long it took.
async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let started = SystemClock.monotonic();
    let output = future.await;
    (output, SystemClock.monotonic() - started)
}
