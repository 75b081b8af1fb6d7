//! Duty 3: payments whose outcome nobody knows climb the ladder of `settlement`.

use backoff::{Clock, Deadline};
use futures_util::stream::{self, StreamExt};
use order::OrderId;
use order_store::{GiveUp, Move, Moved, PaymentStore, ReconcileStore, UnknownPayment};
use payments::{LookUps, Payments, Request};
use queue::Queue;
use settlement::{Ladder, Resolution};

use crate::cancel::cancel;
use crate::duty::{Stopped, asking};
use crate::flow::Run;
use crate::publish;
use crate::report::Unknown;

/// Payments a run: each may cost a replay and a look-up, so that they use a third of the run's calls.
const PAYMENTS_MAX: u32 = 50;

/// Payments that climb at once: enough that a slow answer holds up few, and few enough to leave the quota to others.
const CLIMBING_AT_ONCE: usize = 4;

/// Asks the provider about unknown payments, and moves or gives up those about which there is an answer.
pub(crate) async fn resolve<S, P, Q, K>(
    run: &Run<'_, S, P, Q, K>,
    until: Deadline,
    counts: &mut Unknown,
) -> Result<(), Stopped>
where
    S: ReconcileStore + PaymentStore,
    P: Payments + LookUps,
    Q: Queue,
    K: Clock,
{
    let payments = run.doors.store.take_unknown(PAYMENTS_MAX, until).await?;
    counts.taken = payments.len();
    let ladder = || Ladder {
        provider: &run.provider,
        clock: &run.doors.clock,
        random: &run.doors.random,
        quarantine: run.doors.rules.unknown_quarantine,
        deadline: asking(until),
    };
    let climbing: Vec<_> = payments.iter().map(|payment| settlement::resolve(ladder(), payment)).collect();
    let resolutions: Vec<_> = stream::iter(climbing).buffered(CLIMBING_AT_ONCE).collect().await;
    let decided = Decided::of(&payments, resolutions);
    counts.waiting = payments.len().saturating_sub(decided.moves.len() + decided.given_up.len());
    // Both are tried, whatever becomes of the first: they are about different payments.
    let moved = record(run, &decided, until).await;
    let given_up = give_up(run, &decided, until).await;
    counts.moved = moved.as_deref().map_or(0, changed);
    counts.given_up = given_up.as_deref().map_or(0, changed);
    let unwanted = moved.as_deref().map(|moved| decided.unwanted(moved)).unwrap_or_default();
    for rows in [moved, given_up] {
        publish::follow_up(run, &rows?, until).await?;
    }
    cancel(run, unwanted, until, &mut counts.canceled).await
}

/// What is to be written, and what is to be canceled once it is.
#[derive(Default)]
struct Decided {
    moves: Vec<Move>,
    given_up: Vec<(OrderId, i32)>,
    /// By the number of the move that they follow.
    others: Vec<(usize, Vec<Request>)>,
}

impl Decided {
    fn of(payments: &[UnknownPayment], resolutions: Vec<Resolution>) -> Self {
        let mut decided = Self::default();
        for (record_no, (payment, resolution)) in payments.iter().zip(resolutions).enumerate() {
            let UnknownPayment { order_id, attempt_no, .. } = payment;
            let (order_id, attempt_no) = (order_id.clone(), *attempt_no);
            match resolution {
                Resolution::Known { step, others } => {
                    decided.moves.push(Move { record_no, order_id, attempt_no, step });
                    decided.others.push((record_no, others));
                }
                Resolution::GiveUp => decided.given_up.push((order_id, attempt_no)),
                Resolution::Wait { why } => {
                    tracing::warn!(order.id = %order_id, attempt_no, reason = why, "payment stays unknown");
                }
            }
        }
        decided
    }

    /// The charges beside the one that a row now names. Only of rows that this run has moved: whoever moves a row
    /// first decides which charge it keeps, and what is left over by two is found by the comparison.
    fn unwanted(&self, moved: &[Moved]) -> Vec<Request> {
        let ours = |no: &usize| moved.iter().any(|row| row.record_no == *no && row.changed);
        self.others.iter().filter(|(no, _)| ours(no)).flat_map(|(_, others)| others.clone()).collect()
    }
}

async fn record<S: PaymentStore, P, Q, K>(
    run: &Run<'_, S, P, Q, K>,
    decided: &Decided,
    until: Deadline,
) -> Result<Vec<Moved>, Stopped> {
    if decided.moves.is_empty() {
        return Ok(Vec::new());
    }
    Ok(run.doors.store.record(&decided.moves, &[], until).await?)
}

async fn give_up<S: ReconcileStore, P, Q, K>(
    run: &Run<'_, S, P, Q, K>,
    decided: &Decided,
    until: Deadline,
) -> Result<Vec<Moved>, Stopped> {
    if decided.given_up.is_empty() {
        return Ok(Vec::new());
    }
    Ok(run.doors.store.give_up(&decided.given_up, GiveUp::NextAttempt, until).await?)
}

fn changed(moved: &[Moved]) -> usize {
    moved.iter().filter(|row| row.changed).count()
}
