//! Currencies: how many digits their minor unit has, and the least that can be charged in them.

use std::fmt;

use crate::ParseError;

/// An ISO 4217 code: three upper-case ASCII letters. Any such code is accepted; whether a product is sold in it is
/// the catalog's to say.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Currency([u8; 3]);

/// The least charge in minor units, where the provider states one (Stripe's documentation, "Supported currencies",
/// section "Minimum and maximum charge amounts"). It may be higher for an account that settles in another currency.
const MINIMUM_CHARGES: [(&str, i64); 24] = [
    ("AED", 200),
    ("AUD", 50),
    ("BGN", 100),
    ("BRL", 50),
    ("CAD", 50),
    ("CHF", 50),
    ("CZK", 1_500),
    ("DKK", 250),
    ("EUR", 50),
    ("GBP", 30),
    ("HKD", 400),
    ("HUF", 17_500),
    ("INR", 50),
    ("JPY", 50),
    ("MXN", 1_000),
    ("MYR", 200),
    ("NOK", 300),
    ("NZD", 50),
    ("PLN", 200),
    ("RON", 200),
    ("SEK", 300),
    ("SGD", 50),
    ("THB", 1_000),
    ("USD", 50),
];

impl Currency {
    /// Reads three upper-case letters; `eur` is refused, because two spellings would be two fingerprints.
    ///
    /// # Errors
    /// [`ParseError::Currency`] for anything else.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        match <[u8; 3]>::try_from(text.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_uppercase) => Ok(Self(code)),
            _ => Err(ParseError::Currency),
        }
    }

    /// The code, for example `EUR`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Always ASCII by construction; the default is never taken.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Digits after the decimal point of the major unit: 0 for yen, 3 for dinars, 2 for most. As the provider counts
    /// them (Stripe's documentation, "Zero-decimal currencies" and "Three-decimal currencies"), not as ISO 4217 does.
    #[must_use]
    pub fn minor_digits(self) -> u8 {
        match self.as_str() {
            "BIF" | "CLP" | "DJF" | "GNF" | "JPY" | "KMF" | "KRW" | "MGA" | "PYG" | "RWF" | "VND" | "VUV"
            | "XAF" | "XOF" | "XPF" => 0,
            "BHD" | "JOD" | "KWD" | "OMR" | "TND" => 3,
            _ => 2,
        }
    }

    /// The least total that the provider charges, in minor units; 1 where it states none, so that the provider
    /// decides.
    #[must_use]
    pub fn minimum_charge_minor(self) -> i64 {
        let stated = MINIMUM_CHARGES.iter().find(|(code, _)| *code == self.as_str());
        stated.map_or(1, |(_, minimum_minor)| *minimum_minor)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Currency({})", self.as_str())
    }
}

impl TryFrom<String> for Currency {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        Self::parse(&text)
    }
}

impl serde::Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Currency;

    #[track_caller]
    fn check(code: &str, minor_digits: u8, minimum_charge_minor: i64) {
        let currency = Currency::parse(code).unwrap();
        assert_eq!(
            (currency.minor_digits(), currency.minimum_charge_minor()),
            (minor_digits, minimum_charge_minor)
        );
        assert_eq!(currency.to_string(), code);
        assert_eq!(serde_json::to_string(&currency).unwrap(), format!("{code:?}"));
    }

    #[test]
    fn amounts_are_counted_as_the_provider_counts_them() {
        check("EUR", 2, 50);
        check("GBP", 2, 30);
        check("JPY", 0, 50);
        check("KRW", 0, 1);
        check("HUF", 2, 17_500);
        check("KWD", 3, 1);
        check("ISK", 2, 1); // Zero decimals in ISO 4217, two at the provider.
    }

    #[test]
    fn only_three_upper_case_letters_are_a_currency() {
        for text in ["", "EU", "EURO", "eur", "EU1", "€UR", "E R", "ÄÖ"] {
            assert!(Currency::parse(text).is_err(), "{text:?}");
        }
    }
}
