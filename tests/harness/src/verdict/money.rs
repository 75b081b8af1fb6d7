//! The provider's ledger against the rows: who was charged, how often, how much, and whether the order says so.

use crate::evidence::{Evidence, Row};
use crate::sandbox::Charges;
use std::collections::BTreeSet;

/// What the ledger says against the rows, a sentence each.
#[derive(Debug, Default)]
pub(super) struct Money {
    /// Orders from which money was taken more than once.
    pub(super) double_charged: Vec<String>,
    /// Charges whose money is still held.
    pub(super) orphan_holds: Vec<String>,
    /// Orders whose charges are not what their rows say.
    pub(super) mismatched: Vec<String>,
}

pub(super) fn money(evidence: &Evidence) -> Money {
    let mut money = Money::default();
    let twice: BTreeSet<&String> = evidence.ledger.double_captures.iter().collect();
    let nothing = Charges::default();
    let ids: BTreeSet<&String> = evidence.ledger.orders.keys().chain(evidence.orders.keys()).collect();
    for id in ids {
        let charges = evidence.ledger.orders.get(id).unwrap_or(&nothing);
        if charges.captures > 1 || twice.contains(id) {
            money.double_charged.push(format!("{id}: money was taken {} times", charges.captures));
        } else if let Some(what) = disagreement(charges, evidence.orders.get(id)) {
            money.mismatched.push(format!("{id}: {what}"));
        }
    }
    let holds = evidence.ledger.orphan_holds.iter();
    money.orphan_holds = holds.map(|id| format!("charge {id}: its money is still held")).collect();
    money
}

/// What is wrong with an order from which money was taken at most once.
fn disagreement(charges: &Charges, row: Option<&Row>) -> Option<String> {
    let taken = || format!("{} {}", charges.captured_minor, charges.currency.to_uppercase());
    let charged = charges.captures > 0 || charges.captured_minor != 0;
    match row {
        None => charged.then(|| format!("no row, but {} taken", taken())),
        Some(row) if row.status != "confirmed" => charged.then(|| {
            let reason = row.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            format!("{}{reason}, but {} taken", row.status, taken())
        }),
        Some(_) if !charged => Some("confirmed, but no money was taken".to_owned()),
        Some(row) => other_amount(charges, row).or_else(|| other_charge(charges, row)),
    }
}

fn other_amount(charges: &Charges, row: &Row) -> Option<String> {
    let (total, currency) = (row.total_minor.unwrap_or_default(), row.currency.clone().unwrap_or_default());
    let same = charges.captured_minor == total && charges.currency.eq_ignore_ascii_case(&currency);
    let taken = charges.captured_minor;
    (!same).then(|| {
        format!("confirmed over {total} {currency}, but {taken} {} taken", charges.currency.to_uppercase())
    })
}

/// A confirmed order has exactly one captured attempt, and its charge is the provider's.
fn other_charge(charges: &Charges, row: &Row) -> Option<String> {
    let captured: Vec<&str> = row
        .payments
        .iter()
        .filter(|payment| payment.status == "captured")
        .map(|payment| payment.payment_id.as_deref().unwrap_or_default())
        .collect();
    match captured.as_slice() {
        [id] if charges.payment_ids.iter().any(|known| known == id) => None,
        [id] => Some(format!("captured as {id}, which the provider does not know of this order")),
        several => Some(format!("confirmed, with {} captured attempts", several.len())),
    }
}
