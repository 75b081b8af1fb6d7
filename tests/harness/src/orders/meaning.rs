//! The generator and `order` meet: what the one calls good, malformed or a repeat, the other must read so.
//!
//! Only here: the verdict itself never asks `order` what to expect.

use super::{Message, Plan, Repricing, Step, Variety, bodies, steps};
use crate::kits::catalog;
use crate::sent::Outcome;
use backoff::Random;
use order::event::parse;
use order::{EventData, Fingerprint};
use std::collections::BTreeMap;

/// What `order` can tell by itself; everything else is the database's to say.
const PURE_REASONS: [&str; 3] = ["quantity_limit", "total_mismatch", "invalid_order"];

fn messages(units: usize, seed: u64) -> Vec<Message> {
    let start = "2026-11-23T10:15:00Z".parse().unwrap();
    let plan = Plan { units, seed, start, reprice: Repricing::InTheMiddle, variety: Variety::Shop };
    let sends = steps(&plan, &catalog()).into_iter();
    sends.filter_map(|step| if let Step::Send(message) = step { Some(*message) } else { None }).collect()
}

/// What `order` makes of a body: the reason for the quarantine or the rejection, or the fingerprint of a good order.
fn read(body: &str) -> (String, Option<Fingerprint>) {
    let event = match parse(body) {
        Err(unreadable) => return (unreadable.reason.as_str().to_owned(), None),
        Ok(event) => event,
    };
    let EventData::OrderPlaced(placed) = event.data else { panic!("not a placed order: {body}") };
    let fingerprint = Some(placed.fingerprint);
    placed
        .verdict
        .err()
        .map_or(("good".to_owned(), fingerprint.clone()), |reason| (reason.as_str().to_owned(), fingerprint))
}

fn expected(message: &Message) -> String {
    match message.expected.as_slice() {
        [Outcome::Quarantined(reason)] => reason.clone(),
        [Outcome::Rejected(reason)] if PURE_REASONS.contains(&reason.as_str()) => reason.clone(),
        _ => "good".to_owned(),
    }
}

#[test]
fn order_reads_every_body_as_it_is_meant() {
    for message in messages(20_000, 11) {
        assert_eq!(read(&message.body).0, expected(&message), "{}: {}", message.kind, message.body);
    }
}

#[test]
fn repeats_have_one_fingerprint_and_reused_ids_two() {
    let mut units: BTreeMap<String, Fingerprint> = BTreeMap::new();
    let mut reused = 0;
    for message in messages(5_000, 12).iter().filter(|message| message.order.is_some()) {
        let fingerprint = read(&message.body).1.unwrap();
        let first = units.entry(message.unit.clone()).or_insert_with(|| fingerprint.clone());
        assert_eq!(*first, fingerprint, "{}", message.unit);
        if let Some(original) = message.unit.strip_suffix(" again").and_then(|id| units.get(id)) {
            assert_ne!(*original, fingerprint, "{}", message.unit);
            reused += 1;
        }
    }
    assert!(reused > 5, "only {reused} ids were used twice");
}

#[test]
fn trace_contexts_are_never_taken_for_card_numbers() {
    let random = Random::seeded(13);
    let order = messages(1, 1).remove(0).order.unwrap();
    for _ in 0..20_000 {
        let body = bodies::placed(&random, &order, &bodies::traceparent(&random));
        assert_eq!(read(&body).0, "good", "{body}");
    }
}
