//! Duty 4: holds that appeared at the provider for attempts that had failed meanwhile.

use std::time::Duration;

use backoff::{Clock, Deadline};
use futures_util::stream::{self, StreamExt};
use order_store::{ReconcileStore, Sweep};
use payments::{Charge, ChargeStatus, Later, LookUps, Payment, Payments};
use settlement::{Search, cancellations, charges_of};

use crate::cancel::cancel;
use crate::duty::{Stopped, asking};
use crate::flow::Run;
use crate::report::Sweeps;

/// Attempts a run: a look-up each, a third of the run's calls.
const ATTEMPTS_MAX: u32 = 100;

/// An attempt is swept at once, and then this often until its 24 h are over. Each time costs a look-up, and there are as
/// many attempts as a day had declines; a charge made in between is found by the comparison, ten minutes later.
const SWEEP_EVERY: Duration = Duration::from_hours(1);

/// Look-ups under way at once: enough that a slow one holds up few, and few enough to leave the quota to others.
const LOOK_UPS_AT_ONCE: usize = 4;

/// Looks for charges of failed attempts, and cancels what is held or may still be.
///
/// `failed` absorbs, so a row that the store calls failed will never want its hold; and a charge is an attempt's only
/// by its metadata. So nothing is canceled here that a live row names.
pub(crate) async fn sweep<S, P, Q, K>(
    run: &Run<'_, S, P, Q, K>,
    until: Deadline,
    counts: &mut Sweeps,
) -> Result<(), Stopped>
where
    S: ReconcileStore,
    P: Payments + LookUps,
    K: Clock,
{
    let sweeps = run.doors.store.take_sweeps(ATTEMPTS_MAX, SWEEP_EVERY, until).await?;
    counts.taken = sweeps.len();
    let look_ups: Vec<_> = sweeps.into_iter().map(|sweep| look_up(run, sweep, asking(until))).collect();
    let looked_up: Vec<_> = stream::iter(look_ups).buffered(LOOK_UPS_AT_ONCE).collect().await;
    let (mut live, mut unseen) = (Vec::new(), None);
    for result in looked_up {
        match result {
            Ok(charges) => {
                charges
                    .iter()
                    .filter(|charge| charge.status == ChargeStatus::Captured)
                    .for_each(log_captured);
                live.extend(cancellations(&charges, None));
            }
            Err(why) => {
                counts.unseen += 1;
                unseen = unseen.or(Some(why));
            }
        }
    }
    cancel(run, live, until, &mut counts.canceled).await?;
    // An attempt that was not seen comes again in an hour: its 24 h are longer than that.
    unseen.map_or(Ok(()), |why| Err(why.into()))
}

async fn look_up<S, P: LookUps, Q, K: Clock>(
    run: &Run<'_, S, P, Q, K>,
    sweep: Sweep,
    deadline: Deadline,
) -> Result<Vec<Charge>, Later> {
    let Sweep { order_id, attempt_no, customer_ref, first_sent_s } = sweep;
    let search = Search { payment: Payment { order_id, attempt_no }, customer_ref, first_sent_s };
    charges_of(&run.provider, &run.doors.clock, &search, deadline).await
}

/// Money was taken for an attempt that failed: no machine gives it back.
fn log_captured(charge: &Charge) {
    let Some(Payment { order_id, attempt_no }) = &charge.payment else { return };
    tracing::error!(
        order.id = %order_id,
        attempt_no,
        payment.id = %charge.payment_id,
        reason = "captured_not_recorded",
        "provider and rows disagree"
    );
}
