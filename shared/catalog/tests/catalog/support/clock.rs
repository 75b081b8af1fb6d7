//! A clock whose time passes only when a test says so, and whose sleepers wait for that.

use std::time::Duration;

use data_api::Clock;
use tokio::sync::watch;

/// When tests begin, in ms since 1970.
const STARTED_MS: u64 = 1_800_000_000_000;

/// Time since the test's start; clones are the same clock.
#[derive(Debug, Clone)]
pub(crate) struct TestClock(watch::Sender<Duration>);

impl Default for TestClock {
    fn default() -> Self {
        Self(watch::Sender::new(Duration::ZERO))
    }
}

impl TestClock {
    pub(crate) fn advance(&self, duration: Duration) {
        self.0.send_modify(|elapsed| *elapsed += duration);
    }
}

impl Clock for TestClock {
    fn now_ms(&self) -> u64 {
        STARTED_MS + u64::try_from(self.monotonic().as_millis()).expect("a short test")
    }

    fn monotonic(&self) -> Duration {
        *self.0.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        let end = self.monotonic() + duration;
        self.0
            .subscribe()
            .wait_for(|elapsed| *elapsed >= end)
            .await
            .expect("the clock outlives its sleepers");
    }
}
