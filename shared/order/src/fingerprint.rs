//! What makes two orders the same order: a hash over the business fields, and over nothing else.

use std::fmt::{self, Write as _};

use sha2::{Digest as _, Sha256};

use crate::placed::Sheet;

/// Changes with every change of the canonical form, so that two forms never give the same hash by accident.
const VERSION: &str = "v1";

/// SHA-256 over the canonical form of an order's business fields, as 64 lower-case hexadecimal digits.
///
/// Two messages with one order id and different fingerprints are two orders, and the second is refused. In: order,
/// customer, currency, items, adjustments, total, payment references. Out: the envelope, `placedAt`, trace, unknown
/// fields; so a re-sent or re-wrapped order is the same order. Items and adjustments count in any order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Fingerprint(Box<str>);

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

/// The fingerprint of an order as it was sent, valid or not.
pub(crate) fn fingerprint(sheet: &Sheet<'_>) -> Fingerprint {
    let mut form = Form::default();
    for field in [VERSION, sheet.order_id.as_str(), sheet.customer_id.as_str(), &sheet.currency] {
        form.add(field);
    }
    form.add_sorted(sheet.items.iter().map(|item| {
        let mut line = Form::default();
        line.add(&item.sku);
        line.add(&item.quantity.to_string());
        line.add(&item.unit_price_minor.to_string());
        line
    }));
    form.add_sorted(sheet.adjustments.iter().map(|adjustment| {
        let mut line = Form::default();
        line.add(&adjustment.kind);
        line.add(&adjustment.amount_minor.to_string());
        line
    }));
    for field in [&sheet.total_minor.to_string(), &*sheet.customer_ref, &*sheet.method_ref] {
        form.add(field);
    }
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
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::hex;

    #[test]
    fn hexadecimal_is_lower_case_and_keeps_zeros() {
        assert_eq!(hex(&[0x00, 0x0f, 0xa0, 0xff]), "000fa0ff");
    }
}
