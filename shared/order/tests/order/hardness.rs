//! Nothing that arrives makes the crate panic, nothing dangerous passes, and no error tells content.

use order::QuarantineReason::{self, CardData, ControlChar, DuplicateKey, NotJson, NumberRange, TooDeep};
use order::event::parse;
use proptest::prelude::{any, prop, prop_assert, prop_assert_ne, proptest};
use serde_json::{Value, json};

use crate::drafts::{Draft, damaged, event, in_eventbridge, in_sns, token_soup, wrapped};

/// A valid order with a piece of JSON as an unknown field of its data.
fn with_note(note: &str) -> String {
    let event = Draft::example().event().to_string();
    event.replace("\"orderId\"", &format!("\"note\":{note},\"orderId\""))
}

#[track_caller]
fn check(note: &str, expected: Option<QuarantineReason>) {
    let body = with_note(note);
    assert_eq!(parse(&body).map_err(|unreadable| unreadable.reason).err(), expected, "{body}");
}

/// The same finding in every wrapping.
#[track_caller]
fn check_wrapped(note: &Value, expected: QuarantineReason) {
    let mut event = Draft::example().event();
    event["data"]["note"] = note.clone();
    for body in wrapped(&event) {
        assert_eq!(parse(&body).map_err(|unreadable| unreadable.reason).err(), Some(expected), "{body}");
    }
}

#[test]
fn unknown_fields_of_any_harmless_kind_are_passed_over() {
    check("null", None);
    check("{\"a\":[1,-2.5,true,{\"a\":\"ü\"}],\"b\":{}}", None);
    check("123456789012", None);
    check("1764000000000", None);
    check("0.1", None);
    check("-1e300", None);
    check("\"2026-11-23T10:15:00.123Z 22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\"", None);
}

#[test]
fn depth_is_limited() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    check(&nested(14), None);
    check(&nested(15), Some(TooDeep));
    check(&nested(10_000), Some(TooDeep));
    check(&format!("{}{}", "{\"a\":".repeat(15), "1"), Some(TooDeep));
    check_wrapped(&serde_json::from_str(&nested(16)).unwrap(), TooDeep);
}

#[test]
fn repeated_keys_are_refused_at_any_depth() {
    check("{\"a\":1,\"b\":2,\"a\":3}", Some(DuplicateKey));
    check("[[{\"a\":1,\"\\u0061\":3}]]", Some(DuplicateKey));
    check("{\"a\":{\"b\":1},\"b\":{\"a\":1},\"A\":0}", None);
    check("1,\"orderId\":\"ord_2\"", Some(DuplicateKey));
    check("[{\"\":1,\"\":2}]", Some(DuplicateKey));
    let in_message = format!("{}}}", "{\"Type\":\"Notification\",\"Message\":\"{}\",\"Message\":\"{}\"");
    assert_eq!(parse(&in_message).unwrap_err().reason, DuplicateKey);
}

#[test]
fn control_characters_are_refused_in_strings_and_keys() {
    check("\"a\\u0000b\"", Some(ControlChar));
    check("\"a\\nb\"", Some(ControlChar));
    check("{\"a\\u001b\":1}", Some(ControlChar));
    check("\"\u{7f}\"", Some(ControlChar));
    check("\"\u{9f}ü\u{2028}\"", None);
    check("\"a\0b\"", Some(NotJson));
    check_wrapped(&json!("a\u{7}b"), ControlChar);
    // Between tokens, line breaks are white space, inside a notification too.
    let pretty = serde_json::to_string_pretty(&Draft::example().event()).unwrap();
    assert!(parse(&in_sns(&pretty).to_string()).is_ok());
}

#[test]
fn card_data_is_found_wherever_it_is() {
    check("\"4111111111111111\"", Some(CardData));
    check("\"paid with 4111-1111-1111-1111, thanks\"", Some(CardData));
    check("\"\\u0034111 1111 1111 1111\"", Some(CardData));
    check("{\"4111111111111111\":1}", Some(CardData));
    check("4111111111111111", Some(CardData));
    check("-4111111111111111", Some(CardData));
    check("4111111111111111.0", Some(CardData));
    check("4.111111111111111e15", Some(CardData));
    check("{\"cvc\":null}", Some(CardData));
    check("{\"card_number\":\"\"}", Some(CardData));
    check_wrapped(&json!("4111 1111 1111 1111"), CardData);
    check_wrapped(&json!({"CVV": 123}), CardData);
}

#[test]
fn card_data_decides_whatever_else_is_wrong() {
    let card = "4111 1111 1111 1111";
    check(
        &format!("[{{\"a\":1,\"a\":2}},\"\\u0000\",{}\"{card}\"{}]", "[".repeat(20), "]".repeat(20)),
        Some(CardData),
    );
    check("{\"a\":1,\"a\":2,\"cvc\":3}", Some(CardData));
    check(&format!("\"{card}"), Some(CardData));
    assert_eq!(parse(&format!("no JSON: {card}")).unwrap_err().reason, CardData);
    assert_eq!(parse(&format!("{} {card}", "x".repeat(70_000))).unwrap_err().reason, CardData);
    assert_eq!(parse(&in_sns(&format!("[\"{card}\"")).to_string()).unwrap_err().reason, CardData);
    // In a string that ends, escapes hide nothing, even if the JSON breaks off after it.
    let escaped = card.replacen('4', "\\u0034", 1);
    assert_eq!(parse(&format!("[\"{escaped}\"")).unwrap_err().reason, CardData);
}

