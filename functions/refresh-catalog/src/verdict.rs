//! The one place that decides retry, quarantine or done, for answers and for failures of the committing call.

use std::collections::BTreeMap;

use backoff::Random;
use data_api::{Decision, Error};
use order::QuarantineReason;
use order_store::{CatalogChange, Refreshed, Refreshing};
use queue::{Outcome, Suspect, Wait};

use crate::decode::quarantined;

/// A record for which nothing was said: it goes back, since running it again is harmless.
pub(crate) const NO_ANSWER: Outcome = Outcome::Retry { why: "no_answer", wait: Wait::Backoff };

/// What the database's answer means for the record. What becomes of the cache never matters here: the row is right, and
/// an old entry is contradicted by it or expires.
pub(crate) fn outcome_of(answer: &Refreshed) -> Outcome {
    match &answer.refreshing {
        // Known: an earlier delivery did the work. Superseded: old news, and its time has passed.
        Refreshing::Applied | Refreshing::Known | Refreshing::Superseded => Outcome::Done,
        Refreshing::IdReused => quarantined(
            QuarantineReason::IdReused,
            "this version, or this event id, was applied with another content".to_owned(),
        ),
        Refreshing::Refused { sqlstate } => {
            quarantined(QuarantineReason::BadSchema, format!("refused by the database, SQLSTATE {sqlstate}"))
        }
    }
}

/// What a failed committing call means for the changes in it, by position.
///
/// # Errors
/// [`Suspect`] when the statement was refused and several changes were in it: one of them may be why.
pub(crate) fn after_failure(
    random: &Random,
    changes: &[CatalogChange],
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
        Decision::Reject if changes.len() > 1 => return Err(Suspect),
        Decision::Reject if error.blames_data() => {
            quarantined(QuarantineReason::BadSchema, "refused by the database".to_owned())
        }
        // Not the change's fault: a missing grant, a schema behind the code. It waits for whoever mends that.
        Decision::Reject => Outcome::Retry { why: "database_refused", wait: Wait::Backoff },
    };
    tracing::error!(error.message = %error, changes = changes.len(), "the committing call failed");
    Ok(changes.iter().map(|change| (change.record_no, outcome.clone())).collect())
}

/// A paused Aurora takes about 15 s to resume (Aurora user guide, "Scaling to zero ACUs"): 15 to 30 s, jittered.
fn resume_s(random: &Random) -> u32 {
    u32::try_from(random.between(15, 30)).unwrap_or(30)
}
