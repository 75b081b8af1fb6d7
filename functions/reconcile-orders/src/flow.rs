//! The screen to read: what one run does about everything that was left over.
//!
//! Deterministic: given the same doors, clock and random source, the same run has the same effects. Nothing is spawned,
//! no wall clock is read, and nothing iterates over a hash map. Safe to run twice at once: whatever a run takes is
//! leased in the store, every move is a compare-and-set, and every call to the provider has its row's key.

use std::time::Duration;

use backoff::{Clock, Deadline, Random};
use order_store::{PaymentStore, ReconcileStore};
use payments::{LookUps, Payments};
use queue::{Queue, QueueUrl, contained};

use crate::budget::Budgeted;
use crate::duty::{self, Duty, Stopped};
use crate::report::Summary;
use crate::{backlog, compare, events, expiries, pump, sweeps, unknown};

/// Everything the flow touches, as values: the real services, or their in-memory twins.
#[derive(Debug, Clone)]
pub struct Doors<S, P, Q, K> {
    /// Aurora, behind the Data API.
    pub store: S,
    /// The payment provider, behind its gate.
    pub provider: P,
    /// The queues.
    pub queue: Q,
    /// Unix and monotonic time.
    pub clock: K,
    /// Jitter.
    pub random: Random,
    /// Takes payment requests.
    pub payments: QueueUrl,
    /// Takes what others are told of orders.
    pub order_events: QueueUrl,
    /// What the stage decides.
    pub rules: Rules,
}

/// Times that the stage decides.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// How long a payment must have been unknown before it is given up.
    pub unknown_quarantine: Duration,
    /// How old a charge must be before it is held against the rows: younger ones may still be on their way.
    pub compare_lag: Duration,
}

/// Kept back from the deadline for the summary, its log line and the answer.
const ANSWER_RESERVE: Duration = Duration::from_millis(500);

/// One run: the doors, what is left of its calls to the provider, and when it must be over.
pub(crate) struct Run<'a, S, P, Q, K> {
    pub(crate) doors: &'a Doors<S, P, Q, K>,
    pub(crate) provider: Budgeted<'a, P>,
    deadline: Deadline,
}

/// Does every duty once, then publishes parked payments until none waits or the time is over.
///
/// Never fails as a whole: a duty that stops early is named in the summary, and the next run goes on from there.
pub async fn reconcile<S, P, Q, K>(doors: &Doors<S, P, Q, K>, deadline: Deadline) -> Summary
where
    S: ReconcileStore + PaymentStore,
    P: Payments + LookUps,
    Q: Queue,
    K: Clock,
{
    let provider = Budgeted::new(&doors.provider);
    let run = Run { doors, provider, deadline: deadline.earlier(ANSWER_RESERVE) };
    let mut summary = Summary::default();
    let Summary { events, expiries, unknown, sweeps, compare, backlog, pump, stopped, .. } = &mut summary;
    stopped.extend(run.duty(&duty::EVENTS, |until| events::republish(&run, until, events)).await);
    stopped.extend(run.duty(&duty::EXPIRIES, |until| expiries::expire(&run, until, expiries)).await);
    stopped.extend(run.duty(&duty::UNKNOWN, |until| unknown::resolve(&run, until, unknown)).await);
    stopped.extend(run.duty(&duty::SWEEPS, |until| sweeps::sweep(&run, until, sweeps)).await);
    stopped.extend(run.duty(&duty::COMPARE, |until| compare::compare(&run, until, compare)).await);
    stopped.extend(run.duty(&duty::BACKLOG, |until| backlog::count(&run, until, backlog)).await);
    stopped.extend(run.duty(&duty::PUMP, |until| pump::pump(&run, until, pump)).await);
    summary.provider_calls = run.provider.calls();
    summary
}

impl<S, P, Q, K: Clock> Run<'_, S, P, Q, K> {
    /// Runs one duty in its share of the time. Whatever keeps it from its end is contained here, logged once, and
    /// returned by name.
    async fn duty<F>(
        &self,
        duty: &Duty,
        work: impl FnOnce(Deadline) -> F,
    ) -> Option<(&'static str, &'static str)>
    where
        F: Future<Output = Result<(), Stopped>>,
    {
        let ended = match duty.until(&self.doors.clock, self.deadline) {
            Some(until) => contained(work(until)).await.unwrap_or(Err(Stopped::Panicked)),
            None => Err(Stopped::NoTime),
        };
        let stopped = ended.err()?;
        stopped.log(duty.name);
        Some((duty.name, stopped.reason()))
    }
}
