//! The life of a payment: created, confirmed, captured or canceled. Source: Stripe's API reference, "Payment Intents".

use std::collections::BTreeMap;

use super::{
    Account,
    intent::{CaptureMethod, Intent, Status},
};
use crate::sandbox::{
    cards::{AUTHENTICATION_REQUIRED, Card, Decline, card},
    form::Form,
    ledger::EntryKind,
    problem::Problem,
    word::Word,
};

/// The most that can be charged at once, in minor units.
const AMOUNT_MAX: i64 = 99_999_999;
/// The least that can be charged, in minor units; 1 in other currencies. Source: Stripe's documentation, "Supported
/// currencies"; kept apart from what the shop believes, so that one mistake is not made twice.
const AMOUNTS_MIN: [(&str, i64); 10] = [
    ("usd", 50),
    ("eur", 50),
    ("gbp", 30),
    ("chf", 50),
    ("cad", 50),
    ("aud", 50),
    ("jpy", 50),
    ("dkk", 250),
    ("nok", 300),
    ("sek", 300),
];

const CREATE: [&str; 16] = [
    "amount",
    "automatic_payment_methods",
    "capture_method",
    "confirm",
    "confirmation_method",
    "currency",
    "customer",
    "description",
    "error_on_requires_action",
    "expand",
    "metadata",
    "off_session",
    "payment_method",
    "payment_method_types",
    "return_url",
    "statement_descriptor_suffix",
];
const CONFIRM: [&str; 6] =
    ["capture_method", "error_on_requires_action", "expand", "off_session", "payment_method", "return_url"];
const CAPTURE: [&str; 5] =
    ["amount_to_capture", "expand", "final_capture", "metadata", "statement_descriptor_suffix"];
const CANCEL: [&str; 2] = ["cancellation_reason", "expand"];
const CANCELLATION_REASONS: [&str; 4] = ["abandoned", "duplicate", "fraudulent", "requested_by_customer"];

impl Account {
    pub(super) fn create_payment(&mut self, form: &Form, now_ms: u64) -> Result<String, Problem> {
        form.only(&CREATE)?;
        let (currency, amount_minor) = price(form)?;
        let capture_method = capture_method(form)?.unwrap_or(CaptureMethod::AutomaticAsync);
        let confirms = form.flag("confirm")?;
        let off_session = off_session(form, confirms)?;
        let metadata = metadata(form)?;
        if confirms && form.text("payment_method").is_none() {
            return Err(without_method());
        }
        let method = known_method(form)?;
        let status =
            if method.is_some() { Status::RequiresConfirmation } else { Status::RequiresPaymentMethod };
        let id = self.ids.next("pi");
        let at = self.add(Intent {
            id,
            created_ms: now_ms,
            amount_minor,
            currency: Word::from(currency),
            customer: form.text("customer").map(Word::from),
            method,
            capture_method,
            status,
            metadata,
            description: form.text("description").map(str::to_owned),
            captured_minor: 0,
            refunded_minor: 0,
            charge: None,
            last_decline: None,
            canceled: None,
        });
        if confirms { self.charge(at, off_session, now_ms) } else { Ok(self.show(at)) }
    }

    pub(super) fn confirm_payment(&mut self, id: &str, form: &Form, now_ms: u64) -> Result<String, Problem> {
        form.only(&CONFIRM)?;
        let off_session = off_session(form, true)?;
        let capture_method = capture_method(form)?;
        let method = known_method(form)?;
        let at = self.find(id)?;
        let Some(intent) = self.intents.get_mut(at) else { return Err(Problem::internal()) };
        let confirmable =
            [Status::RequiresPaymentMethod, Status::RequiresConfirmation, Status::RequiresAction];
        if !confirmable.contains(&intent.status) {
            let status = intent.status.as_str();
            let message =
                format!("You cannot confirm this PaymentIntent because it has a status of {status}.");
            return Err(Problem::unexpected_state(message).of_intent(intent.to_json()));
        }
        intent.method = method.or(intent.method.take());
        intent.capture_method = capture_method.unwrap_or(intent.capture_method);
        if intent.method.is_none() {
            return Err(without_method().of_intent(intent.to_json()));
        }
        self.charge(at, off_session, now_ms)
    }

