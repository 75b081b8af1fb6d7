//! Faults on the wire: what each becomes, how often it is sent, and what the gate hears.

use std::net::TcpListener;

use payments::{Denial, Endpoint, Later, Outcome, Request, Throttle, Unclear, Verdict};

use crate::gate::{Script, denied};
use crate::server::{Reply, Server};
use crate::{
    Door, authorize, cancel, capture, door, door_behind, id, intent, intent_with, ok, refund, send, short,
    stripe,
};

use Verdict::{Neutral, ProviderFault, Success};

fn later(why: Later) -> Outcome {
    Outcome::Later { why, not_before: None }
}

fn review(why: &'static str) -> Outcome {
    Outcome::Review { why, payment_id: None }
}

/// What a request becomes at a server that answers so three times, how often it is sent, and what the gate hears.
async fn run(request: Request, reply: Reply) -> (Outcome, usize, Verdict) {
    let endpoint = request.endpoint();
    let server = Server::start([reply.clone(), reply.clone(), reply]);
    let door = door(&server).with_timeouts(short());
    let outcome = send(&door, request).await;
    let reports = door.gate().reports(endpoint);
    assert!(reports.iter().all(|report| report.verdict == reports[0].verdict));
    assert_eq!(reports.len() - 1, door.gate().heard().retries, "a permit for each retry");
    assert!(!format!("{outcome:?}").contains("canary"));
    (outcome, reports.len(), reports[0].verdict)
}

async fn check(reply: Reply, expected: Outcome, attempts: usize, verdict: Verdict) {
    assert_eq!(run(authorize(), reply.clone()).await, (expected, attempts, verdict), "{reply:?}");
}

#[tokio::test]
async fn what_brings_no_usable_answer_is_sent_again_with_the_same_key_and_left_open() {
    for reply in [Reply::Close, Reply::Reset, Reply::Half, Reply::Garbage, Reply::Hang, Reply::Stall] {
        check(reply, later(Later::NoAnswer), 3, ProviderFault).await;
    }
    for body in ["", "{}", "{\"id\":\"pi_1\"", "[1]", "null", &"x".repeat(2 << 20), &intent("brand_new")] {
        check(Reply::json(200, body), later(Later::NoAnswer), 3, ProviderFault).await;
    }
    let too_long = intent_with("requires_capture", &format!("\"padding\":\"{}\"", "x".repeat(1 << 20)));
    check(Reply::json(200, &too_long), later(Later::NoAnswer), 3, ProviderFault).await;
    for status in [502, 503, 504, 520, 408] {
        check(Reply::json(status, "{}"), later(Later::NoAnswer), 3, ProviderFault).await;
    }
}

#[tokio::test]
async fn what_is_not_the_provider_is_not_asked_again_now() {
    let page = "<html>canary</html>".to_owned();
    check(Reply::with(302, "location: /login", ""), later(Later::NoAnswer), 1, ProviderFault).await;
    for status in [200, 400, 402, 403, 404] {
        let reply = Reply::Answer(status, "content-type: text/html\r\n".to_owned(), page.clone());
        check(reply, later(Later::NoAnswer), 1, ProviderFault).await;
    }
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let clock = crate::Watch::default();
    let random = backoff::Random::seeded(7);
    let door: Door = payments::Wrapper::new(Script::default(), stripe(&url, &clock), (clock, random), "test");
    assert_eq!(send(&door, authorize()).await, later(Later::NotConnected));
    assert_eq!(door.gate().reports(Endpoint::Authorize).len(), 3);
}

#[tokio::test]
async fn a_saved_failure_is_not_repeated_and_its_end_is_unknown() {
    let unknown = |why| Outcome::Unknown { why };
    check(Reply::json(500, "{}"), unknown(Unclear::SavedFailure), 1, ProviderFault).await;
    let replayed = Reply::with(500, "idempotent-replayed: true", "{}");
    check(replayed, unknown(Unclear::SavedFailure), 1, Neutral).await;
    for status in [500, 502, 503] {
        let told = Reply::with(status, "stripe-should-retry: false", "{}");
        check(told, unknown(Unclear::SavedFailure), 1, ProviderFault).await;
    }
    let told = Reply::with(500, "stripe-should-retry: true", "{}");
    check(told, unknown(Unclear::SavedFailure), 3, ProviderFault).await;
    check(Reply::code(424, "x"), unknown(Unclear::DependencyFailed), 1, ProviderFault).await;
}

#[tokio::test]
async fn a_refusal_of_the_request_needs_a_person() {
    check(Reply::code(400, "parameter_missing"), review("parameter_refused"), 1, Neutral).await;
    check(Reply::code(404, "resource_missing"), review("not_found"), 1, Neutral).await;
    check(Reply::code(415, "x"), review("refused"), 1, Neutral).await;
    check(Reply::code(400, "payment_intent_unexpected_state"), review("unexpected_state"), 1, Neutral).await;
    let reused = Reply::refusal(400, "\"type\":\"idempotency_error\"");
    check(reused, Outcome::Unknown { why: Unclear::KeyConflict }, 1, Neutral).await;
    check(Reply::code(401, "x"), later(Later::Unauthorized), 1, Neutral).await;
    check(Reply::code(403, "x"), later(Later::Unauthorized), 1, Neutral).await;
}

