//! One worker of an event source: receive, fill, invoke, settle, again.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    Orders, Shared, Target,
    event::{self, EVENT_BYTES_MAX, Origin, Record},
    interpret::{Verdict, interpret},
};
use crate::{
    clock,
    error::Error,
    lambda_host::{Failure, Refusal},
    sqs::MESSAGES_PER_CALL,
};

/// The longest long poll that SQS allows.
const LONG_POLL: Duration = Duration::from_secs(20);
/// The first pause after a throttled invocation; it doubles.
const THROTTLE_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause after a throttled invocation.
const THROTTLE_PAUSE_MAX: Duration = Duration::from_secs(5);
/// The pause after a queue refused a receive, which only happens when the stack ends.
const REFUSED_PAUSE: Duration = Duration::from_millis(100);

/// What an invocation came to, whoever the host is.
#[derive(Debug)]
pub(super) enum Invoked {
    /// The function did not fail; its answer.
    Answered(Bytes),
    /// The function failed, ran out of time, crashed, or could not be reached.
    Failed(String),
    /// The function was not run.
    Throttled,
}

/// Works until the event source stops; worker `number` rests while fewer workers are allowed.
pub(super) async fn run(shared: Arc<Shared>, number: usize) {
    let mut orders = shared.orders.subscribe();
    let may_poll = |orders: &Orders| orders.enabled && number < orders.workers;
    loop {
        match orders.wait_for(|orders| orders.stopping || may_poll(orders)).await {
            Ok(orders) if !orders.stopping => {}
            _ => return,
        }
        let received = tokio::select! {
            // A message that arrives at the moment of resting is taken, not dropped.
            biased;
            received = receive(&shared, shared.batch_size(), LONG_POLL) => received,
            _ = orders.wait_for(|orders| orders.stopping || !may_poll(orders)) => continue,
        };
        match received {
            Ok(records) if records.is_empty() => {}
            Ok(records) => work(&shared, records).await,
            Err(error) => {
                tracing::debug!(%error, "a receive was refused");
                clock::sleep(REFUSED_PAUSE).await;
            }
        }
    }
}

/// Makes batches of what was received, and delivers them one after another.
async fn work(shared: &Shared, received: Vec<Record>) {
    let records = fill(shared, received).await;
    for batch in event::batches(records, shared.batch_size(), EVENT_BYTES_MAX) {
        shared.tally().in_flight += 1;
        deliver(shared, &batch).await;
        shared.tally().in_flight -= 1;
    }
}

/// Receives more until the batch is full or the window is over; without a window, nothing more.
async fn fill(shared: &Shared, mut records: Vec<Record>) -> Vec<Record> {
    let window = shared.mapping.source.window;
    let began = clock::now();
    loop {
        let missing = shared.batch_size().saturating_sub(records.len());
        let bytes: usize = records.iter().map(Record::bytes).sum();
        let left = window.saturating_sub(began.elapsed());
        if missing == 0 || bytes >= EVENT_BYTES_MAX || left.is_zero() {
            return records;
        }
        // A long poll lasts whole seconds; a window may end up to a second late, as it may on AWS.
        match receive(shared, missing, Duration::from_secs(left.as_secs() + 1)).await {
            Ok(more) => records.extend(more),
            Err(_) => return records,
        }
    }
}

async fn receive(shared: &Shared, max: usize, wait: Duration) -> Result<Vec<Record>, Error> {
    let origin = Origin { queue_arn: &shared.queue.arn, region: &shared.mapping.region };
    let max = max.min(MESSAGES_PER_CALL);
    let messages = shared.sqs.receive(&shared.mapping.source.queue, max, wait).await?;
    let records: Vec<Record> =
        messages.into_iter().filter_map(|message| Record::new(message, origin)).collect();
    shared.tally().received(&records);
    Ok(records)
}

/// Invokes until the function was run, or until the messages are about to be somebody else's.
async fn deliver(shared: &Shared, batch: &[Record]) {
    let event = event::event(batch);
    let began = clock::now();
    let mut pause = THROTTLE_PAUSE;
    loop {
        shared.tally().invoked += count(batch.len());
        match invoke(shared, event.clone()).await {
            Invoked::Answered(answer) => return settle(shared, batch, &answer).await,
            Invoked::Failed(why) => {
                shared.slow_down();
                return shared.tally().whole_batch_failed(batch.len(), why);
            }
            Invoked::Throttled => {
                shared.slow_down();
                shared.tally().throttled += 1;
            }
        }
        let needed = began.elapsed() + pause + shared.mapping.function_timeout;
        if needed > shared.mapping.visibility_timeout || shared.orders.borrow().stopping {
            return shared
                .tally()
                .whole_batch_failed(batch.len(), "throttled until the messages returned".to_owned());
        }
        clock::sleep(pause).await;
        pause = (pause * 2).min(THROTTLE_PAUSE_MAX);
    }
}

async fn invoke(shared: &Shared, event: Bytes) -> Invoked {
    let target = shared.orders.borrow().target.clone();
    match target {
        Target::Host => match shared.host.invoke(&shared.mapping.function, event).await {
            Ok(answer) => match answer.failure {
                None => Invoked::Answered(answer.payload),
                Some(failure) => Invoked::Failed(in_words(failure).to_owned()),
            },
            Err(Refusal::Throttled) => Invoked::Throttled,
            Err(Refusal::Unknown) => Invoked::Failed("there is no such function".to_owned()),
        },
        // Another host enforces no timeout and may have to compile first; when the messages are visible
        // again, this answer no longer matters.
        Target::Url(url) => {
            let invoked = shared.client.invoke(&url, event);
            let answered = tokio::time::timeout(shared.mapping.visibility_timeout, invoked).await;
            answered.unwrap_or_else(|_| Invoked::Failed("no answer within the visibility timeout".to_owned()))
        }
    }
}

/// Deletes what the answer says is done.
async fn settle(shared: &Shared, batch: &[Record], answer: &[u8]) {
    let ids: Vec<&str> = batch.iter().map(|record| record.message_id.as_str()).collect();
    let verdict = if shared.mapping.source.reports_item_failures {
        interpret(answer, &ids)
    } else {
        Verdict::DeleteAll
    };
    let kept = match verdict {
        Verdict::DeleteAll => BTreeSet::new(),
        Verdict::DeleteExcept(ids) => ids,
        Verdict::KeepAll(why) => return shared.tally().whole_batch_failed(batch.len(), why.to_owned()),
    };
    let done = || batch.iter().filter(|record| !kept.contains(&record.message_id));
    let handles: Vec<String> = done().map(|record| record.receipt_handle.clone()).collect();
    let refused = match shared.sqs.delete(&shared.mapping.source.queue, &handles).await {
        Ok(refused) => refused,
        Err(error) => {
            tracing::warn!(%error, "messages that are done could not be deleted and come again");
            handles.len()
        }
    };
    let mut tally = shared.tally();
    tally.partial_failures += count(kept.len());
    tally.delete_failures += count(refused);
    tally.deleted += count(handles.len().saturating_sub(refused));
    for record in done() {
        tally.sent_ms.remove(&record.message_id);
    }
}

fn in_words(failure: Failure) -> &'static str {
    match failure {
        Failure::Handled => "the function reported an error",
        Failure::Timeout => "the function ran into its timeout",
        Failure::Exit => "the function's process ended",
        Failure::Init => "the function did not come up",
    }
}

fn count(messages: usize) -> u64 {
    u64::try_from(messages).unwrap_or(u64::MAX)
}
