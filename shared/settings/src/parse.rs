//! What each kind of value must look like. Each returns `None` for anything else.

use std::time::Duration;

/// Lambda's longest timeout, 15 minutes: no time of a function is longer.
const MILLIS_MAX: u64 = 900_000;

/// An `http` or `https` URL with a host. User and password are refused, because these URLs may be printed.
pub(crate) fn http_url(text: &str) -> Option<String> {
    let authority = authority(text, &["http", "https"])?;
    (!authority.contains('@') && has_host(authority)).then(|| text.to_owned())
}

/// A `redis` or `rediss` URL with a host; what it holds before the `@` is the client's to read.
pub(crate) fn redis_url(text: &str) -> Option<String> {
    let authority = authority(text, &["redis", "rediss"])?;
    let address = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
    has_host(address).then(|| text.to_owned())
}

/// `arn:partition:service:region:account:resource`; region and account may be empty, as in S3's.
pub(crate) fn arn(text: &str) -> Option<String> {
    let mut parts = text.splitn(6, ':');
    let named = |part: Option<&str>| part.is_some_and(|part| !part.is_empty());
    let is_arn = parts.next() == Some("arn") && named(parts.next()) && named(parts.next());
    let (region, account) = (parts.next(), parts.next());
    let whole = is_arn && region.is_some() && account.is_some() && named(parts.next());
    (whole && is_plain(text)).then(|| text.to_owned())
}

/// A whole number of milliseconds from 1 to [`MILLIS_MAX`].
pub(crate) fn millis(text: &str) -> Option<Duration> {
    let ms = text.parse().ok().filter(|ms| (1..=MILLIS_MAX).contains(ms))?;
    Some(Duration::from_millis(ms))
}

/// What stands between `scheme://` and the path.
fn authority<'a>(text: &'a str, schemes: &[&str]) -> Option<&'a str> {
    let (scheme, rest) = text.split_once("://")?;
    let known = schemes.contains(&scheme) && is_plain(text);
    known.then(|| rest.split(['/', '?', '#']).next().unwrap_or_default())
}

/// Whether this is `host`, `host:port` or `[address]:port`.
fn has_host(address: &str) -> bool {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, after)) => (host, Some(after.strip_prefix(':').unwrap_or_default())),
            None => return false,
        },
        None => address.split_once(':').map_or((address, None), |(host, port)| (host, Some(port))),
    };
    !host.is_empty() && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

/// No white space, control or other character that a copied value may have picked up.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::{arn, http_url, millis, redis_url};
    use proptest::prelude::{prop_assert_eq, proptest};
    use std::time::Duration;

    #[track_caller]
    fn check<T>(parse: impl Fn(&str) -> Option<T>, text: &str, usable: bool) {
        assert_eq!(parse(text).is_some(), usable, "{text:?}");
    }

    #[test]
    fn http_urls() {
        check(http_url, "https://sqs.eu-central-1.amazonaws.com/000000000000/orders", true);
        check(http_url, "http://127.0.0.1:4566", true);
        check(http_url, "http://[::1]:4566/x?y#z", true);
        check(http_url, "http://localhost/", true);
        check(http_url, "localhost:4566", false);
        check(http_url, "ftp://host/x", false);
        check(http_url, "https:///orders", false);
        check(http_url, "https://:443/orders", false);
        check(http_url, "https://host:port/", false);
        check(http_url, "https://host:0/", false);
        check(http_url, "https://user:password@host/", false);
        check(http_url, "https://host/a b", false);
        check(http_url, "http://[::1/", false);
        check(http_url, "http://[::1]4566/", false);
    }

    #[test]
    fn redis_urls() {
        check(redis_url, "redis://127.0.0.1:6379", true);
        check(redis_url, "rediss://app:p@ss@cache.internal:6379/0", true);
        check(redis_url, "redis://:secret@cache", true);
        check(redis_url, "redis://secret@", false);
        check(redis_url, "http://cache:6379", false);
        check(redis_url, "cache:6379", false);
        check(redis_url, "redis://cache:99999", false);
    }

    #[test]
    fn arns() {
        check(arn, "arn:aws:rds:eu-central-1:123456789012:cluster:orderflow", true);
        check(arn, "arn:aws-cn:secretsmanager:cn-north-1:123456789012:secret:app-a1b2c3", true);
        check(arn, "arn:aws:s3:::bucket", true);
        check(arn, "arn:aws:rds:eu-central-1:123456789012:", false);
        check(arn, "arn:aws:rds:eu-central-1:123456789012", false);
        check(arn, "arn::rds:eu-central-1:123456789012:cluster:x", false);
        check(arn, "orderflow", false);
        check(arn, "arn:aws:rds:eu-central-1:123456789012:cluster:order flow", false);
    }

    #[test]
    fn milliseconds() {
        check(millis, "1", true);
        check(millis, "900000", true);
        for text in ["0", "900001", "-1", "1.5", "1s", "", "99999999999999999999"] {
            check(millis, text, false);
        }
    }

    proptest! {
        #[test]
        fn every_number_in_range_is_that_duration(ms in 1_u64..=900_000) {
            prop_assert_eq!(millis(&ms.to_string()), Some(Duration::from_millis(ms)));
        }

        #[test]
        fn nothing_panics(text in "\\PC*") {
            let _parsed = (arn(&text), http_url(&text), redis_url(&text), millis(&text));
            let _parsed = (http_url(&format!("http://{text}")), redis_url(&format!("redis://{text}")));
        }
    }
}
