//! A payment as the provider keeps it, and as it shows it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::sandbox::{cards::Decline, word::Word};

/// A payment.
#[derive(Debug)]
pub(super) struct Intent {
    pub(super) id: Word,
    pub(super) created_ms: u64,
    pub(super) amount_minor: i64,
    /// In small letters.
    pub(super) currency: Word,
    pub(super) customer: Option<Word>,
    pub(super) method: Option<String>,
    pub(super) capture_method: CaptureMethod,
    pub(super) status: Status,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) description: Option<String>,
    pub(super) captured_minor: i64,
    pub(super) refunded_minor: i64,
    pub(super) charge: Option<Word>,
    pub(super) last_decline: Option<Decline>,
    pub(super) canceled: Option<(u64, &'static str)>,
}

/// Who takes the money once it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CaptureMethod {
    Automatic,
    AutomaticAsync,
    Manual,
}

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    RequiresCapture,
    Succeeded,
    Canceled,
}

impl Status {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresAction => "requires_action",
            Self::RequiresCapture => "requires_capture",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }
}

/// What a client reads. Fields that a client library expects and that mean nothing here are null.
#[derive(Serialize)]
struct View<'a> {
    id: &'a str,
    object: &'static str,
    amount: i64,
    amount_capturable: i64,
    amount_received: i64,
    canceled_at: Option<u64>,
    cancellation_reason: Option<&'a str>,
    capture_method: CaptureMethod,
    client_secret: String,
    confirmation_method: &'static str,
    created: u64,
    currency: &'a str,
    customer: Option<&'a str>,
    description: Option<&'a str>,
    last_payment_error: Option<Value>,
    latest_charge: Option<&'a str>,
    livemode: bool,
    metadata: &'a BTreeMap<String, String>,
    next_action: Option<Value>,
    payment_method: Option<&'a str>,
    payment_method_types: [&'static str; 1],
    processing: Option<Value>,
    receipt_email: Option<&'a str>,
    setup_future_usage: Option<&'a str>,
    shipping: Option<Value>,
    statement_descriptor: Option<&'a str>,
    status: Status,
}

impl Intent {
    pub(super) fn is_held(&self) -> bool {
        self.status == Status::RequiresCapture
    }

    /// As JSON.
    pub(super) fn to_json(&self) -> String {
        let held_minor = if self.is_held() { self.amount_minor } else { 0 };
        let view = View {
            id: &self.id,
            object: "payment_intent",
            amount: self.amount_minor,
            amount_capturable: held_minor,
            amount_received: self.captured_minor,
            canceled_at: self.canceled.map(|(at_ms, _)| at_ms / 1_000),
            cancellation_reason: self.canceled.map(|(_, reason)| reason).filter(|reason| !reason.is_empty()),
            capture_method: self.capture_method,
            client_secret: format!("{}_secret_{}", self.id, secret(&self.id)),
            confirmation_method: "automatic",
            created: self.created_ms / 1_000,
            currency: &self.currency,
            customer: self.customer.as_deref(),
            description: self.description.as_deref(),
            last_payment_error: self.last_decline.as_ref().map(last_error),
            latest_charge: self.charge.as_deref(),
            livemode: false,
            metadata: &self.metadata,
            next_action: (self.status == Status::RequiresAction).then(next_action),
            payment_method: self.method.as_deref(),
            payment_method_types: ["card"],
            processing: None,
            receipt_email: None,
            setup_future_usage: None,
            shipping: None,
            statement_descriptor: None,
            status: self.status,
        };
        // Strings, numbers and maps with string keys always serialize.
        serde_json::to_string(&view).unwrap_or_default()
    }
}

/// Something that must not be logged, different for each payment.
fn secret(id: &str) -> String {
    id.chars().rev().filter(char::is_ascii_alphanumeric).collect()
}

fn last_error(decline: &Decline) -> Value {
    let Decline { code, decline_code, message, .. } = decline;
    json!({ "type": "card_error", "code": code, "decline_code": decline_code, "message": message })
}

fn next_action() -> Value {
    json!({ "type": "use_stripe_sdk", "use_stripe_sdk": { "type": "three_d_secure_redirect" } })
}
