//! The rules that an order keeps without any database: shape, limits, arithmetic.

use crate::money::{MAX_AMOUNT_MINOR, Minor};
use crate::placed::{Adjustment, AdjustmentKind, Line, PaymentRefs, Sheet};
use crate::{Currency, ProviderRef, RejectReason, Sku};

/// Lines of one order. No household orders more kits, and one order must not fill a batch's statement.
pub const MAX_LINES: usize = 50;

/// Pieces in one line.
pub const MAX_QUANTITY: u32 = 99;

/// Shipping, discounts and the like of one order.
pub const MAX_ADJUSTMENTS: usize = 20;

/// The parts of an order that a rejection would make worthless.
pub(crate) struct Valid {
    pub(crate) currency: Currency,
    pub(crate) lines: Vec<Line>,
    pub(crate) adjustments: Vec<Adjustment>,
    pub(crate) payment: PaymentRefs,
}

/// Judges an order. The first broken rule names the reason: form, then limits, then arithmetic, then what can be
/// charged; so a nonsensical quantity is never reported as a wrong total.
///
/// # Errors
/// [`RejectReason::InvalidOrder`], [`RejectReason::QuantityLimit`] or [`RejectReason::TotalMismatch`].
pub(crate) fn validate(sheet: &Sheet<'_>) -> Result<Valid, RejectReason> {
    let currency = form(Currency::parse(&sheet.currency).ok())?;
    let payment = form(payment_refs(sheet))?;
    let adjustments = form(adjustments(sheet))?;
    well_formed(sheet)?;
    let lines = lines(sheet)?;
    adds_up(sheet)?;
    chargeable(sheet, currency)?;
    Ok(Valid { currency, lines, adjustments, payment })
}

fn form<T>(part: Option<T>) -> Result<T, RejectReason> {
    part.ok_or(RejectReason::InvalidOrder)
}

fn payment_refs(sheet: &Sheet<'_>) -> Option<PaymentRefs> {
    let customer_ref = ProviderRef::parse(&sheet.customer_ref).ok()?;
    Some(PaymentRefs { customer_ref, method_ref: ProviderRef::parse(&sheet.method_ref).ok()? })
}

fn adjustments(sheet: &Sheet<'_>) -> Option<Vec<Adjustment>> {
    if sheet.adjustments.len() > MAX_ADJUSTMENTS {
        return None;
    }
    let each = sheet.adjustments.iter().map(|sent| {
        let amount_minor = sent.amount_minor;
        let kind = AdjustmentKind::parse(&sent.kind).ok()?;
        let sensible = match kind {
            AdjustmentKind::Shipping => amount_minor >= 0,
            AdjustmentKind::Discount => amount_minor <= 0,
        };
        sensible.then_some(Adjustment { kind, amount_minor })
    });
    each.collect()
}

fn well_formed(sheet: &Sheet<'_>) -> Result<(), RejectReason> {
    let mut items = sheet.items.iter();
    let sensible = items.all(|item| item.quantity >= 1 && item.unit_price_minor >= 0);
    if sensible && !sheet.items.is_empty() { Ok(()) } else { Err(RejectReason::InvalidOrder) }
}

/// Lines within the limits. A SKU may stand in several lines.
fn lines(sheet: &Sheet<'_>) -> Result<Vec<Line>, RejectReason> {
    if sheet.items.len() > MAX_LINES {
        return Err(RejectReason::QuantityLimit);
    }
    let each = sheet.items.iter().map(|item| {
        let quantity = u32::try_from(item.quantity).ok().filter(|quantity| *quantity <= MAX_QUANTITY);
        let quantity = quantity.ok_or(RejectReason::QuantityLimit)?;
        let sku = form(Sku::parse(&item.sku).ok())?;
        Ok(Line { sku, quantity, unit_price_minor: item.unit_price_minor })
    });
    each.collect()
}

/// Sum of items and adjustments = total > 0. A sum that does not fit 64 bits is no total.
fn adds_up(sheet: &Sheet<'_>) -> Result<(), RejectReason> {
    let items = sheet.items.iter().map(|item| Minor::new(item.unit_price_minor).times(item.quantity));
    let adjustments = sheet.adjustments.iter().map(|adjustment| Some(Minor::new(adjustment.amount_minor)));
    let total = Minor::sum(items.chain(adjustments));
    if total == Some(Minor::new(sheet.total_minor)) && sheet.total_minor > 0 {
        Ok(())
    } else {
        Err(RejectReason::TotalMismatch)
    }
}

fn chargeable(sheet: &Sheet<'_>, currency: Currency) -> Result<(), RejectReason> {
    let prices = sheet.items.iter().map(|item| item.unit_price_minor);
    let sum = sheet.total_minor;
    if prices.chain([sum]).all(|amount| amount <= MAX_AMOUNT_MINOR) && sum >= currency.minimum_charge_minor()
    {
        Ok(())
    } else {
        Err(RejectReason::InvalidOrder)
    }
}
