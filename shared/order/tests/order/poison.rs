//! The poison fixtures: each ends as its index says, as far as no database is needed.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use order::EventData;
use order::event::parse;
use serde::Deserialize;

/// One line of `expected.json`; the folder's README says what each field means.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    quarantined: Option<String>,
    rejected: Option<String>,
    accepted: Option<bool>,
    by: Option<String>,
    after: Option<String>,
    event_only: Option<bool>,
    repeat: Option<Repeat>,
}

/// How to make a body that is too large for a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Repeat {
    before: String,
    text: String,
    times: usize,
    after: String,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/poison")
}

fn index() -> BTreeMap<String, Expected> {
    serde_json::from_str(&fs::read_to_string(folder().join("expected.json")).unwrap()).unwrap()
}

fn body(name: &str, expected: &Expected) -> String {
    match &expected.repeat {
        Some(repeat) => format!("{}{}{}", repeat.before, repeat.text.repeat(repeat.times), repeat.after),
        None => fs::read_to_string(folder().join(name)).expect(name),
    }
}

/// What became of a body: `quarantined …`, `rejected …` or `accepted`.
fn end(body: &str) -> String {
    match parse(body) {
        Err(unreadable) => format!("quarantined {}", unreadable.reason),
        Ok(event) => match event.data {
            EventData::OrderPlaced(placed) => {
                placed.verdict.map_or_else(|reason| format!("rejected {reason}"), |_| "accepted".to_owned())
            }
            other => format!("read as {}", other.event_type()),
        },
    }
}

#[test]
fn every_kind_ends_as_expected() {
    for (name, expected) in index() {
        let pure = match &expected {
            Expected { by: Some(_), .. } | Expected { accepted: Some(true), .. } => "accepted".to_owned(),
            Expected { quarantined: Some(reason), .. } => format!("quarantined {reason}"),
            Expected { rejected: Some(reason), .. } => format!("rejected {reason}"),
            other => panic!("{name}: no end in {other:?}"),
        };
        assert_eq!(end(&body(&name, &expected)), pure, "{name}");
    }
}

#[test]
fn the_index_names_every_file_and_only_known_reasons() {
    let index = index();
    let files =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    for file in files.filter(|file| file != "expected.json" && file != "README.md") {
        assert!(index.contains_key(&file), "{file} is missing in expected.json");
    }
    for (name, expected) in &index {
        let known = match expected {
            Expected { quarantined: Some(reason), rejected: None, accepted: None, .. } => {
                order::QuarantineReason::parse(reason).is_ok()
            }
            Expected { rejected: Some(reason), quarantined: None, accepted: None, .. } => {
                order::RejectReason::parse(reason).is_ok()
            }
            Expected { accepted: Some(true), quarantined: None, rejected: None, .. } => true,
            _ => false,
        };
        assert!(known, "{name}: {expected:?}");
        assert!(expected.by.as_deref().is_none_or(|by| by == "database"), "{name}");
        assert!(expected.after.as_ref().is_none_or(|first| index.contains_key(first)), "{name}");
    }
}

#[test]
fn what_a_queue_refuses_is_marked() {
    // SQS takes 1 byte to 1 MiB, and no control characters but tab, line feed and carriage return.
    for (name, expected) in index() {
        let body = body(&name, &expected);
        let refused = body.is_empty()
            || body.len() > 1024 * 1024
            || body.contains(|c: char| c < ' ' && !"\t\n\r".contains(c));
        assert_eq!(expected.event_only.unwrap_or(false), refused, "{name}");
    }
}

#[test]
fn one_id_with_two_amounts_is_two_fingerprints() {
    let index = index();
    let read = |name: &str| match parse(&body(name, &index[name])).unwrap().data {
        EventData::OrderPlaced(placed) => placed,
        other => panic!("{}", other.event_type()),
    };
    let (first, second) = (read("same-id-first.json"), read("same-id-second.json"));
    assert_eq!(first.order_id, second.order_id);
    assert_ne!(first.fingerprint, second.fingerprint);
}
