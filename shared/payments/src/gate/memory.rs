//! What a process remembers of the shared state between two questions.

use std::time::Duration;

use super::script::{Answer, Known};
use super::{BREAKERS, ENDPOINTS, breaker_of, index_of};
use crate::{Denial, Endpoint};

/// How long an open breaker is believed without asking again.
const OPEN_BELIEVED: Duration = Duration::from_millis(250);

/// Without Redis for this long, a process is one of several that were, and not the one with a slow answer.
const AWAY: Duration = Duration::from_secs(1);

/// Times are those of the process's monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// When Redis stopped to answer; `None` while it answers.
    alone_since: Option<Duration>,
    /// Whether the local share limits as well, as the last answer said.
    mixed: bool,
    born: i64,
    /// How far ahead each endpoint was reserved when it was last asked for.
    ahead: [Duration; ENDPOINTS],
    /// Until when each breaker is believed open, and until when it said that it is.
    open: [Option<(Duration, Duration)>; BREAKERS],
}

impl Memory {
    /// How long the breaker stays open, if that was said a moment ago.
    pub(super) fn open_for(&self, now: Duration, endpoint: Endpoint) -> Option<Duration> {
        let (believed, said) = self.open.get(breaker_of(endpoint)).copied().flatten()?;
        (now < believed).then(|| said.saturating_sub(now))
    }

    /// What to tell the shared state when asking it.
    pub(super) fn known(&self, now: Duration, endpoint: Endpoint) -> Known {
        let away = self.alone_since.is_some_and(|since| now.saturating_sub(since) >= AWAY);
        let ahead = self.ahead.get(index_of(endpoint)).copied().unwrap_or_default();
        Known { born: self.born, away, ahead }
    }

    /// Takes an answer in. Returns whether the local share begins to limit with it.
    pub(super) fn answered(&mut self, now: Duration, endpoint: Endpoint, answer: &Answer) -> bool {
        let was_limited = self.alone_since.take().is_some() || self.mixed;
        self.mixed = answer.mixed;
        self.born = answer.born;
        if let Some(ahead) = self.ahead.get_mut(index_of(endpoint)) {
            *ahead = answer.ahead;
        }
        if let Some(open) = self.open.get_mut(breaker_of(endpoint)) {
            let denied = answer.denial.filter(|(why, _)| *why == Denial::BreakerOpen && !answer.probe);
            *open = denied
                .map(|(_, left)| (now.saturating_add(left.min(OPEN_BELIEVED)), now.saturating_add(left)));
        }
        self.mixed && !was_limited
    }

    /// Redis did not answer. Returns whether that is new.
    pub(super) fn left_alone(&mut self, now: Duration) -> bool {
        let was_limited = self.alone_since.is_some() || self.mixed;
        self.alone_since.get_or_insert(now);
        !was_limited
    }

    /// Whether the local share limits what the shared state gives.
    pub(super) fn is_mixed(&self) -> bool {
        self.mixed
    }

    pub(super) fn ahead(&self) -> [Duration; ENDPOINTS] {
        self.ahead
    }
}
