//! A clock that moves only when told: for tests and seeded simulations.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Clock;

/// A clock whose time is a number. Its sleeps end at once and advance it; it remembers them. Clones share their time.
#[derive(Debug, Clone, Default)]
pub struct ManualClock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Unix time at the start.
    started: Duration,
    /// How far the clock has been moved since.
    elapsed: Duration,
    sleeps: Vec<Duration>,
}

impl ManualClock {
    /// A clock that stands at this unix time.
    #[must_use]
    pub fn at_ms(unix_ms: u64) -> Self {
        let state = State { started: Duration::from_millis(unix_ms), ..State::default() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Moves the clock forward.
    pub fn advance(&self, duration: Duration) {
        let mut state = self.lock();
        state.elapsed = state.elapsed.saturating_add(duration);
    }

    /// Every sleep so far, in order.
    #[must_use]
    pub fn sleeps(&self) -> Vec<Duration> {
        self.lock().sleeps.clone()
    }

    /// Durations are whole after every critical section, so a panic elsewhere does not spoil them.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        let state = self.lock();
        u64::try_from(state.started.saturating_add(state.elapsed).as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.lock().elapsed
    }

    async fn sleep(&self, duration: Duration) {
        self.lock().sleeps.push(duration);
        self.advance(duration);
    }
}

#[cfg(test)]
mod tests {
    use super::ManualClock;
    use crate::Clock;
    use std::time::Duration;

    #[tokio::test(flavor = "current_thread")]
    async fn a_sleep_ends_at_once_advances_the_clock_and_is_remembered() {
        let clock = ManualClock::at_ms(5_000);
        let twin = clock.clone();
        clock.sleep(Duration::from_hours(1)).await;
        clock.advance(Duration::from_millis(1));
        assert_eq!(twin.now_ms(), 5_000 + 3_600_000 + 1);
        assert_eq!(twin.monotonic(), Duration::from_millis(3_600_001));
        assert_eq!(twin.sleeps(), [Duration::from_hours(1)]);
    }

    #[test]
    fn an_unpolled_sleep_changes_nothing() {
        let clock = ManualClock::at_ms(5_000);
        drop(clock.sleep(Duration::from_secs(1)));
        assert_eq!((clock.now_ms(), clock.sleeps()), (5_000, Vec::new()));
    }
}