#[tokio::test]
async fn what_is_being_executed_is_waited_for() {
    check(Reply::code(409, "idempotency_key_in_use"), later(Later::InFlight), 3, Neutral).await;
    check(Reply::code(429, "lock_timeout"), later(Later::InFlight), 3, Neutral).await;
    let told = Reply::with(
        409,
        "stripe-should-retry: false",
        "{\"error\":{\"type\":\"invalid_request_error\",\"code\":\"x\"}}",
    );
    check(told, later(Later::InFlight), 1, Neutral).await;
}

#[tokio::test]
async fn a_throttled_request_was_not_executed_and_the_gate_hears_why() {
    for (reason, throttle) in [
        ("global-rate", Throttle::GlobalRate),
        ("endpoint-rate", Throttle::EndpointRate),
        ("global-concurrency", Throttle::GlobalConcurrency),
        ("endpoint-concurrency", Throttle::EndpointConcurrency),
        ("resource-specific", Throttle::ResourceSpecific),
        ("brand-new", Throttle::EndpointRate),
    ] {
        let reply = Reply::with(429, &format!("stripe-rate-limited-reason: {reason}"), "{}");
        check(reply, later(Later::Throttled), 3, Verdict::Throttled(throttle)).await;
    }
    check(
        Reply::code(429, "rate_limit"),
        later(Later::Throttled),
        3,
        Verdict::Throttled(Throttle::EndpointRate),
    )
    .await;
}

#[tokio::test]
async fn a_no_of_the_bank_is_final_and_no_fault() {
    let declined =
        |code: &str, soft| Outcome::Declined { code: code.to_owned(), soft, payment_id: Some(id("pi_1")) };
    let card = |fields: &str| {
        Reply::refusal(
            402,
            &format!("\"type\":\"card_error\",\"payment_intent\":{{\"id\":\"pi_1\"}},{fields}"),
        )
    };
    let plain = card("\"code\":\"card_declined\",\"decline_code\":\"insufficient_funds\"");
    check(plain, declined("insufficient_funds", false), 1, Success).await;
    check(card("\"code\":\"expired_card\""), declined("expired_card", false), 1, Success).await;
    check(card("\"code\":\"processing_error\""), declined("processing_error", true), 1, Success).await;
    let later = card("\"code\":\"card_declined\",\"decline_code\":\"x\",\"advice_code\":\"try_again_later\"");
    check(later, declined("x", true), 1, Success).await;
    let never = card("\"code\":\"processing_error\",\"advice_code\":\"do_not_try_again\"");
    check(never, declined("processing_error", false), 1, Success).await;
    check(card("\"code\":\"Anna's card\""), declined("unspecified", false), 1, Success).await;
    let customer = Outcome::AwaitsCustomer { payment_id: Some(id("pi_1")) };
    check(card("\"code\":\"authentication_required\""), customer.clone(), 1, Success).await;
    check(
        card("\"code\":\"card_declined\",\"decline_code\":\"authentication_required\""),
        customer,
        1,
        Success,
    )
    .await;
}

#[tokio::test]
async fn a_refusal_for_the_charges_state_is_settled_by_reading_the_charge() {
    for code in ["payment_intent_unexpected_state", "charge_already_captured", "charge_expired_for_capture"] {
        let captured = Outcome::Captured { payment_id: id("pi_1") };
        settled(capture(), Reply::code(400, code), Some("succeeded"), captured.clone()).await;
        settled(cancel(), Reply::code(400, code), Some("succeeded"), captured).await;
        let canceled = Outcome::Canceled { payment_id: id("pi_1") };
        settled(capture(), Reply::code(400, code), Some("canceled"), canceled.clone()).await;
        settled(cancel(), Reply::code(400, code), Some("canceled"), canceled).await;
        let still_held = Outcome::Review { why: "still_held", payment_id: Some(id("pi_1")) };
        settled(capture(), Reply::code(400, code), Some("requires_capture"), still_held).await;
        let gone = Outcome::Review { why: "not_found", payment_id: Some(id("pi_1")) };
        settled(cancel(), Reply::code(400, code), None, gone).await;
    }
    let error =
        "\"type\":\"x\",\"code\":\"payment_intent_unexpected_state\",\"payment_intent\":{\"id\":\"pi_1\"}";
    let held = Outcome::Authorized { payment_id: id("pi_1") };
    settled(authorize(), Reply::refusal(400, error), Some("requires_capture"), held).await;
    let refunded = run(refund(), Reply::code(400, "charge_already_refunded")).await.0;
    assert_eq!(refunded, Outcome::Refunded { refund_id: "r7".parse().unwrap() });
}

