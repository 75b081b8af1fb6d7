//! Stripe's API as a [`Provider`]: one attempt each, over HTTP/1.1, and what came of it.
//!
//! - A request is sent at most once per call: no redirects, and no retries by the HTTP client of what may have arrived.
//! - The secret key is in one header, marked as sensitive, and nowhere else.
//! - Nothing of a body survives that is not asked for by name; texts of the provider are not kept at all.
//!
//! Source: Stripe API reference (`PaymentIntents`, `Refunds`, "Errors", "Idempotent requests"), "Rate limits" and
//! "Advanced error handling".

use std::time::Duration;

use backoff::Clock;
use order::ProviderRef;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder, Response};

use crate::{Answer, ListCharges, Provider, Request, Signal};

mod answer;
mod form;
mod head;
mod settings;
mod sockets;
mod tls;
mod undelivered;
mod wire;

pub use settings::{StripeError, StripeSettings};

use answer::{Expected, answered, cut_off};
use head::Head;
use sockets::Sockets;
use undelivered::signal_of;

/// The version of the API that the code was written for: newer ones answer the same to who names it.
const VERSION: &str = "2025-09-30.clover";

/// A page of a hundred charges takes a few hundred KiB; what is longer is not ours.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Speaks to Stripe, or to whatever speaks its language at the URL in the settings.
#[derive(Debug)]
pub struct Stripe<C> {
    settings: StripeSettings,
    sockets: Sockets<C>,
}

impl<C: Clock> Stripe<C> {
    /// Prepares connections; opens none.
    ///
    /// # Errors
    /// [`StripeError::NoCertificates`] if the machine trusts nobody, [`StripeError::Client`] if the HTTP client cannot
    /// be built.
    pub fn new(settings: StripeSettings, clock: C) -> Result<Self, StripeError> {
        let sockets = Sockets::new(clock, settings.speaks_tls())?;
        Ok(Self { settings, sockets })
    }

    /// What every request has. `None` if an id is no part of a path, or the client cannot be built.
    fn request(&self, method: Method, path: &str) -> Option<RequestBuilder> {
        let client = self.sockets.client().ok()?;
        let request = client.request(method, format!("{}/v1/{path}", self.settings.base_url));
        let request = request.header(AUTHORIZATION, self.settings.authorization.clone());
        Some(request.header("Stripe-Version", HeaderValue::from_static(VERSION)))
    }

    async fn get(&self, path: &str, expected: Expected, timeout: Duration) -> Answer {
        match self.request(Method::GET, path) {
            Some(request) => call(request.timeout(timeout), expected).await,
            None => Answer::of(Signal::NotSendable),
        }
    }
}

impl<C: Clock> Provider for Stripe<C> {
    async fn attempt(&self, request: &Request, key: &str, timeout: Duration) -> Answer {
        let (path, body) = form::of(request);
        let expected = match request {
            Request::Refund(_) => Expected::Refund,
            Request::Authorize(_) | Request::Capture(_) | Request::Cancel(_) => Expected::Charge,
        };
        let prepared = path.and_then(|path| self.request(Method::POST, &path));
        let Some(prepared) = prepared else { return Answer::of(Signal::NotSendable) };
        let prepared = prepared
            .header("Idempotency-Key", key)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
            // The client leaves it out where it is 0, and some front ends refuse that.
            .header(CONTENT_LENGTH, body.len())
            .body(body);
        call(prepared.timeout(timeout), expected).await
    }

    async fn read(&self, payment_id: &ProviderRef, timeout: Duration) -> Answer {
        match form::charge_path(payment_id, "") {
            Some(path) => self.get(&path, Expected::ReadCharge, timeout).await,
            None => Answer::of(Signal::NotSendable),
        }
    }

    async fn list(&self, query: &ListCharges, timeout: Duration) -> Answer {
        self.get(&form::list_path(query), Expected::Page, timeout).await
    }
}

/// Sends the request and reads the answer, whole or not at all.
async fn call(request: RequestBuilder, expected: Expected) -> Answer {
    let mut response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Answer::of(signal_of(&error)),
    };
    let head = Head::of(response.status(), response.headers());
    match body(&mut response).await {
        Ok(body) => answered(&head, &body, expected),
        Err(signal) => cut_off(&head, signal, expected),
    }
}

/// The body, or why it is not whole.
async fn body(response: &mut Response) -> Result<Vec<u8>, Signal> {
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= BODY_BYTES_MAX => body.extend_from_slice(&chunk),
            Ok(Some(_)) => return Err(Signal::BrokenAnswer),
            Ok(None) => return Ok(body),
            Err(error) if error.is_timeout() => return Err(Signal::TimedOut),
            Err(_) => return Err(Signal::BrokenAnswer),
        }
    }
}
