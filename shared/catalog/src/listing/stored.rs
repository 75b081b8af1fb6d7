//! The listing in Redis: one value under one key, `<read at, Unix ms> <JSON array of products>`.
//!
//! The time comes first and in digits, because the script that writes it must find it. Products are arrays of their
//! fields, which a reader of this version knows by position; the key's `v1` is the version of that form.

use data_api::{Clock, Deadline};
use order::Sku;
use redis_link::Link;
use serde::{Deserialize, Serialize};

use super::read::{ListedRow, product};
use super::{ListedProduct, Listing};

/// In the slot of the products, and no product's key: those have `v1` in the second place.
const KEY: &str = "{catalog}:listing:v1";

const WRITE: &str = include_str!("write.lua");

/// A product's fields in their places: SKU, name, price, currency, image key, version.
#[derive(Serialize, Deserialize)]
struct Entry(String, String, i64, String, Option<String>, i64);

/// What Redis held.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A listing.
    Listing(Listing),
    /// Nothing, or Redis did not answer.
    Nothing,
    /// Text that is no listing, or one from the future: to be replaced, whatever its time says.
    Unreadable,
}

/// Reads the listing. Whatever goes wrong, it is merely not found.
pub(super) async fn read<C: Clock>(
    link: &Link<C>,
    newest_ms: u64,
    deadline: Deadline,
    calls: &mut u64,
) -> Found {
    // MGET takes a key of another type for a missing one; GET would be refused.
    let command = redis_link::cmd("MGET").arg(KEY).to_owned();
    let texts = link.call::<Vec<Option<Vec<u8>>>>(&command, deadline, calls).await;
    match texts.unwrap_or_default().into_iter().next().flatten() {
        None => Found::Nothing,
        Some(text) => decode(&text)
            .filter(|listing| listing.read_at_ms <= newest_ms)
            .map_or(Found::Unreadable, Found::Listing),
    }
}

/// Writes a listing that was just read, unless Redis has a later one. Nobody waits for its outcome.
pub(super) async fn write<C: Clock>(
    link: &Link<C>,
    listing: &Listing,
    (ttl_ms, replace): (u64, bool),
    deadline: Deadline,
    calls: &mut u64,
) {
    let Some(text) = encode(listing) else { return };
    let mut command = redis_link::cmd("EVAL");
    command.arg(WRITE).arg(1).arg(KEY).arg(text).arg(ttl_ms).arg(u8::from(replace));
    // A write that failed leaves a later reader with a miss; the link has logged why.
    link.call::<u64>(&command, deadline, calls).await.ok();
}

fn encode(listing: &Listing) -> Option<String> {
    let entry = |product: &ListedProduct| {
        let ListedProduct { sku, name, price_minor, currency, image_key, version } = product;
        let (sku, currency) = (sku.to_string(), currency.as_str().to_owned());
        Entry(sku, name.clone(), *price_minor, currency, image_key.clone(), *version)
    };
    let entries: Vec<Entry> = listing.products.iter().map(entry).collect();
    let json = serde_json::to_string(&entries).ok()?;
    Some(format!("{} {json}", listing.read_at_ms))
}

fn decode(text: &[u8]) -> Option<Listing> {
    let (read_at_ms, json) = std::str::from_utf8(text).ok()?.split_once(' ')?;
    let entries: Vec<Entry> = serde_json::from_str(json).ok()?;
    let row = |Entry(sku, name, price_minor, currency, image_key, version)| ListedRow {
        sku,
        name,
        price_minor,
        currency,
        image_key,
        version,
    };
    let products: Option<Vec<ListedProduct>> = entries.into_iter().map(|entry| product(row(entry))).collect();
    let products = products?;
    // Readers search in it.
    let sorted = products.is_sorted_by(|a: &ListedProduct, b: &ListedProduct| Sku::lt(&a.sku, &b.sku));
    sorted.then_some(Listing { read_at_ms: read_at_ms.parse().ok()?, products })
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};
    use crate::listing::{ListedProduct, Listing};
    use order::{Currency, Sku};
    use proptest::prelude::{any, prop_assert_eq, proptest};

    fn listing(name: &str, image_key: Option<String>, price_minor: i64, version: i64) -> Listing {
        let product = |sku: &str| ListedProduct {
            sku: Sku::parse(sku).expect("a usable SKU"),
            name: name.to_owned(),
            price_minor,
            currency: Currency::parse("EUR").expect("a currency"),
            image_key: image_key.clone(),
            version,
        };
        Listing::new(1_800_000_000_000, vec![product("kit-1"), product("kit-2")])
    }

    #[track_caller]
    fn check_refused(text: &str) {
        assert_eq!(decode(text.as_bytes()), None, "{text}");
    }

    #[test]
    fn a_listing_has_one_text() {
        let one =
            Listing::new(7, listing("A kit", None, 2_490, 3).products().iter().take(1).cloned().collect());
        assert_eq!(encode(&one).as_deref(), Some(r#"7 [["kit-1","A kit",2490,"EUR",null,3]]"#));
        assert_eq!(decode(b"7 []"), Some(Listing::new(7, Vec::new())));
    }

    #[test]
    fn what_is_no_listing_is_not_read() {
        check_refused("");
        check_refused("7");
        check_refused("x []");
        check_refused("-7 []");
        check_refused("7 {}");
        check_refused(r#"7 [["kit-1","A kit",2490,"EUR",null]]"#);
        check_refused(r#"7 [["kit 1","A kit",2490,"EUR",null,3]]"#);
        check_refused(r#"7 [["kit-1","A kit",2490,"euro",null,3]]"#);
        check_refused(r#"7 [["b","A kit",1,"EUR",null,3],["a","A kit",1,"EUR",null,3]]"#);
        check_refused(r#"7 [["a","A kit",1,"EUR",null,3],["a","A kit",1,"EUR",null,3]]"#);
    }

    proptest! {
        #[test]
        fn every_listing_reads_back(
            name in ".{1,200}",
            image_key in any::<Option<String>>(),
            price_minor in any::<i64>(),
            version in any::<i64>(),
        ) {
            let listing = listing(&name, image_key, price_minor, version);
            prop_assert_eq!(encode(&listing).and_then(|text| decode(text.as_bytes())), Some(listing));
        }

        #[test]
        fn no_bytes_make_it_panic(text in any::<Vec<u8>>()) {
            prop_assert_eq!(decode(&text).is_some() && text.is_empty(), false);
        }
    }
}
