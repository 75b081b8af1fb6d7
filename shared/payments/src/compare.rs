//! Compares what the provider shows with what was asked for: no charge is called done, declined or canceled before it
//! has been found to be the one that the row names.

use crate::{Authorize, Cancel, Capture, Charge, ChargeStatus, Payment, Refund, RefundMade, Request};
use order::{Currency, ProviderRef};

/// The first thing in which the charge is not as asked, or nothing.
pub(crate) fn charge_differs(request: &Request, charge: &Charge) -> Option<&'static str> {
    match request {
        Request::Authorize(Authorize { payment, amount_minor, currency, .. }) => {
            of_payment(payment, charge).or_else(|| of_money(*amount_minor, *currency, charge))
        }
        Request::Capture(Capture { payment, payment_id, amount_minor, currency }) => {
            of_id(payment_id, charge)
                .or_else(|| of_payment(payment, charge))
                .or_else(|| of_money(*amount_minor, *currency, charge))
        }
        Request::Cancel(Cancel { payment, payment_id })
        | Request::Refund(Refund { payment, payment_id, .. }) => {
            of_id(payment_id, charge).or_else(|| of_payment(payment, charge))
        }
    }
}

/// The first thing in which the refund is not as asked, or nothing.
pub(crate) fn refund_differs(asked: &Refund, made: &RefundMade) -> Option<&'static str> {
    if made.payment_id.as_ref() != Some(&asked.payment_id) {
        Some("id_differs")
    } else if made.refund_id.as_ref() != Some(&asked.refund_id) {
        Some("metadata_differs")
    } else if made.amount_minor != asked.amount_minor {
        Some("amount_differs")
    } else if made.currency != Some(asked.currency) {
        Some("currency_differs")
    } else {
        None
    }
}

fn of_id(payment_id: &ProviderRef, charge: &Charge) -> Option<&'static str> {
    (charge.payment_id != *payment_id).then_some("id_differs")
}

fn of_payment(payment: &Payment, charge: &Charge) -> Option<&'static str> {
    (charge.payment.as_ref() != Some(payment)).then_some("metadata_differs")
}

/// The money of a charge that is taken is taken whole, or not as asked.
fn of_money(amount_minor: i64, currency: Currency, charge: &Charge) -> Option<&'static str> {
    if charge.amount_minor != amount_minor {
        Some("amount_differs")
    } else if charge.currency != Some(currency) {
        Some("currency_differs")
    } else if charge.status == ChargeStatus::Captured && charge.captured_minor != amount_minor {
        Some("captured_differs")
    } else {
        None
    }
}
