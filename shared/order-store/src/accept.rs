//! What the call is given: one record per order, as the element of the JSON batch.

use order::{
    Currency, CustomerId, Fingerprint, OrderId, OrderRequest, Placed, ProviderRef, RejectReason, Sku,
};
use serde::Serialize;

/// An order as `accept_orders_v1` takes it, or a rejection that needed no database and must become a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AcceptOrder {
    /// Comes back with the answer. Records of one order are applied in the sequence of their numbers.
    pub record_no: usize,
    /// The order's identity.
    pub order_id: OrderId,
    /// Who placed it.
    pub customer_id: CustomerId,
    /// `None` only in a rejection, of an order that named no usable one.
    pub currency: Option<Currency>,
    /// As sent; the sum of the order in all but rejections.
    pub total_minor: i64,
    /// What tells a repeat from another order with the same id.
    pub fingerprint: Fingerprint,
    /// RFC 3339: the Data API's own type for times knows no zone.
    pub placed_at: String,
    /// Why the order is rejected whatever the database says.
    pub reject_reason: Option<RejectReason>,
    /// What is ordered; empty in a rejection.
    pub items: Vec<AcceptItem>,
    /// Whom to charge; `None` in a rejection.
    pub payment: Option<AcceptPayment>,
    /// W3C trace context, for whoever publishes something about the order later.
    pub traceparent: Option<String>,
}

/// One line of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AcceptItem {
    /// Which product; several lines may name the same.
    pub sku: Sku,
    /// Pieces, 1 to 99.
    pub quantity: u32,
    /// The price the customer saw, in minor units. The database compares it with the product's.
    pub unit_price_minor: i64,
}

/// The provider's references, frozen into the payment's row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AcceptPayment {
    /// The customer at the provider.
    pub customer_ref: ProviderRef,
    /// The payment method at the provider.
    pub method_ref: ProviderRef,
}

impl AcceptOrder {
    /// The record for an order as it was placed, valid or not.
    #[must_use]
    pub fn new(record_no: usize, placed: &Placed, traceparent: Option<String>) -> Self {
        let request = placed.verdict.as_ref().ok();
        Self {
            record_no,
            order_id: placed.order_id.clone(),
            customer_id: placed.customer_id.clone(),
            currency: placed.currency,
            total_minor: placed.total_minor,
            fingerprint: placed.fingerprint.clone(),
            placed_at: placed.placed_at.to_string(),
            reject_reason: placed.verdict.as_ref().err().copied(),
            items: request.map(items).unwrap_or_default(),
            payment: request.map(payment),
            traceparent,
        }
    }
}

fn items(request: &OrderRequest) -> Vec<AcceptItem> {
    let item = |line: &order::Line| AcceptItem {
        sku: line.sku.clone(),
        quantity: line.quantity,
        unit_price_minor: line.unit_price_minor,
    };
    request.lines.iter().map(item).collect()
}

fn payment(request: &OrderRequest) -> AcceptPayment {
    AcceptPayment {
        customer_ref: request.payment.customer_ref.clone(),
        method_ref: request.payment.method_ref.clone(),
    }
}

#[cfg(test)]
mod tests {
    use order::event::{self, EventData};
    use serde_json::{Value, json};

    use super::AcceptOrder;

    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    /// The contract's example, with a total of one's own.
    fn record(total_minor: i64) -> Value {
        let body = json!({
            "specversion": "1.0", "id": "evt_1", "source": "shop/checkout", "type": "order.placed.v1",
            "time": "2026-11-23T10:15:00.123Z", "datacontenttype": "application/json",
            "data": {
                "orderId": "ord_1", "customerId": "c_8f2", "currency": "EUR", "placedAt": "2026-11-23T10:15:00Z",
                "items": [{"sku": "kit-thai-curry-2p", "quantity": 2, "unitPriceMinor": 2490}],
                "adjustments": [{"kind": "shipping", "amountMinor": 490}, {"kind": "discount", "amountMinor": -500}],
                "totalMinor": total_minor, "payment": {"customerRef": "cus_x", "methodRef": "pm_card_visa"},
            },
        });
        let EventData::OrderPlaced(placed) = event::parse(&body.to_string()).unwrap().data else {
            panic!("an order.placed.v1 was expected");
        };
        let mut record = serde_json::to_value(AcceptOrder::new(7, &placed, Some(TRACE.to_owned()))).unwrap();
        assert_eq!(record["fingerprint"].take().as_str().map(str::len), Some(64));
        record
    }

    #[test]
    fn a_valid_order_carries_its_lines_and_its_payment() {
        let expected = json!({
            "record_no": 7, "order_id": "ord_1", "customer_id": "c_8f2", "currency": "EUR", "total_minor": 4970,
            "fingerprint": null, "placed_at": "2026-11-23T10:15:00Z", "reject_reason": null,
            "items": [{"sku": "kit-thai-curry-2p", "quantity": 2, "unit_price_minor": 2490}],
            "payment": {"customer_ref": "cus_x", "method_ref": "pm_card_visa"}, "traceparent": TRACE,
        });
        assert_eq!(record(4_970), expected);
    }

    #[test]
    fn an_invalid_order_carries_why_and_nothing_to_sell_or_charge() {
        let expected = json!({
            "record_no": 7, "order_id": "ord_1", "customer_id": "c_8f2", "currency": "EUR", "total_minor": 4971,
            "fingerprint": null, "placed_at": "2026-11-23T10:15:00Z", "reject_reason": "total_mismatch",
            "items": [], "payment": null, "traceparent": TRACE,
        });
        assert_eq!(record(4_971), expected);
    }
}
