//! Duty 5: every charge at the provider is held against the rows, window by window, so that neither side ever knows of
//! money that the other does not.

use std::time::Duration;

use backoff::{Clock, Deadline};
use order_store::{Difference, ReconcileStore, SeenCharge};
use payments::{Cancel, Charge, ChargeStatus, ListCharges, LookUps, Payment, Payments, Request};

use crate::cancel::cancel;
use crate::duty::{Stopped, asking};
use crate::flow::Run;
use crate::report::Compare;

/// Where the first comparison begins: a day back, which is how long failed attempts are swept.
const FIRST_LOOK_BACK_S: u64 = 24 * 60 * 60;

/// A window at first: about what one run of every minute has to do.
const WINDOW_FIRST_S: u64 = 60;

/// The largest window: quiet hours are caught up with in few calls.
const WINDOW_MAX_S: u64 = 60 * 60;

/// Pages of 100 that a window may have; one with more is cut in half. Lists come newest first, so a window is of use
/// only when it was read to its end.
const PAGES_PER_WINDOW: usize = 20;

/// Windows a run: two days in windows of an hour, and then some that were cut.
const WINDOWS_MAX: usize = 64;

/// Charges that are compared in one statement: a page's worth.
const CHARGES_PER_STATEMENT: usize = 100;

/// The least time for one more window.
const TIME_PER_WINDOW: Duration = Duration::from_millis(1_000);

/// `what` of a difference that is mended here: money held for an attempt that does not want it.
const ORPHAN_HOLD: &str = "orphan_hold";

/// Compares window after window up to the lag, and moves the cursor behind each that was compared as a whole.
pub(crate) async fn compare<S, P, Q, K>(
    run: &Run<'_, S, P, Q, K>,
    until: Deadline,
    counts: &mut Compare,
) -> Result<(), Stopped>
where
    S: ReconcileStore,
    P: Payments + LookUps,
    K: Clock,
{
    let now_s = run.doors.clock.now_ms() / 1_000;
    let to_s = now_s.saturating_sub(run.doors.rules.compare_lag.as_secs());
    let compared_until = run.doors.store.compared_until(until).await?;
    let mut from_s = compared_until.unwrap_or_else(|| to_s.saturating_sub(FIRST_LOOK_BACK_S));
    let mut window_s = WINDOW_FIRST_S;
    for _ in 0..WINDOWS_MAX {
        counts.behind_s = to_s.saturating_sub(from_s);
        if from_s >= to_s {
            return Ok(());
        }
        if !until.allows(&run.doors.clock, TIME_PER_WINDOW) {
            return Err(Stopped::NoTime);
        }
        let end_s = to_s.min(from_s.saturating_add(window_s));
        match charges_in(run, (from_s, end_s), until).await? {
            Some(charges) => {
                window(run, &charges, until, counts).await?;
                run.doors.store.set_compared_until(end_s, until).await?;
                counts.windows += 1;
                from_s = end_s;
                if charges.len() < CHARGES_PER_STATEMENT {
                    window_s = WINDOW_MAX_S.min(window_s.saturating_mul(2));
                }
            }
            None if end_s.saturating_sub(from_s) <= 1 => return Err(Stopped::WindowTooLarge),
            None => window_s = end_s.saturating_sub(from_s) / 2,
        }
    }
    Err(Stopped::NoTime)
}

/// Everybody's charges of a window, or nothing where it has more pages than are read.
async fn charges_in<S, P: LookUps, Q, K>(
    run: &Run<'_, S, P, Q, K>,
    (from_s, to_s): (u64, u64),
    until: Deadline,
) -> Result<Option<Vec<Charge>>, Stopped> {
    let mut query = ListCharges { customer_ref: None, from_s, to_s, after: None };
    let mut charges = Vec::new();
    for _ in 0..PAGES_PER_WINDOW {
        let page = run.provider.list(&query, asking(until)).await?;
        charges.extend(page.charges);
        if !page.has_more {
            return Ok(Some(charges));
        }
        query.after = charges.last().map(|charge| charge.payment_id.clone());
    }
    Ok(None)
}

/// Holds the charges of a window against the rows. Orphan holds are canceled; what else differs is for a person.
async fn window<S, P, Q, K>(
    run: &Run<'_, S, P, Q, K>,
    charges: &[Charge],
    until: Deadline,
    counts: &mut Compare,
) -> Result<(), Stopped>
where
    S: ReconcileStore,
    P: Payments,
    K: Clock,
{
    let seen: Vec<SeenCharge> = charges.iter().filter_map(seen).collect();
    counts.charges += seen.len();
    let mut orphans = Vec::new();
    for chunk in seen.chunks(CHARGES_PER_STATEMENT) {
        for difference in run.doors.store.compare(chunk, until).await? {
            counts.differences += 1;
            match orphan(&difference) {
                Some(hold) => orphans.push(hold),
                None => log(&difference),
            }
        }
    }
    cancel(run, orphans, until, &mut counts.canceled).await
}

/// A charge that names an attempt of ours; others are not ours to judge.
fn seen(charge: &Charge) -> Option<SeenCharge> {
    let Payment { order_id, attempt_no } = charge.payment.clone()?;
    Some(SeenCharge {
        payment_id: charge.payment_id.clone(),
        order_id,
        attempt_no,
        held: charge.status == ChargeStatus::Held,
        captured_minor: charge.captured_minor,
        currency: charge.currency,
    })
}

fn orphan(difference: &Difference) -> Option<Request> {
    let payment = Payment { order_id: difference.order_id.clone(), attempt_no: difference.attempt_no };
    let payment_id = difference.payment_id.clone().filter(|_| difference.what == ORPHAN_HOLD)?;
    Some(Request::Cancel(Cancel { payment, payment_id }))
}

fn log(difference: &Difference) {
    let Difference { payment_id, order_id, attempt_no, payment_status, what } = difference;
    tracing::error!(
        order.id = %order_id,
        attempt_no,
        payment.id = payment_id.as_ref().map(|id| id.as_str()).unwrap_or_default(),
        payment.status = payment_status.map(|status| status.as_str()).unwrap_or_default(),
        reason = what,
        "provider and rows disagree"
    );
}
