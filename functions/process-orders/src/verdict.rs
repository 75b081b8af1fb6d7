//! The one place that decides retry, reject or already done, for answers and for failures of the committing call.

use std::collections::BTreeMap;

use backoff::Random;
use data_api::{Decision, Error};
use order::QuarantineReason;
use order_store::{Accepted, Verdict};
use queue::{Outcome, Suspect, Wait};

use crate::decode::quarantined;
use crate::flow::Orders;

/// A record for which nothing was said: it goes back, since running it again is harmless.
pub(crate) const NO_ANSWER: Outcome = Outcome::Retry { why: "no_answer", wait: Wait::Backoff };

/// What the database's answer means for the record. `unpublished` says that the order's payment request did not
/// reach its queue.
pub(crate) fn outcome_of(answer: &Accepted, unpublished: bool) -> Outcome {
    match &answer.verdict {
        Verdict::Accepted | Verdict::Known if unpublished => {
            Outcome::Retry { why: "payments_queue_unavailable", wait: Wait::Backoff }
        }
        // Known: an earlier delivery did the work. Rejected and canceled are ends that the shop hears of.
        Verdict::Accepted | Verdict::Known | Verdict::Rejected(_) | Verdict::Canceled => Outcome::Done,
        Verdict::IdReused => quarantined(QuarantineReason::IdReused, "another order has this id".to_owned()),
        Verdict::Refused { sqlstate } => {
            quarantined(QuarantineReason::BadSchema, format!("refused by the database, SQLSTATE {sqlstate}"))
        }
    }
}

/// What a failed committing call means for the orders in it, by position.
///
/// # Errors
/// [`Suspect`] when the statement was refused and several orders were in it: one of them may be why.
pub(crate) fn after_failure(
    random: &Random,
    orders: &Orders,
    error: &Error,
) -> Result<BTreeMap<usize, Outcome>, Suspect> {
    let outcome = match error.decision() {
        // An idempotent statement may always run again. It never says that it was done before: a repeat is `known`.
        Decision::Retry | Decision::AlreadyDone => {
            Outcome::Retry { why: "database_unavailable", wait: Wait::Backoff }
        }
        Decision::Resuming => {
            Outcome::Retry { why: "database_resuming", wait: Wait::Seconds(resume_s(random)) }
        }
        Decision::Reject if orders.len() > 1 => return Err(Suspect),
        Decision::Reject if error.blames_data() => {
            quarantined(QuarantineReason::BadSchema, "refused by the database".to_owned())
        }
        // Not the order's fault: a missing grant, a schema behind the code. It waits for whoever mends that.
        Decision::Reject => Outcome::Retry { why: "database_refused", wait: Wait::Backoff },
    };
    tracing::error!(error.message = %error, orders = orders.len(), "the committing call failed");
    Ok(orders.keys().map(|position| (*position, outcome.clone())).collect())
}

/// A paused Aurora takes about 15 s to resume (Aurora user guide, "Scaling to zero ACUs"): 15 to 30 s, jittered.
fn resume_s(random: &Random) -> u32 {
    u32::try_from(random.between(15, 30)).unwrap_or(30)
}
