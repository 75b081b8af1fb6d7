//! The events' `data`, by type.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::wire::{Integer, Object, Text, decode};
use super::{EventData, PaymentRequested, Unreadable};
use crate::money::MAX_AMOUNT_MINOR;
use crate::{Currency, QuarantineReason, Sku, placed};

pub(super) const ORDER_PLACED: &str = "order.placed.v1";
pub(super) const ORDER_CANCELED: &str = "order.canceled.v1";
pub(super) const REFUND_REQUESTED: &str = "order.refund_requested.v1";
pub(super) const PRODUCT_CHANGED: &str = "product.changed.v1";
pub(super) const STOCK_ADJUSTED: &str = "stock.adjusted.v1";
pub(super) const PAYMENT_REQUESTED: &str = "payment.requested.v1";

const TYPES: [&str; 6] =
    [ORDER_PLACED, ORDER_CANCELED, REFUND_REQUESTED, PRODUCT_CHANGED, STOCK_ADJUSTED, PAYMENT_REQUESTED];

/// Most pieces that one event adds to or takes from the stock of a SKU; more is a mistake of the sender.
const MAX_DELTA: u64 = 1_000_000_000;

/// Longest name and image key of a product, in characters.
const MAX_NAME_CHARS: usize = 200;

/// Attempts to pay for one order; the database holds the same limit.
const MAX_ATTEMPTS: i32 = 1_000;

/// A product as the shop's catalog has it now. Never says anything of stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Product {
    /// Which one.
    pub sku: Sku,
    /// For people: 1 to 200 characters.
    pub name: String,
    /// Price of one piece, in minor units: 0 to [`MAX_AMOUNT_MINOR`].
    pub price_minor: i64,
    /// What the price is in.
    pub currency: Currency,
    /// Whether it is sold now.
    pub active: bool,
    /// Grows with every change; a smaller one is old news. At least 0.
    pub version: i64,
    /// Where its image is: 1 to 200 characters.
    pub image_key: Option<String>,
}

/// Pieces that came or went otherwise than by an order. The event's id makes it count once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockAdjusted {
    /// Which product.
    pub sku: Sku,
    /// How many came (positive) or went (negative); never 0, at most a billion.
    pub delta: i64,
}

/// Reads the data of an event of this type.
///
/// # Errors
/// `unknown_type`, `unknown_version`, `bad_schema` or `number_range`.
pub(super) fn read(kind: &str, data: &RawValue) -> Result<EventData, Unreadable> {
    let data = data.get();
    match kind {
        ORDER_PLACED => decode::<placed::Wire<'_>>(data, "data")?.0.read().map(EventData::OrderPlaced),
        ORDER_CANCELED => canceled(decode(data, "data")?),
        REFUND_REQUESTED => refund_requested(decode(data, "data")?),
        PRODUCT_CHANGED => product(decode(data, "data")?),
        STOCK_ADJUSTED => stock_adjusted(decode(data, "data")?),
        PAYMENT_REQUESTED => payment_requested(decode(data, "data")?),
        other => Err(unknown(other)),
    }
}

fn unknown(kind: &str) -> Unreadable {
    match kind.rsplit_once(".v") {
        Some((name, version)) if is_version(version) && is_known(name) => {
            Unreadable::new(QuarantineReason::UnknownVersion, "a known event in a version other than 1")
        }
        _ => Unreadable::new(QuarantineReason::UnknownType, "no event of the contract that is read here"),
    }
}

fn is_version(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_known(name: &str) -> bool {
    TYPES.iter().any(|known| known.strip_suffix(".v1") == Some(name))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireCanceled<'a> {
    #[serde(borrow)]
    order_id: Text<'a>,
}

fn canceled(Object(wire): Object<WireCanceled<'_>>) -> Result<EventData, Unreadable> {
    Ok(EventData::OrderCanceled { order_id: wire.order_id.id("orderId")? })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRefund<'a> {
    #[serde(borrow)]
    order_id: Text<'a>,
    #[serde(borrow)]
    refund_id: Text<'a>,
    amount_minor: Option<Integer>,
}

fn refund_requested(Object(wire): Object<WireRefund<'_>>) -> Result<EventData, Unreadable> {
    let amount_minor = wire.amount_minor.map(|amount| amount.get("amountMinor")).transpose()?;
    if amount_minor.is_some_and(|amount| !(1..=MAX_AMOUNT_MINOR).contains(&amount)) {
        return Err(Unreadable::bad_schema("amountMinor"));
    }
    let (order_id, refund_id) = (wire.order_id.id("orderId")?, wire.refund_id.id("refundId")?);
    Ok(EventData::RefundRequested { order_id, refund_id, amount_minor })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireProduct<'a> {
    #[serde(borrow)]
    sku: Text<'a>,
    #[serde(borrow)]
    name: Text<'a>,
    price_minor: Integer,
    #[serde(borrow)]
    currency: Text<'a>,
    active: bool,
    version: Integer,
    #[serde(borrow)]
    image_key: Option<Text<'a>>,
}

fn product(Object(wire): Object<WireProduct<'_>>) -> Result<EventData, Unreadable> {
    let price_minor = wire.price_minor.get("priceMinor")?;
    let version = wire.version.get("version")?;
    expect((0..=MAX_AMOUNT_MINOR).contains(&price_minor), "priceMinor")?;
    expect(version >= 0, "version")?;
    expect(is_name(&wire.name), "name")?;
    expect(wire.image_key.as_deref().is_none_or(is_name), "imageKey")?;
    Ok(EventData::ProductChanged(Product {
        sku: wire.sku.id("sku")?,
        name: wire.name.to_string(),
        price_minor,
        currency: Currency::parse(&wire.currency).ok().ok_or(Unreadable::bad_schema("currency"))?,
        active: wire.active,
        version,
        image_key: wire.image_key.map(|key| key.to_string()),
    }))
}

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME_CHARS).contains(&text.chars().count())
}

#[derive(Deserialize)]
struct WireStock<'a> {
    #[serde(borrow)]
    sku: Text<'a>,
    delta: Integer,
}

fn stock_adjusted(Object(wire): Object<WireStock<'_>>) -> Result<EventData, Unreadable> {
    let delta = wire.delta.get("delta")?;
    expect((1..=MAX_DELTA).contains(&delta.unsigned_abs()), "delta")?;
    Ok(EventData::StockAdjusted(StockAdjusted { sku: wire.sku.id("sku")?, delta }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePayment<'a> {
    #[serde(borrow)]
    order_id: Text<'a>,
    attempt_no: Integer,
}

fn payment_requested(Object(wire): Object<WirePayment<'_>>) -> Result<EventData, Unreadable> {
    let attempt_no = i32::try_from(wire.attempt_no.get("attemptNo")?).ok();
    let attempt_no = attempt_no.filter(|attempt_no| (1..=MAX_ATTEMPTS).contains(attempt_no));
    let attempt_no = attempt_no.ok_or(Unreadable::bad_schema("attemptNo"))?;
    Ok(EventData::PaymentRequested(PaymentRequested { order_id: wire.order_id.id("orderId")?, attempt_no }))
}

fn expect(kept: bool, field: &'static str) -> Result<(), Unreadable> {
    if kept { Ok(()) } else { Err(Unreadable::bad_schema(field)) }
}
