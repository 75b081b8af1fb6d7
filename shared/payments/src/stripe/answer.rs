//! The classifier: from status, headers and body to an [`Answer`]. Pure; reads whatever it is given, and in doubt says
//! that there was no usable answer.

use super::head::{Head, word};
use super::wire::{Failure, Intent, Page, Refund, Refusal};
use crate::{Answer, Found, Signal};

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// A charge, as a change has left it.
    Charge,
    /// A charge, as it stands.
    ReadCharge,
    /// A refund.
    Refund,
    /// A list of charges.
    Page,
}

/// What a whole answer means.
pub(super) fn answered(head: &Head, body: &[u8], expected: Expected) -> Answer {
    let answer = match head.status {
        200..=299 => success(head, body, expected),
        300..=399 => Answer::of(Signal::NotTheProvider),
        429 => refusal(body).map_or_else(|| Answer::of(throttled(head, None)), |r| refused(head, &r.error)),
        408 | 425 | 500.. => Answer::of(failed(head, expected)),
        // A refusal in other words than Stripe's is of something in between, and proves nothing.
        _ => refusal(body)
            .map_or_else(|| Answer::of(Signal::NotTheProvider), |refusal| refused(head, &refusal.error)),
    };
    with_head(head, answer)
}

/// What an answer means whose body is not whole, for the reason of `signal`. Where the status says enough, it counts.
pub(super) fn cut_off(head: &Head, signal: Signal, expected: Expected) -> Answer {
    let signal = match head.status {
        300..=399 => Signal::NotTheProvider,
        408 | 425 | 500.. => failed(head, expected),
        429 if head.limited.is_some() => throttled(head, None),
        _ => signal,
    };
    with_head(head, Answer::of(signal))
}

fn with_head(head: &Head, answer: Answer) -> Answer {
    Answer {
        should_retry: head.should_retry,
        retry_after: head.retry_after,
        replayed: head.replayed,
        request_id: head.request_id.clone(),
        ..answer
    }
}

fn success(head: &Head, body: &[u8], expected: Expected) -> Answer {
    let shown = match expected {
        Expected::Charge => charge(body),
        Expected::ReadCharge => serde_json::from_slice::<Intent<'_>>(body).ok().and_then(|intent| {
            let charge = intent.charge()?;
            Some(Answer {
                found: Found::Charge(charge.clone()),
                ..Answer::of(Signal::of_status(charge.status))
            })
        }),
        Expected::Refund => refund(body),
        Expected::Page => serde_json::from_slice::<Page<'_>>(body).ok().and_then(|page| {
            Some(Answer { found: Found::Page(page.page()?), ..Answer::of(Signal::PageRead) })
        }),
    };
    let otherwise = if head.json { Signal::BrokenAnswer } else { Signal::NotTheProvider };
    shown.unwrap_or(Answer::of(otherwise))
}

/// A charge after a change. One without a hold names the failure that left it so.
fn charge(body: &[u8]) -> Option<Answer> {
    let intent: Intent<'_> = serde_json::from_slice(body).ok()?;
    let charge = intent.charge()?;
    let (signal, reason) = match (Signal::of_status(charge.status), &intent.last_payment_error) {
        (Signal::ChargeNotHeld, Some(failure)) => (of_card(failure), reason(failure)),
        (signal, _) => (signal, None),
    };
    Some(Answer { reason, found: Found::Charge(charge), ..Answer::of(signal) })
}

fn refund(body: &[u8]) -> Option<Answer> {
    let refund: Refund<'_> = serde_json::from_slice(body).ok()?;
    let signal = match refund.status.as_ref() {
        "succeeded" => Signal::RefundSucceeded,
        "pending" => Signal::RefundPending,
        "failed" | "canceled" | "requires_action" => Signal::RefundFailed,
        _ => return None,
    };
    Some(Answer { found: Found::Refund(refund.made()?), ..Answer::of(signal) })
}

fn refusal(body: &[u8]) -> Option<Refusal<'_>> {
    serde_json::from_slice(body).ok()
}

