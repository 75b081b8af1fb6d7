//! JSON values as an event may hold them: strict about types, borrowing where possible, silent about content.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use jiff::Timestamp;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use crate::{QuarantineReason, Unreadable};

/// Decodes a text that `walk` has passed.
///
/// # Errors
/// `bad_schema` with a position and, for a missing field, its name; never with content. Of serde's messages only the
/// one for missing fields is passed on, because its names are ours.
pub(crate) fn decode<'a, T: Deserialize<'a>>(text: &'a str, what: &str) -> Result<Object<T>, Unreadable> {
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        let field = message.strip_prefix("missing field ").and_then(|rest| rest.split(' ').next());
        let problem = field.map_or("wrong type".to_owned(), |field| format!("missing {field}"));
        let detail = format!("{what}, {problem} before line {} column {}", error.line(), error.column());
        Unreadable::new(QuarantineReason::BadSchema, detail)
    })
}

/// A JSON object. serde's derived structs also read arrays, field by field, which no schema of ours means.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(ObjectVisitor(std::marker::PhantomData))
    }
}

/// A JSON string, borrowed from the body unless it has escapes.
pub(crate) struct Text<'a>(pub(crate) Cow<'a, str>);

impl Text<'_> {
    /// Reads an identifier.
    ///
    /// # Errors
    /// `bad_schema` naming the field.
    pub(crate) fn id<T: FromStr>(&self, field: &'static str) -> Result<T, Unreadable> {
        // What is wrong with it would tell little more than that, and might tell content.
        self.parse().ok().ok_or(Unreadable::bad_schema(field))
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(TextVisitor).map(Text)
    }
}

/// Takes a string, borrowed where possible.
pub(super) struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text))
    }
}

/// A JSON number that should be a 64-bit integer. `2.0` and `1e3` are none: two spellings would be two readings.
pub(crate) struct Integer(Option<i64>);

impl Integer {
    /// The integer.
    ///
    /// # Errors
    /// `number_range` for any other number.
    pub(crate) fn get(&self, field: &'static str) -> Result<i64, Unreadable> {
        self.0.ok_or_else(|| Unreadable::new(QuarantineReason::NumberRange, field))
    }
}

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IntegerVisitor;

        impl Visitor<'_> for IntegerVisitor {
            type Value = Integer;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a number")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Integer, E> {
                Ok(Integer(Some(number)))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Integer, E> {
                Ok(Integer(i64::try_from(number).ok()))
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Integer, E> {
                Ok(Integer(None))
            }
        }

        deserializer.deserialize_any(IntegerVisitor)
    }
}

/// A time in the form of RFC 3339, from 1970 on. Stricter than the parser below it, which also reads other forms;
/// the years are those that the database can hold as well.
pub(crate) fn timestamp(text: &str) -> Option<Timestamp> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2, rest @ ..] =
        text.as_bytes()
    else {
        return None;
    };
    let digits = [y1, y2, y3, y4, m1, m2, d1, d2, h1, h2, n1, n2, s1, s2];
    if !digits.iter().all(|byte| byte.is_ascii_digit()) || !is_fraction_and_zone(rest) {
        return None;
    }
    text.parse().ok().filter(|time| *time >= Timestamp::UNIX_EPOCH)
}

fn is_fraction_and_zone(rest: &[u8]) -> bool {
    let zone = match rest.strip_prefix(b".") {
        Some(fraction) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=9).contains(&digits) {
                return false;
            }
            fraction.get(digits..).unwrap_or_default()
        }
        None => rest,
    };
    match zone {
        b"Z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => [h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Integer, Object, Text, decode, timestamp};

    #[track_caller]
    fn check_time(text: &str, expected: Option<&str>) {
        assert_eq!(timestamp(text).map(|time| time.to_string()).as_deref(), expected, "{text:?}");
    }

    #[test]
    fn times_are_rfc_3339_from_1970_on() {
        check_time("2026-11-23T10:15:00Z", Some("2026-11-23T10:15:00Z"));
        check_time("2026-11-23T10:15:00.123Z", Some("2026-11-23T10:15:00.123Z"));
        check_time("2026-11-23T10:15:00+01:00", Some("2026-11-23T09:15:00Z"));
        check_time("1970-01-01T00:00:00Z", Some("1970-01-01T00:00:00Z"));
        check_time("1969-12-31T23:59:59Z", None);
        check_time("0000-01-01T00:00:00Z", None);
        check_time("2026-02-30T10:15:00Z", None);
        check_time("2026-11-23T10:15:00", None);
        check_time("2026-11-23 10:15:00Z", None);
        check_time("2026-11-23T10:15:00Z[Europe/Berlin]", None);
        check_time("2026-11-23T10:15:00.1234567890Z", None);
        check_time("2026-11-23T10:15:00.Z", None);
        check_time("20261123T101500Z", None);
        check_time("+002026-11-23T10:15:00Z", None);
        check_time("", None);
    }

    #[track_caller]
    fn check_integer(json: &str, expected: Option<i64>) {
        assert_eq!(serde_json::from_str::<Integer>(json).unwrap().0, expected, "{json}");
    }

    #[test]
    fn integers_have_one_spelling() {
        check_integer("0", Some(0));
        check_integer("-9223372036854775808", Some(i64::MIN));
        check_integer("9223372036854775807", Some(i64::MAX));
        check_integer("9223372036854775808", None);
        check_integer("99999999999999999999", None);
        check_integer("2.0", None);
        check_integer("2.5", None);
        check_integer("1e3", None);
        check_integer("-0", None);
        assert!(serde_json::from_str::<Integer>("\"1\"").is_err());
        assert!(serde_json::from_str::<Integer>("null").is_err());
    }

    #[derive(serde::Deserialize)]
    struct One<'a> {
        #[serde(borrow)]
        name: Text<'a>,
    }

    #[test]
    fn objects_are_objects_and_errors_tell_no_content() {
        let Object(one): Object<One<'_>> = decode("{\"name\":\"a\\tb\"}", "x").unwrap();
        assert_eq!(&*one.name, "a\tb");
        let detail = |text| decode::<One<'_>>(text, "x").map(|_| ()).unwrap_err().detail;
        assert_eq!(detail("{\"secret\":1}"), "x, missing `name` before line 1 column 12");
        assert_eq!(detail("{\"name\":77}"), "x, wrong type before line 1 column 10");
        assert_eq!(detail("[\"secret\"]"), "x, wrong type before line 1 column 0");
    }
}