#[test]
fn a_message_field_is_no_hiding_place() {
    let mut bare = Draft::example().event();
    bare["Message"] = json!("4111 1111 1111 1111");
    assert_eq!(parse(&bare.to_string()).unwrap_err().reason, CardData);
    bare["Message"] = json!("a\u{0}b");
    bare["Type"] = json!("Notification");
    assert_eq!(parse(&bare.to_string()).unwrap_err().reason, ControlChar);
    let mut bridged = in_eventbridge(&Draft::example().event());
    bridged["Message"] = json!("a\u{0}b");
    assert_eq!(parse(&bridged.to_string()).unwrap_err().reason, ControlChar);
}

#[test]
fn a_trace_is_no_card() {
    let trace = "00-0123456789abcdef0123456789abcdef-4111111111111111-01";
    let mut event = Draft::example().event();
    event["traceparent"] = json!(trace);
    assert_eq!(parse(&event.to_string()).unwrap().envelope.traceparent.as_deref(), Some(trace));
    event["traceparent"] = json!("4111111111111111");
    assert_eq!(parse(&event.to_string()).unwrap_err().reason, CardData);
}

#[test]
fn numbers_that_are_no_64_bit_integers_are_refused() {
    check("1e400", Some(NumberRange));
    let total = |number: &str| {
        let body = Draft::example()
            .event()
            .to_string()
            .replace("\"totalMinor\":4970", &format!("\"totalMinor\":{number}"));
        parse(&body).map_err(|unreadable| unreadable.reason).err()
    };
    assert_eq!(total("4970"), None);
    for number in ["4970.0", "4.97e3", "9223372036854775808", "-9223372036854775809", "1e400", "-0"] {
        assert_eq!(total(number), Some(NumberRange), "{number}");
    }
    assert_eq!(total("04970"), Some(NotJson));
    assert_eq!(total("+4970"), Some(NotJson));
    assert_eq!(total("0x10"), Some(NotJson));
}

#[test]
fn random_trace_ids_and_uuids_are_never_taken_for_cards() {
    let mut seed = 7_u64;
    for _ in 0..20_000 {
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed >> 32
        };
        let hex = format!("{:08x}{:08x}{:08x}{:08x}", next(), next(), next(), next());
        let (a, b, c, d) = (&hex[..8], &hex[8..12], &hex[13..16], &hex[17..20]);
        let uuid = format!("{a}-{b}-4{c}-8{d}-{}", &hex[20..]);
        let data = json!({"orderId": hex, "customerId": uuid, "note": format!("00-{hex}-{}-01", &hex[16..])});
        let body = event("order.canceled.v1", data).to_string();
        assert!(parse(&body).is_ok(), "{body}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        drop(parse(&text));
        drop(parse(&String::from_utf8_lossy(&bytes)));
        drop(parse(&with_note(&text)));
        drop(parse(&in_sns(&text).to_string()));
    }

    #[test]
    fn no_damage_makes_it_panic_or_pass_for_json(text in damaged()) {
        agrees_with_serde_json(&text)?;
    }

    #[test]
    fn what_json_is_it_and_serde_json_agree(soup in token_soup(), note in token_soup()) {
        agrees_with_serde_json(&soup)?;
        agrees_with_serde_json(&with_note(&note))?;
    }

    #[test]
    fn errors_tell_no_content(cut in any::<prop::sample::Index>(), soup in token_soup()) {
        let marked = Draft::with(|draft| {
            draft.order_id = "Marker1".to_owned();
            draft.customer_id = "Marker2 ".to_owned();
            draft.items[0].0 = "Marker3".to_owned();
            draft.currency = "Marker4".to_owned();
        });
        let text = marked.event().to_string();
        let at = cut.index(text.len());
        let damaged = format!("{}{soup}{}", &text[..at], &text[at..]);
        let unreadable = parse(&damaged).unwrap_err();
        let told = format!("{unreadable} {unreadable:?}");
        prop_assert!(!told.contains("Marker") && !told.contains("kit") && !told.contains("4970"), "{told}");
    }
}

fn agrees_with_serde_json(text: &str) -> Result<(), proptest::test_runner::TestCaseError> {
    let ours = parse(text).map_err(|unreadable| unreadable.reason);
    match serde_json::from_str::<Value>(text) {
        // Inside a notification there may be no JSON although there is outside.
        Ok(value) if value.get("Message").is_none() => prop_assert_ne!(ours.err(), Some(NotJson)),
        Ok(_) => {}
        Err(_) => prop_assert!(ours.is_err()),
    }
    Ok(())
}
