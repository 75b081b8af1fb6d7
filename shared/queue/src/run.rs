//! Runs a batch group by group: panics contained, the deadline kept, one outcome per record.

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use backoff::{Clock, Deadline};
use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};

use crate::{Batch, Outcome, Record, Wait, plan};

/// The limits of one run.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// When everything must be over, the answer included.
    pub deadline: Deadline,
    /// The least time a group needs, from start to answer; with less left it is not started.
    pub time_per_group: Duration,
    /// How many suspects, each a group of its own, may run at once after the fresh ones.
    pub suspects_at_once: usize,
}

/// A group failed as a whole and one of its records may be why: each must run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suspect;

/// A piece of work panicked. Its payload is dropped: it could quote the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Panicked;

/// Runs `process` over the groups of the batch ([`plan`]) and returns one outcome per record, in batch order.
///
/// `process` returns one outcome per record it was given, in order, or [`Suspect`]. Where a group of several panics,
/// is suspect or answers short, each of its records runs once more by itself: running anything twice is harmless, so
/// the culprit is found in this very invocation and its neighbours succeed.
pub async fn run<'a, C, P, F>(clock: &C, batch: &'a Batch, limits: Limits, process: P) -> Vec<Outcome>
where
    C: Clock,
    P: Fn(Vec<&'a Record>) -> F,
    F: Future<Output = Result<Vec<Outcome>, Suspect>>,
{
    let ctx = Run { clock, records: &batch.records, limits, process };
    let mut outcomes = vec![None; batch.records.len()];
    let (together, alone): (Vec<_>, Vec<_>) =
        plan(&batch.records).into_iter().partition(|group| group.len() > 1);
    for group in together {
        place(&mut outcomes, ctx.group(group).await);
    }
    let alone = stream::iter(alone).map(|group| ctx.group(group)).buffered(limits.suspects_at_once.max(1));
    for finished in alone.collect::<Vec<_>>().await {
        place(&mut outcomes, finished);
    }
    outcomes.into_iter().map(|outcome| outcome.unwrap_or(UNSTARTED)).collect()
}

/// Runs a future to its end and turns a panic into an error.
///
/// # Errors
/// [`Panicked`] when it panicked; what it held is dropped.
pub async fn contained<F: Future>(work: F) -> Result<F::Output, Panicked> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|payload: Box<dyn Any + Send>| {
        drop(payload);
        Panicked
    })
}

const UNSTARTED: Outcome = Outcome::Retry { why: "no_time_left", wait: Wait::None };
const FAILED_ALONE: Outcome = Outcome::Retry { why: "panicked", wait: Wait::Backoff };

struct Run<'a, 'c, C, P> {
    clock: &'c C,
    records: &'a [Record],
    limits: Limits,
    process: P,
}

type Finished = Vec<(usize, Outcome)>;

impl<'a, C, P, F> Run<'a, '_, C, P>
where
    C: Clock,
    P: Fn(Vec<&'a Record>) -> F,
    F: Future<Output = Result<Vec<Outcome>, Suspect>>,
{
    async fn group(&self, positions: Vec<usize>) -> Finished {
        if let Some(outcomes) = self.once(&positions).await {
            return positions.into_iter().zip(outcomes).collect();
        }
        if positions.len() == 1 {
            return positions.into_iter().map(|position| (position, FAILED_ALONE)).collect();
        }
        let mut finished = Vec::with_capacity(positions.len());
        for position in positions {
            let outcome = self.once(&[position]).await.and_then(|outcomes| outcomes.into_iter().next());
            finished.push((position, outcome.unwrap_or(FAILED_ALONE)));
        }
        finished
    }

    /// One call of `process`; `None` when it panicked, is suspect or did not answer for each record.
    async fn once(&self, positions: &[usize]) -> Option<Vec<Outcome>> {
        if !self.limits.deadline.allows(self.clock, self.limits.time_per_group) {
            return Some(vec![UNSTARTED; positions.len()]);
        }
        let records: Vec<&Record> =
            positions.iter().filter_map(|&position| self.records.get(position)).collect();
        // Boxed: a group's state is 20 KB, of which every future around it would hold two copies and move them.
        let outcomes = contained(Box::pin(async { (self.process)(records).await })).await.ok()?.ok()?;
        (outcomes.len() == positions.len()).then_some(outcomes)
    }
}

fn place(outcomes: &mut [Option<Outcome>], finished: Finished) {
    for (position, outcome) in finished {
        if let Some(slot) = outcomes.get_mut(position) {
            *slot = Some(outcome);
        }
    }
}
