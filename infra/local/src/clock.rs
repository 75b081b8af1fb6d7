//! The one place of this crate that reads the clock and waits.
//!
//! The workspace bans both elsewhere, because a flow must take its clock as a value. Here time is the
//! product: visibility timeouts, function deadlines and injected round trips are real or they are nothing.

use std::time::Duration;

pub use tokio::time::Instant;

/// Milliseconds since the Unix epoch, as SQS timestamps and Lambda deadlines count them.
#[must_use]
pub fn now_ms() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "the emulated services stamp real time; nothing is decided on it"
    )]
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).map_or(0, whole_ms)
}

/// A monotonic point in time, for measuring and for deadlines inside this process.
#[must_use]
pub fn now() -> Instant {
    #[expect(
        clippy::disallowed_methods,
        reason = "durations and timeouts of the host are measured here and nowhere else"
    )]
    Instant::now()
}

/// Waits; for injected delays and for backing off, never to wait until something is ready.
pub async fn sleep(duration: Duration) {
    #[expect(clippy::disallowed_methods, reason = "the one waiting of this crate; every caller bounds it")]
    tokio::time::sleep(duration).await;
}

/// A duration in whole milliseconds; one that would overflow (584 million years) is the maximum.
#[must_use]
pub fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_counts_milliseconds_of_this_century() {
        assert!((1_700_000_000_000..4_000_000_000_000).contains(&now_ms()), "{}", now_ms());
    }
}
