//! Bodies that can never be an order: each kind with the reason it must be quarantined for.

use super::bodies::{event, letters, wrapped};
use backoff::Random;
use serde_json::{Value, json};

/// A malformed body and its reason, which is also its kind.
type Malformed = (&'static str, fn(&Random, Value) -> String);

/// Every kind. A body that a queue refuses (empty, or with raw control characters) cannot come this way.
pub const KINDS: [Malformed; 10] = [
    ("not_json", |_, event| event.to_string().chars().take(120).collect()),
    ("too_deep", |_, event| {
        let nested = (0..40).fold(json!(1), |inner, _| json!([inner]));
        with(event, "/data", ("note", nested)).to_string()
    }),
    ("too_large", |random, event| with(event, "/data", ("note", json!(letters(random, 70_000)))).to_string()),
    ("bad_schema", |random, event| {
        wrapped(random, &with(event, "/data", ("orderId", json!(["not", "an", "id"]))))
    }),
    ("unknown_type", |random, event| wrapped(random, &with(event, "", ("type", json!("basket.filled.v1"))))),
    ("unknown_version", |random, event| {
        wrapped(random, &with(event, "", ("type", json!("order.placed.v9"))))
    }),
    ("card_data", |random, event| {
        let note = json!("please charge 4242 4242 4242 4242");
        wrapped(random, &with(event, "/data", ("note", note)))
    }),
    ("control_char", |random, event| {
        wrapped(random, &with(event, "/data", ("customerId", json!("c_\u{0}"))))
    }),
    ("duplicate_key", |_, event| {
        event.to_string().replacen("\"specversion\"", "\"id\":\"evt_twice\",\"specversion\"", 1)
    }),
    ("number_range", |_, event| {
        event.to_string().replacen("\"totalMinor\":", "\"totalMinor\":99999999999999999999", 1)
    }),
];

/// The event with one field of the object at `pointer` set.
fn with(mut event: Value, pointer: &str, (field, value): (&str, Value)) -> Value {
    if let Some(object) = event.pointer_mut(pointer).and_then(Value::as_object_mut) {
        object.insert(field.to_owned(), value);
    }
    event
}

/// A malformed body with its reason: the `nth` of the kinds, made from a good order's data.
pub fn body(
    random: &Random,
    nth: usize,
    (data, time): (Value, &str),
    traceparent: &str,
) -> (&'static str, String) {
    let kind = KINDS.get(nth % KINDS.len()).or(KINDS.first());
    let event = event(random, "order.placed.v1", time, (data, traceparent));
    kind.map_or(("not_json", String::new()), |(reason, spoil)| (*reason, spoil(random, event)))
}

#[cfg(test)]
mod tests {
    use super::{KINDS, body};
    use backoff::Random;
    use serde_json::{Value, json};

    #[test]
    fn every_kind_has_its_own_reason_and_an_unlike_body() {
        let data = json!({"orderId": "ord_x", "customerId": "c_x", "totalMinor": 1});
        let made = |nth| body(&Random::seeded(1), nth, (data.clone(), "2026-11-23T10:15:00Z"), "00-a-b-01");
        let mut bodies: Vec<String> = (0..KINDS.len()).map(|nth| made(nth).1).collect();
        bodies.sort();
        bodies.dedup();
        assert_eq!(bodies.len(), KINDS.len());
        assert!(bodies.iter().all(|body| !body.is_empty()));
    }

    #[test]
    fn only_the_broken_one_is_no_json() {
        let data = json!({"orderId": "ord_x", "customerId": "c_x", "totalMinor": 1});
        for nth in 0..KINDS.len() {
            let (reason, text) =
                body(&Random::seeded(1), nth, (data.clone(), "2026-11-23T10:15:00Z"), "00-a-b-01");
            assert_eq!(
                serde_json::from_str::<Value>(&text).is_ok(),
                reason != "not_json",
                "{reason}: {text}"
            );
        }
    }
}
