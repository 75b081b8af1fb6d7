//! Wrongs on demand, so that a verdict can be seen to find them: real payments, in the book like any other.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Account,
    intent::{CaptureMethod, Intent, Status},
};
use crate::sandbox::{ledger::EntryKind, word::Word};

/// What a planted payment is over when the order has none to copy, in minor units.
const AMOUNT_MINOR: i64 = 1_000;
/// And in what.
const CURRENCY: &str = "eur";

/// A wrong to plant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plant {
    /// Which.
    pub kind: PlantKind,
    /// Of which order; it need not have been paid.
    pub order_id: String,
}

/// What can be planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlantKind {
    /// The order is captured once more, by a payment of its own; twice if it was not captured yet.
    DoubleCapture,
    /// A hold for the order that nobody knows of.
    OrphanHold,
    /// The order's capture is over one minor unit more than it was; without one, a capture that nobody asked for.
    Mismatch,
}

impl Account {
    /// Plants a wrong and answers with the payment it is in.
    pub(in crate::sandbox) fn plant(&mut self, plant: &Plant, now_ms: u64) -> Word {
        let captured = self.captured_of(&plant.order_id);
        let at = match (plant.kind, captured) {
            (PlantKind::OrphanHold, _) => self.planted_hold(&plant.order_id, now_ms),
            (PlantKind::Mismatch, Some(at)) => self.raise(at, now_ms),
            (PlantKind::Mismatch, None) | (PlantKind::DoubleCapture, Some(_)) => {
                self.planted_capture(&plant.order_id, now_ms)
            }
            (PlantKind::DoubleCapture, None) => {
                self.planted_capture(&plant.order_id, now_ms);
                self.planted_capture(&plant.order_id, now_ms)
            }
        };
        self.intents.get(at).map(|intent| intent.id.clone()).unwrap_or_default()
    }

    /// The last payment of the order that was captured.
    fn captured_of(&self, order_id: &str) -> Option<usize> {
        let of_order =
            |intent: &Intent| intent.metadata.get("order_id").is_some_and(|found| found == order_id);
        self.intents.iter().rposition(|intent| intent.captured_minor > 0 && of_order(intent))
    }

    fn planted_hold(&mut self, order_id: &str, now_ms: u64) -> usize {
        let like = self.captured_of(order_id).and_then(|at| self.intents.get(at));
        let (amount_minor, currency, customer) = match like {
            Some(intent) => (intent.amount_minor, intent.currency.clone(), intent.customer.clone()),
            None => (AMOUNT_MINOR, Word::from(CURRENCY), Some(Word::from("cus_planted"))),
        };
        let named = [("order_id", order_id), ("attempt_no", "1")];
        let named = named.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let (id, charge) = (self.ids.next("pi"), self.ids.next("ch"));
        let at = self.add(Intent {
            id,
            created_ms: now_ms,
            amount_minor,
            currency,
            customer,
            method: Some("pm_card_visa".to_owned()),
            capture_method: CaptureMethod::Manual,
            status: Status::RequiresCapture,
            metadata: BTreeMap::from(named),
            description: Some("planted".to_owned()),
            captured_minor: 0,
            refunded_minor: 0,
            charge: Some(charge.clone()),
            last_decline: None,
            canceled: None,
        });
        self.by_charge.insert(charge, at);
        self.record(at, EntryKind::Authorized, amount_minor, now_ms);
        at
    }

    fn planted_capture(&mut self, order_id: &str, now_ms: u64) -> usize {
        let at = self.planted_hold(order_id, now_ms);
        if let Some(intent) = self.intents.get_mut(at) {
            intent.status = Status::Succeeded;
            intent.captured_minor = intent.amount_minor;
            let amount_minor = intent.amount_minor;
            self.record(at, EntryKind::Captured, amount_minor, now_ms);
        }
        at
    }

    fn raise(&mut self, at: usize, now_ms: u64) -> usize {
        if let Some(intent) = self.intents.get_mut(at) {
            intent.amount_minor = intent.amount_minor.saturating_add(1);
            intent.captured_minor = intent.captured_minor.saturating_add(1);
            self.record(at, EntryKind::Authorized, 1, now_ms);
            self.record(at, EntryKind::Captured, 1, now_ms);
        }
        at
    }
}
