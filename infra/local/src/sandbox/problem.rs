//! What Stripe answers when it does not do what was asked: status, type, code, message, as its clients read them.
//!
//! Source: Stripe's API reference ("Errors", "Idempotent requests"), its error codes and "Low-level errors".

use serde::Serialize;
use serde_json::value::RawValue;

use super::{cards::Decline, limiter::Reason};

/// An error answer.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: u16,
    /// Whether it is the result of executing the request, and so is saved under its key.
    pub(super) executed: bool,
    /// What `Stripe-Should-Retry` says, where it is sent.
    pub(super) should_retry: Option<bool>,
    /// Which limit, for `Stripe-Rate-Limited-Reason`.
    pub(super) limited: Option<Reason>,
    body: Box<Body>,
}

#[derive(Debug, Default, Serialize)]
struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    advice_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    charge: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decline_code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    doc_url: Option<String>,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    param: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_intent: Option<Box<RawValue>>,
    r#type: &'static str,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: &'a Body,
}

const INVALID_REQUEST: &str = "invalid_request_error";
const API: &str = "api_error";
const CARD: &str = "card_error";
const IDEMPOTENCY: &str = "idempotency_error";

impl Problem {
    fn new(
        status: u16,
        r#type: &'static str,
        code: Option<&'static str>,
        message: impl Into<String>,
    ) -> Self {
        let doc_url =
            code.map(|code| format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-")));
        let body = Body { code, doc_url, message: message.into(), r#type, ..Body::default() };
        // A client error stays one however often it is sent.
        let should_retry = (status < 409).then_some(false);
        Self { status, executed: true, should_retry, limited: None, body: Box::new(body) }
    }

    /// Before anything was executed.
    pub(super) fn early(self) -> Self {
        Self { executed: false, ..self }
    }

    fn about(mut self, param: &str) -> Self {
        self.body.param = Some(param.to_owned());
        self
    }

    /// With the payment as it stands.
    pub(super) fn of_intent(mut self, intent_json: String) -> Self {
        self.body.payment_intent = RawValue::from_string(intent_json).ok();
        self
    }

    /// With the charge that failed.
    pub(super) fn of_charge(mut self, charge: &str) -> Self {
        self.body.charge = Some(charge.to_owned());
        self
    }

    pub(super) fn malformed(message: &str) -> Self {
        Self::new(400, INVALID_REQUEST, None, message).early()
    }

    pub(super) fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self::new(400, INVALID_REQUEST, None, message).early().about(param)
    }

    pub(super) fn invalid_integer(param: &str, value: &str) -> Self {
        let message = format!("Invalid integer: {value}");
        Self::new(400, INVALID_REQUEST, Some("parameter_invalid_integer"), message).early().about(param)
    }

    pub(super) fn missing(param: &str) -> Self {
        let message = format!("Missing required param: {param}.");
        Self::new(400, INVALID_REQUEST, Some("parameter_missing"), message).early().about(param)
    }

    pub(super) fn unknown_parameter(param: &str) -> Self {
        let message = format!("Received unknown parameter: {param}");
        Self::new(400, INVALID_REQUEST, Some("parameter_unknown"), message).early().about(param)
    }

    /// An amount outside of what can be charged, captured or refunded.
    pub(super) fn amount(code: &'static str, param: &str, message: impl Into<String>) -> Self {
        Self::new(400, INVALID_REQUEST, Some(code), message).about(param)
    }

    pub(super) fn no_such(object: &str, id: &str, param: &str) -> Self {
        let status = if param == "intent" || param == "id" { 404 } else { 400 };
        let message = format!("No such {object}: '{id}'");
        Self::new(status, INVALID_REQUEST, Some("resource_missing"), message).about(param)
    }

    pub(super) fn unexpected_state(message: impl Into<String>) -> Self {
        Self::new(400, INVALID_REQUEST, Some("payment_intent_unexpected_state"), message)
    }

    pub(super) fn already_refunded(charge: &str) -> Self {
        let message = format!("Charge {charge} has already been refunded.");
        Self::new(400, INVALID_REQUEST, Some("charge_already_refunded"), message)
    }

    /// The bank's no.
    pub(super) fn declined(decline: &Decline) -> Self {
        let mut problem = Self::new(402, CARD, Some(decline.code), decline.message);
        problem.body.decline_code = decline.decline_code;
        problem.body.advice_code = decline.advice_code;
        problem
    }

    pub(super) fn unauthorized(message: &str) -> Self {
        Self::new(401, INVALID_REQUEST, None, message).early()
    }

    pub(super) fn no_such_url(method: &str, path: &str) -> Self {
        Self::new(404, INVALID_REQUEST, None, format!("Unrecognized request URL ({method}: {path}).")).early()
    }

    /// Refused by a limit, before the key was looked at.
    pub(super) fn limited(reason: Reason) -> Self {
        let message = "Request rate limit exceeded. Learn more about rate limits in the documentation.";
        let problem = Self::new(429, INVALID_REQUEST, Some("rate_limit"), message).early();
        Self { limited: Some(reason), ..problem }
    }

    pub(super) fn key_too_long() -> Self {
        let message = "The idempotency key is too long; it may have 255 characters.";
        Self::new(400, IDEMPOTENCY, None, message).early()
    }

    pub(super) fn key_in_use(key: &str) -> Self {
        let message = format!(
            "There is currently another in-progress request using this idempotent key (that probably means you \
             submitted twice, and the other request is still going through): {key}. Please try again later."
        );
        let problem = Self::new(409, IDEMPOTENCY, Some("idempotency_key_in_use"), message).early();
        Self { should_retry: Some(true), ..problem }
    }

    pub(super) fn other_parameters(key: &str) -> Self {
        let message = format!(
            "Keys for idempotent requests can only be used with the same parameters they were first used with. Try \
             using a key other than '{key}' if you meant to execute a different request."
        );
        Self::new(400, IDEMPOTENCY, None, message).early()
    }

    pub(super) fn other_endpoint(key: &str, first: &str, now: &str) -> Self {
        let message = format!(
            "Keys for idempotent requests can only be used for the same endpoint they were first used for ('{now}' vs \
             '{first}'). Try using a key other than '{key}' if you meant to execute a different request."
        );
        Self::new(400, IDEMPOTENCY, None, message).early()
    }

    /// A failure that is saved: nobody outside can tell what became of the request.
    pub(super) fn internal() -> Self {
        Self::new(500, API, None, "An unknown error occurred")
    }

    /// Turned away at the edge.
    pub(super) fn unavailable() -> Self {
        Self::new(503, API, None, "The service is temporarily unavailable. Please try again.").early()
    }

    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.body.message
    }

    pub(super) fn to_json(&self) -> String {
        // Strings and JSON always serialize.
        serde_json::to_string(&Envelope { error: &self.body }).unwrap_or_default()
    }
}
