//! Batches in, responses out: what `run` and `answer` promise, through the public door, with queues that record what
//! they are told. The same promises over a real queue are tested in `tests/flow`.
#![cfg(test)]

use std::cell::RefCell;
use std::sync::Mutex;
use std::time::Duration;

use backoff::{Deadline, ManualClock, Random};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::{collection, prop_assert, prop_assert_eq};
use queue::{
    Answering, Batch, Body, Limits, NotPublished, Notes, Outcome, Outgoing, Queue, QueueUrl, Queues, Record,
    Suspect, VisibilityChange, Wait, answer, run,
};

/// Queues that take everything, or refuse all publishing, and remember what they were told.
#[derive(Default)]
struct Recorder {
    refuses: bool,
    published: Mutex<Vec<Outgoing>>,
    changes: Mutex<Vec<VisibilityChange>>,
}

impl Queue for Recorder {
    async fn publish(
        &self,
        _: &QueueUrl,
        messages: Vec<Outgoing>,
        _: Deadline,
    ) -> Vec<Result<(), NotPublished>> {
        if self.refuses {
            return vec![Err(NotPublished { code: "Test".to_owned(), sender_fault: false }); messages.len()];
        }
        let results = vec![Ok(()); messages.len()];
        self.published.lock().unwrap().extend(messages);
        results
    }

    async fn change_visibility(&self, _: &QueueUrl, changes: Vec<VisibilityChange>, _: Deadline) -> usize {
        self.changes.lock().unwrap().extend(changes);
        0
    }
}

fn record(id: &str, receive_count: u32) -> Record {
    Record {
        message_id: id.to_owned(),
        receipt_handle: format!("receipt-{id}"),
        body: Some("{}".to_owned()),
        receive_count,
        sent_ms: Some(1),
        traceparent: None,
    }
}

fn batch(receive_counts: &[u32]) -> Batch {
    Batch {
        records: receive_counts
            .iter()
            .enumerate()
            .map(|(n, &count)| record(&format!("m{n}"), count))
            .collect(),
    }
}

fn queues() -> Queues {
    Queues {
        source: QueueUrl("https://sqs/0/queue".to_owned()),
        quarantine: QueueUrl("quarantine".to_owned()),
    }
}

fn clock() -> ManualClock {
    ManualClock::at_ms(1_000_000)
}

fn deadline_in(clock: &ManualClock, time: Duration) -> Deadline {
    Deadline::after(clock, time)
}

fn block<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// The failed ids that `answer` reports for these outcomes.
fn failures(recorder: &Recorder, batch: &Batch, outcomes: Vec<Outcome>) -> Vec<String> {
    let clock = clock();
    let (queues, random) = (queues(), Random::seeded(1));
    let deadline = deadline_in(&clock, Duration::from_secs(5));
    let answering =
        Answering { queue: recorder, queues: &queues, random: &random, deadline, notes: Notes::new() };
    let (response, _) = block(answer(answering, batch, outcomes));
    response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}

fn retry(wait: Wait) -> Outcome {
    Outcome::Retry { why: "test", wait }
}

fn quarantine(body: Body) -> Outcome {
    Outcome::Quarantine { reason: "not_json", detail: "line 1".to_owned(), body }
}

#[track_caller]
fn check(outcomes: Vec<Outcome>, expected: &[&str]) {
    let batch = batch(&vec![1; outcomes.len()]);
    assert_eq!(failures(&Recorder::default(), &batch, outcomes), expected);
}

#[test]
fn only_what_is_to_be_retried_is_reported() {
    check(vec![], &[]);
    check(vec![Outcome::Done], &[]);
    check(vec![Outcome::Done, quarantine(Body::Kept)], &[]);
    check(vec![retry(Wait::Backoff), Outcome::Done, retry(Wait::None)], &["m0", "m2"]);
}

#[test]
fn a_record_without_an_outcome_goes_back() {
    assert_eq!(failures(&Recorder::default(), &batch(&[1, 1]), vec![Outcome::Done]), ["m1"]);
}

#[test]
fn a_message_delivered_twice_in_one_batch_is_reported_once() {
    let twice = Batch { records: vec![record("same", 1), record("same", 2)] };
    assert_eq!(
        failures(&Recorder::default(), &twice, vec![retry(Wait::Backoff), retry(Wait::Backoff)]),
        ["same"]
    );
}

#[test]
fn what_the_quarantine_does_not_take_goes_back_instead_of_being_lost() {
    let recorder = Recorder { refuses: true, ..Recorder::default() };
    assert_eq!(failures(&recorder, &batch(&[1]), vec![quarantine(Body::Kept)]), ["m0"]);
}

#[track_caller]
fn check_quarantined_body(body: Option<&str>, allowed: Body, kept: bool) {
    let recorder = Recorder::default();
    let batch = Batch { records: vec![Record { body: body.map(str::to_owned), ..record("m0", 1) }] };
    assert_eq!(failures(&recorder, &batch, vec![quarantine(allowed)]), [""; 0]);
    let published = recorder.published.into_inner().unwrap();
    let entry = published.first().unwrap();
    assert_eq!(Some(entry.body.as_str()) == body, kept);
    assert_eq!(entry.body.len() == 64, !kept, "what is not kept is named by its SHA-256");
    assert!(entry.attributes.contains(&("reason", "not_json".to_owned())));
    assert!(entry.attributes.contains(&("originalMessageId", "m0".to_owned())));
    assert!(entry.attributes.contains(&("originalQueue", "queue".to_owned())));
}