/// What a refusal in Stripe's words means.
fn refused(head: &Head, failure: &Failure<'_>) -> Answer {
    let signal = match head.status {
        400 => of_request(failure),
        401 => Signal::Unauthorized,
        402 => of_card(failure),
        403 => Signal::Forbidden,
        404 => Signal::NotFound,
        409 => Signal::InFlight,
        424 => Signal::DependencyFailed,
        429 => throttled(head, failure.code.as_deref()),
        _ => Signal::Refused,
    };
    let found = failure.payment_intent.as_ref().map_or(Found::Nothing, |intent| Found::Id(intent.id.clone()));
    Answer { reason: reason(failure), found, ..Answer::of(signal) }
}

fn of_request(failure: &Failure<'_>) -> Signal {
    if failure.kind == "idempotency_error" {
        return Signal::KeyReused;
    }
    match failure.code.as_deref() {
        // The second is a hold whose time is over.
        Some("payment_intent_unexpected_state" | "charge_expired_for_capture") => Signal::UnexpectedState,
        Some("charge_already_captured" | "payment_intent_already_captured") => Signal::AlreadyCaptured,
        Some("charge_already_refunded") => Signal::AlreadyRefunded,
        Some("idempotency_key_in_use") => Signal::InFlight,
        _ => Signal::ParameterRefused,
    }
}

/// What a bank or a network says. Its advice weighs more than its code.
fn of_card(failure: &Failure<'_>) -> Signal {
    let says = |word: &str| {
        [&failure.code, &failure.decline_code].into_iter().any(|code| code.as_deref() == Some(word))
    };
    match failure.advice_code.as_deref() {
        Some("do_not_try_again") => Signal::DeclinedForGood,
        _ if says("authentication_required") => Signal::AuthenticationRequired,
        Some("try_again_later") => Signal::DeclinedSoft,
        _ if says("processing_error") || says("try_again_later") => Signal::DeclinedSoft,
        _ => Signal::Declined,
    }
}

/// The bank's word where there is one, else Stripe's.
fn reason(failure: &Failure<'_>) -> Option<String> {
    let code = failure.decline_code.as_deref().or(failure.code.as_deref())?;
    word(code).filter(|code| !code.contains('-'))
}

fn throttled(head: &Head, code: Option<&str>) -> Signal {
    match head.limited.as_deref() {
        Some("global-rate") => Signal::ThrottledGlobalRate,
        Some("endpoint-rate") => Signal::ThrottledEndpointRate,
        Some("global-concurrency") => Signal::ThrottledGlobalConcurrency,
        Some("endpoint-concurrency") => Signal::ThrottledEndpointConcurrency,
        Some("resource-specific") => Signal::ThrottledResource,
        Some(_) => Signal::ThrottledUnnamed,
        None if code == Some("lock_timeout") => Signal::Locked,
        None => Signal::ThrottledUnnamed,
    }
}

/// A failure of the server. Under the key of a change 500 is saved; what only reads has no key.
fn failed(head: &Head, expected: Expected) -> Signal {
    let changes = matches!(expected, Expected::Charge | Expected::Refund);
    match (head.status, head.should_retry) {
        (500.., Some(false)) if changes => Signal::FailedForGood,
        (500, _) if changes => Signal::ServerError,
        _ => Signal::GatewayFailed,
    }
}

