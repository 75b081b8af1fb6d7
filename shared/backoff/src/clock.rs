//! The clock: the one place in the workspace that reads time and the one place that waits.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::OnceLock;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Time as a value: handed in, never looked up.
pub trait Clock: Clone + Debug + Send + Sync + 'static {
    /// Milliseconds since 1970-01-01T00:00:00Z. May jump when the machine's clock is set.
    fn now_ms(&self) -> u64;

    /// Time since some fixed moment of this process; never goes back. It may stand still while a Lambda sandbox is
    /// frozen, so compare both clocks where age matters.
    fn monotonic(&self) -> Duration;

    /// Waits. Dropping the future ends the wait.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// What `work` answers, or nothing once `limit` has passed; `work` is dropped then.
///
/// Work that is ready when the time is over counts as in time. On a clock whose sleeps end at once, only such work does.
pub fn within<'a, C: Clock, F: Future + Send + 'a>(
    clock: &'a C,
    limit: Duration,
    work: F,
) -> Pin<Box<dyn Future<Output = Option<F::Output>> + Send + 'a>> {
    // Boxed: calls of an SDK are deep, and whoever waits for one would have its size, and its depth in types.
    Box::pin(async move {
        let (mut work, mut over) = (pin!(work), pin!(clock.sleep(limit)));
        poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => over.as_mut().poll(context).map(|()| None),
        })
        .await
    })
}

/// The machine's clock; waits on tokio's timer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SystemClock;

/// What [`SystemClock::monotonic`] counts from: its first reading.
static ORIGIN: OnceLock<Instant> = OnceLock::new();

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is handed")]
    fn now_ms(&self) -> u64 {
        // A machine set before 1970 reads as 1970: every deadline then lies ahead, which is the harmless side.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is handed")]
    fn monotonic(&self) -> Duration {
        let now = Instant::now();
        now.saturating_duration_since(*ORIGIN.get_or_init(|| now))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the wait that everybody else calls")]
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, SystemClock, within};
    use crate::ManualClock;
    use std::future::{pending, ready};
    use std::time::Duration;

    /// 2026-01-01: whoever runs these tests does so later.
    const PAST_MS: u64 = 1_767_225_600_000;

    #[tokio::test(flavor = "current_thread")]
    async fn sleeping_lets_both_clocks_advance() {
        let (unix_ms, monotonic) = (SystemClock.now_ms(), SystemClock.monotonic());
        SystemClock.sleep(Duration::from_millis(20)).await;
        assert!(unix_ms > PAST_MS);
        assert!(SystemClock.now_ms() > unix_ms);
        assert!(SystemClock.monotonic() - monotonic >= Duration::from_millis(20));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn work_that_takes_too_long_has_no_answer() {
        let limit = Duration::from_millis(20);
        assert_eq!(within(&SystemClock, limit, ready(7)).await, Some(7));
        assert_eq!(within(&SystemClock, limit, SystemClock.sleep(Duration::ZERO)).await, Some(()));
        assert_eq!(within(&SystemClock, limit, pending::<()>()).await, None);
        let clock = ManualClock::at_ms(0);
        assert_eq!(within(&clock, limit, pending::<()>()).await, None);
        assert_eq!(within(&clock, limit, ready(7)).await, Some(7));
        assert_eq!(clock.monotonic(), limit, "only the wait that ran out moved the clock");
    }
}
