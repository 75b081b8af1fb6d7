//! `order.placed.v1`: an order as it was sent, with the verdict of the rules that need no database.

use jiff::Timestamp;
use serde::Deserialize;

use crate::event::wire::{Integer, Object, Text, timestamp};
use crate::fingerprint::fingerprint;
use crate::validate::validate;
use crate::words::words;
use crate::{Currency, CustomerId, Fingerprint, OrderId, ProviderRef, RejectReason, Sku, Unreadable};

/// An order whose id can be trusted, valid or not: what is wrong with it is told to the shop, in a row and an event.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placed {
    /// The order's identity.
    pub order_id: OrderId,
    /// Who placed it.
    pub customer_id: CustomerId,
    /// What makes a second message the same order.
    pub fingerprint: Fingerprint,
    /// The total as it was sent, in minor units; only in a valid order is it the sum, and positive.
    pub total_minor: i64,
    /// `None` if it is malformed, which makes the order invalid.
    pub currency: Option<Currency>,
    /// When the customer placed it, by the shop's clock.
    pub placed_at: Timestamp,
    /// The order, or why it is rejected whatever the database says.
    pub verdict: Result<OrderRequest, RejectReason>,
}

/// An order that keeps every rule that needs no database. Only [`event::parse`](crate::event::parse) makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OrderRequest {
    /// The order's identity.
    pub order_id: OrderId,
    /// Who placed it.
    pub customer_id: CustomerId,
    /// What all amounts are in.
    pub currency: Currency,
    /// When the customer placed it, by the shop's clock.
    pub placed_at: Timestamp,
    /// 1 to [`MAX_LINES`](crate::MAX_LINES) lines, as sent; a SKU may stand in several.
    pub lines: Vec<Line>,
    /// At most [`MAX_ADJUSTMENTS`](crate::MAX_ADJUSTMENTS), as sent.
    pub adjustments: Vec<Adjustment>,
    /// Sum of lines and adjustments, in minor units: positive, at least the provider's minimum.
    pub total_minor: i64,
    /// Whom and what to charge.
    pub payment: PaymentRefs,
    /// What makes a second message the same order.
    pub fingerprint: Fingerprint,
}

/// Some pieces of one product, at the price the customer saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Which product.
    pub sku: Sku,
    /// 1 to [`MAX_QUANTITY`](crate::MAX_QUANTITY).
    pub quantity: u32,
    /// Price of one piece, in minor units: 0 to [`MAX_AMOUNT_MINOR`](crate::MAX_AMOUNT_MINOR).
    pub unit_price_minor: i64,
}

/// What is added to or taken off the items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adjustment {
    /// What for.
    pub kind: AdjustmentKind,
    /// In minor units, signed as its kind says.
    pub amount_minor: i64,
}

words! {
    /// What an adjustment is for, which decides its sign.
    pub enum AdjustmentKind("adjustment kind") {
        /// Costs: never negative.
        Shipping = "shipping",
        /// Saves: never positive.
        Discount = "discount",
    }
}

/// The payment provider's opaque references; card data never enters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentRefs {
    /// The customer at the provider.
    pub customer_ref: ProviderRef,
    /// The payment method at the provider.
    pub method_ref: ProviderRef,
}

/// The event's `data` as JSON gives it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Wire<'a> {
    #[serde(borrow)]
    order_id: Text<'a>,
    #[serde(borrow)]
    customer_id: Text<'a>,
    #[serde(borrow)]
    currency: Text<'a>,
    #[serde(borrow)]
    placed_at: Text<'a>,
    #[serde(borrow)]
    items: Vec<Object<WireItem<'a>>>,
    #[serde(borrow, default)]
    adjustments: Vec<Object<WireAdjustment<'a>>>,
    total_minor: Integer,
    #[serde(borrow)]
    payment: Object<WirePayment<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireItem<'a> {
    #[serde(borrow)]
    sku: Text<'a>,
    quantity: Integer,
    unit_price_minor: Integer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAdjustment<'a> {
    #[serde(borrow)]
    kind: Text<'a>,
    amount_minor: Integer,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePayment<'a> {
    #[serde(borrow)]
    customer_ref: Text<'a>,
    #[serde(borrow)]
    method_ref: Text<'a>,
}

/// The business fields of an order, right in type but not judged yet: what the fingerprint and the rules look at.
pub(crate) struct Sheet<'a> {
    pub(crate) order_id: OrderId,
    pub(crate) customer_id: CustomerId,
    pub(crate) currency: Text<'a>,
    pub(crate) items: Vec<SheetItem<'a>>,
    pub(crate) adjustments: Vec<SheetAdjustment<'a>>,
    pub(crate) total_minor: i64,
    pub(crate) customer_ref: Text<'a>,
    pub(crate) method_ref: Text<'a>,
}

pub(crate) struct SheetItem<'a> {
    pub(crate) sku: Text<'a>,
    pub(crate) quantity: i64,
    pub(crate) unit_price_minor: i64,
}

pub(crate) struct SheetAdjustment<'a> {
    pub(crate) kind: Text<'a>,
    pub(crate) amount_minor: i64,
}

impl Wire<'_> {
    /// Reads and judges the order.
    ///
    /// # Errors
    /// An unusable id or time, or a number beyond 64 bits: nobody could be told what became of it.
    pub(crate) fn read(self) -> Result<Placed, Unreadable> {
        let placed_at = timestamp(&self.placed_at).ok_or(Unreadable::bad_schema("placedAt"))?;
        let sheet = self.into_sheet()?;
        let fingerprint = fingerprint(&sheet);
        let verdict = validate(&sheet).map(|valid| OrderRequest {
            order_id: sheet.order_id.clone(),
            customer_id: sheet.customer_id.clone(),
            currency: valid.currency,
            placed_at,
            lines: valid.lines,
            adjustments: valid.adjustments,
            total_minor: sheet.total_minor,
            payment: valid.payment,
            fingerprint: fingerprint.clone(),
        });
        let Sheet { order_id, customer_id, total_minor, .. } = sheet;
        let currency = Currency::parse(&sheet.currency).ok();
        Ok(Placed { order_id, customer_id, fingerprint, total_minor, currency, placed_at, verdict })
    }
}

impl<'a> Wire<'a> {
    fn into_sheet(self) -> Result<Sheet<'a>, Unreadable> {
        let items = self.items.into_iter().map(|Object(item)| {
            let quantity = item.quantity.get("quantity")?;
            Ok(SheetItem {
                sku: item.sku,
                quantity,
                unit_price_minor: item.unit_price_minor.get("unitPriceMinor")?,
            })
        });
        let adjustments = self.adjustments.into_iter().map(|Object(adjustment)| {
            let amount_minor = adjustment.amount_minor.get("amountMinor")?;
            Ok(SheetAdjustment { kind: adjustment.kind, amount_minor })
        });
        let Object(payment) = self.payment;
        Ok(Sheet {
            order_id: self.order_id.id("orderId")?,
            customer_id: self.customer_id.id("customerId")?,
            currency: self.currency,
            items: items.collect::<Result<_, Unreadable>>()?,
            adjustments: adjustments.collect::<Result<_, Unreadable>>()?,
            total_minor: self.total_minor.get("totalMinor")?,
            customer_ref: payment.customer_ref,
            method_ref: payment.method_ref,
        })
    }
}
