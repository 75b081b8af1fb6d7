//! Holds an order beside the catalog. The cache may be old, so it never rejects: what it doubts is noted, and the
//! database decides.

use crate::words::words;
use crate::{Currency, OrderRequest, Sku};

/// What the catalog says of one SKU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It is a product.
    Product(ProductView),
    /// No product has it.
    Unknown,
    /// Nobody could be asked in time.
    Unread,
}

/// A product as far as an order needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductView {
    /// Price of one piece, in minor units of `currency`.
    pub price_minor: i64,
    /// What the price is in.
    pub currency: Currency,
    /// Whether it is sold now.
    pub active: bool,
    /// Grows with every change of the product.
    pub version: i64,
}

/// A valid order, and what the catalog doubts about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PricedOrder<'a> {
    /// The order as it was placed.
    pub request: &'a OrderRequest,
    /// At most one for each SKU, in the order of the lines; empty if the catalog agrees with all lines.
    pub doubts: Vec<Doubt>,
}

/// One SKU about which order and catalog disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// Which one.
    pub sku: Sku,
    /// How they disagree.
    pub kind: DoubtKind,
}

words! {
    /// How order and catalog disagree, in the database's order of precedence; `unread` is no disagreement but no answer.
    pub enum DoubtKind("doubt") {
        /// The catalog has no such product.
        UnknownSku = "unknown_sku",
        /// It is not sold now.
        Inactive = "inactive",
        /// Its price is in another currency.
        CurrencyDiffers = "currency_differs",
        /// Its price is another.
        PriceDiffers = "price_differs",
        /// The catalog could not be read.
        Unread = "unread",
    }
}

/// Holds each line beside `view`, the catalog's answer for a SKU.
pub fn price<'a, 'v>(request: &'a OrderRequest, view: impl Fn(&Sku) -> &'v Known) -> PricedOrder<'a> {
    let mut doubts: Vec<Doubt> = Vec::new();
    for line in &request.lines {
        // At most `MAX_LINES` doubts, so looking through them is quick.
        if doubts.iter().any(|doubt| doubt.sku == line.sku) {
            continue;
        }
        if let Some(kind) = doubt(request.currency, line.unit_price_minor, view(&line.sku)) {
            doubts.push(Doubt { sku: line.sku.clone(), kind });
        }
    }
    PricedOrder { request, doubts }
}

fn doubt(currency: Currency, unit_price_minor: i64, known: &Known) -> Option<DoubtKind> {
    match known {
        Known::Unread => Some(DoubtKind::Unread),
        Known::Unknown => Some(DoubtKind::UnknownSku),
        Known::Product(product) if !product.active => Some(DoubtKind::Inactive),
        Known::Product(product) if product.currency != currency => Some(DoubtKind::CurrencyDiffers),
        Known::Product(product) if product.price_minor != unit_price_minor => Some(DoubtKind::PriceDiffers),
        Known::Product(_) => None,
    }
}
