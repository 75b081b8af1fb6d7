//! Duty 6: what waits, in numbers, for whoever is on call. Read before parked payments are published, which takes the rest
//! of the run.

use backoff::Deadline;
use order_store::{Backlog, ReconcileStore};

use crate::duty::Stopped;
use crate::flow::Run;

/// Counts what waits.
pub(crate) async fn count<S: ReconcileStore, P, Q, K>(
    run: &Run<'_, S, P, Q, K>,
    until: Deadline,
    backlog: &mut Option<Backlog>,
) -> Result<(), Stopped> {
    *backlog = Some(run.doors.store.backlog(until).await?);
    Ok(())
}
