//! One pass through everything a message says, known or not, before any of it is believed.
//!
//! Refused: depth, repeated keys, control characters, card data. The pass goes on after a finding, because card data
//! anywhere decides that the body is not kept.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::trace::is_traceparent;
use super::wire::TextVisitor;
use super::{QuarantineReason, Unreadable};
use crate::cards::{is_card_key, looks_like_card};

/// Nesting of arrays and objects, the outermost counted. The contract's events need 4, an EventBridge wrapping one
/// more; the JSON parser itself stops at 128.
const MAX_DEPTH: u8 = 16;

/// Numbers below have fewer than 13 digits and are no card's.
const SHORTEST_CARD_NUMBER: u64 = 1_000_000_000_000;

/// What a message is wrapped in, told by its outermost keys.
pub(super) enum Wrapping<'a> {
    /// A `CloudEvent` as it is.
    None,
    /// An SNS message; the text inside has not been walked.
    Sns { message: Cow<'a, str> },
    /// An EventBridge event, with the `CloudEvent` as its detail.
    EventBridge,
    /// None of these.
    Unknown,
}

/// Walks through a JSON text.
///
/// # Errors
/// `card_data` before anything else, then the first finding, then `not_json` or (where a number has no value at all)
/// `number_range`.
pub(super) fn walk(text: &str) -> Result<Wrapping<'_>, Unreadable> {
    let mut findings = Findings::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let read = Node { findings: &mut findings, depth: 0, name: Name::Other }.deserialize(&mut deserializer);
    let syntax = read.and_then(|()| deserializer.end()).err();
    let root = std::mem::take(&mut findings.root);
    if let Some(message) = root.message.as_deref().filter(|_| !root.is_sns()) {
        // Not a wrapped text after all: an unknown field like any other.
        findings.look_at_text(message);
    }
    let finding = findings.card.or(findings.first).or_else(|| syntax.as_ref().map(not_json));
    finding.map_or(Ok(root.wrapping()), Err)
}

/// What `serde_json` refused. It has no code for a number whose exponent no float can hold, only this sentence, which a
/// test pins.
fn not_json(error: &serde_json::Error) -> Unreadable {
    let beyond = error.to_string().starts_with("number out of range");
    let reason = if beyond { QuarantineReason::NumberRange } else { QuarantineReason::NotJson };
    Unreadable::new(reason, format!("line {} column {}", error.line(), error.column()))
}

#[derive(Default)]
struct Findings<'de> {
    card: Option<Unreadable>,
    first: Option<Unreadable>,
    root: Root<'de>,
    /// The keys of all objects that are open now, innermost last: one buffer for all.
    keys: Vec<Cow<'de, str>>,
    /// Room for one key without case and punctuation.
    reduced: Vec<u8>,
}

/// The outermost keys that tell the wrapping.
#[derive(Default)]
struct Root<'de> {
    specversion: bool,
    kind: bool,
    detail_type: bool,
    message: Option<Cow<'de, str>>,
}

impl<'de> Root<'de> {
    fn note(&mut self, key: &str) {
        match key {
            "specversion" => self.specversion = true,
            "Type" => self.kind = true,
            "detail-type" => self.detail_type = true,
            _ => {}
        }
    }

    fn is_sns(&self) -> bool {
        !self.specversion && self.kind && self.message.is_some()
    }

    fn wrapping(self) -> Wrapping<'de> {
        match self {
            Self { specversion: true, .. } => Wrapping::None,
            Self { kind: true, message: Some(message), .. } => Wrapping::Sns { message },
            Self { detail_type: true, .. } => Wrapping::EventBridge,
            _ => Wrapping::Unknown,
        }
    }
}

impl<'de> Findings<'de> {
    fn note(&mut self, reason: QuarantineReason, detail: &'static str) {
        self.first.get_or_insert_with(|| Unreadable::new(reason, detail));
    }

    fn look_at_text(&mut self, text: &str) {
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            self.note(QuarantineReason::ControlChar, "a control character in a string");
        }
        if looks_like_card(text) {
            self.card.get_or_insert_with(|| Unreadable::card("digits of a card number"));
        }
    }

    fn look_at_key(&mut self, key: &str) {
        self.look_at_text(key);
        if is_card_key(key, &mut self.reduced) {
            self.card.get_or_insert_with(|| Unreadable::card("a field for card data"));
        }
    }

    fn look_at_number(&mut self, digits: &str) {
        if looks_like_card(digits) {
            self.card.get_or_insert_with(|| Unreadable::card("a number like a card number"));
        }
    }

    /// An object ends whose keys begin at `from`: are they all different?
    fn close(&mut self, from: usize) {
        if let Some(keys) = self.keys.get_mut(from..) {
            keys.sort_unstable();
            if keys.is_sorted_by(|one, next| one < next) {
                self.keys.truncate(from);
                return;
            }
        }
        self.note(QuarantineReason::DuplicateKey, "a key stands twice in an object");
        self.keys.truncate(from);
    }
}

/// The one key whose text is walked later, by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    OutermostMessage,
    Traceparent,
    Other,
}

/// One value, at some depth.
struct Node<'s, 'de> {
    findings: &'s mut Findings<'de>,
    depth: u8,
    name: Name,
}

impl<'s, 'de> Node<'s, 'de> {
    /// The value inside, or a note that it lies too deep. It is walked all the same, for card data.
    fn inside(&mut self) -> u8 {
        if self.depth >= MAX_DEPTH {
            self.findings.note(QuarantineReason::TooDeep, "nested deeper than 16");
        }
        self.depth.saturating_add(1)
    }

    fn text(self, text: Cow<'de, str>) {
        match self.name {
            Name::OutermostMessage => self.findings.root.message = Some(text),
            // Random digits that are no card's, in one of 500 traces.
            Name::Traceparent if is_traceparent(&text) => {}
            Name::Traceparent | Name::Other => self.findings.look_at_text(&text),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.visit_u64(number.unsigned_abs())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        if number >= SHORTEST_CARD_NUMBER {
            self.findings.look_at_number(&number.to_string());
        }
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        // 13 digits and more before the point; a longer number than 19 has too many.
        if (1e12..1e19).contains(&number.abs()) {
            self.findings.look_at_number(&number.to_string());
        }
        Ok(())
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<(), E> {
        self.text(Cow::Borrowed(text));
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.text(Cow::Owned(text.to_owned()));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let depth = self.inside();
        while items.next_element_seed(Node { findings: self.findings, depth, name: Name::Other })?.is_some() {
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<(), A::Error> {
        let outermost = self.depth == 0;
        let depth = self.inside();
        let first_key = self.findings.keys.len();
        while let Some(key) = entries.next_key_seed(Key)? {
            self.findings.look_at_key(&key);
            if outermost {
                self.findings.root.note(&key);
            }
            let name = match &*key {
                "Message" if outermost => Name::OutermostMessage,
                "traceparent" => Name::Traceparent,
                _ => Name::Other,
            };
            self.findings.keys.push(key);
            entries.next_value_seed(Node { findings: self.findings, depth, name })?;
        }
        self.findings.close(first_key);
        Ok(())
    }
}

/// A key, borrowed where possible.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(TextVisitor)
    }
}
