//! What is read of an answer's head: a status and six headers, the rest does not exist.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};

/// Longer names and reasons than these are not Stripe's.
const NAME_MAX: usize = 64;

/// A `Retry-After` beyond an hour says nothing that an hour does not.
const RETRY_AFTER_MAX_S: u64 = 3_600;

/// The head of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    /// Whether the body says that it is JSON.
    pub(super) json: bool,
    /// `Stripe-Should-Retry`.
    pub(super) should_retry: Option<bool>,
    /// `Retry-After` in seconds; a date is not read.
    pub(super) retry_after: Option<Duration>,
    /// `Stripe-Rate-Limited-Reason`.
    pub(super) limited: Option<String>,
    /// `Idempotent-Replayed`.
    pub(super) replayed: bool,
    /// `Request-Id`.
    pub(super) request_id: Option<String>,
}

impl Head {
    pub(super) fn of(status: StatusCode, headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let seconds = text(RETRY_AFTER.as_str()).and_then(|text| text.trim().parse::<u64>().ok());
        Self {
            status: status.as_u16(),
            json: text(CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("application/json")),
            should_retry: text("stripe-should-retry").and_then(|text| text.parse().ok()),
            retry_after: seconds.map(|seconds| Duration::from_secs(seconds.min(RETRY_AFTER_MAX_S))),
            limited: text("stripe-rate-limited-reason").and_then(word),
            replayed: text("idempotent-replayed") == Some("true"),
            request_id: text("request-id").and_then(word),
        }
    }
}

/// A name, as it may be shown: letters, digits, `_` and `-`. Anything else in its place could be somebody's text.
pub(super) fn word(text: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let is_name = (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(plain);
    is_name.then(|| text.to_owned())
}