#[test]
fn a_quarantined_body_is_kept_where_it_may_and_can_be() {
    check_quarantined_body(Some("no json"), Body::Kept, true);
    check_quarantined_body(Some("4242 4242 4242 4242"), Body::Hashed, false);
    check_quarantined_body(Some("a\u{0}b"), Body::Kept, false);
    check_quarantined_body(Some(&"x".repeat(300 * 1024)), Body::Kept, false);
    check_quarantined_body(None, Body::Kept, false);
}

#[track_caller]
fn check_wait(receive_count: u32, wait: Wait, expected: std::ops::RangeInclusive<u32>) {
    let recorder = Recorder::default();
    failures(&recorder, &batch(&[receive_count]), vec![retry(wait)]);
    let changes = recorder.changes.into_inner().unwrap();
    assert_eq!(changes.len(), 1);
    assert!(expected.contains(&changes[0].visible_after_s), "{} s", changes[0].visible_after_s);
}

#[test]
fn what_goes_back_waits_as_its_outcome_says() {
    check_wait(1, Wait::None, 0..=0);
    check_wait(1, Wait::Seconds(20), 20..=20);
    check_wait(1, Wait::Backoff, 1..=2);
    check_wait(4, Wait::Backoff, 1..=16);
    check_wait(40, Wait::Backoff, 1..=300);
}

/// Runs the batch with `process` and returns the outcomes together with the groups that were tried.
fn run_with(
    batch: &Batch,
    time_left: Duration,
    process: impl Fn(&[&str]) -> Result<Vec<Outcome>, Suspect>,
) -> (Vec<Outcome>, Vec<Vec<String>>) {
    let clock = clock();
    let limits = Limits {
        deadline: deadline_in(&clock, time_left),
        time_per_group: Duration::from_millis(500),
        suspects_at_once: 1,
    };
    let groups = RefCell::new(Vec::new());
    let (groups_seen, process) = (&groups, &process);
    let outcomes = block(run(&clock, batch, limits, |records| async move {
        let ids: Vec<&str> = records.iter().map(|record| record.message_id.as_str()).collect();
        groups_seen.borrow_mut().push(ids.iter().map(|id| (*id).to_owned()).collect());
        process(&ids)
    }));
    (outcomes, groups.into_inner())
}

const PLENTY: Duration = Duration::from_secs(5);

fn done(ids: &[&str]) -> Vec<Outcome> {
    vec![Outcome::Done; ids.len()]
}

#[test]
fn a_panic_fails_its_own_record_and_no_other() {
    let (outcomes, groups) = run_with(&batch(&[1, 1, 1]), PLENTY, |ids| {
        assert!(!ids.contains(&"m1"), "planted panic");
        Ok(done(ids))
    });
    assert_eq!(outcomes[0], Outcome::Done);
    assert!(matches!(outcomes[1], Outcome::Retry { .. }));
    assert_eq!(outcomes[2], Outcome::Done);
    assert_eq!(groups, [vec!["m0", "m1", "m2"], vec!["m0"], vec!["m1"], vec!["m2"]]);
}

#[test]
fn a_suspect_group_runs_again_one_by_one() {
    let (outcomes, groups) =
        run_with(&batch(&[1, 1]), PLENTY, |ids| if ids.len() > 1 { Err(Suspect) } else { Ok(done(ids)) });
    assert_eq!(outcomes, done(&["m0", "m1"]));
    assert_eq!(groups.len(), 3);
}

#[test]
fn an_answer_that_is_short_is_not_trusted() {
    let (outcomes, _) =
        run_with(&batch(&[1, 1]), PLENTY, |ids| Ok(if ids.len() > 1 { vec![] } else { done(ids) }));
    assert_eq!(outcomes, done(&["m0", "m1"]));
}

#[test]
fn a_record_received_three_times_runs_alone_and_last() {
    let (outcomes, groups) = run_with(&batch(&[3, 1, 2]), PLENTY, |ids| Ok(done(ids)));
    assert_eq!(outcomes.len(), 3);
    assert_eq!(groups, [vec!["m1", "m2"], vec!["m0"]]);
}

#[test]
fn what_the_deadline_leaves_no_time_for_goes_back_at_once_and_unstarted() {
    let (outcomes, groups) = run_with(&batch(&[1, 3]), Duration::from_millis(499), |ids| Ok(done(ids)));
    assert!(groups.is_empty());
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Retry { wait: Wait::None, .. })));
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Done),
        Just(quarantine(Body::Kept)),
        Just(retry(Wait::Backoff)),
        Just(retry(Wait::None)),
    ]
}

proptest! {
    #[test]
    fn reported_failures_are_ids_of_the_batch_and_never_empty(
        outcomes in collection::vec(any_outcome(), 0..12),
        records in 0_usize..10,
        refuses in any::<bool>(),
    ) {
        let recorder = Recorder { refuses, ..Recorder::default() };
        let batch = batch(&vec![1; records]);
        let reported = failures(&recorder, &batch, outcomes.clone());
        prop_assert!(reported.iter().all(|id| batch.records.iter().any(|record| &record.message_id == id)));
        prop_assert!(reported.iter().all(|id| !id.is_empty()));
        let mut distinct = reported.clone();
        distinct.dedup();
        prop_assert_eq!(&distinct, &reported);
        // Whatever is neither done nor safely quarantined is reported: nothing is deleted by omission.
        for (position, record) in batch.records.iter().enumerate() {
            let finished = match outcomes.get(position) {
                Some(Outcome::Done) => true,
                Some(Outcome::Quarantine { .. }) => !refuses,
                Some(Outcome::Retry { .. }) | None => false,
            };
            prop_assert_eq!(reported.contains(&record.message_id), !finished);
        }
    }
}
