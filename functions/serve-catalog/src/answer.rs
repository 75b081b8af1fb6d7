//! An HTTP answer: status, what caches may do with it, body.

use std::time::Duration;

use aws_lambda_events::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use aws_lambda_events::lambda_function_urls::LambdaFunctionUrlResponse;
use sha2::{Digest as _, Sha256};

use crate::request::Asked;

/// How long a client should wait when nothing can be shown: a failover of the database or a resume takes longer, but
/// then nobody else shows anything either.
const RETRY_AFTER_S: &str = "5";

/// Bytes of the SHA-256 in an entity tag: 128 bits, so that two bodies never share one.
const TAG_BYTES: usize = 16;

/// What caches are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheTimes {
    /// How long a browser uses an answer without asking.
    pub max_age: Duration,
    /// How long the CDN does.
    pub shared_max_age: Duration,
    /// How long after that it is still used once more while a fresh one is fetched.
    pub stale_while_revalidate: Duration,
    /// How long after that it is used while we answer with errors.
    pub stale_if_error: Duration,
    /// How long it is remembered that there is nothing.
    pub not_found_max_age: Duration,
}

/// What is answered to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Names and values, each name once.
    pub headers: Vec<(HeaderName, String)>,
    /// JSON; nothing where HTTP allows none.
    pub body: Option<String>,
}

impl Answer {
    /// A page: 200, or 304 for whoever has it already.
    pub(crate) fn shown(body: String, times: CacheTimes, asked: &Asked) -> Self {
        let tag = entity_tag(&body);
        let caching = [(CACHE_CONTROL, shown_for(times)), (ETAG, tag.clone())];
        if asked.known.iter().any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag) {
            return Self { status: 304, headers: caching.into(), body: None };
        }
        let headers = [json()].into_iter().chain(caching).collect();
        Self { status: 200, headers, body: (!asked.head).then_some(body) }
    }

    /// Nothing to be shown, and no better answer for a while; `says` is for people.
    pub(crate) fn problem(status: u16, says: &str, times: CacheTimes) -> Self {
        let caching = format!("public, max-age={}", times.not_found_max_age.as_secs());
        Self { status, headers: vec![json(), (CACHE_CONTROL, caching)], body: Some(error(says)) }
    }

    /// 405.
    pub(crate) fn method_not_allowed() -> Self {
        let headers = vec![json(), no_store(), (ALLOW, "GET, HEAD".to_owned())];
        Self { status: 405, headers, body: Some(error("only GET and HEAD are answered")) }
    }

    /// 503: neither database nor cache answered, and nothing is remembered.
    pub(crate) fn unavailable() -> Self {
        let headers = vec![json(), no_store(), (RETRY_AFTER, RETRY_AFTER_S.to_owned())];
        Self { status: 503, headers, body: Some(error("the catalog cannot be shown at the moment")) }
    }

    /// As Lambda sends it to whoever asked.
    #[must_use]
    pub fn into_response(self) -> LambdaFunctionUrlResponse {
        let mut response = LambdaFunctionUrlResponse::default();
        response.status_code = self.status.into();
        response.body = self.body;
        let value = |(name, value): (HeaderName, String)| Some((name, HeaderValue::try_from(value).ok()?));
        response.headers = self.headers.into_iter().filter_map(value).collect::<HeaderMap>();
        response
    }
}

/// Strong: the same tag means the same bytes. From the content, so that all instances, and every reading of an unchanged
/// catalog, agree on it.
fn entity_tag(body: &str) -> String {
    let hash = Sha256::digest(body.as_bytes());
    let digits: String = hash.iter().take(TAG_BYTES).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digits}\"")
}

fn shown_for(times: CacheTimes) -> String {
    format!(
        "public, max-age={}, s-maxage={}, stale-while-revalidate={}, stale-if-error={}",
        times.max_age.as_secs(),
        times.shared_max_age.as_secs(),
        times.stale_while_revalidate.as_secs(),
        times.stale_if_error.as_secs()
    )
}

fn json() -> (HeaderName, String) {
    (CONTENT_TYPE, "application/json".to_owned())
}

fn no_store() -> (HeaderName, String) {
    (CACHE_CONTROL, "no-store".to_owned())
}

fn error(says: &str) -> String {
    serde_json::json!({ "error": says }).to_string()
}
