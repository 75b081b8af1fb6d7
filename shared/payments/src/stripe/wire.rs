//! Bodies as Stripe writes them, as far as they are read. Everything else in them is skipped unread.

use std::borrow::Cow;

use order::{Currency, ProviderRef};
use serde::Deserialize;

use crate::{Charge, ChargeStatus, ListPage, Payment, RefundMade};

/// A `PaymentIntent`.
#[derive(Debug, Deserialize)]
pub(super) struct Intent<'a> {
    id: ProviderRef,
    #[serde(borrow)]
    object: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
    amount: i64,
    #[serde(default)]
    amount_received: i64,
    #[serde(borrow)]
    currency: Cow<'a, str>,
    created: u64,
    #[serde(borrow, default)]
    metadata: Metadata<'a>,
    #[serde(borrow, default)]
    pub(super) last_payment_error: Option<Failure<'a>>,
}

/// What we write into the metadata. Values are texts, whatever was sent.
#[derive(Debug, Default, Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    order_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    attempt_no: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    refund_id: Option<Cow<'a, str>>,
}

/// A refund.
#[derive(Debug, Deserialize)]
pub(super) struct Refund<'a> {
    #[serde(borrow)]
    object: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) status: Cow<'a, str>,
    amount: i64,
    #[serde(borrow)]
    currency: Cow<'a, str>,
    payment_intent: Option<ProviderRef>,
    #[serde(borrow, default)]
    metadata: Metadata<'a>,
}

/// A list of `PaymentIntent`s.
#[derive(Debug, Deserialize)]
pub(super) struct Page<'a> {
    #[serde(borrow)]
    object: Cow<'a, str>,
    #[serde(borrow)]
    data: Vec<Intent<'a>>,
    has_more: bool,
}

/// A refusal.
#[derive(Debug, Deserialize)]
pub(super) struct Refusal<'a> {
    #[serde(borrow)]
    pub(super) error: Failure<'a>,
}

/// What a refusal or a charge says of its failure. Its message is a text, and is not read.
#[derive(Debug, Deserialize)]
pub(super) struct Failure<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) decline_code: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) advice_code: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) payment_intent: Option<Reference>,
}

/// An object of which only the id is read.
#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    pub(super) id: ProviderRef,
}

impl Intent<'_> {
    /// The charge; `None` if this is none, or has a status that did not exist when this was written.
    pub(super) fn charge(&self) -> Option<Charge> {
        (self.object == "payment_intent").then_some(())?;
        Some(Charge {
            payment_id: self.id.clone(),
            status: status(&self.status)?,
            amount_minor: self.amount,
            captured_minor: self.amount_received,
            currency: currency(&self.currency),
            payment: self.metadata.payment(),
            created_s: self.created,
        })
    }
}

impl Refund<'_> {
    /// The refund; `None` if this is none.
    pub(super) fn made(&self) -> Option<RefundMade> {
        (self.object == "refund").then_some(())?;
        Some(RefundMade {
            payment_id: self.payment_intent.clone(),
            refund_id: self.metadata.refund_id.as_ref().and_then(|id| id.parse().ok()),
            amount_minor: self.amount,
            currency: currency(&self.currency),
        })
    }
}

impl Page<'_> {
    /// The page; `None` if this is none, or if one of its charges is none: a charge left out would count as absent.
    pub(super) fn page(&self) -> Option<ListPage> {
        (self.object == "list").then_some(())?;
        let charges = self.data.iter().map(Intent::charge).collect::<Option<_>>()?;
        Some(ListPage { charges, has_more: self.has_more })
    }
}

impl Metadata<'_> {
    fn payment(&self) -> Option<Payment> {
        Some(Payment {
            order_id: self.order_id.as_ref()?.parse().ok()?,
            attempt_no: self.attempt_no.as_ref()?.parse().ok()?,
        })
    }
}

fn status(text: &str) -> Option<ChargeStatus> {
    let status = match text {
        "requires_payment_method" | "requires_confirmation" => ChargeStatus::NotHeld,
        "requires_action" => ChargeStatus::RequiresAction,
        "processing" => ChargeStatus::Processing,
        "requires_capture" => ChargeStatus::Held,
        "succeeded" => ChargeStatus::Captured,
        "canceled" => ChargeStatus::Canceled,
        _ => return None,
    };
    Some(status)
}

/// Stripe writes codes in lower case; one in upper case is none of its.
fn currency(text: &str) -> Option<Currency> {
    let lower = text.bytes().all(|byte| byte.is_ascii_lowercase());
    lower.then(|| Currency::parse(&text.to_ascii_uppercase()).ok()).flatten()
}
