//! Where Stripe is and who we are there, and what can be wrong with it.

use std::net::IpAddr;

use reqwest::Url;
use reqwest::header::HeaderValue;
use thiserror::Error as ThisError;

/// The one stage in which real money moves.
const PROD: &str = "prod";

/// Why there is no client. Never holds the key or the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ThisError)]
pub enum StripeError {
    /// The URL is none.
    #[error("the provider's URL cannot be used; write https://HOST, without a path, user, query or fragment")]
    Url,
    /// The key would cross a network in the clear.
    #[error("the provider's URL must be https, except for a loopback address")]
    NotHttps,
    /// The key is none.
    #[error("the provider's key cannot be used; it begins with sk_ or rk_")]
    Key,
    /// A key that moves real money, somewhere else than in prod.
    #[error("a live key of the provider in a stage that is not prod; use a test key")]
    LiveKey,
    /// No certificate authority is trusted here.
    #[error("no trusted certificates found on this machine; install ca-certificates")]
    NoCertificates,
    /// The HTTP client refuses its own settings.
    #[error("the HTTP client cannot be built")]
    Client,
}

/// Where Stripe is, and who we are. Its `Debug` shows no key.
#[derive(Debug, Clone)]
pub struct StripeSettings {
    /// Scheme, host and port, no slash at the end.
    pub(super) base_url: String,
    /// `Bearer …`, marked as sensitive: `Debug` and the HTTP client's logs show nothing of it.
    pub(super) authorization: HeaderValue,
}

impl StripeSettings {
    /// Checks that the URL is one, that the key never crosses a network in the clear, and that `stage` may use it.
    ///
    /// # Errors
    /// What is wrong; see [`StripeError`].
    pub fn parse(base_url: &str, key: &str, stage: &str) -> Result<Self, StripeError> {
        let base_url = usable_url(base_url)?;
        if !(key.starts_with("sk_") || key.starts_with("rk_")) || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(StripeError::Key);
        }
        let live = key.starts_with("sk_live") || key.starts_with("rk_live");
        if live && stage != PROD {
            return Err(StripeError::LiveKey);
        }
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {key}")).map_err(|_no_text| StripeError::Key)?;
        authorization.set_sensitive(true);
        Ok(Self { base_url, authorization })
    }

    pub(super) fn speaks_tls(&self) -> bool {
        self.base_url.starts_with("https:")
    }
}

fn usable_url(text: &str) -> Result<String, StripeError> {
    let url = Url::parse(text).map_err(|_no_url| StripeError::Url)?;
    let bare = url.username().is_empty() && url.password().is_none() && url.path() == "/";
    let host = url.host_str().filter(|_| bare && url.query().is_none() && url.fragment().is_none());
    let host = host.ok_or(StripeError::Url)?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(host) => {}
        "http" => return Err(StripeError::NotHttps),
        _ => return Err(StripeError::Url),
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{StripeError, StripeSettings};

    #[track_caller]
    fn check(base_url: &str, key: &str, stage: &str, expected: Result<&str, StripeError>) {
        let settings = StripeSettings::parse(base_url, key, stage);
        assert_eq!(settings.as_ref().map(|s| s.base_url.as_str()), expected.as_ref().map(|url| *url));
        let shown = format!("{settings:?} {:?}", settings.as_ref().err().map(ToString::to_string));
        assert!(!shown.contains("correct-horse"), "{shown}");
    }

    #[test]
    fn live_keys_are_for_prod() {
        check("https://api.stripe.com", "sk_live_correct-horse", "prod", Ok("https://api.stripe.com"));
        check("https://api.stripe.com/", "rk_live_correct-horse", "prod", Ok("https://api.stripe.com"));
        check("https://api.stripe.com", "sk_test_correct-horse", "prod", Ok("https://api.stripe.com"));
        for stage in ["dev", "local", "test", "", "production"] {
            check("https://api.stripe.com", "sk_live_correct-horse", stage, Err(StripeError::LiveKey));
            check("https://api.stripe.com", "rk_live_correct-horse", stage, Err(StripeError::LiveKey));
        }
        check("http://127.0.0.1:4242", "rk_live_correct-horse", "local", Err(StripeError::LiveKey));
    }

    #[test]
    fn a_key_crosses_no_network_in_the_clear() {
        for url in ["http://127.0.0.1:4242", "http://127.9.9.9", "http://[::1]:4242", "http://localhost:4242"]
        {
            check(url, "sk_test_correct-horse", "local", Ok(url));
        }
        for url in
            ["http://api.stripe.com", "http://10.0.0.1:4242", "http://localhost.example", "http://[::2]"]
        {
            check(url, "sk_test_correct-horse", "local", Err(StripeError::NotHttps));
        }
    }

    #[test]
    fn what_is_no_url_or_no_key_is_refused() {
        for url in ["", "api.stripe.com", "ftp://127.0.0.1", "https://", "https://u:correct-horse@a.b"] {
            check(url, "sk_test_correct-horse", "local", Err(StripeError::Url));
        }
        for url in ["https://a.b/v1", "https://a.b?x=correct-horse", "https://a.b#x"] {
            check(url, "sk_test_correct-horse", "local", Err(StripeError::Url));
        }
        for key in
            ["", "pk_test_correct-horse", "correct-horse", "sk_test_correct-horse\n", "sk_test correct-horse"]
        {
            check("https://a.b", key, "local", Err(StripeError::Key));
        }
    }
}