    pub(super) fn capture_payment(&mut self, id: &str, form: &Form, now_ms: u64) -> Result<String, Problem> {
        form.only(&CAPTURE)?;
        let asked_minor = form.number("amount_to_capture")?;
        let more = metadata(form)?;
        if asked_minor.is_some_and(|asked_minor| asked_minor < 1) {
            return Err(Problem::invalid(
                "amount_to_capture",
                "This value must be greater than or equal to 1.",
            ));
        }
        let at = self.find(id)?;
        let Some(intent) = self.intents.get_mut(at) else { return Err(Problem::internal()) };
        if !intent.is_held() {
            let why = match intent.status {
                Status::Succeeded => "it has already been captured.".to_owned(),
                status => format!(
                    "it has a status of {}. Only a PaymentIntent with one of the following statuses may be captured: \
                     requires_capture.",
                    status.as_str()
                ),
            };
            let message = format!("This PaymentIntent could not be captured because {why}");
            return Err(Problem::unexpected_state(message).of_intent(intent.to_json()));
        }
        let captured_minor = asked_minor.unwrap_or(intent.amount_minor);
        if captured_minor > intent.amount_minor {
            let message = "The amount to capture is greater than the amount that can be captured.";
            return Err(Problem::amount("amount_too_large", "amount_to_capture", message));
        }
        intent.metadata.extend(more);
        intent.captured_minor = captured_minor;
        intent.status = Status::Succeeded;
        self.record(at, EntryKind::Captured, captured_minor, now_ms);
        Ok(self.show(at))
    }

    pub(super) fn cancel_payment(&mut self, id: &str, form: &Form, now_ms: u64) -> Result<String, Problem> {
        form.only(&CANCEL)?;
        let reason = match form.text("cancellation_reason") {
            None => "",
            Some(asked) => CANCELLATION_REASONS
                .into_iter()
                .find(|reason| *reason == asked)
                .ok_or_else(|| Problem::invalid("cancellation_reason", "Invalid cancellation_reason"))?,
        };
        let at = self.find(id)?;
        let Some(intent) = self.intents.get(at) else { return Err(Problem::internal()) };
        if matches!(intent.status, Status::Succeeded | Status::Canceled) {
            let message = format!(
                "You cannot cancel this PaymentIntent because it has a status of {}. Only a PaymentIntent with one of \
                 the following statuses may be canceled: requires_payment_method, requires_capture, \
                 requires_confirmation, requires_action, processing.",
                intent.status.as_str()
            );
            return Err(Problem::unexpected_state(message).of_intent(intent.to_json()));
        }
        self.cancel_at(at, reason, now_ms);
        Ok(self.show(at))
    }

    /// Ends a payment that can be ended; a hold is released.
    pub(super) fn cancel_at(&mut self, at: usize, reason: &'static str, now_ms: u64) {
        let Some(intent) = self.intents.get_mut(at) else { return };
        let (held, amount_minor) = (intent.is_held(), intent.amount_minor);
        intent.status = Status::Canceled;
        intent.canceled = Some((now_ms, reason));
        if held {
            self.record(at, EntryKind::Canceled, amount_minor, now_ms);
        }
    }

    pub(super) fn read_payment(&self, id: &str, form: &Form) -> Result<String, Problem> {
        form.only(&["client_secret", "expand"])?;
        Ok(self.show(self.find(id)?))
    }

    /// Asks the bank.
    fn charge(&mut self, at: usize, off_session: bool, now_ms: u64) -> Result<String, Problem> {
        let charge = self.ids.next("ch");
        let Some(intent) = self.intents.get_mut(at) else { return Err(Problem::internal()) };
        let amount_minor = intent.amount_minor;
        match intent.method.as_deref().and_then(card) {
            Some(Card::Pays) => {}
            Some(Card::Authenticates) if !off_session => {
                intent.status = Status::RequiresAction;
                return Ok(self.show(at));
            }
            Some(Card::Authenticates) => {
                return Err(self.decline(at, AUTHENTICATION_REQUIRED, charge, now_ms));
            }
            Some(Card::Declines(decline)) => return Err(self.decline(at, decline, charge, now_ms)),
            None => return Err(Problem::internal()),
        }
        intent.charge = Some(charge.clone());
        intent.last_decline = None;
        let manual = intent.capture_method == CaptureMethod::Manual;
        if manual {
            intent.status = Status::RequiresCapture;
        } else {
            intent.status = Status::Succeeded;
            intent.captured_minor = amount_minor;
        }
        self.by_charge.insert(charge, at);
        self.record(at, EntryKind::Authorized, amount_minor, now_ms);
        if !manual {
            self.record(at, EntryKind::Captured, amount_minor, now_ms);
        }
        Ok(self.show(at))
    }

