//! The ladder for one payment whose outcome nobody knows: ask again with the same key, then read what stands, then
//! wait for the end of the quarantine. Nothing is concluded from silence.

use std::cmp::Reverse;
use std::pin::pin;
use std::time::Duration;

use backoff::{Clock, Deadline, Random};
use futures_util::StreamExt;
use order_store::{Frozen, Next, Step, UnknownPayment};
use payments::{Charge, ChargeStatus, Endpoint, Later, LookUps, Outcome, Payment, Payments, Request};

use crate::charges::{Search, cancellations, charges_of};
use crate::decide::{Decision, Tries, decide};
use crate::request::request;

/// What is to be done about an unknown payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// Its outcome is known: commit `step`.
    Known {
        /// The move. After [`Step::Authorized`] the row says whether to capture or to cancel.
        step: Step,
        /// Cancels the attempt's other charges. To be sent once `step` is committed, when the row names the one to keep;
        /// what is lost of them is found as an orphan hold.
        others: Vec<Request>,
    },
    /// Nothing is to be found and the quarantine is over: give the attempt up. A hold that appears later is swept.
    GiveUp,
    /// Not yet: look again later.
    Wait {
        /// Why, a short name.
        why: &'static str,
    },
}

/// With what a payment is resolved.
#[derive(Debug, Clone, Copy)]
pub struct Ladder<'a, P, C> {
    /// The provider, behind its wrapper.
    pub provider: &'a P,
    /// For the end of the search window.
    pub clock: &'a C,
    /// Jitter.
    pub random: &'a Random,
    /// How long a payment stays unknown before it may be given up.
    pub quarantine: Duration,
    /// When everything must be over.
    pub deadline: Deadline,
}

/// Resolves one unknown payment, as far as it can be known now. Changes no row; may be run twice at once.
pub async fn resolve<P, C>(ladder: Ladder<'_, P, C>, unknown: &UnknownPayment) -> Resolution
where
    P: Payments + LookUps,
    C: Clock,
{
    let payment = Payment { order_id: unknown.order_id.clone(), attempt_no: unknown.attempt_no };
    let replay = match request(&payment, &unknown.frozen, &Next::Authorize) {
        Ok(Some(replay)) => replay,
        Ok(None) => return Resolution::Wait { why: "nothing_to_ask" },
        Err(_differs) => return known(Step::Review { why: "params_differ" }),
    };
    // Sending the same key is question and completion in one. The wrapper refuses one that is too old.
    let outcome = send_one(ladder.provider, &replay, ladder.deadline).await;
    let under_way = match outcome {
        Outcome::Unknown { .. } => false,
        Outcome::Later { why, .. } => !why.never_executed(),
        told => return told_by_replay(ladder.random, told),
    };
    let search = Search {
        payment,
        customer_ref: unknown.frozen.customer_ref.clone(),
        first_sent_s: unknown.first_sent_s,
    };
    match charges_of(ladder.provider, ladder.clock, &search, ladder.deadline).await {
        Err(why) => Resolution::Wait { why: why.as_str() },
        Ok(charges) if charges.is_empty() => not_found(ladder.quarantine, unknown.unknown_for, under_way),
        Ok(charges) => found(ladder.random, &unknown.frozen, &charges, under_way),
    }
}

/// One request, one outcome.
async fn send_one(provider: &impl Payments, request: &Request, deadline: Deadline) -> Outcome {
    let mut outcomes = pin!(provider.send(std::slice::from_ref(request), deadline));
    let silent = Outcome::Later { why: Later::NoAnswer, not_before: None };
    outcomes.next().await.map_or(silent, |(_, outcome)| outcome)
}

fn told_by_replay(random: &Random, outcome: Outcome) -> Resolution {
    resolution(decide(Endpoint::Authorize, outcome, UNTRIED, random), Vec::new())
}

/// The provider knows of no charge.
fn not_found(quarantine: Duration, unknown_for: Duration, under_way: bool) -> Resolution {
    if under_way {
        // What was just sent may be executed after the list was read.
        Resolution::Wait { why: "under_way" }
    } else if unknown_for < quarantine {
        Resolution::Wait { why: "in_quarantine" }
    } else {
        Resolution::GiveUp
    }
}

/// The provider shows charges of the attempt: one is kept, the rest is canceled.
fn found(random: &Random, frozen: &Frozen, charges: &[Charge], under_way: bool) -> Resolution {
    let captured = charges.iter().filter(|charge| charge.status == ChargeStatus::Captured).count();
    let Some(kept) = charges.iter().max_by_key(|charge| preference(charge)) else {
        return Resolution::Wait { why: "nothing_found" };
    };
    if captured > 1 {
        let others = cancellations(charges, None);
        return Resolution::Known { step: Step::Review { why: "captured_twice" }, others };
    }
    let money = matches!(kept.status, ChargeStatus::Held | ChargeStatus::Captured);
    if under_way && !money {
        return Resolution::Wait { why: "under_way" };
    }
    // A charge without a hold ends as well, or a late execution could still put one on it.
    let others = cancellations(charges, (kept.status != ChargeStatus::NotHeld).then_some(&kept.payment_id));
    resolution(decide(Endpoint::LookUp, as_outcome(frozen, kept), UNTRIED, random), others)
}

/// Which charge to keep: the most advanced, of those the oldest. Everybody who looks chooses the same one.
fn preference(charge: &Charge) -> (u8, Reverse<u64>, Reverse<&str>) {
    let advanced = match charge.status {
        ChargeStatus::Captured => 5,
        ChargeStatus::Held => 4,
        ChargeStatus::Processing => 3,
        ChargeStatus::RequiresAction => 2,
        ChargeStatus::NotHeld => 1,
        ChargeStatus::Canceled => 0,
    };
    (advanced, Reverse(charge.created_s), Reverse(charge.payment_id.as_str()))
}

/// What the wrapper would have said of this charge.
fn as_outcome(frozen: &Frozen, charge: &Charge) -> Outcome {
    let payment_id = charge.payment_id.clone();
    let captured_in_part =
        charge.status == ChargeStatus::Captured && charge.captured_minor != frozen.amount_minor;
    if charge.amount_minor != frozen.amount_minor || captured_in_part {
        return Outcome::Review { why: "amount_differs", payment_id: Some(payment_id) };
    }
    if charge.currency != Some(frozen.currency) {
        return Outcome::Review { why: "currency_differs", payment_id: Some(payment_id) };
    }
    match charge.status {
        ChargeStatus::Captured => Outcome::Captured { payment_id },
        ChargeStatus::Held => Outcome::Authorized { payment_id },
        ChargeStatus::Processing => Outcome::AwaitsProvider { payment_id },
        ChargeStatus::RequiresAction => Outcome::AwaitsCustomer { payment_id: Some(payment_id) },
        ChargeStatus::NotHeld => {
            Outcome::Declined { code: "not_held".to_owned(), soft: false, payment_id: Some(payment_id) }
        }
        ChargeStatus::Canceled => Outcome::Canceled { payment_id },
    }
}

/// The reconciler has no message that could be received often.
const UNTRIED: Tries = Tries { received: 0, key_age: Duration::ZERO };

fn known(step: Step) -> Resolution {
    Resolution::Known { step, others: Vec::new() }
}

fn resolution(decision: Decision, others: Vec<Request>) -> Resolution {
    match decision {
        Decision::Commit(step) => Resolution::Known { step, others },
        Decision::ComeBack { why, .. } => Resolution::Wait { why },
    }
}
