//! The book of money: every movement once, in order, never changed; and what it adds up to.
//!
//! This is the judge of a run. It knows orders by the metadata of their payments and by nothing else, so it cannot
//! share a mistake with the database that it is compared with.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::word::Word;

/// What happened to money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// It is held.
    Authorized,
    /// It is taken; the rest of the hold is released.
    Captured,
    /// The hold is released.
    Canceled,
    /// It is given back.
    Refunded,
    /// Nothing: the bank refused to hold it.
    Declined,
}

/// One movement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Unix milliseconds of the provider's clock.
    pub at_ms: u64,
    /// `metadata[order_id]` of the payment.
    pub order_id: Option<Word>,
    /// `metadata[attempt_no]` of the payment.
    pub attempt_no: Option<Word>,
    /// The payment.
    pub payment_id: Word,
    /// What happened.
    pub kind: EntryKind,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// Of what, in small letters.
    pub currency: Word,
}

/// What the entries add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// By order; payments without one are in the other figures only.
    pub orders: BTreeMap<Word, OrderSummary>,
    /// Orders of which more than one payment was captured, or more of one than was authorized.
    pub double_captures: BTreeSet<Word>,
    /// Payments whose hold is still live: neither captured nor canceled.
    pub orphan_holds: BTreeSet<Word>,
    /// Of everything.
    pub totals: Totals,
    /// How many payments were captured.
    pub captures: u64,
}

/// One order's money.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OrderSummary {
    /// Taken, in minor units; what was given back is not subtracted.
    pub captured_minor: i64,
    /// How many payments were captured.
    pub captures: u64,
    /// How many holds are still live.
    pub holds: u64,
    /// Given back, in minor units.
    pub refunded_minor: i64,
    /// Of the last payment, in small letters.
    pub currency: Word,
    /// Every payment, declined ones included, in the order of their first entry.
    pub payment_ids: Vec<Word>,
}

/// Sums in minor units, of whatever currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Held at some time.
    pub authorized_minor: i64,
    /// Taken.
    pub captured_minor: i64,
    /// Held and released by a cancellation.
    pub canceled_minor: i64,
    /// Given back.
    pub refunded_minor: i64,
}

/// One payment's money.
#[derive(Debug, Default)]
struct Payment {
    order_id: Option<Word>,
    currency: Word,
    sums: Totals,
    captured: bool,
    canceled: bool,
}

/// Adds the entries up.
pub(super) fn summarize(entries: &[Entry]) -> Summary {
    let mut order_of_first_entry = Vec::new();
    let mut payments: BTreeMap<Word, Payment> = BTreeMap::new();
    for entry in entries {
        let payment = payments.entry(entry.payment_id.clone()).or_insert_with(|| {
            order_of_first_entry.push(entry.payment_id.clone());
            Payment {
                order_id: entry.order_id.clone(),
                currency: entry.currency.clone(),
                ..Payment::default()
            }
        });
        payment.add(entry);
    }
    let mut summary = Summary::default();
    for payment_id in order_of_first_entry {
        if let Some(payment) = payments.get(&payment_id) {
            summary.add(payment_id, payment);
        }
    }
    summary
}

impl Payment {
    fn add(&mut self, entry: &Entry) {
        let sum = match entry.kind {
            EntryKind::Authorized => &mut self.sums.authorized_minor,
            EntryKind::Captured => {
                self.captured = true;
                &mut self.sums.captured_minor
            }
            EntryKind::Canceled => {
                self.canceled = true;
                &mut self.sums.canceled_minor
            }
            EntryKind::Refunded => &mut self.sums.refunded_minor,
            EntryKind::Declined => return,
        };
        *sum = sum.saturating_add(entry.amount_minor);
    }

    const fn is_held(&self) -> bool {
        self.sums.authorized_minor > 0 && !self.captured && !self.canceled
    }
}