#[tokio::test]
async fn a_saved_failure_of_a_capture_is_settled_by_the_charge() {
    let captured = Outcome::Captured { payment_id: id("pi_1") };
    settled(capture(), Reply::json(500, "{}"), Some("succeeded"), captured).await;
    assert_eq!(run(refund(), Reply::json(500, "{}")).await.0.as_str(), "saved_failure");
}

#[tokio::test]
async fn a_saved_failure_that_left_the_hold_is_not_asked_about_for_a_day_but_sent_afresh() {
    let captured = Outcome::Captured { payment_id: id("pi_1") };
    let canceled = Outcome::Canceled { payment_id: id("pi_1") };
    for (request, status, expected) in [(capture(), "succeeded", captured), (cancel(), "canceled", canceled)]
    {
        let failed = Reply::json(500, "{}");
        let server = Server::start([failed, ok(intent("requires_capture")), ok(intent(status))]);
        assert_eq!(send(&door(&server), request).await, expected);
        let keys = server.keys();
        assert!(keys[2].starts_with(&format!("{}:", keys[0])), "{keys:?}");
    }
}

#[tokio::test]
async fn a_hold_whose_end_fails_again_or_may_not_be_sent_again_stays_unknown() {
    let unknown = Outcome::Unknown { why: Unclear::SavedFailure };
    let (failed, held) = (|| Reply::json(500, "{}"), || ok(intent("requires_capture")));
    let server = Server::start([failed(), held(), failed(), held()]);
    assert_eq!(send(&door(&server), capture()).await, unknown);
    assert_eq!(server.arrived().len(), 4, "once afresh, not for ever");
    let server = Server::start([failed(), held()]);
    let door = door_behind(Script::of(&[], &[denied(Denial::NoRetryBudget)]), &server);
    assert_eq!(send(&door, capture()).await, unknown);
}

/// Sends `request`, which is answered by `reply`, and the look-up that follows by a charge of this status.
async fn settled(request: Request, reply: Reply, status: Option<&str>, expected: Outcome) {
    let charge = status.map_or(Reply::code(404, "resource_missing"), |status| ok(intent(status)));
    let server = Server::start([reply, charge]);
    let door = door(&server);
    assert_eq!(send(&door, request).await, expected, "{status:?}");
    assert_eq!(server.arrived()[1].line, "GET /v1/payment_intents/pi_1 HTTP/1.1");
    assert_eq!(door.gate().heard().asked[1].0, Endpoint::LookUp);
    assert_eq!(door.gate().reports(Endpoint::LookUp).len(), 1);
}

#[tokio::test]
async fn a_look_up_that_fails_settles_nothing() {
    let server = Server::start([Reply::code(400, "payment_intent_unexpected_state")]);
    let gate = Script::of(&[crate::gate::GO, denied(Denial::BreakerOpen)], &[]);
    let outcome = send(&door_behind(gate, &server), capture()).await;
    assert_eq!(outcome, later(Later::NoAnswer), "the capture was sent, so it is not said to be unsent");
}

#[tokio::test]
async fn a_second_attempt_that_passes_is_a_success() {
    for fault in [Reply::Close, Reply::Reset, Reply::Half, Reply::json(503, "")] {
        let server = Server::start([fault, ok(intent("requires_capture"))]);
        let door = door(&server);
        assert_eq!(send(&door, authorize()).await, Outcome::Authorized { payment_id: id("pi_1") });
        let verdicts: Vec<_> = door.gate().reports(Endpoint::Authorize).iter().map(|r| r.verdict).collect();
        assert_eq!(verdicts, [ProviderFault, Success]);
        let counts = door.take_counts();
        assert_eq!((counts.attempts, counts.retries, counts.took.len()), (2, 1, 2));
        assert_eq!(counts.outcomes, [("authorized", 1)]);
        assert_eq!(door.take_counts(), payments::Counts::default());
    }
}

#[tokio::test]
async fn once_perhaps_executed_a_request_is_never_said_to_be_unsent() {
    let limited = || Reply::with(429, "stripe-rate-limited-reason: global-rate", "{}");
    for refused in [limited(), Reply::code(401, "x")] {
        let server = Server::start([Reply::Half, refused.clone(), refused]);
        let outcome = send(&door(&server), authorize()).await;
        assert_eq!(outcome, later(Later::NoAnswer));
    }
    // The gate's no to a retry takes nothing back either.
    for why in [Denial::BreakerOpen, Denial::RateLimited, Denial::NoRetryBudget] {
        let server = Server::start([Reply::Half]);
        let door = door_behind(Script::of(&[], &[denied(why)]), &server);
        assert_eq!(send(&door, authorize()).await, later(Later::NoAnswer));
        assert_eq!((server.arrived().len(), door.gate().heard().retries), (1, 1));
    }
}
