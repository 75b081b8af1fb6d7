//! What this peer reads of an `order.placed.v1` event, and what can be wrong with it.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// As the shop's page limits it.
const QUANTITY_MAX: i64 = 99;

#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) data: Order,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Order {
    pub(crate) order_id: String,
    pub(crate) customer_id: String,
    pub(crate) currency: String,
    pub(crate) placed_at: String,
    pub(crate) items: Vec<Item>,
    #[serde(default)]
    pub(crate) adjustments: Vec<Adjustment>,
    pub(crate) total_minor: i64,
    pub(crate) payment: Payment,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Item {
    pub(crate) sku: String,
    pub(crate) quantity: i64,
    pub(crate) unit_price_minor: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Adjustment {
    pub(crate) kind: String,
    pub(crate) amount_minor: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Payment {
    pub(crate) customer_ref: String,
    pub(crate) method_ref: String,
}

/// A row of `products`, as the cache keeps it too.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Product {
    pub(crate) price_minor: i64,
    pub(crate) currency: String,
    pub(crate) active: bool,
}

impl Order {
    /// Why the order can never be accepted; nothing if it can.
    pub(crate) fn fault(&self, products: &BTreeMap<String, Product>) -> Option<&'static str> {
        for item in &self.items {
            let Some(product) = products.get(&item.sku) else { return Some("unknown_sku") };
            let faults = [
                (!product.active, "inactive_sku"),
                (product.currency != self.currency, "currency_mismatch"),
                (product.price_minor != item.unit_price_minor, "price_changed"),
                (!(1..=QUANTITY_MAX).contains(&item.quantity), "quantity_limit"),
            ];
            if let Some((_, reason)) = faults.into_iter().find(|(wrong, _)| *wrong) {
                return Some(reason);
            }
        }
        let items: i64 = self.items.iter().map(|item| item.quantity * item.unit_price_minor).sum();
        let total = items + self.adjustments.iter().map(|adjustment| adjustment.amount_minor).sum::<i64>();
        (total != self.total_minor || total <= 0).then_some("total_mismatch")
    }

    /// SHA-256 over the order, in hexadecimal.
    pub(crate) fn fingerprint(&self) -> String {
        hex(&serde_json::to_string(self).unwrap_or_default())
    }

    /// The provider's request, and its SHA-256 in hexadecimal.
    pub(crate) fn payment_params(&self) -> (String, String) {
        let Payment { customer_ref, method_ref } = &self.payment;
        let (order_id, amount_minor, currency) = (&self.order_id, self.total_minor, &self.currency);
        let params = serde_json::json!({
            "amountMinor": amount_minor, "currency": currency, "customerRef": customer_ref, "methodRef": method_ref,
        });
        let hashed = format!("v1|{order_id}|1|{amount_minor}|{currency}|{customer_ref}|{method_ref}");
        (params.to_string(), hex(&hashed))
    }
}

fn hex(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{Order, Product};
    use serde_json::json;

    #[track_caller]
    fn check(change: &str, value: i64, expected: Option<&str>) {
        let mut data = json!({
            "orderId": "ord_1", "customerId": "c_1", "currency": "EUR", "placedAt": "2026-11-23T10:15:00Z",
            "items": [{"sku": "kit-1", "quantity": 2, "unitPriceMinor": 1000}],
            "adjustments": [{"kind": "shipping", "amountMinor": 490}], "totalMinor": 2490,
            "payment": {"customerRef": "cus_x", "methodRef": "pm_card_visa"},
        });
        *data.pointer_mut(change).unwrap() = json!(value);
        let order: Order = serde_json::from_value(data).unwrap();
        let product = Product { price_minor: 1000, currency: "EUR".to_owned(), active: true };
        assert_eq!(order.fault(&[("kit-1".to_owned(), product)].into()), expected, "{change}");
    }

    #[test]
    fn an_order_is_as_the_catalog_and_its_total_say() {
        check("/totalMinor", 2490, None);
        check("/totalMinor", 2491, Some("total_mismatch"));
        check("/items/0/unitPriceMinor", 999, Some("price_changed"));
        check("/items/0/quantity", 100, Some("quantity_limit"));
    }
}
