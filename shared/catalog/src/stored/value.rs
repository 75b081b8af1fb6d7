//! The text of a product in Redis: `<version> <price_minor> <currency> <1 if active, else 0>`, or `0` for an SKU that
//! does not exist.
//!
//! One short line rather than JSON, because the script that writes it must find the version in it. What does not
//! read back as exactly the text that this module would write is no value; `write.lua` and this module need not
//! agree on such text, since a writer names what it saw.

use order::{Currency, Known, ProductView};

/// What stands for an unknown SKU. It has version 0, and any real product replaces it.
const UNKNOWN: &str = "0";

/// The longest text of a product: two numbers of 19 digits, a currency, a flag, three blanks, with room to spare.
/// Also in `write.lua`.
pub(super) const LENGTH_MAX: usize = 64;

/// The text for what is known; `None` if it cannot be stored (nothing is known, or a number is negative).
pub(super) fn encode(known: &Known) -> Option<String> {
    match known {
        Known::Unread => None,
        Known::Unknown => Some(UNKNOWN.to_owned()),
        Known::Product(product) if product.version < 0 || product.price_minor < 0 => None,
        Known::Product(product) => {
            let ProductView { price_minor, currency, active, version } = product;
            let currency = currency.as_str();
            Some(format!("{version} {price_minor} {currency} {}", u8::from(*active)))
        }
    }
}

/// What a text means; `None` if this module would not have written it.
pub(super) fn decode(text: &[u8]) -> Option<Known> {
    if text.len() > LENGTH_MAX {
        return None;
    }
    let text = std::str::from_utf8(text).ok()?;
    let known = if text == UNKNOWN { Known::Unknown } else { Known::Product(decode_product(text)?) };
    (encode(&known)? == text).then_some(known)
}

fn decode_product(text: &str) -> Option<ProductView> {
    let mut words = text.split(' ');
    let product = ProductView {
        version: words.next()?.parse().ok()?,
        price_minor: words.next()?.parse().ok()?,
        currency: Currency::parse(words.next()?).ok()?,
        active: words.next()? == "1",
    };
    words.next().is_none().then_some(product)
}

#[cfg(test)]
mod tests {
    use super::{LENGTH_MAX, decode, encode};
    use order::{Currency, Known, ProductView};
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    fn product(version: i64, price_minor: i64, active: bool) -> Known {
        let currency = Currency::parse("EUR").expect("a currency");
        Known::Product(ProductView { price_minor, currency, active, version })
    }

    #[track_caller]
    fn check(known: &Known, text: Option<&str>) {
        assert_eq!(encode(known).as_deref(), text);
        if let Some(text) = text {
            assert_eq!(decode(text.as_bytes()).as_ref(), Some(known));
        }
    }

    #[test]
    fn what_is_known_has_one_text() {
        check(&product(7, 2_490, true), Some("7 2490 EUR 1"));
        check(&product(0, 0, false), Some("0 0 EUR 0"));
        check(&Known::Unknown, Some("0"));
        check(&Known::Unread, None);
        check(&product(-1, 2_490, true), None);
        check(&product(7, -1, true), None);
    }

    proptest! {
        #[test]
        fn every_product_reads_back(version in 0_i64.., price_minor in 0_i64.., active in any::<bool>()) {
            let known = product(version, price_minor, active);
            let text = encode(&known).expect("a text");
            prop_assert!(text.len() <= LENGTH_MAX);
            prop_assert_eq!(decode(text.as_bytes()), Some(known));
        }

        #[test]
        fn whatever_reads_as_a_product_is_its_one_text(text in "[0-9+ -]{1,8} ?[0-9]{0,4} [A-Za-z]{2,4} [01 ]{0,3}") {
            if let Some(known) = decode(text.as_bytes()) {
                prop_assert_eq!(encode(&known), Some(text));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(text in any::<Vec<u8>>()) {
            prop_assert!(decode(&text).is_none_or(|known| encode(&known).is_some()));
        }
    }
}