#[cfg(test)]
mod tests {
    use super::{Expected, answered, cut_off};
    use crate::decision::{End, rule};
    use crate::stripe::head::Head;
    use crate::{Endpoint, Found, Signal};
    use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};
    use reqwest::StatusCode;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    const EXPECTED: [Expected; 4] =
        [Expected::Charge, Expected::ReadCharge, Expected::Refund, Expected::Page];

    const NAMES: [&str; 6] = [
        "content-type",
        "stripe-should-retry",
        "retry-after",
        "stripe-rate-limited-reason",
        "idempotent-replayed",
        "request-id",
    ];

    fn headers() -> impl Strategy<Value = HeaderMap> {
        let value = prop_oneof![
            any::<Vec<u8>>(),
            proptest::sample::select(
                &["true", "false", "3", "application/json", "global-rate", "99999999999999999999", "-1"][..]
            )
            .prop_map(|text| text.as_bytes().to_vec()),
        ];
        proptest::collection::vec((proptest::sample::select(&NAMES[..]), value), 0..8).prop_map(|headers| {
            let usable = headers.into_iter().filter_map(|(name, value)| {
                Some((HeaderName::from_static(name), HeaderValue::from_bytes(&value).ok()?))
            });
            usable.collect()
        })
    }

    /// Anything, JSON of our words in the wrong places, and the right thing cut off.
    fn bodies() -> impl Strategy<Value = Vec<u8>> {
        let intent = "{\"id\":\"pi_1\",\"object\":\"payment_intent\",\"status\":\"requires_capture\",\"amount\":1,\
             \"currency\":\"eur\",\"created\":1,\"metadata\":{\"order_id\":\"o\",\"attempt_no\":\"1\"}}";
        let refusal = "{\"error\":{\"type\":\"card_error\",\"code\":\"card_declined\",\"message\":\"\"}}";
        prop_oneof![
            any::<Vec<u8>>(),
            "\\PC*".prop_map(String::into_bytes),
            "\\{\"(error|id|object|status|data)\":(null|1|\"x\"|\\{\\}|\\[1\\])\\}"
                .prop_map(String::into_bytes),
            (0..=intent.len()).prop_map(move |end| intent.as_bytes()[..end].to_vec()),
            (0..=refusal.len()).prop_map(move |end| refusal.as_bytes()[..end].to_vec()),
            Just(intent.replace("{\"order_id", "[{\"order_id").into_bytes()),
        ]
    }

    proptest! {
        #[test]
        fn any_answer_is_read_and_none_but_a_whole_one_of_success_shows_anything(
            status in 100_u16..1_000, headers in headers(), body in bodies(),
        ) {
            let head = Head::of(StatusCode::from_u16(status).unwrap(), &headers);
            for expected in EXPECTED {
                let answer = answered(&head, &body, expected);
                let endpoint = match expected {
                    Expected::Charge => Endpoint::Authorize,
                    Expected::Refund => Endpoint::Refund,
                    Expected::ReadCharge | Expected::Page => Endpoint::LookUp,
                };
                let end = rule(endpoint, answer.signal).end;
                let success = (200..300).contains(&status);
                prop_assert!(success || matches!(answer.found, Found::Nothing | Found::Id(_)));
                let (done, declined) = match end {
                    End::Authorized | End::Captured | End::Canceled | End::Refunded => (true, false),
                    End::Declined { .. } => (false, true),
                    _ => (false, false),
                };
                prop_assert!(success || !done);
                prop_assert!(success || status == 402 || !declined);
                for signal in [Signal::BrokenAnswer, Signal::TimedOut] {
                    prop_assert_eq!(&cut_off(&head, signal, expected).found, &Found::Nothing);
                }
                let names = [answer.reason, answer.request_id];
                prop_assert!(names.iter().flatten().all(|name| name.len() <= 64 && name.is_ascii()));
            }
        }
    }

    #[test]
    fn a_status_that_says_enough_needs_no_body() {
        let head = |status| Head { status, ..Head::default() };
        let cut = |status| cut_off(&head(status), Signal::BrokenAnswer, Expected::Charge).signal;
        assert_eq!(cut(200), Signal::BrokenAnswer);
        assert_eq!(cut(402), Signal::BrokenAnswer, "the bank's word is in the body");
        assert_eq!(cut(500), Signal::ServerError);
        assert_eq!(cut(503), Signal::GatewayFailed);
        assert_eq!(cut(302), Signal::NotTheProvider);
        let limited = Head { limited: Some("global-rate".to_owned()), ..head(429) };
        assert_eq!(cut_off(&limited, Signal::TimedOut, Expected::Charge).signal, Signal::ThrottledGlobalRate);
    }
}
