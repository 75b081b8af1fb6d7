//! The machine's clock, with a wall clock that can be set forward and a memory of its sleeps.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backoff::{Clock, SystemClock};

/// Clones share everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch {
    ahead_ms: Arc<AtomicU64>,
    sleeps: Arc<Mutex<Vec<Duration>>>,
}

impl Watch {
    /// What a freeze does: the wall clock goes on, the monotonic one stands still.
    pub(crate) fn freeze(&self, duration: Duration) {
        self.ahead_ms.fetch_add(u64::try_from(duration.as_millis()).unwrap(), Ordering::Relaxed);
    }

    /// The sleeps that began so far, waits for reports (at most 250 ms) not counted.
    pub(crate) fn pauses(&self) -> Vec<Duration> {
        let sleeps = self.sleeps.lock().unwrap();
        sleeps.iter().copied().filter(|sleep| *sleep > Duration::from_millis(250)).collect()
    }
}

impl Clock for Watch {
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms() + self.ahead_ms.load(Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        self.sleeps.lock().unwrap().push(duration);
        SystemClock.sleep(duration).await;
    }
}
