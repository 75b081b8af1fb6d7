//! The published events against the rows: the shop hears of every end exactly once, under one id.

use crate::evidence::{Evidence, Row};
use std::collections::BTreeSet;

/// Orders of which the shop heard too little, too much, or the same under two names; a sentence each.
pub(super) fn events(evidence: &Evidence) -> Vec<String> {
    let nothing = BTreeSet::new();
    let told = |id: &String| evidence.published.get(id).unwrap_or(&nothing);
    let rows = evidence.orders.iter().filter_map(|(id, row)| {
        let wrong = differences(row, told(id));
        (!wrong.is_empty()).then(|| format!("{id}: {}", wrong.join("; ")))
    });
    let strangers = evidence.published.keys().filter(|id| !evidence.orders.contains_key(*id));
    rows.chain(strangers.map(|id| format!("{id}: events were published, but there is no row"))).collect()
}

/// What an event's id says of its type: `order:type:sequence`, where the order may hold colons of its own.
pub(super) fn event_type(id: &str) -> &str {
    id.rsplit(':').nth(1).unwrap_or_default()
}

fn differences(row: &Row, told: &BTreeSet<String>) -> Vec<String> {
    let expected = expected(row);
    let types: Vec<&str> = told.iter().map(|id| event_type(id)).collect();
    let missing = expected.iter().filter(|kind| !types.contains(kind));
    let mut wrong: Vec<String> = missing.map(|kind| format!("{kind} was not published")).collect();
    let kinds: BTreeSet<&str> = types.iter().copied().collect();
    let excess = kinds.iter().filter(|kind| !expected.contains(kind));
    wrong.extend(excess.map(|kind| format!("{kind} was published of an order that is {}", row.status)));
    let ids = |kind: &str| types.iter().filter(|other| **other == kind).count();
    let repeated = kinds.iter().filter(|kind| ids(kind) > 1);
    wrong.extend(repeated.map(|kind| format!("{kind} was published under {} ids", ids(kind))));
    let unknown = told.iter().filter(|id| !row.events.contains(id));
    wrong.extend(unknown.map(|id| format!("{id} is not in its outbox")));
    wrong
}

/// What the shop must have heard of an order that stands so.
fn expected(row: &Row) -> Vec<&'static str> {
    let accepted = row.was_accepted().then_some("order.accepted.v1");
    let end = match row.status.as_str() {
        "confirmed" => Some("order.confirmed.v1"),
        "rejected" => Some("order.rejected.v1"),
        "canceled" => Some("order.canceled.v1"),
        _ => None,
    };
    accepted.into_iter().chain(end).collect()
}
