//! What an outcome means, for each endpoint, and how long what comes later waits.
#![cfg(test)]

use std::time::Duration;

use backoff::Random;
use order::{ProviderRef, RefundId};
use order_store::Step;
use payments::{Endpoint, Later, Outcome, Unclear};
use proptest::prelude::{any, proptest};
use proptest::{prop_assert, prop_assert_eq};
use settlement::{Decision, PARKED_FROM_RECEIVE, Tries, decide};

const LATER: [Later; 9] = [
    Later::RateLimited,
    Later::BreakerOpen,
    Later::NoTime,
    Later::KeyTooOld,
    Later::NotConnected,
    Later::Unauthorized,
    Later::Throttled,
    Later::InFlight,
    Later::NoAnswer,
];

fn charge() -> ProviderRef {
    "pi_1".parse().unwrap()
}

fn fresh() -> Tries {
    Tries { received: 1, key_age: Duration::ZERO }
}

/// `authorized`, `review amount_differs`, `parked breaker_open`, `later no_answer` …
fn word(decision: &Decision) -> String {
    match decision {
        Decision::ComeBack { why, .. } => format!("later {why}"),
        Decision::Commit(step) => match step {
            Step::Authorized { .. } => "authorized".to_owned(),
            Step::Captured { .. } => "captured".to_owned(),
            Step::Canceled { .. } => "canceled".to_owned(),
            Step::Declined { code, soft } => format!("declined {code}{}", if *soft { " softly" } else { "" }),
            Step::AwaitsCustomer => "awaits customer".to_owned(),
            Step::AwaitsProvider => "awaits provider".to_owned(),
            Step::Unknown { why } => format!("unknown {why}"),
            Step::Parked { why, .. } => format!("parked {why}"),
            Step::Review { why } => format!("review {why}"),
        },
    }
}

/// What the outcome means for an authorization (made or found), a capture, a cancellation and a refund.
#[track_caller]
fn check(outcome: &Outcome, expected: [&str; 4]) {
    use Endpoint::{Authorize, Cancel, Capture, LookUp, Refund};
    let decided = |asked| word(&decide(asked, outcome.clone(), fresh(), &Random::seeded(1)));
    assert_eq!([Authorize, Capture, Cancel, Refund].map(decided), expected, "{outcome:?}");
    assert_eq!(decided(LookUp), expected[0], "{outcome:?}, found by reading");
}

#[test]
fn each_outcome_means_one_thing_for_each_endpoint() {
    let unasked = "review unasked_answer";
    let gone = "review hold_is_gone";
    let still = "later in_flight";
    let parked = "parked saved_failure";
    let declined = |soft| Outcome::Declined { code: "lost_card".to_owned(), soft, payment_id: None };
    let refund_id: RefundId = "r1".parse().unwrap();
    check(&Outcome::Authorized { payment_id: charge() }, ["authorized", still, still, unasked]);
    check(&Outcome::Captured { payment_id: charge() }, ["authorized", "captured", "captured", unasked]);
    check(
        &Outcome::Canceled { payment_id: charge() },
        ["declined canceled", "canceled", "canceled", unasked],
    );
    check(&Outcome::Refunded { refund_id }, [unasked; 4]);
    check(&declined(false), ["declined lost_card", gone, gone, unasked]);
    check(&declined(true), ["declined lost_card softly", gone, gone, unasked]);
    check(&Outcome::AwaitsCustomer { payment_id: None }, ["awaits customer", gone, gone, unasked]);
    check(&Outcome::AwaitsProvider { payment_id: charge() }, ["awaits provider", still, still, unasked]);
    let unknown = Outcome::Unknown { why: Unclear::SavedFailure };
    check(&unknown, ["unknown saved_failure", parked, parked, unasked]);
    let review = Outcome::Review { why: "amount_differs", payment_id: None };
    check(&review, ["review amount_differs"; 4]);
}

fn later(why: Later, not_before: Option<Duration>, tries: Tries, seed: u64) -> Decision {
    decide(Endpoint::Authorize, Outcome::Later { why, not_before }, tries, &Random::seeded(seed))
}

#[track_caller]
fn ends(why: Later, at_first: &str, often: &str) {
    let tries = |received| Tries { received, ..fresh() };
    assert_eq!(word(&later(why, None, tries(PARKED_FROM_RECEIVE - 1), 1)), at_first);
    assert_eq!(word(&later(why, None, tries(PARKED_FROM_RECEIVE), 1)), often);
}

#[test]
fn what_comes_later_goes_back_until_its_fifth_receive_unless_no_message_could_wait_for_it() {
    ends(Later::BreakerOpen, "parked breaker_open", "parked breaker_open");
    ends(Later::Unauthorized, "parked unauthorized", "parked unauthorized");
    ends(Later::KeyTooOld, "parked key_too_old", "parked key_too_old");
    ends(Later::RateLimited, "later rate_limited", "parked rate_limited");
    ends(Later::NoTime, "later no_time_left", "parked no_time_left");
    ends(Later::NotConnected, "later not_connected", "parked not_connected");
    ends(Later::Throttled, "later throttled", "parked throttled");
    ends(Later::InFlight, "later in_flight", "parked in_flight");
    ends(Later::NoAnswer, "later no_answer", "parked no_answer");
}

proptest! {
    #[test]
    fn waits_are_bounded_and_keep_the_time_that_was_named(
        at in 0..LATER.len(), received in 1_u32..100, key_age_s in 0_u64..200_000,
        not_before_ms in proptest::option::of(0_u64..60_000), seed in any::<u64>(),
    ) {
        let not_before = not_before_ms.map(Duration::from_millis);
        let tries = Tries { received, key_age: Duration::from_secs(key_age_s) };
        let floor = not_before.unwrap_or_default();
        match later(LATER[at], not_before, tries, seed) {
            Decision::Commit(Step::Parked { wait, why }) => {
                prop_assert_eq!(why, LATER[at].as_str());
                prop_assert!(wait >= floor + Duration::from_secs(1) && wait <= floor + Duration::from_secs(300));
            }
            Decision::ComeBack { wait_s: 0, .. } => prop_assert_eq!(LATER[at], Later::NoTime),
            Decision::ComeBack { wait_s, .. } => {
                let most_s = floor.as_millis().div_ceil(1_000) + 2_u128.pow(received);
                prop_assert!(Duration::from_secs(wait_s.into()) > floor && u128::from(wait_s) <= most_s);
            }
            Decision::Commit(other) => prop_assert!(false, "{other:?}"),
        }
    }
}
