//! A provider in memory that answers what the test says, takes as long as it says, and remembers what it was given.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use backoff::{Clock, ManualClock};
use order::ProviderRef;
use payments::{Answer, ListCharges, Provider, Request, Signal};

/// The provider; its time is the test's.
#[derive(Debug)]
pub(crate) struct Twin {
    pub(crate) clock: ManualClock,
    /// What comes next, and how long it takes.
    pub(crate) answers: Mutex<VecDeque<(Answer, Duration)>>,
    /// When each attempt began, and how long it might take.
    pub(crate) attempts: Mutex<Vec<(u64, Duration)>>,
}

impl Twin {
    pub(crate) fn new(clock: &ManualClock, answers: impl IntoIterator<Item = (Answer, Duration)>) -> Self {
        let answers = Mutex::new(answers.into_iter().collect());
        Self { clock: clock.clone(), answers, attempts: Mutex::default() }
    }

    fn answer(&self, timeout: Duration) -> Answer {
        self.attempts.lock().unwrap().push((self.clock.now_ms(), timeout));
        let next = self.answers.lock().unwrap().pop_front();
        let (answer, took) = next.unwrap_or((Answer::of(Signal::TimedOut), Duration::MAX));
        self.clock.advance(took.min(timeout));
        if took > timeout { Answer::of(Signal::TimedOut) } else { answer }
    }
}

impl Provider for &Twin {
    async fn attempt(&self, _: &Request, _: &str, timeout: Duration) -> Answer {
        self.answer(timeout)
    }

    async fn read(&self, _: &ProviderRef, timeout: Duration) -> Answer {
        self.answer(timeout)
    }

    async fn list(&self, _: &ListCharges, timeout: Duration) -> Answer {
        self.answer(timeout)
    }
}
