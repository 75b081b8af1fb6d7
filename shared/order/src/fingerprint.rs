//! What makes two orders the same order: a hash over the business fields, and over nothing else.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::placed::Sheet;

/// Changes with every change of the canonical form, so that two forms never give the same hash by accident.
const VERSION: &str = "v1";

/// SHA-256 over the canonical form of an order's business fields, as 64 lower-case hexadecimal digits.
///
/// Two messages with one order id and different fingerprints are two orders, and the second is refused. In: order,
/// customer, currency, items, adjustments, total, payment references. Out: the envelope, `placedAt`, trace, unknown
/// fields; so a re-sent or re-wrapped order is the same order. Items and adjustments count in any order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(Arc<str>);

impl Fingerprint {
    /// The 64 digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl serde::Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// The fingerprint of an order as it was sent, valid or not.
pub(crate) fn fingerprint(sheet: &Sheet<'_>) -> Fingerprint {
    let mut form = Form::default();
    for field in [VERSION, sheet.order_id.as_str(), sheet.customer_id.as_str(), &sheet.currency] {
        form.add(field);
    }
    form.add_sorted(sheet.items.iter().map(|item| {
        let mut line = Form::default();
        line.add(&item.sku);
        line.add_number(item.quantity);
        line.add_number(item.unit_price_minor);
        line
    }));
    form.add_sorted(sheet.adjustments.iter().map(|adjustment| {
        let mut line = Form::default();
        line.add(&adjustment.kind);
        line.add_number(adjustment.amount_minor);
        line
    }));
    form.add_number(sheet.total_minor);
    form.add(&sheet.customer_ref);
    form.add(&sheet.method_ref);
    Fingerprint(hex(&Sha256::digest(form.0.as_bytes())).into())
}

/// Fields with their lengths before them: no text can pass for the end of one field and the beginning of the next.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord)]
struct Form(String);

impl Form {
    fn add(&mut self, field: &str) {
        // Writing to a string never fails.
        write!(self.0, "{}:{field}", field.len()).ok();
    }

    /// As `add` with the number's decimal digits.
    fn add_number(&mut self, number: i64) {
        let digits = number.unsigned_abs().checked_ilog10().unwrap_or_default().saturating_add(1);
        let length = digits.saturating_add(u32::from(number < 0));
        write!(self.0, "{length}:{number}").ok();
    }

    fn add_sorted(&mut self, lines: impl Iterator<Item = Self>) {
        let mut lines: Vec<Self> = lines.collect();
        lines.sort_unstable();
        self.add(&lines.len().to_string());
        for line in lines {
            self.add(&line.0);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16);
    let mut hex = String::with_capacity(bytes.len().saturating_mul(2));
    hex.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten());
    hex
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Form, hex};

    proptest! {
        #[test]
        fn a_number_counts_as_its_digits(number: i64) {
            let (mut digits, mut text) = (Form::default(), Form::default());
            digits.add_number(number);
            text.add(&number.to_string());
            prop_assert_eq!(digits.0, text.0);
        }
    }

    #[track_caller]
    fn check_number(number: i64, expected: &str) {
        let mut form = Form::default();
        form.add_number(number);
        assert_eq!(form.0, expected);
    }

    #[test]
    fn the_length_of_a_number_counts_its_sign_and_its_zero() {
        check_number(0, "1:0");
        check_number(-5, "2:-5");
        check_number(10, "2:10");
        check_number(i64::MIN, "20:-9223372036854775808");
    }

    #[test]
    fn hexadecimal_is_lower_case_and_keeps_zeros() {
        assert_eq!(hex(&[0x00, 0x0f, 0xa0, 0xff]), "000fa0ff");
    }
}
