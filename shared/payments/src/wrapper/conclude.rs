//! From the end of a call to its outcome: what is shown is compared with what was asked, and a charge whose state is in
//! doubt is read.

use backoff::{Clock, Deadline};
use order::ProviderRef;

use super::Wrapper;
use super::attempts::{Call, Sent};
use crate::compare::{charge_differs, refund_differs};
use crate::decision::{End, rule};
use crate::{
    Answer, Cancel, Capture, Denial, Found, Gate, Later, LookUps, Outcome, Permit, Provider, Refund, Request,
    Signal, Unclear,
};

/// The code of a decline for which the provider gives no reason that can be shown.
const NO_REASON: &str = "unspecified";

impl<G: Gate, P: Provider, C: Clock> Wrapper<G, P, C> {
    pub(super) async fn conclude(&self, request: &Request, sent: Sent, deadline: Deadline) -> Outcome {
        match sent.ruling.end {
            End::Ask(otherwise) => self.ask(request, &sent.answer, otherwise, deadline).await,
            End::Later(why) => {
                // What was perhaps executed before stays so, whatever a later attempt was refused for.
                let why = if sent.doubtful && why.never_executed() { Later::NoAnswer } else { why };
                Outcome::Later { why, not_before: sent.answer.retry_after }
            }
            end => shown(request, end, sent.answer),
        }
    }

    /// Sends a capture or a cancellation once more, under a key of its own, where the provider has saved a failure under
    /// the first one and the charge was then read as it stood before.
    ///
    /// That key would answer the failure for a day, and the money would be held for as long. A second key is safe here
    /// and nowhere else: a hold ends only once, whatever keys its end is asked for with, also by a request that the
    /// provider executes later.
    pub(super) async fn afresh(&self, call: Call<'_>, outcome: Outcome, deadline: Deadline) -> Outcome {
        let Call::Change { request, key, key_expires_ms } = call else { return outcome };
        let ends_a_hold = matches!(request, Request::Capture(_) | Request::Cancel(_));
        let saved =
            matches!(outcome, Outcome::Unknown { why: Unclear::SavedFailure | Unclear::DependencyFailed });
        if !(ends_a_hold && saved) {
            return outcome;
        }
        let Permit::Go(grant) = self.gate.retry_permit(request.endpoint(), deadline).await else {
            return outcome;
        };
        let key = format!("{key}:{}", self.clock.now_ms());
        let call = Call::Change { request, key: &key, key_expires_ms };
        match self.make(call, grant, deadline).await {
            Ok(sent) => self.conclude(request, sent, deadline).await,
            Err(_) => outcome,
        }
    }

    /// Reads the charge that an answer is about, and rules on its status.
    async fn ask(
        &self,
        request: &Request,
        answer: &Answer,
        otherwise: Option<Unclear>,
        deadline: Deadline,
    ) -> Outcome {
        let Some(payment_id) = asked_for(request).or(answer.payment_id()) else {
            return Outcome::Review { why: answer.signal.as_str(), payment_id: None };
        };
        let charge = match self.read(payment_id, deadline).await {
            Ok(Some(charge)) => charge,
            Ok(None) => {
                return Outcome::Review { why: "not_found", payment_id: Some(payment_id.clone()) };
            }
            Err(_) => return Outcome::Later { why: Later::NoAnswer, not_before: None },
        };
        let signal = Signal::of_status(charge.status);
        let unsettled = charge_differs(request, &charge).is_none();
        match (rule(request.endpoint(), signal).end, otherwise) {
            (End::Review(_), Some(why)) if unsettled => Outcome::Unknown { why },
            (end, _) => shown(request, end, Answer { found: Found::Charge(charge), ..Answer::of(signal) }),
        }
    }
}

/// The outcome of an end, if what the answer shows is what was asked for.
fn shown(request: &Request, end: End, answer: Answer) -> Outcome {
    let payment_id = answer.payment_id().cloned();
    let review = |why| Outcome::Review { why, payment_id: payment_id.clone() };
    if let Some(why) = differs(request, &answer.found) {
        return review(why);
    }
    let charge = matches!(answer.found, Found::Charge(_)).then(|| payment_id.clone()).flatten();
    match (end, charge) {
        (End::Authorized, Some(payment_id)) => Outcome::Authorized { payment_id },
        (End::Captured, Some(payment_id)) => Outcome::Captured { payment_id },
        (End::Canceled, Some(payment_id)) => Outcome::Canceled { payment_id },
        (End::AwaitsProvider, Some(payment_id)) => Outcome::AwaitsProvider { payment_id },
        (End::Refunded | End::RefundedBefore, _) => refunded(request).unwrap_or(review("not_asked_for")),
        (End::AwaitsCustomer, _) => Outcome::AwaitsCustomer { payment_id },
        (End::Declined { soft }, _) => Outcome::Declined {
            code: answer.reason.unwrap_or_else(|| NO_REASON.to_owned()),
            soft,
            payment_id,
        },
        (End::Later(why), _) => Outcome::Later { why, not_before: answer.retry_after },
        (End::Unknown(why), _) => Outcome::Unknown { why },
        (End::Review(why), _) => review(why),
        // No adapter calls a charge held, taken or canceled without showing it, nor answers with what nobody asked.
        (End::Authorized | End::Captured | End::Canceled | End::AwaitsProvider, None) => review("not_shown"),
        (End::Ask(_) | End::Found | End::Missing, _) => review("not_asked_for"),
    }
}

fn differs(request: &Request, found: &Found) -> Option<&'static str> {
    match (request, found) {
        (_, Found::Charge(charge)) => charge_differs(request, charge),
        (Request::Refund(asked), Found::Refund(made)) => refund_differs(asked, made),
        (_, Found::Refund(_) | Found::Page(_)) => Some("not_asked_for"),
        (_, Found::Nothing | Found::Id(_)) => None,
    }
}

const fn asked_for(request: &Request) -> Option<&ProviderRef> {
    match request {
        Request::Authorize(_) => None,
        Request::Capture(Capture { payment_id, .. })
        | Request::Cancel(Cancel { payment_id, .. })
        | Request::Refund(Refund { payment_id, .. }) => Some(payment_id),
    }
}

fn refunded(request: &Request) -> Option<Outcome> {
    match request {
        Request::Refund(refund) => Some(Outcome::Refunded { refund_id: refund.refund_id.clone() }),
        Request::Authorize(_) | Request::Capture(_) | Request::Cancel(_) => None,
    }
}

/// What a denied permit means to a request that was never sent.
pub(super) const fn denied(why: Denial) -> Later {
    match why {
        Denial::BreakerOpen => Later::BreakerOpen,
        Denial::RateLimited | Denial::NoRetryBudget => Later::RateLimited,
    }
}
