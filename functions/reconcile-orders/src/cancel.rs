//! Releases holds at the provider: only those of which the rows have just said that nobody wants them.

use std::pin::pin;

use backoff::{Clock, Deadline};
use futures_util::StreamExt;
use payments::{Cancel, Later, Outcome, Payments, Request};

use crate::duty::{Stopped, asking};
use crate::flow::Run;

/// Cancels the holds, counts in `canceled` those that are released now, and logs each that cannot be.
///
/// # Errors
/// Why a hold was not canceled that can be later: whoever found it must find it again.
pub(crate) async fn cancel<S, P: Payments, Q, K: Clock>(
    run: &Run<'_, S, P, Q, K>,
    holds: Vec<Request>,
    until: Deadline,
    canceled: &mut usize,
) -> Result<(), Stopped> {
    if holds.is_empty() {
        return Ok(());
    }
    let mut later = None;
    let mut outcomes = pin!(run.provider.send(&holds, asking(until)));
    while let Some((at, outcome)) = outcomes.next().await {
        let Some(Request::Cancel(hold)) = holds.get(at) else { continue };
        match outcome {
            Outcome::Canceled { payment_id: _ } => {
                *canceled += 1;
                log_canceled(hold);
            }
            Outcome::Later { why, not_before: _ } => later = later.or(Some(why)),
            Outcome::Captured { payment_id: _ } => log_stuck(hold, "captured_not_recorded"),
            Outcome::Unknown { why } => log_stuck(hold, why.as_str()),
            Outcome::Review { why, payment_id: _ } => log_stuck(hold, why),
            // It stands as it was, so far.
            Outcome::Authorized { payment_id: _ }
            | Outcome::AwaitsCustomer { payment_id: _ }
            | Outcome::AwaitsProvider { payment_id: _ } => later = later.or(Some(Later::InFlight)),
            Outcome::Refunded { refund_id: _ } | Outcome::Declined { code: _, soft: _, payment_id: _ } => {
                log_stuck(hold, "unasked_answer");
            }
        }
    }
    later.map_or(Ok(()), |why| Err(why.into()))
}

fn log_canceled(Cancel { payment, payment_id }: &Cancel) {
    tracing::info!(
        order.id = %payment.order_id,
        attempt_no = payment.attempt_no,
        payment.id = %payment_id,
        "hold canceled"
    );
}

/// Nobody tries again: the provider has decided, and a person must.
fn log_stuck(Cancel { payment, payment_id }: &Cancel, reason: &str) {
    tracing::error!(
        order.id = %payment.order_id,
        attempt_no = payment.attempt_no,
        payment.id = %payment_id,
        reason,
        "hold could not be canceled"
    );
}
