//! The wrapper on the wire, against a loopback server that speaks just enough of Stripe to misbehave on purpose, and
//! behind a gate that does what the test says.
#![cfg(test)]

mod charges;
mod clock;
mod deadlines;
mod faults;
mod gate;
mod keys;
mod logs;
mod look_ups;
mod permits;
mod requests;
mod server;
mod sockets;
mod twin;

use std::time::Duration;

use backoff::{Clock, Deadline, Random};
use futures_util::StreamExt;
use order::{Currency, ProviderRef};
use payments::{
    Authorize, Cancel, Capture, Outcome, Payment, Payments, Refund, Request, Stripe, StripeSettings,
    Timeouts, Wrapper,
};

use clock::Watch;
use gate::Script;
use server::{Reply, Server};

/// More than any test takes.
const AMPLE: Duration = Duration::from_secs(20);

/// A key that must never be shown.
const SECRET: &str = "sk_test_correct-horse";

/// The wrapper as production builds it, but for its gate.
type Door = Wrapper<Script, Stripe<Watch>, Watch>;

fn stripe(url: &str, clock: &Watch) -> Stripe<Watch> {
    Stripe::new(StripeSettings::parse(url, SECRET, "test").unwrap(), clock.clone()).unwrap()
}

fn door(server: &Server) -> Door {
    door_behind(Script::default(), server)
}

fn door_behind(gate: Script, server: &Server) -> Door {
    let clock = Watch::default();
    Wrapper::new(gate, stripe(&server.url, &clock), (clock, Random::seeded(7)), "test")
}

/// Timeouts that let a test of a hanging server end soon.
fn short() -> Timeouts {
    Timeouts {
        change: Duration::from_millis(300),
        look_up: Duration::from_millis(300),
        probe: Duration::from_millis(150),
        least: Duration::from_millis(100),
    }
}

fn soon() -> Deadline {
    Deadline::after(&Watch::default(), AMPLE)
}

/// Sends one request and waits for the end of the step.
async fn send(door: &Door, request: Request) -> Outcome {
    let mut outcomes = send_all(door, &[request]).await;
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0)
}

/// Outcomes in the order of the requests; every position exactly once.
async fn send_all(door: &Door, requests: &[Request]) -> Vec<Outcome> {
    let mut ended: Vec<_> = door.send(requests, soon()).collect().await;
    ended.sort_by_key(|(at, _)| *at);
    assert!(ended.iter().map(|(at, _)| *at).eq(0..requests.len()));
    ended.into_iter().map(|(_, outcome)| outcome).collect()
}

fn id(text: &str) -> ProviderRef {
    text.parse().unwrap()
}

fn eur() -> Currency {
    Currency::parse("EUR").unwrap()
}

fn payment() -> Payment {
    Payment { order_id: "ord_1".parse().unwrap(), attempt_no: 1 }
}

fn authorize() -> Request {
    Request::Authorize(Authorize {
        payment: payment(),
        amount_minor: 4_970,
        currency: eur(),
        customer_ref: id("cus_x"),
        method_ref: id("pm_card_visa"),
        key_age: Duration::ZERO,
    })
}

fn capture() -> Request {
    let payment_id = id("pi_1");
    Request::Capture(Capture { payment: payment(), payment_id, amount_minor: 4_970, currency: eur() })
}

fn cancel() -> Request {
    Request::Cancel(Cancel { payment: payment(), payment_id: id("pi_1") })
}

fn refund() -> Request {
    let refund_id = "r7".parse().unwrap();
    let payment_id = id("pi_1");
    Request::Refund(Refund { payment: payment(), payment_id, refund_id, amount_minor: 500, currency: eur() })
}

/// A charge as asked for by the requests above, with this status.
fn intent(status: &str) -> String {
    intent_with(status, "")
}

/// The same with more fields; later ones win.
fn intent_with(status: &str, more: &str) -> String {
    let captured = if status == "succeeded" { 4_970 } else { 0 };
    let base = serde_json::json!({
        "id": "pi_1", "object": "payment_intent", "status": status, "amount": 4_970, "amount_received": captured,
        "currency": "eur", "created": 1_790_000_000, "livemode": false, "client_secret": "pi_1_secret_canary",
        "metadata": {"order_id": "ord_1", "attempt_no": "1"}, "last_payment_error": null,
    });
    let mut base = base.as_object().unwrap().clone();
    let more: serde_json::Value = serde_json::from_str(&format!("{{{more}}}")).unwrap();
    base.extend(more.as_object().unwrap().clone());
    serde_json::Value::Object(base).to_string()
}

/// What a future returns, and how long it took.
async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let clock = Watch::default();
    let started = clock.monotonic();
    let output = future.await;
    (output, clock.monotonic() - started)
}

fn ok(body: String) -> Reply {
    Reply::json(200, &body)
}
