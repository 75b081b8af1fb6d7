//! What the shop tells of its catalog in the middle of a run: new prices and deliveries, as the events it would send.
//!
//! A kit changes its price once, so a changed kit has version 2. A delivery brings a few pieces to a scarce shelf; it
//! is told twice under one id, as a topic may do, and counts once.

use super::{Plan, Repricing, bodies};
use crate::kits::{CURRENCY, Kit, Shelf};
use backoff::Random;
use serde_json::json;
use std::collections::BTreeMap;

/// New prices come in this part of a run, in percent of its units; deliveries in the middle of it.
const FROM_PERCENT: usize = 40;
const TO_PERCENT: usize = 60;
const DELIVERY_PERCENT: usize = 50;

/// Pieces of one delivery.
const DELIVERED: i64 = 3;

/// The version of a kit after its price has changed; the shelves are filled with version 1.
pub const CHANGED_VERSION: i64 = 2;

/// One change, and the event that tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The kit.
    pub sku: String,
    /// What becomes different.
    pub what: What,
    /// The event as a message body.
    pub body: String,
    /// W3C trace context, which goes into the message's attributes as well.
    pub traceparent: String,
}

/// What a change changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The price from now on, in minor units: `product.changed.v1`.
    Price(i64),
    /// Pieces that come to the shelf: `stock.adjusted.v1`.
    Delivery(i64),
}

/// The price a kit changes to, if it changes.
pub(super) fn new_price(kit: &Kit) -> Option<i64> {
    if let Shelf::Repriced { price_minor } = kit.shelf { Some(price_minor) } else { None }
}

/// Which changes are sent before which unit: prices are spread over the middle of the run, deliveries come at once.
pub(super) fn changes(plan: &Plan, kits: &[Kit]) -> BTreeMap<usize, Vec<Change>> {
    let mut changes: BTreeMap<usize, Vec<Change>> = BTreeMap::new();
    if plan.reprice == Repricing::Never {
        return changes;
    }
    let random = Random::seeded(plan.seed ^ 0xca7a);
    let prices: Vec<(&Kit, i64)> = kits.iter().filter_map(|kit| Some((kit, new_price(kit)?))).collect();
    let (from, to) = (plan.units * FROM_PERCENT / 100, plan.units * TO_PERCENT / 100);
    for (nth, (kit, price_minor)) in prices.iter().enumerate() {
        let place = from + (to - from) * nth / prices.len().max(1);
        changes.entry(place).or_default().push(change(&random, plan, kit, What::Price(*price_minor)));
    }
    let scarce = kits.iter().filter(|kit| kit.shelf == Shelf::Scarce);
    let deliveries = scarce.map(|kit| change(&random, plan, kit, What::Delivery(DELIVERED)));
    changes.entry(plan.units * DELIVERY_PERCENT / 100).or_default().extend(deliveries);
    changes
}

fn change(random: &Random, plan: &Plan, kit: &Kit, what: What) -> Change {
    let (kind, data) = match what {
        What::Price(price_minor) => (
            "product.changed.v1",
            json!({"sku": kit.sku, "name": kit.name, "priceMinor": price_minor, "currency": CURRENCY,
                   "active": kit.active(), "version": CHANGED_VERSION}),
        ),
        What::Delivery(delta) => ("stock.adjusted.v1", json!({"sku": kit.sku, "delta": delta})),
    };
    let traceparent = bodies::traceparent(random);
    let event = bodies::event(random, kind, &plan.start.to_string(), (data, &traceparent));
    Change { sku: kit.sku.clone(), what, body: bodies::wrapped(random, &event), traceparent }
}
