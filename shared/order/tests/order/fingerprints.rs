//! The fingerprint: the same for the same order however it is written and wrapped, another for any other order.

use order::EventData;
use order::event::parse;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, proptest};
use serde_json::{Value, json};

use crate::drafts::{Draft, in_eventbridge, in_sns, valid_draft, wrapped};

fn fingerprint(body: &str) -> String {
    let EventData::OrderPlaced(placed) = parse(body).expect(body).data else { panic!("another type") };
    placed.fingerprint.as_str().to_owned()
}

fn of(draft: &Draft) -> String {
    fingerprint(&draft.event().to_string())
}

/// Writes JSON with keys in another order and white space wherever it may be.
fn respelled(value: &Value, space: &str) -> String {
    match value {
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| {
                format!("{space}{}{space}:{space}{}", json!(key), respelled(value, space))
            };
            let entries: Vec<String> = entries.iter().rev().map(entry).collect();
            format!("{{{}{space}}}", entries.join(&format!("{space},")))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| respelled(item, space)).collect();
            format!("[{space}{}{space}]", items.join(","))
        }
        // Every character of a string may be written as an escape.
        Value::String(text) => {
            let escaped: String = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            format!("\"{escaped}\"")
        }
        other => other.to_string(),
    }
}

/// A draft, and the same with its items and adjustments in another order.
fn shuffled() -> impl Strategy<Value = (Draft, Draft)> {
    valid_draft().prop_flat_map(|draft| {
        let parts =
            (Just(draft.items.clone()).prop_shuffle(), Just(draft.adjustments.clone()).prop_shuffle());
        (Just(draft.clone()), parts).prop_map(|(draft, (items, adjustments))| {
            let other = Draft { items, adjustments, ..draft.clone() };
            (draft, other)
        })
    })
}

proptest! {
    #[test]
    fn order_of_items_wrapping_and_spelling_change_nothing((draft, other) in shuffled(), space in "[ \t\r\n]{0,3}") {
        let expected = of(&draft);
        for body in wrapped(&other.event()) {
            prop_assert_eq!(fingerprint(&body), expected.clone());
        }
        let respelled_event = respelled(&other.event(), &space);
        prop_assert_eq!(fingerprint(&in_sns(&respelled_event).to_string()), expected.clone());
        prop_assert_eq!(fingerprint(&respelled(&in_eventbridge(&other.event()), &space)), expected.clone());
        prop_assert_eq!(fingerprint(&respelled_event), expected);
    }

    #[test]
    fn any_other_quantity_or_price_is_another_order(draft in valid_draft(), by in any::<proptest::sample::Index>(), plus in 1..1000_i64) {
        let line = by.index(draft.items.len());
        let mut dearer = draft.clone();
        dearer.items[line].2 += plus;
        let mut more = draft.clone();
        more.items[line].1 += plus;
        prop_assert_eq!([&draft, &dearer, &more].map(of).into_iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
    }
}

#[test]
fn the_canonical_form_is_pinned() {
    // Recomputed by hand: SHA-256 over `2:v15:ord_15:c_8f23:EUR1:1…`. It changes only together with its version.
    let form = "2:v15:ord_15:c_8f23:EUR1:129:17:kit-thai-curry-2p1:24:24901:216:8:discount4:-50015:8:shipping3:4904:49705:cus_x12:pm_card_visa";
    assert_eq!(of(&Draft::example()), sha256(form));
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_business_field_counts() {
    type Change = fn(&mut Draft);
    let changes: [Change; 14] = [
        |draft| draft.order_id.push('x'),
        |draft| draft.customer_id.push('x'),
        |draft| draft.currency = "USD".to_owned(),
        |draft| draft.items[0].0.push('x'),
        |draft| draft.items[0].1 = 3,
        |draft| draft.items[0].2 = 2491,
        |draft| draft.items.push(draft.items[0].clone()),
        |draft| draft.adjustments[0].1 = 491,
        |draft| draft.adjustments[1].0 = "shipping",
        |draft| draft.adjustments.truncate(1),
        |draft| draft.adjustments.push(("shipping", 0)),
        |draft| draft.total_minor = 4971,
        |draft| draft.customer_ref.push('x'),
        |draft| draft.method_ref.push('x'),
    ];
    let mut all = vec![of(&Draft::example())];
    for change in changes {
        let fingerprint = of(&Draft::with(change));
        assert!(!all.contains(&fingerprint), "change {} makes no difference", all.len());
        all.push(fingerprint);
    }
}

#[test]
fn fields_cannot_run_into_each_other() {
    let draft = |customer: &str, method: &str| {
        Draft::with(|draft| (draft.customer_ref, draft.method_ref) = (customer.to_owned(), method.to_owned()))
    };
    assert_ne!(of(&draft("ab", "c")), of(&draft("a", "bc")));
    assert_ne!(of(&draft("a:b", "c")), of(&draft("a", "b:c")));
    assert_ne!(of(&draft("a", "3:abc")), of(&draft("a3:", "abc")));
}

#[test]
fn the_envelope_times_and_unknown_fields_do_not_count() {
    let expected = of(&Draft::example());
    let mut event = Draft::with(|draft| draft.placed_at = "2026-11-24T00:00:00Z".to_owned()).event();
    event["id"] = json!("evt_2");
    event["time"] = json!("2026-11-24T00:00:01Z");
    event["traceparent"] = Value::Null;
    event["data"]["channel"] = json!("app");
    assert_eq!(fingerprint(&event.to_string()), expected);
}
