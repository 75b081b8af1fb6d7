//! The batches that are counted: the same in every run, and all good.

use serde_json::{Value, json};

use super::{id, record};
use crate::Error;
use crate::kits::{CURRENCY, Kit, Shelf};

/// Kits that the orders name: few, so that the snapshot knows them all.
const KITS: usize = 5;

/// The events of all batches.
#[derive(Debug)]
pub(super) struct Batches<'a> {
    kits: Vec<&'a Kit>,
    records: usize,
}

impl<'a> Batches<'a> {
    /// Batches of so many records, over kits that never change nor run out.
    pub(super) fn new(kits: &'a [Kit], records: usize) -> Result<Self, Error> {
        let kits: Vec<&Kit> = kits.iter().filter(|kit| kit.shelf == Shelf::Steady).take(KITS).collect();
        if kits.len() < KITS {
            return Err(Error::NotCounted { what: "the catalog has too few steady kits".to_owned() });
        }
        Ok(Self { kits, records })
    }

    /// The event with the orders of the batch: two lines each.
    pub(super) fn orders(&self, nth: usize) -> Value {
        let records: Vec<Value> =
            (0..self.records).map(|no| record(&id(nth, no), &self.order(nth, no))).collect();
        json!({ "Records": records })
    }

    /// The event with the payment requests of the batch.
    pub(super) fn payments(&self, nth: usize) -> Value {
        let body = |order_id: &str| {
            json!({
                "specversion": "1.0", "id": format!("{order_id}:payment.requested.v1:1"), "source": "orderflow",
                "type": "payment.requested.v1", "time": "2026-11-23T10:15:00.123Z",
                "datacontenttype": "application/json", "data": {"orderId": order_id, "attemptNo": 1},
            })
        };
        let ids = (0..self.records).map(|no| id(nth, no));
        let records: Vec<Value> = ids.map(|order_id| record(&order_id, &body(&order_id))).collect();
        json!({ "Records": records })
    }

    fn order(&self, nth: usize, no: usize) -> Value {
        let kit = |at: usize| self.kits.get((nth + no + at) % KITS);
        let lines: Vec<&Kit> = [0, 2].into_iter().filter_map(kit).copied().collect();
        let items: Vec<Value> = lines
            .iter()
            .map(|kit| json!({"sku": kit.sku, "quantity": 1, "unitPriceMinor": kit.price_minor}))
            .collect();
        let total_minor: i64 = lines.iter().map(|kit| kit.price_minor).sum();
        let order_id = id(nth, no);
        json!({
            "specversion": "1.0", "id": format!("evt_{order_id}"), "source": "shop/checkout", "type": "order.placed.v1",
            "time": "2026-11-23T10:15:00.123Z", "datacontenttype": "application/json", "data": {
                "orderId": order_id, "customerId": "c_counted", "currency": CURRENCY, "placedAt": "2026-11-23T10:15:00Z",
                "items": items, "adjustments": [{"kind": "shipping", "amountMinor": 490}],
                "totalMinor": total_minor + 490,
                "payment": {"customerRef": "cus_x", "methodRef": "pm_card_visa"},
            },
        })
    }
}
