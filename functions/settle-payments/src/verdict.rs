//! The one place that decides acknowledge or hand back: for rows as they were begun, for rows after a move, and for
//! failures of the database. What an outcome at the provider means is `settlement`'s.

use backoff::Random;
use data_api::{Decision, Error};
use order::QuarantineReason;
use order_store::{Begun, Frozen, Moved, Next, Step};
use payments::{Endpoint, Outcome, Payment, Request};
use queue::{Outcome as End, Wait};
use settlement::request;

use crate::decode::quarantined;

/// A payment of which nothing was said: its message goes back, since running it again is harmless.
pub(crate) const NO_ANSWER: End = End::Retry { why: "no_answer", wait: Wait::Backoff };

/// The row is not where its move should have brought it, and nobody else has taken it over.
const NOT_MOVED: End = End::Retry { why: "row_not_moved", wait: Wait::Backoff };

/// What a row needs.
#[derive(Debug)]
pub(crate) enum Then {
    /// Nothing more.
    Ended(End),
    /// This, of the provider.
    Ask(Request),
    /// A move, though nothing was sent.
    Conclude(Outcome),
}

/// What a row that was begun needs.
pub(crate) fn after_begin(payment: &Payment, row: &Begun) -> Then {
    match &row.frozen {
        Some(frozen) => next(payment, frozen, &row.next),
        None => Then::Ended(quarantined(QuarantineReason::BadSchema, "no such payment".to_owned())),
    }
}

/// What a row needs after a step, which followed from an outcome of `asked`: its message is acknowledged only if the row
/// is final, parked or somebody else's turn.
pub(crate) fn after_move(
    asked: Endpoint,
    payment: &Payment,
    frozen: Option<&Frozen>,
    (step, moved): (&Step, &Moved),
) -> Then {
    if matches!(step, Step::Parked { .. }) && moved.changed {
        return Then::Ended(End::Done);
    }
    match (&moved.next, frozen) {
        (Next::Nothing | Next::Stopped, _) => Then::Ended(End::Done),
        // One follow-up and no more: a row that still asks after it goes back to its queue.
        (Next::Capture(_) | Next::Cancel(_), Some(frozen)) if asked == Endpoint::Authorize => {
            next(payment, frozen, &moved.next)
        }
        (Next::Authorize | Next::Capture(_) | Next::Cancel(_) | Next::Missing, _) => Then::Ended(NOT_MOVED),
    }
}

fn next(payment: &Payment, frozen: &Frozen, next: &Next) -> Then {
    match request(payment, frozen, next) {
        Ok(Some(request)) => Then::Ask(request),
        // Final, superseded, somebody else's turn, or parked by the switch that stops payments.
        Ok(None) => Then::Ended(End::Done),
        Err(error) => {
            tracing::error!(
                order.id = %payment.order_id,
                attempt_no = payment.attempt_no,
                error.message = %error,
                "a payment was not sent"
            );
            Then::Conclude(Outcome::Review { why: "params_differ", payment_id: None })
        }
    }
}

/// What a failed call means for every payment in it. None is the message's fault: what it names is an id and a number.
pub(crate) fn after_failure(random: &Random, error: &Error) -> End {
    match error.decision() {
        Decision::Retry | Decision::AlreadyDone => {
            End::Retry { why: "database_unavailable", wait: Wait::Backoff }
        }
        Decision::Resuming => End::Retry { why: "database_resuming", wait: Wait::Seconds(resume_s(random)) },
        // A missing grant, or a schema behind the code. It waits for whoever mends that.
        Decision::Reject => End::Retry { why: "database_refused", wait: Wait::Backoff },
    }
}

/// A paused Aurora takes about 15 s to resume (Aurora user guide, "Scaling to zero ACUs"): 15 to 30 s, jittered.
fn resume_s(random: &Random) -> u32 {
    u32::try_from(random.between(15, 30)).unwrap_or(30)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use order::{OrderStatus, PaymentStatus};
    use order_store::{Moved, Next, Step};
    use payments::{Endpoint, Payment};

    use super::{NOT_MOVED, Then, after_move};
    use queue::Outcome as End;

    #[track_caller]
    fn parked(changed: bool, expected: &End) {
        let payment = Payment { order_id: "ord_1".parse().unwrap(), attempt_no: 1 };
        let moved = Moved {
            record_no: 0,
            order_id: payment.order_id.clone(),
            attempt_no: 1,
            changed,
            order_status: OrderStatus::Accepted,
            payment_status: PaymentStatus::Requested,
            next: Next::Authorize,
            event: None,
        };
        let step = Step::Parked { wait: Duration::ZERO, why: "breaker_open" };
        let then = after_move(Endpoint::Authorize, &payment, None, (&step, &moved));
        assert!(matches!(&then, Then::Ended(end) if end == expected), "{then:?}");
    }

    #[test]
    fn a_payment_is_only_parked_where_its_row_was_changed() {
        parked(true, &End::Done);
        parked(false, &NOT_MOVED);
    }
}
