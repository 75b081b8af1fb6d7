//! Orders as message bodies: CloudEvents, bare or as SNS and EventBridge wrap them.

use crate::canaries::with_canaries;
use crate::sent::Placed;
use backoff::Random;
use serde_json::{Value, json};

/// `order.placed.v1` in one of its wrappings.
pub fn placed(random: &Random, order: &Placed, traceparent: &str) -> String {
    let data = with_canaries(serde_json::to_value(order).unwrap_or_default());
    wrapped(random, &event(random, "order.placed.v1", &order.placed_at, (data, traceparent)))
}

/// An event of ours with an id of its own.
pub fn event(random: &Random, kind: &str, time: &str, (data, traceparent): (Value, &str)) -> Value {
    json!({
        "specversion": "1.0", "id": format!("evt_{}", letters(random, 20)), "source": "shop/checkout", "type": kind,
        "time": time, "datacontenttype": "application/json", "traceparent": traceparent, "data": data,
    })
}

/// Bare for seven of ten, else through a topic, a bus, or a bus and then a topic.
pub fn wrapped(random: &Random, event: &Value) -> String {
    match random.below(20) {
        0..14 => event.to_string(),
        14..17 => through_sns(random, event),
        17..19 => through_eventbridge(random, event).to_string(),
        _ => through_sns(random, &through_eventbridge(random, event)),
    }
}

/// As an SNS topic delivers to a queue without raw message delivery.
fn through_sns(random: &Random, event: &Value) -> String {
    json!({
        "Type": "Notification", "MessageId": letters(random, 24),
        "TopicArn": "arn:aws:sns:eu-central-1:000000000000:shop-orders", "Message": event.to_string(),
        "Timestamp": event["time"], "SignatureVersion": "1",
    })
    .to_string()
}

/// As an EventBridge bus delivers to a queue.
fn through_eventbridge(random: &Random, event: &Value) -> Value {
    json!({
        "version": "0", "id": letters(random, 24), "detail-type": event["type"], "source": "shop.checkout",
        "account": "000000000000", "time": event["time"], "region": "eu-central-1", "resources": [], "detail": event,
    })
}

/// W3C trace context with fresh ids, sampled.
pub fn traceparent(random: &Random) -> String {
    // An id of only zeros is invalid; a lowest bit that is always set excludes it.
    let (high, low) = (random.between(0, u64::MAX), random.between(0, u64::MAX) | 1);
    format!("00-{high:016x}{low:016x}-{:016x}-01", random.between(0, u64::MAX) | 1)
}

/// Lower-case letters: identifiers without digits cannot look like card numbers.
pub fn letters(random: &Random, length: usize) -> String {
    let letter = || char::from(b'a' + u8::try_from(random.below(26)).unwrap_or(0));
    std::iter::repeat_with(letter).take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::{event, letters, traceparent, wrapped};
    use backoff::Random;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    #[test]
    fn every_wrapping_occurs_and_holds_the_event() {
        let random = Random::seeded(1);
        let bodies: Vec<String> = (0..200)
            .map(|_| {
                wrapped(&random, &event(&random, "order.placed.v1", "2026-11-23T10:15:00Z", (json!({}), "")))
            })
            .collect();
        let shape = |body: &String| match serde_json::from_str::<Value>(body).unwrap() {
            topic if topic["Message"].as_str().is_some_and(|message| message.contains("detail-type")) => {
                "bus, topic"
            }
            topic if topic["Type"] == "Notification" => "topic",
            bus if bus["detail"]["specversion"] == "1.0" => "bus",
            bare => bare["type"].as_str().map_or("?", |_| "bare"),
        };
        let shapes: BTreeSet<&str> = bodies.iter().map(shape).collect();
        assert_eq!(shapes, BTreeSet::from(["bare", "bus", "bus, topic", "topic"]));
    }

    #[test]
    fn trace_contexts_have_the_form_of_w3c() {
        let value = traceparent(&Random::seeded(3));
        let lengths: Vec<usize> = value.split('-').map(str::len).collect();
        assert_eq!(lengths, [2, 32, 16, 2], "{value}");
    }

    #[test]
    fn identifiers_hold_letters_only() {
        assert!(letters(&Random::seeded(3), 64).chars().all(|c| c.is_ascii_lowercase()));
    }
}