impl Summary {
    fn add(&mut self, payment_id: Word, payment: &Payment) {
        let (sums, totals) = (payment.sums, &mut self.totals);
        totals.authorized_minor = totals.authorized_minor.saturating_add(sums.authorized_minor);
        totals.captured_minor = totals.captured_minor.saturating_add(sums.captured_minor);
        totals.canceled_minor = totals.canceled_minor.saturating_add(sums.canceled_minor);
        totals.refunded_minor = totals.refunded_minor.saturating_add(sums.refunded_minor);
        self.captures += u64::from(payment.captured);
        if payment.is_held() {
            self.orphan_holds.insert(payment_id.clone());
        }
        let Some(order_id) = &payment.order_id else { return };
        let order = self.orders.entry(order_id.clone()).or_default();
        order.captured_minor = order.captured_minor.saturating_add(sums.captured_minor);
        order.refunded_minor = order.refunded_minor.saturating_add(sums.refunded_minor);
        order.captures += u64::from(payment.captured);
        order.holds += u64::from(payment.is_held());
        order.currency = payment.currency.clone();
        order.payment_ids.push(payment_id);
        if order.captures > 1 || sums.captured_minor > sums.authorized_minor {
            self.double_captures.insert(order_id.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `payment kind amount`, all of the order `o`, those of payments that begin with `x` of none.
    fn entries(lines: &[&str]) -> Vec<Entry> {
        let entry = |line: &&str| {
            let [payment, kind, amount] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            Entry {
                at_ms: 0,
                order_id: (!payment.starts_with('x')).then(|| "o".into()),
                attempt_no: None,
                payment_id: payment.into(),
                kind: match kind {
                    "authorized" => EntryKind::Authorized,
                    "captured" => EntryKind::Captured,
                    "canceled" => EntryKind::Canceled,
                    "refunded" => EntryKind::Refunded,
                    _ => EntryKind::Declined,
                },
                amount_minor: amount.parse().unwrap(),
                currency: "eur".into(),
            }
        };
        lines.iter().map(entry).collect()
    }

    #[track_caller]
    fn check(lines: &[&str], double: bool, holds: &[&str], captured_minor: i64) {
        let summary = summarize(&entries(lines));
        let found: Vec<&str> = summary.orphan_holds.iter().map(|id| &**id).collect();
        let captured = summary.orders.get("o").map_or(0, |order| order.captured_minor);
        let found = (!summary.double_captures.is_empty(), found, captured);
        assert_eq!(found, (double, holds.to_vec(), captured_minor), "{lines:?}");
    }

    #[test]
    fn what_was_taken_twice_or_too_much_is_named() {
        check(&["p authorized 5", "p captured 5"], false, &[], 5);
        check(&["p authorized 5", "p captured 3"], false, &[], 3);
        check(&["p authorized 5", "p captured 6"], true, &[], 6);
        check(&["p authorized 5", "p captured 5", "q authorized 5", "q captured 5"], true, &[], 10);
        check(&["p authorized 5", "p captured 5", "q authorized 5", "q canceled 5"], false, &[], 5);
        check(&["p captured 5"], true, &[], 5);
    }

    #[test]
    fn a_hold_that_is_neither_captured_nor_canceled_is_live() {
        check(&["p authorized 5"], false, &["p"], 0);
        check(&["p declined 5"], false, &[], 0);
        check(&["x authorized 5", "p authorized 5", "p canceled 5"], false, &["x"], 0);
    }

    #[test]
    fn an_order_has_its_payments_in_order_and_its_sums() {
        let lines = ["q declined 5", "p authorized 5", "p captured 5", "p refunded 2"];
        let summary = summarize(&entries(&lines));
        let order = &summary.orders["o"];
        let ids: Vec<&str> = order.payment_ids.iter().map(|id| &**id).collect();
        assert_eq!((ids, order.captures, order.refunded_minor), (vec!["q", "p"], 1, 2));
        assert_eq!(&*order.currency, "eur");
        assert_eq!((summary.captures, summary.totals.refunded_minor), (1, 2));
    }
}
