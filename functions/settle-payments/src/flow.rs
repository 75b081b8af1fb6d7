//! The screen to read: what happens to a batch of payment requests.
//!
//! begin → send → commit what has ended, in groups → follow up → commit → tell. Deterministic: given the same doors,
//! clock and random source, the same batch has the same effects. Nothing is spawned, no wall clock is read, and nothing
//! iterates over a hash map; what goes on at the same time is joined in one task.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use backoff::{Clock, Deadline, Random};
use data_api::{Decision, Error};
use futures_util::future::{Either, FutureExt, LocalBoxFuture, join, join_all, select};
use futures_util::stream::{self, Stream, StreamExt};
use order_store::{BeginPayment, Begun, Move, Moved, PaymentStore, SentEvents};
use payments::{Endpoint, Outcome, Payment, Payments, Request};
use queue::{
    Answering, Batch, Counts, Limits, Note, Notes, Outcome as End, Queue, QueueUrl, Queues, Record, Suspect,
    Wait, answer, run,
};
use settlement::{Decision as Decided, decide};

use crate::decode::{Asked, Asking, decode_all};
use crate::events::{Traced, publish};
use crate::group::{Group, begin_payment};
use crate::report::Report;
use crate::verdict::{NO_ANSWER, Then, after_begin, after_failure, after_move};

/// Everything the flow touches, as values: the real services, or their in-memory twins.
#[derive(Debug)]
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
    /// Where batches come from and where unreadable messages go.
    pub queues: Queues,
    /// Takes what became of orders.
    pub events: QueueUrl,
    /// What was published and is not yet marked as sent.
    pub sent: SentEvents,
}

/// Kept back from the deadline for what follows the provider's last answer: a commit with its retry, and the answer.
const SEND_RESERVE: Duration = Duration::from_millis(1_500);

/// Kept back from the deadline for the answer itself: quarantine, visibility, the response.
const ANSWER_RESERVE: Duration = Duration::from_millis(300);

/// The least time in which a group can be begun and an attempt of a second made, within the reserve.
const TIME_PER_GROUP: Duration = Duration::from_millis(2_500);

/// How long an outcome waits for its neighbours before it is committed without them.
const CUT_OFF: Duration = Duration::from_secs(1);

/// Suspects (received three times or more) are groups of their own, all at once: most are not to blame, since the limiter
/// and the breaker send payments back as well, and their waits must not add up. The largest batch.
const SUSPECTS_AT_ONCE: usize = 10;

/// Most groups of one wave that are being committed and followed up at once: one for each record of the largest batch.
const COMMITS_AT_ONCE: usize = 10;

/// Processes a batch: one call begins all fresh records, then each step is sent at once and committed in groups.
///
/// Never fails as a whole: each record ends as done, quarantined or handed back.
pub async fn process<S, P, Q, K>(
    doors: &Doors<S, P, Q, K>,
    batch: &Batch,
    deadline: Deadline,
) -> (SqsBatchResponse, Report)
where
    S: PaymentStore,
    P: Payments,
    Q: Queue,
    K: Clock,
{
    let work = Work {
        doors,
        send_by: deadline.earlier(SEND_RESERVE),
        store_by: deadline.earlier(ANSWER_RESERVE),
        report: Mutex::default(),
        notes: Mutex::default(),
    };
    let limits = Limits {
        deadline: work.store_by,
        time_per_group: TIME_PER_GROUP,
        suspects_at_once: SUSPECTS_AT_ONCE,
    };
    let messages = Counts::begun(batch, doors.clock.now_ms());
    let ends = run(&doors.clock, batch, limits, |records| work.settle(records)).await;
    let notes = work.notes.into_inner().unwrap_or_else(PoisonError::into_inner);
    let answering =
        Answering { queue: &doors.queue, queues: &doors.queues, random: &doors.random, deadline, notes };
    let (response, ends) = answer(answering, batch, ends).await;
    (response, work.report.into_inner().unwrap_or_else(PoisonError::into_inner).closed_with(messages, &ends))
}

/// What became of payments.
type Ends = BTreeMap<Payment, End>;

struct Work<'a, S, P, Q, K> {
    doors: &'a Doors<S, P, Q, K>,
    send_by: Deadline,
    store_by: Deadline,
    report: Mutex<Report>,
    notes: Mutex<Notes>,
}

