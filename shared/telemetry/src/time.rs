//! Time as every line of the log writes it.

use jiff::Timestamp;

/// Unix milliseconds as RFC 3339 in UTC, `2026-11-24T12:00:00.5Z`; the epoch for what no calendar reaches.
pub fn rfc3339(unix_ms: u64) -> String {
    let timestamp = i64::try_from(unix_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    timestamp.unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn any_number_is_a_time() {
        assert_eq!(rfc3339(1_764_000_000_500), "2025-11-24T16:00:00.5Z");
        assert_eq!(rfc3339(u64::MAX), "1970-01-01T00:00:00Z");
    }
}
