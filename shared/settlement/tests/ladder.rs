//! The ladder over a provider that answers as told: what is concluded, what is not, and what is canceled.
#![cfg(test)]

use std::sync::Mutex;
use std::time::Duration;

use backoff::{Deadline, ManualClock, Random};
use futures_util::{Stream, stream};
use order::{Currency, ProviderRef};
use order_store::{Frozen, UnknownPayment};
use payments::{
    Charge, ChargeStatus, Later, ListCharges, ListPage, LookUps, Outcome, Payment, Payments, Request, Unclear,
};
use settlement::{Ladder, Resolution, resolve};

const NOW_S: u64 = 1_790_000_000;
const FIRST_SENT_S: u64 = NOW_S - 4_000;
const QUARANTINE: Duration = Duration::from_secs(3_600);

/// A provider: what it answers to the replay, and its pages of charges, newest first.
struct Provider {
    replay: Outcome,
    pages: Vec<Result<Vec<Charge>, Later>>,
    queries: Mutex<Vec<ListCharges>>,
}

impl Payments for Provider {
    fn send<'a>(
        &'a self,
        requests: &'a [Request],
        _: Deadline,
    ) -> impl Stream<Item = (usize, Outcome)> + Send + 'a {
        assert!(matches!(requests, [Request::Authorize(_)]), "only the same request is replayed");
        stream::iter([(0, self.replay.clone())])
    }
}

impl LookUps for Provider {
    async fn read(&self, _: &ProviderRef, _: Deadline) -> Result<Option<Charge>, Later> {
        Err(Later::NoAnswer)
    }

    async fn list(&self, query: &ListCharges, _: Deadline) -> Result<ListPage, Later> {
        let mut queries = self.queries.lock().unwrap();
        let page = self.pages.get(queries.len()).cloned().unwrap_or(Ok(Vec::new()));
        queries.push(query.clone());
        page.map(|charges| ListPage { charges, has_more: queries.len() < self.pages.len() })
    }

    async fn spare_per_s(&self, _: Deadline) -> u32 {
        0
    }
}

fn payment() -> Payment {
    Payment { order_id: "ord_1".parse().unwrap(), attempt_no: 1 }
}

/// A charge of this attempt; an older one has a smaller number.
fn charge(number: u64, status: ChargeStatus) -> Charge {
    Charge {
        payment_id: format!("pi_{number}").parse().unwrap(),
        status,
        amount_minor: 4_970,
        captured_minor: if status == ChargeStatus::Captured { 4_970 } else { 0 },
        currency: Some(Currency::parse("EUR").unwrap()),
        payment: Some(payment()),
        created_s: FIRST_SENT_S + number,
    }
}

fn unknown(unknown_for_s: u64) -> UnknownPayment {
    UnknownPayment {
        order_id: payment().order_id,
        attempt_no: 1,
        frozen: Frozen {
            amount_minor: 4_970,
            currency: Currency::parse("EUR").unwrap(),
            customer_ref: "cus_x".parse().unwrap(),
            method_ref: "pm_card_visa".parse().unwrap(),
            // printf 'v1|ord_1|1|4970|EUR|cus_x|pm_card_visa' | sha256sum
            params_hash: "a37f90a00cf2cf79e4d03e3d9d933de6ddfd1a6fa74677b74914bd53e7b1e628".to_owned(),
            key_age: Duration::from_secs(4_000),
        },
        first_sent_s: FIRST_SENT_S,
        unknown_for: Duration::from_secs(unknown_for_s),
    }
}

fn saved_failure() -> Outcome {
    Outcome::Unknown { why: Unclear::SavedFailure }
}

fn later(why: Later) -> Outcome {
    Outcome::Later { why, not_before: None }
}

