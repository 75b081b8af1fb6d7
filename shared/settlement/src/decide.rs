//! The one place that decides what an outcome means: a move, a parked row, a review, or later.

use std::time::Duration;

use backoff::{Random, VISIBILITY_MAX_S, transient_visibility_s};
use order_store::Step;
use payments::{Endpoint, Later, Outcome};

/// From this receive on a payment is parked in its row instead of going back to its queue: five receives are half a
/// minute of backoff, and what lasts longer is the row's business, which no receive count ends.
pub const PARKED_FROM_RECEIVE: u32 = 5;

/// How long a row waits that only lacked leave to be sent. Short, because the reconciler publishes no faster than the
/// limiter and the breaker allow.
const SOON_MS: (u64, u64) = (1_000, 5_000);

/// How long a row waits while our credentials are refused: a person has to act first.
const UNAUTHORIZED_MS: (u64, u64) = (240_000, 300_000);

/// The longest that SQS hides a message, 12 h.
const HIDDEN_MAX_S: u64 = 43_200;

/// How hard a payment has been tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// How often its message was received, this time included.
    pub received: u32,
    /// How long ago its key may first have been sent.
    pub key_age: Duration,
}

/// What follows from an outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This move is to be committed.
    Commit(Step),
    /// Nothing has changed: the same request is to be sent again, by the message that asked for it.
    ComeBack {
        /// Why, a short name.
        why: &'static str,
        /// How long the message stays hidden, in seconds; 0 where it had no turn at all.
        wait_s: u32,
    },
}

/// What an outcome means for the row whose request went to `asked`. [`Endpoint::LookUp`] stands for an authorization
/// whose outcome was found by reading.
///
/// Never "failed" without the provider's word for it: what is not known ends as parked, unknown or review.
#[must_use]
pub fn decide(asked: Endpoint, outcome: Outcome, tries: Tries, random: &Random) -> Decision {
    use Endpoint::{Authorize, Cancel, Capture, LookUp, Refund};
    let step = match (asked, outcome) {
        (_, Outcome::Later { why, not_before }) => return later(why, not_before, tries, random),
        (_, Outcome::Review { why, .. }) => Step::Review { why },

        // Also a charge that is captured already: the row has to name it first, then capturing finds it done.
        (Authorize | LookUp, Outcome::Authorized { payment_id } | Outcome::Captured { payment_id }) => {
            Step::Authorized { payment_id }
        }
        (Authorize | LookUp, Outcome::Declined { code, soft, .. }) => Step::Declined { code, soft },
        // The row names no charge yet, so this is a refusal like any other.
        (Authorize | LookUp, Outcome::Canceled { .. }) => {
            Step::Declined { code: "canceled".to_owned(), soft: false }
        }
        (Authorize | LookUp, Outcome::AwaitsCustomer { .. }) => Step::AwaitsCustomer,
        (Authorize | LookUp, Outcome::AwaitsProvider { .. }) => Step::AwaitsProvider,
        (Authorize | LookUp, Outcome::Unknown { why }) => Step::Unknown { why: why.as_str() },

        (Capture | Cancel, Outcome::Captured { payment_id }) => Step::Captured { payment_id },
        (Capture | Cancel, Outcome::Canceled { payment_id }) => Step::Canceled { payment_id },
        // The hold stands as it was: neither captured nor canceled yet.
        (Capture | Cancel, Outcome::Authorized { .. } | Outcome::AwaitsProvider { .. }) => {
            return later(Later::InFlight, None, tries, random);
        }
        // The row names the charge, so it keeps its status; the next turn reads what stands.
        (Capture | Cancel, Outcome::Unknown { why }) => parked(why.as_str(), backoff(tries, random)),
        (Capture | Cancel, Outcome::Declined { .. } | Outcome::AwaitsCustomer { .. }) => {
            Step::Review { why: "hold_is_gone" }
        }

        (Authorize | Capture | Cancel | LookUp, Outcome::Refunded { .. })
        | (
            Refund,
            Outcome::Authorized { .. }
            | Outcome::Captured { .. }
            | Outcome::Canceled { .. }
            | Outcome::Refunded { .. }
            | Outcome::Declined { .. }
            | Outcome::AwaitsCustomer { .. }
            | Outcome::AwaitsProvider { .. }
            | Outcome::Unknown { .. },
        ) => Step::Review { why: "unasked_answer" },
    };
    Decision::Commit(step)
}

/// What "later" means: parked in the row, or back to the queue.
fn later(why: Later, not_before: Option<Duration>, tries: Tries, random: &Random) -> Decision {
    let not_before = not_before.unwrap_or_default();
    let often = tries.received >= PARKED_FROM_RECEIVE;
    let wait = match why {
        // Nothing that one message could wait for.
        Later::BreakerOpen => between(random, SOON_MS),
        Later::Unauthorized => between(random, UNAUTHORIZED_MS),
        Later::KeyTooOld => backoff(tries, random),

        // Nothing has failed, there was only no room.
        Later::RateLimited | Later::NoTime if often => between(random, SOON_MS),
        Later::NotConnected | Later::Throttled | Later::InFlight | Later::NoAnswer if often => {
            backoff(tries, random)
        }

        Later::NoTime => return Decision::ComeBack { why: why.as_str(), wait_s: 0 },
        Later::RateLimited | Later::NotConnected | Later::Throttled | Later::InFlight | Later::NoAnswer => {
            let wait_s = hidden_s(not_before, transient_visibility_s(random, tries.received));
            return Decision::ComeBack { why: why.as_str(), wait_s };
        }
    };
    Decision::Commit(parked(why.as_str(), not_before.saturating_add(wait)))
}

fn parked(why: &'static str, wait: Duration) -> Step {
    Step::Parked { wait, why }
}

/// Full jitter up to 2^receives seconds or the key's age, whichever is more, at most 300 s: a row is published anew, and
/// its receives are counted anew, but its key has an age.
fn backoff(tries: Tries, random: &Random) -> Duration {
    let by_receives_s = 2_u64.saturating_pow(tries.received);
    let bound_s = by_receives_s.max(tries.key_age.as_secs()).min(u64::from(VISIBILITY_MAX_S));
    between(random, (1_000, bound_s.saturating_mul(1_000)))
}

fn between(random: &Random, (low_ms, high_ms): (u64, u64)) -> Duration {
    Duration::from_millis(random.between(low_ms, high_ms))
}

/// Whole seconds, never before `not_before` has passed.
fn hidden_s(not_before: Duration, jitter_s: u32) -> u32 {
    let floor_s = u64::try_from(not_before.as_millis().div_ceil(1_000)).unwrap_or(HIDDEN_MAX_S);
    let hidden_s = floor_s.saturating_add(u64::from(jitter_s)).min(HIDDEN_MAX_S);
    u32::try_from(hidden_s).unwrap_or(VISIBILITY_MAX_S)
}
