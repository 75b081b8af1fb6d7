//! Pricing: what the catalog doubts about an order, and that it never rejects.

use order::{Currency, DoubtKind, EventData, Known, OrderRequest, ProductView, price};

use crate::drafts::Draft;

fn request(items: &[(&str, i64)]) -> OrderRequest {
    let draft = Draft::with(|draft| {
        draft.items = items.iter().map(|(sku, price)| ((*sku).to_owned(), 1, *price)).collect();
        draft.adjustments.clear();
        draft.total_minor = i64::try_from(draft.sum()).unwrap();
    });
    match order::event::parse(&draft.event().to_string()).unwrap().data {
        EventData::OrderPlaced(placed) => placed.verdict.unwrap(),
        other => panic!("{}", other.event_type()),
    }
}

fn product(price_minor: i64, currency: &str, active: bool) -> Known {
    Known::Product(ProductView {
        price_minor,
        currency: Currency::parse(currency).unwrap(),
        active,
        version: 1,
    })
}

/// An order for one kit at 2490 EUR, beside a catalog that says `known`.
#[track_caller]
fn check(known: &Known, expected: Option<DoubtKind>) {
    let request = request(&[("kit", 2490)]);
    let priced = price(&request, |_| known);
    assert_eq!(priced.doubts.first().map(|doubt| doubt.kind), expected, "{known:?}");
}

#[test]
fn each_disagreement_is_named() {
    check(&product(2490, "EUR", true), None);
    check(&product(2491, "EUR", true), Some(DoubtKind::PriceDiffers));
    check(&product(2490, "USD", true), Some(DoubtKind::CurrencyDiffers));
    check(&product(2490, "EUR", false), Some(DoubtKind::Inactive));
    check(&product(1, "USD", false), Some(DoubtKind::Inactive));
    check(&product(1, "USD", true), Some(DoubtKind::CurrencyDiffers));
    check(&Known::Unknown, Some(DoubtKind::UnknownSku));
    check(&Known::Unread, Some(DoubtKind::Unread));
}

#[test]
fn every_sku_is_doubted_once_in_the_order_of_the_lines() {
    let request = request(&[("b", 100), ("a", 100), ("b", 200), ("c", 100)]);
    let at_100 = product(100, "EUR", true);
    let priced = price(&request, |sku| if sku.as_str() == "c" { &Known::Unread } else { &at_100 });
    let doubts: Vec<(&str, DoubtKind)> =
        priced.doubts.iter().map(|doubt| (doubt.sku.as_str(), doubt.kind)).collect();
    assert_eq!(doubts, [("b", DoubtKind::PriceDiffers), ("c", DoubtKind::Unread)]);
}
