//! Keys: one for each request on every attempt, and none that is too old.

use std::time::Duration;

use payments::{Authorize, KEY_LIFE, Later, Outcome, Request};

use crate::server::{Reply, Server};
use crate::{authorize, capture, door, id, intent, ok, send, send_all, short};

fn aged(key_age: Duration) -> Request {
    let Request::Authorize(authorize) = authorize() else { unreachable!() };
    Request::Authorize(Authorize { key_age, ..authorize })
}

#[tokio::test]
async fn every_attempt_has_the_same_key_and_the_same_bytes() {
    for fault in [Reply::Close, Reply::Half, Reply::Hang, Reply::json(503, ""), Reply::code(409, "x")] {
        let server = Server::start([fault.clone(), fault, ok(intent("requires_capture"))]);
        let door = door(&server).with_timeouts(short());
        assert_eq!(send(&door, authorize()).await, Outcome::Authorized { payment_id: id("pi_1") });
        assert_eq!(server.keys(), ["of:test:ord_1:auth:1"; 3]);
        let bodies: Vec<String> = server.arrived().into_iter().map(|arrived| arrived.body).collect();
        assert!(bodies.iter().all(|body| *body == bodies[0]));
    }
}

#[tokio::test]
async fn a_key_that_is_too_old_is_never_sent_and_asks_for_no_permit() {
    let server = Server::start([ok(intent("requires_capture"))]);
    let door = door(&server);
    let too_old = Outcome::Later { why: Later::KeyTooOld, not_before: None };
    for age in [KEY_LIFE, KEY_LIFE + Duration::from_secs(1), Duration::MAX] {
        assert_eq!(send(&door, aged(age)).await, too_old);
    }
    assert!(server.arrived().is_empty() && door.gate().heard().asked.is_empty());
    let outcomes = send_all(&door, &[aged(KEY_LIFE), aged(KEY_LIFE - Duration::from_secs(60))]).await;
    assert_eq!(outcomes, [too_old, Outcome::Authorized { payment_id: id("pi_1") }]);
    assert_eq!(door.gate().heard().asked[0].1, 1, "a permit only for what is sent");
}

#[tokio::test]
async fn a_key_that_becomes_too_old_between_attempts_is_not_sent_again() {
    let server = Server::start([Reply::code(409, "x"), ok(intent("requires_capture"))]);
    // The pause before the second attempt is 500 ms at least.
    let outcome = send(&door(&server), aged(KEY_LIFE - Duration::from_millis(400))).await;
    assert_eq!(outcome, Outcome::Later { why: Later::InFlight, not_before: None });
    assert_eq!(server.arrived().len(), 1);
}

#[tokio::test]
async fn a_replayed_answer_counts_as_one() {
    let server = Server::start([Reply::with(200, "idempotent-replayed: true", &intent("succeeded"))]);
    let door = door(&server);
    assert_eq!(send(&door, capture()).await, Outcome::Captured { payment_id: id("pi_1") });
    assert_eq!(door.take_counts().replays, 1);
}
