//! What a duty may take of a run, and why one stops before its work is done.

use std::time::Duration;

use backoff::{Clock, Deadline};
use data_api::{Decision, Error};
use payments::Later;

/// One thing that a run does.
#[derive(Debug)]
pub(crate) struct Duty {
    /// Its name in the summary and in logs.
    pub(crate) name: &'static str,
    /// The least time in which it can do anything; with less left it is not started.
    least: Duration,
    /// The most it may take, so that the later ones have their turn.
    most: Option<Duration>,
}

/// A statement and a publishing each take tens of milliseconds: 300 ms are enough for a round.
const LEAST_WITHOUT_PROVIDER: Duration = Duration::from_millis(300);

/// A look-up is never given less than a second, and what it says must be recorded.
const LEAST_WITH_PROVIDER: Duration = Duration::from_millis(1_500);

/// Publishes events that their writers did not: 10,000 of them in 5 s.
pub(crate) const EVENTS: Duty = Duty::bounded("events", LEAST_WITHOUT_PROVIDER, 5);

/// Ends orders that nobody could pay in time: stock must not wait for a slow provider.
pub(crate) const EXPIRIES: Duty = Duty::bounded("expiries", LEAST_WITHOUT_PROVIDER, 5);

/// Resolves unknown payments: the longest, because each may cost an authorization of seconds.
pub(crate) const UNKNOWN: Duty = Duty::bounded("unknown", LEAST_WITH_PROVIDER, 15);

/// Cancels holds of failed attempts.
pub(crate) const SWEEPS: Duty = Duty::bounded("sweeps", LEAST_WITH_PROVIDER, 10);

/// Holds the provider's charges against the rows.
pub(crate) const COMPARE: Duty = Duty::bounded("compare", LEAST_WITH_PROVIDER, 10);

/// Counts what waits.
pub(crate) const BACKLOG: Duty = Duty::bounded("backlog", LEAST_WITHOUT_PROVIDER, 3);

/// Publishes parked payments, until the run is over.
pub(crate) const PUMP: Duty = Duty { name: "pump", least: LEAST_WITHOUT_PROVIDER, most: None };

impl Duty {
    const fn bounded(name: &'static str, least: Duration, most_s: u64) -> Self {
        Self { name, least, most: Some(Duration::from_secs(most_s)) }
    }

    /// When the duty must be over if it starts now: a bounded one never gets more than half of what is left, so that
    /// none of the later ones is starved, however short the run. `None` where the time does not suffice.
    pub(crate) fn until(&self, clock: &impl Clock, run: Deadline) -> Option<Deadline> {
        let left = run.remaining(clock);
        let time = self.most.map_or(left, |most| most.min(left / 2));
        (time >= self.least).then(|| Deadline::after(clock, time))
    }
}

/// Kept back from a duty's time when the provider is asked, so that what it says is recorded.
const RECORD_RESERVE: Duration = Duration::from_millis(500);

/// By when the provider must have answered in a duty that ends `until` then.
pub(crate) fn asking(until: Deadline) -> Deadline {
    until.earlier(RECORD_RESERVE)
}

/// Why a duty stopped. The next run goes on from there; nothing is lost.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// Its time is over, or the run's.
    NoTime,
    /// A call to the database failed.
    Store(Error),
    /// The provider did not answer, or is not to be asked now.
    Provider(Later),
    /// The queue did not take messages.
    Queue {
        /// How many.
        refused: usize,
    },
    /// More charges in one second than one run can read.
    WindowTooLarge,
    /// A bug.
    Panicked,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

impl From<Later> for Stopped {
    fn from(later: Later) -> Self {
        Self::Provider(later)
    }
}

impl Stopped {
    /// The name in the summary and in logs.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::NoTime => "no_time_left",
            Self::Store(error) => match error.decision() {
                Decision::Retry | Decision::AlreadyDone => "database_unavailable",
                Decision::Resuming => "database_resuming",
                Decision::Reject => "database_refused",
            },
            Self::Provider(later) => later.as_str(),
            Self::Queue { refused: _ } => "queue_unavailable",
            Self::WindowTooLarge => "window_too_large",
            Self::Panicked => "panicked",
        }
    }

    /// The one line about it. What passes by itself is a warning.
    pub(crate) fn log(&self, duty: &str) {
        let reason = self.reason();
        match self {
            Self::NoTime | Self::Provider(_) => {
                tracing::warn!(duty, reason, "duty stopped early; the next run goes on from there");
            }
            Self::Store(error) => {
                tracing::error!(duty, reason, error.message = %error, "duty stopped: a call to the database failed");
            }
            Self::Queue { refused } => {
                tracing::error!(
                    duty,
                    reason,
                    messages.refused = refused,
                    "duty stopped: the queue took no more"
                );
            }
            Self::WindowTooLarge | Self::Panicked => tracing::error!(duty, reason, "duty stopped"),
        }
    }
}