/// The step with what is canceled, `gives up`, or `waits in_quarantine`; and what was listed.
fn climb(provider: Provider, unknown: &UnknownPayment) -> (String, Vec<ListCharges>) {
    let clock = ManualClock::at_ms(NOW_S * 1_000);
    let ladder = Ladder {
        provider: &provider,
        clock: &clock,
        random: &Random::seeded(1),
        quarantine: QUARANTINE,
        deadline: Deadline::after(&clock, Duration::from_secs(10)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let word = match runtime.block_on(resolve(ladder, unknown)) {
        Resolution::GiveUp => "gives up".to_owned(),
        Resolution::Wait { why } => format!("waits {why}"),
        Resolution::Known { step, others } => {
            let canceled = |request: &Request| match request {
                Request::Cancel(cancel) => format!(", cancels {}", cancel.payment_id),
                other => format!(", {other:?}"),
            };
            format!("{step:?}{}", others.iter().map(canceled).collect::<String>())
        }
    };
    (word, provider.queries.into_inner().unwrap())
}

#[track_caller]
fn check(replay: Outcome, charges: &[Charge], unknown_for_s: u64, expected: &str) {
    let provider = Provider { replay, pages: vec![Ok(charges.to_vec())], queries: Mutex::default() };
    let (word, _) = climb(provider, &unknown(unknown_for_s));
    assert_eq!(word, expected);
}

const HELD: &str = "Authorized { payment_id: ProviderRef(pi_1) }";

#[test]
fn what_the_same_key_tells_is_enough() {
    let held = Outcome::Authorized { payment_id: "pi_1".parse().unwrap() };
    let provider = Provider { replay: held, pages: Vec::new(), queries: Mutex::default() };
    assert_eq!(climb(provider, &unknown(0)), (HELD.to_owned(), Vec::new()));
    let declined = Outcome::Declined { code: "lost_card".to_owned(), soft: false, payment_id: None };
    check(declined, &[], 0, r#"Declined { code: "lost_card", soft: false }"#);
}

#[test]
fn what_stands_at_the_provider_counts_where_the_key_says_nothing() {
    use ChargeStatus::{Canceled, Captured, Held, NotHeld, Processing, RequiresAction};
    check(saved_failure(), &[charge(1, Held)], 0, HELD);
    check(saved_failure(), &[charge(1, Captured)], 0, HELD);
    check(saved_failure(), &[charge(1, RequiresAction)], 0, "AwaitsCustomer");
    check(saved_failure(), &[charge(1, Processing)], 0, "AwaitsProvider");
    check(saved_failure(), &[charge(1, Canceled)], 0, r#"Declined { code: "canceled", soft: false }"#);
    let not_held = r#"Declined { code: "not_held", soft: false }, cancels pi_1"#;
    check(saved_failure(), &[charge(1, NotHeld)], 0, not_held);
    check(later(Later::KeyTooOld), &[charge(1, Held)], 0, HELD);
    check(later(Later::BreakerOpen), &[charge(1, Held)], 0, HELD);
}

#[test]
fn of_several_charges_of_one_attempt_one_is_kept_and_the_rest_canceled() {
    use ChargeStatus::{Canceled, Captured, Held, NotHeld};
    let three = [charge(3, NotHeld), charge(2, Held), charge(1, Held)];
    check(saved_failure(), &three, 0, &format!("{HELD}, cancels pi_3, cancels pi_2"));
    let captured = [charge(2, Held), charge(1, Captured), charge(3, Canceled)];
    check(saved_failure(), &captured, 0, &format!("{HELD}, cancels pi_2"));
    let twice = [charge(3, Held), charge(2, Captured), charge(1, Captured)];
    check(saved_failure(), &twice, 0, r#"Review { why: "captured_twice" }, cancels pi_3"#);
}

#[test]
fn a_charge_that_is_not_as_asked_is_for_a_person() {
    let mut other = charge(1, ChargeStatus::Held);
    other.amount_minor = 4_971;
    check(saved_failure(), &[other], 0, r#"Review { why: "amount_differs" }"#);
    let mut other = charge(1, ChargeStatus::Held);
    other.currency = None;
    check(saved_failure(), &[other], 0, r#"Review { why: "currency_differs" }"#);
    let mut part = charge(1, ChargeStatus::Captured);
    part.captured_minor = 1;
    check(saved_failure(), &[part], 0, r#"Review { why: "amount_differs" }"#);
}

#[test]
fn a_charge_of_another_attempt_is_none_of_ours() {
    let mut other = charge(1, ChargeStatus::Held);
    other.payment = Some(Payment { attempt_no: 2, ..payment() });
    let mut foreign = charge(2, ChargeStatus::Held);
    foreign.payment = None;
    check(saved_failure(), &[other, foreign], 0, "waits in_quarantine");
}

#[test]
fn nothing_found_is_no_proof_before_the_quarantine_is_over() {
    check(saved_failure(), &[], 3_599, "waits in_quarantine");
    check(saved_failure(), &[], 3_600, "gives up");
    check(later(Later::KeyTooOld), &[], 3_600, "gives up");
}

#[test]
fn nothing_is_given_up_while_the_replay_may_be_under_way() {
    for why in [Later::NoAnswer, Later::InFlight] {
        check(later(why), &[], 100_000, "waits under_way");
        check(later(why), &[charge(1, ChargeStatus::NotHeld)], 100_000, "waits under_way");
        check(later(why), &[charge(1, ChargeStatus::Held)], 0, HELD);
    }
}

#[test]
fn nothing_is_concluded_from_a_list_that_was_not_read() {
    let pages = vec![Ok(vec![charge(9, ChargeStatus::NotHeld)]), Err(Later::Throttled)];
    let provider = Provider { replay: saved_failure(), pages, queries: Mutex::default() };
    assert_eq!(climb(provider, &unknown(100_000)).0, "waits throttled");
    let endless = vec![Ok(vec![charge(9, ChargeStatus::NotHeld)]); 20];
    let provider = Provider { replay: saved_failure(), pages: endless, queries: Mutex::default() };
    let (word, queries) = climb(provider, &unknown(100_000));
    assert_eq!((word.as_str(), queries.len()), ("waits no_answer", 10));
}

#[test]
fn the_customers_charges_are_listed_page_by_page_since_the_key_was_first_sent() {
    let pages = vec![Ok(vec![charge(9, ChargeStatus::NotHeld)]), Ok(vec![charge(1, ChargeStatus::Held)])];
    let provider = Provider { replay: saved_failure(), pages, queries: Mutex::default() };
    let (word, queries) = climb(provider, &unknown(0));
    assert_eq!(word, format!("{HELD}, cancels pi_9"));
    let query = |after: Option<&str>| ListCharges {
        customer_ref: Some("cus_x".parse().unwrap()),
        from_s: FIRST_SENT_S - 300,
        to_s: NOW_S + 300,
        after: after.map(|id| id.parse().unwrap()),
    };
    assert_eq!(queries, [query(None), query(Some("pi_9"))]);
}

#[test]
fn parameters_that_were_not_committed_are_not_replayed() {
    let mut changed = unknown(0);
    changed.frozen.amount_minor += 1;
    let provider = Provider { replay: saved_failure(), pages: Vec::new(), queries: Mutex::default() };
    assert_eq!(climb(provider, &changed).0, r#"Review { why: "params_differ" }"#);
}
