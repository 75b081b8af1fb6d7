//! Identifiers: opaque, short, and harmless wherever they end up (rows, keys, logs, URLs).
//!
//! One alphabet for all: ASCII letters, digits and `_ . : -`. The database checks the same rule again. None may
//! contain digits that look like a card number, so that an identifier can be logged. A clone shares the text: one order
//! is named in a row, two messages and a look-up.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::ParseError;
use crate::cards::looks_like_card;

/// Declares an identifier of 1 to `$max` characters.
macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident, $max:literal) => {
        $(#[$doc])*
        #[doc = ""]
        #[doc = concat!("1 to ", stringify!($max), " characters of `A-Z a-z 0-9 _ . : -`.")]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and copies the text.
            ///
            /// # Errors
            /// Length, alphabet, or digits that look like a card number.
            pub fn parse(text: &str) -> Result<Self, ParseError> {
                check(text, $max).map(|()| Self(text.into()))
            }

            /// The identifier as it was sent.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(out, "{}({})", stringify!($name), self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseError;

            fn try_from(text: String) -> Result<Self, ParseError> {
                check(&text, $max).map(|()| Self(text.into()))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
}

identifier!(
    /// The shop's id of an order: its identity in every event, row and key.
    OrderId,
    64
);
identifier!(
    /// The shop's id of a customer; opaque, never a name or an address.
    CustomerId,
    64
);
identifier!(
    /// The shop's id of a product.
    Sku,
    64
);
identifier!(
    /// The shop's id of one refund of an order.
    RefundId,
    64
);
identifier!(
    /// The provider's reference to a customer or a payment method (`cus_…`, `pm_…`); a token, never card data.
    ProviderRef,
    64
);
identifier!(
    /// The id of an event. Longer than the others, because ours are `<order id>:<type>:<sequence>`.
    EventId,
    128
);

fn check(text: &str, max: usize) -> Result<(), ParseError> {
    if text.is_empty() || text.len() > max {
        return Err(ParseError::Length { max });
    }
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte)) {
        return Err(ParseError::Character);
    }
    if looks_like_card(text) {
        return Err(ParseError::CardDigits);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{EventId, OrderId, Sku};
    use crate::ParseError;

    #[track_caller]
    fn check(text: &str, expected: Result<(), ParseError>) {
        assert_eq!(OrderId::parse(text).map(drop), expected, "{text:?}");
        assert_eq!(text.parse::<OrderId>().map(drop), expected, "{text:?}");
        assert_eq!(OrderId::try_from(text.to_owned()).map(drop), expected, "{text:?}");
    }

    #[test]
    fn the_alphabet_and_the_length_are_the_databases() {
        check("ord_01J8Z5QK3V.a:b-C", Ok(()));
        check("x", Ok(()));
        check(&"x".repeat(64), Ok(()));
        check(&"x".repeat(65), Err(ParseError::Length { max: 64 }));
        check("", Err(ParseError::Length { max: 64 }));
        check("a b", Err(ParseError::Character));
        check("a/b", Err(ParseError::Character));
        check("käse", Err(ParseError::Character));
        check("a\0b", Err(ParseError::Character));
        check("ord_4111111111111111", Err(ParseError::CardDigits));
        check("4111-1111-1111-1111", Err(ParseError::CardDigits));
    }

    #[test]
    fn usual_id_schemes_are_accepted() {
        check("01J8Z5QK3VXW7T2N9M4B6C8D0E", Ok(()));
        check("22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", Ok(()));
        check("10000000-0000-4000-8000-123456789012", Ok(()));
        check("ord-1764000000000", Ok(()));
        check("20261123101500123", Ok(()));
    }

    #[test]
    fn an_event_id_has_room_for_the_longest_order_id() {
        let order_id = "x".repeat(64);
        assert!(EventId::parse(&format!("{order_id}:order.refund_requested.v1:4294967295")).is_ok());
    }

    #[test]
    fn ids_are_plain_strings_outside() {
        let sku: Sku = serde_json::from_str("\"kit-thai-curry-2p\"").unwrap();
        assert_eq!(serde_json::to_string(&sku).unwrap(), "\"kit-thai-curry-2p\"");
        assert_eq!(format!("{sku} {sku:?}"), "kit-thai-curry-2p Sku(kit-thai-curry-2p)");
        assert!(serde_json::from_str::<Sku>("\"kit thai\"").is_err());
    }
}