impl<S, P, Q, K> Work<'_, S, P, Q, K>
where
    S: PaymentStore,
    P: Payments,
    Q: Queue,
    K: Clock,
{
    /// Settles the payments of one group of records and says what became of each record, in order.
    async fn settle(&self, records: Vec<&Record>) -> Result<Vec<End>, Suspect> {
        let (asked, mut ends) = decode_all(&records);
        let of_payments = match self.begin(&asked).await {
            Ok(begun) => self.pay(&asked, begun).await,
            Err(error) => self.not_begun(&asked, &error)?,
        };
        for (payment, asking) in &asked {
            let end = of_payments.get(payment).unwrap_or(&NO_ANSWER);
            ends.extend(asking.positions.iter().map(|position| (*position, end.clone())));
            self.note_unfinished(&records, (payment, asking), end);
        }
        Ok((0..records.len()).map(|position| ends.remove(&position).unwrap_or(NO_ANSWER)).collect())
    }

    /// Marks the payments received and reads what each needs.
    async fn begin(&self, asked: &Asked) -> Result<Vec<Begun>, Error> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let batch: Vec<BeginPayment> = asked.keys().enumerate().map(begin_payment).collect();
        let sent = self.doors.sent.take();
        let begun = self.doors.store.begin(&batch, &sent, self.store_by).await;
        if begun.is_err() {
            self.doors.sent.add(sent);
        }
        begun
    }

    /// Does what the rows need, until each payment has come to an end.
    async fn pay(&self, asked: &Asked, begun: Vec<Begun>) -> Ends {
        let mut group = Group { asked, rows: BTreeMap::new() };
        let (mut ends, mut requests, mut concluded) = (Ends::new(), Vec::new(), Vec::new());
        for row in begun {
            let payment = Payment { order_id: row.order_id.clone(), attempt_no: row.attempt_no };
            self.report().note_begun(&row.next);
            match after_begin(&payment, &row) {
                Then::Ended(end) => drop(ends.insert(payment.clone(), end)),
                Then::Ask(request) => requests.push(request),
                Then::Conclude(outcome) => concluded.push((payment.clone(), outcome)),
            }
            group.rows.extend(row.frozen.map(|frozen| (payment, frozen)));
        }
        let concluding = self.commit(&group, Endpoint::Authorize, concluded);
        let (sent, concluded) = join(self.send(&group, requests), concluding).await;
        ends.extend(sent.into_iter().chain(concluded));
        ends
    }

    /// Sends the requests, a wave for each endpoint, all at once. Boxed, because following up sends again.
    fn send<'a>(&'a self, group: &'a Group<'a>, requests: Vec<Request>) -> LocalBoxFuture<'a, Ends> {
        let mut by_endpoint = BTreeMap::<Endpoint, Vec<Request>>::new();
        for request in requests {
            by_endpoint.entry(request.endpoint()).or_default().push(request);
        }
        let waves = by_endpoint.into_iter().map(|(endpoint, requests)| self.wave(group, endpoint, requests));
        join_all(waves).map(|ends| ends.into_iter().flatten().collect()).boxed_local()
    }

    /// Sends requests to one endpoint. What has ended is committed and followed up while the rest goes on.
    async fn wave(&self, group: &Group<'_>, endpoint: Endpoint, requests: Vec<Request>) -> Ends {
        let outcomes = Box::pin(self.doors.provider.send(&requests, self.send_by).fuse());
        let groups = stream::unfold(outcomes, |mut outcomes| async move {
            Some((self.next_group(&mut outcomes).await?, outcomes))
        });
        let commits = groups.map(|ended| self.commit(group, endpoint, named(&requests, ended)));
        let ends: Vec<Ends> = commits.buffer_unordered(COMMITS_AT_ONCE).collect().await;
        ends.into_iter().flatten().collect()
    }

    /// The next outcome, and all that follow it within the cut-off; nothing once the wave is over.
    async fn next_group<O>(&self, outcomes: &mut O) -> Option<Vec<O::Item>>
    where
        O: Stream + Unpin,
    {
        let mut group = vec![outcomes.next().await?];
        let mut cut_off = pin!(self.doors.clock.sleep(CUT_OFF));
        while let Either::Left((Some(outcome), _)) = select(outcomes.next(), cut_off.as_mut()).await {
            group.push(outcome);
        }
        Some(group)
    }

    /// Commits what the outcomes mean, tells of it, and follows up what the rows need now.
    async fn commit(&self, group: &Group<'_>, asked: Endpoint, outcomes: Vec<(Payment, Outcome)>) -> Ends {
        let (mut ends, moves) = self.decide_all(group, asked, outcomes);
        let (mut events, mut follow_ups) = (Vec::new(), Vec::new());
        for (made, moved) in self.record(moves).await {
            let payment = Payment { order_id: made.order_id.clone(), attempt_no: made.attempt_no };
            let then = match &moved {
                Ok(moved) => after_move(asked, &payment, group.rows.get(&payment), (&made.step, moved)),
                Err(end) => Then::Ended(end.clone()),
            };
            if let Ok(moved) = moved {
                self.report().note(&made.step, &moved, group.sent_ms(&payment), self.doors.clock.now_ms());
                events.extend(moved.event.map(|event| (event, group.traceparent(&payment))));
            }
            match then {
                Then::Ask(request) => follow_ups.push(request),
                Then::Ended(end) => drop(ends.insert(payment, end)),
                Then::Conclude(_) => drop(ends.insert(payment, NO_ANSWER)),
            }
        }
        let (followed, ()) = join(self.send(group, follow_ups), self.tell(events)).await;
        ends.extend(followed);
        ends
    }

    /// The ends of what changes no row, and the moves of what does.
    fn decide_all(
        &self,
        group: &Group<'_>,
        asked: Endpoint,
        outcomes: Vec<(Payment, Outcome)>,
    ) -> (Ends, Vec<Move>) {
        let (mut ends, mut moves) = (Ends::new(), Vec::new());
        for (payment, outcome) in outcomes {
            match decide(asked, outcome, group.tries(&payment), &self.doors.random) {
                Decided::ComeBack { why, wait_s } => {
                    let wait = if wait_s == 0 { Wait::None } else { Wait::Seconds(wait_s) };
                    ends.insert(payment, End::Retry { why, wait });
                }
                Decided::Commit(step) => {
                    let Payment { order_id, attempt_no } = payment;
                    moves.push(Move { record_no: moves.len(), order_id, attempt_no, step });
                }
            }
        }
        (ends, moves)
    }

    /// Makes the moves in one call, and each by itself where one of them makes the database refuse them all. A move of
    /// which the database says nothing is left out.
    async fn record(&self, moves: Vec<Move>) -> Vec<(Move, Result<Moved, End>)> {
        match self.record_once(&moves).await {
            Ok(moved) => {
                moved.into_iter().filter_map(|moved| Some((made(&moves, &moved)?, Ok(moved)))).collect()
            }
            Err(error) if error.decision() == Decision::Reject && moves.len() > 1 => {
                let mut all = Vec::with_capacity(moves.len());
                for one in moves {
                    all.extend(Box::pin(self.record(vec![Move { record_no: 0, ..one }])).await);
                }
                all
            }
            Err(error) => {
                let end = after_failure(&self.doors.random, &error);
                tracing::error!(error.message = %error, payments = moves.len(), "a move could not be committed");
                moves.into_iter().map(|made| (made, Err(end.clone()))).collect()
            }
        }
    }

    /// One call; none for no move.
    async fn record_once(&self, moves: &[Move]) -> Result<Vec<Moved>, Error> {
        if moves.is_empty() {
            return Ok(Vec::new());
        }
        let sent = self.doors.sent.take();
        let moved = self.doors.store.record(moves, &sent, self.store_by).await;
        match &moved {
            Ok(_) => self.report().commits += 1,
            Err(_) => self.doors.sent.add(sent),
        }
        moved
    }

    /// Publishes events and remembers those that the queue took.
    async fn tell(&self, events: Vec<Traced>) {
        let Doors { queue, events: to, sent, .. } = self.doors;
        sent.add(publish(queue, to, events, self.store_by).await);
    }

    /// What a failed begin means for the payments in it.
    ///
    /// # Errors
    /// [`Suspect`] when the statement was refused and several payments were in it: one of them may be why.
    fn not_begun(&self, asked: &Asked, error: &Error) -> Result<Ends, Suspect> {
        if error.decision() == Decision::Reject && asked.len() > 1 {
            return Err(Suspect);
        }
        tracing::error!(error.message = %error, payments = asked.len(), "the payments could not be begun");
        let end = after_failure(&self.doors.random, error);
        Ok(asked.keys().map(|payment| (payment.clone(), end.clone())).collect())
    }

    /// Remembers whose records do not simply end, for their log lines.
    fn note_unfinished(&self, records: &[&Record], (payment, asking): (&Payment, &Asking), end: &End) {
        if *end == End::Done {
            return;
        }
        let note = Note { order_id: payment.order_id.to_string(), traceparent: asking.traceparent.clone() };
        let ids = asking.positions.iter().filter_map(|position| records.get(*position));
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        notes.extend(ids.map(|record| (record.message_id.clone(), note.clone())));
    }

    /// Counts are whole after every critical section, so a panic elsewhere does not spoil them.
    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The move that this answer is about.
fn made(moves: &[Move], moved: &Moved) -> Option<Move> {
    let made = moves.get(moved.record_no)?;
    (made.order_id == moved.order_id && made.attempt_no == moved.attempt_no).then(|| made.clone())
}

/// The outcomes with the payments that they are of.
fn named(requests: &[Request], ended: Vec<(usize, Outcome)>) -> Vec<(Payment, Outcome)> {
    let named = |(position, outcome)| Some((requests.get::<usize>(position)?.payment().clone(), outcome));
    ended.into_iter().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::SEND_RESERVE;

    #[test]
    fn what_is_kept_back_is_what_the_settings_say() {
        let text = include_str!("../../../infra/settings.json");
        let settings: serde_json::Value = serde_json::from_str(text).unwrap();
        let reserve = &settings["provider"]["reserve_ms"];
        assert_eq!(reserve["value"].as_u64().map(u128::from), Some(SEND_RESERVE.as_millis()));
    }
}