    fn decline(&mut self, at: usize, decline: Decline, charge: Word, now_ms: u64) -> Problem {
        let Some(intent) = self.intents.get_mut(at) else { return Problem::internal() };
        intent.status = Status::RequiresPaymentMethod;
        intent.method = None;
        intent.charge = Some(charge.clone());
        intent.last_decline = Some(decline);
        let (amount_minor, json) = (intent.amount_minor, intent.to_json());
        self.record(at, EntryKind::Declined, amount_minor, now_ms);
        Problem::declined(&decline).of_intent(json).of_charge(&charge)
    }

    fn show(&self, at: usize) -> String {
        self.intents.get(at).map(Intent::to_json).unwrap_or_default()
    }
}

/// Currency and amount, within the provider's limits.
fn price(form: &Form) -> Result<(&str, i64), Problem> {
    let amount_minor = form.number("amount")?.ok_or_else(|| Problem::missing("amount"))?;
    let currency = form.text("currency").ok_or_else(|| Problem::missing("currency"))?;
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Err(Problem::invalid("currency", format!("Invalid currency: {currency}")));
    }
    let least = AMOUNTS_MIN.iter().find(|(code, _)| *code == currency).map_or(1, |(_, least)| *least);
    if amount_minor < 1 {
        return Err(Problem::invalid("amount", "This value must be greater than or equal to 1."));
    }
    if amount_minor < least {
        let message = "Amount must convert to at least the minimum charge of the currency.";
        return Err(Problem::amount("amount_too_small", "amount", message).early());
    }
    if amount_minor > AMOUNT_MAX {
        let message = format!("Amount must be no more than {AMOUNT_MAX}.");
        return Err(Problem::amount("amount_too_large", "amount", message).early());
    }
    Ok((currency, amount_minor))
}

fn capture_method(form: &Form) -> Result<Option<CaptureMethod>, Problem> {
    Ok(Some(match form.text("capture_method") {
        None => return Ok(None),
        Some("automatic") => CaptureMethod::Automatic,
        Some("automatic_async") => CaptureMethod::AutomaticAsync,
        Some("manual") => CaptureMethod::Manual,
        Some(other) => {
            let message = format!(
                "Invalid capture_method: must be one of automatic, automatic_async, or manual, not {other}"
            );
            return Err(Problem::invalid("capture_method", message));
        }
    }))
}

/// Whether the customer is away; `one_off` and `recurring` are older ways to say so.
fn off_session(form: &Form, confirms: bool) -> Result<bool, Problem> {
    let away = match form.text("off_session") {
        None | Some("false") => false,
        Some("true" | "one_off" | "recurring") => true,
        Some(value) => return Err(Problem::invalid("off_session", format!("Invalid boolean: {value}"))),
    };
    if away && !confirms {
        return Err(Problem::invalid("off_session", "You can only set off_session when confirm is true."));
    }
    Ok(away)
}

/// The payment method, if one is named; it must be a test card.
fn known_method(form: &Form) -> Result<Option<String>, Problem> {
    match form.text("payment_method") {
        Some(method) if card(method).is_none() => {
            Err(Problem::no_such("PaymentMethod", method, "payment_method"))
        }
        method => Ok(method.map(str::to_owned)),
    }
}

/// Up to 50 pairs; names of up to 40, values of up to 500 characters. Source: Stripe's API reference, "Metadata".
pub(super) fn metadata(form: &Form) -> Result<BTreeMap<String, String>, Problem> {
    let pairs = form.map("metadata");
    let fits = |(name, value): (&String, &String)| name.chars().count() <= 40 && value.chars().count() <= 500;
    if pairs.len() <= 50 && pairs.iter().all(fits) {
        return Ok(pairs);
    }
    let message =
        "Metadata can have up to 50 keys, of up to 40 characters, with values of up to 500 characters.";
    Err(Problem::invalid("metadata", message))
}

fn without_method() -> Problem {
    Problem::unexpected_state(
        "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the \
         PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment \
         method or ConfirmationToken.",
    )
}
