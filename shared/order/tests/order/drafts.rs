//! Orders to be sent: drafts that tests and proptest change, and the wrappings they travel in.

use proptest::prelude::{Just, Strategy, any, prop};
use serde_json::{Value, json};

/// The usual trace of the tests.
pub(crate) const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// An order before it is written as JSON.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) order_id: String,
    pub(crate) customer_id: String,
    pub(crate) currency: String,
    /// SKU, quantity, unit price.
    pub(crate) items: Vec<(String, i64, i64)>,
    pub(crate) adjustments: Vec<(&'static str, i64)>,
    pub(crate) total_minor: i64,
    pub(crate) customer_ref: String,
    pub(crate) method_ref: String,
    pub(crate) placed_at: String,
}

impl Draft {
    /// The contract's example.
    pub(crate) fn example() -> Self {
        Self {
            order_id: "ord_1".to_owned(),
            customer_id: "c_8f2".to_owned(),
            currency: "EUR".to_owned(),
            items: vec![("kit-thai-curry-2p".to_owned(), 2, 2490)],
            adjustments: vec![("shipping", 490), ("discount", -500)],
            total_minor: 4970,
            customer_ref: "cus_x".to_owned(),
            method_ref: "pm_card_visa".to_owned(),
            placed_at: "2026-11-23T10:15:00Z".to_owned(),
        }
    }

    /// The example with this change.
    pub(crate) fn with(change: impl FnOnce(&mut Self)) -> Self {
        let mut draft = Self::example();
        change(&mut draft);
        draft
    }

    /// Sum of items and adjustments, in a type that no draft overflows.
    pub(crate) fn sum(&self) -> i128 {
        let items = self.items.iter().map(|(_, quantity, price)| i128::from(*quantity) * i128::from(*price));
        items.sum::<i128>() + self.adjustments.iter().map(|(_, amount)| i128::from(*amount)).sum::<i128>()
    }

    /// The `CloudEvent`'s `data`.
    pub(crate) fn data(&self) -> Value {
        let item = |(sku, quantity, price): &(String, i64, i64)| json!({"sku": sku, "quantity": quantity, "unitPriceMinor": price});
        let adjustment = |(kind, amount): &(&str, i64)| json!({"kind": kind, "amountMinor": amount});
        json!({
            "orderId": self.order_id, "customerId": self.customer_id, "currency": self.currency,
            "placedAt": self.placed_at, "items": self.items.iter().map(item).collect::<Vec<_>>(),
            "adjustments": self.adjustments.iter().map(adjustment).collect::<Vec<_>>(),
            "totalMinor": self.total_minor,
            "payment": {"customerRef": self.customer_ref, "methodRef": self.method_ref},
        })
    }

    /// The `CloudEvent`.
    pub(crate) fn event(&self) -> Value {
        event("order.placed.v1", self.data())
    }
}

/// A `CloudEvent` of any type.
pub(crate) fn event(kind: &str, data: Value) -> Value {
    json!({
        "specversion": "1.0", "id": "evt_1", "source": "shop/checkout", "type": kind, "time": "2026-11-23T10:15:00.123Z",
        "datacontenttype": "application/json", "traceparent": TRACEPARENT, "data": data,
    })
}

/// An SNS notification around a text, as SQS gets it without raw delivery.
pub(crate) fn in_sns(text: &str) -> Value {
    json!({
        "Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:eu-central-1:123456789012:shop-events", "Message": text,
        "Timestamp": "2026-11-23T10:15:00.456Z", "SignatureVersion": "1", "Signature": "EXAMPLEpH+DcEwjAPg8O9mY8dReBSwksfg2S7WKQcikcNKWLQjwu6A4VbeS0QHVCkhRS7fUQvi2egU3N858fiTDN6bkkOxYDVrY0Ad8L10Hs3zH81mtnPk5uvvolIC1CXGu43obcgFxeL3khZl8IKvO61GWB6jI9b5+gLPoBc1Q=",
    })
}

/// An EventBridge event around a `CloudEvent`.
pub(crate) fn in_eventbridge(event: &Value) -> Value {
    json!({
        "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "detail-type": event["type"], "source": "shop",
        "account": "123456789012", "time": "2026-11-23T10:15:00Z", "region": "eu-central-1", "resources": [], "detail": event,
    })
}

/// The event in every wrapping of the contract.
pub(crate) fn wrapped(event: &Value) -> Vec<String> {
    let bridged = in_eventbridge(event).to_string();
    vec![event.to_string(), in_sns(&event.to_string()).to_string(), in_sns(&bridged).to_string(), bridged]
}

/// A valid order: small and odd, sums included.
pub(crate) fn valid_draft() -> impl Strategy<Value = Draft> {
    let item = ("[a-z]{1,8}-[a-z]{1,8}", 1..=99_i64, 50..=100_000_i64);
    let items = prop::collection::vec(item, 1..=6);
    let currency = prop::sample::select(vec!["EUR", "USD", "JPY", "CHF", "XTS"]);
    let placed_at = prop::sample::select(vec!["2026-11-23T10:15:00Z", "2026-11-23T10:15:00.5+01:00"]);
    (items, 0..=990_i64, any::<bool>(), currency, "[A-Za-z0-9_.:-]{0,12}", placed_at).prop_flat_map(
        |(items, shipping, discounted, currency, id, placed_at)| {
            let mut draft = Draft::example();
            draft.order_id = format!("o{id}x");
            draft.customer_id = format!("c{id}x");
            draft.currency = currency.to_owned();
            draft.placed_at = placed_at.to_owned();
            draft.items = items;
            draft.adjustments = vec![("shipping", shipping)];
            if discounted {
                draft.adjustments.push(("discount", -shipping));
            }
            draft.total_minor = i64::try_from(draft.sum()).unwrap_or(0);
            Just(draft)
        },
    )
}

/// What JSON objects are made of, in any order: much of it is nearly JSON, some of it is nearly an event.
pub(crate) fn token_soup() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"a\"",
        "\"\"",
        "0",
        "-0",
        "1e400",
        "1E2",
        "0.5",
        "01",
        "-",
        "true",
        "null",
        "nul",
        " ",
        "\n",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\ud83c\\udf5c\"",
        "\"Message\"",
        "\"Type\"",
        "\"specversion\"",
        "\"detail\"",
        "\"detail-type\"",
        "\"{\\\"a\\\":1}\"",
        "9223372036854775808",
        "\u{feff}",
        "\u{7f}",
        "\"",
        "\\",
    ]);
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

/// A valid event with a few bytes lost, doubled or replaced.
pub(crate) fn damaged() -> impl Strategy<Value = String> {
    let cut = (any::<prop::sample::Index>(), 0..12_usize, prop::option::of(token_soup()));
    (valid_draft(), 0..4_usize, prop::collection::vec(cut, 1..4)).prop_map(|(draft, wrapping, cuts)| {
        let mut text: Vec<char> = wrapped(&draft.event()).swap_remove(wrapping).chars().collect();
        for (at, length, instead) in cuts {
            let start = at.index(text.len() + 1);
            let end = (start + length).min(text.len());
            text.splice(start..end, instead.unwrap_or_default().chars());
        }
        text.into_iter().collect()
    })
}
