//! What a step did, in numbers that a function can log with its batch.

use std::time::Duration;

use crate::{Answer, Outcome};

/// At most this many times are kept: more than the attempts of any batch.
const TIMES_MAX: usize = 256;

/// What was done since the counts were last taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Attempts that were made, look-ups and retries included.
    pub attempts: u32,
    /// Attempts that were not the first of their request.
    pub retries: u32,
    /// Answers that the provider had saved for an earlier request with the same key.
    pub replays: u32,
    /// Attempts by [`Signal`](crate::Signal).
    pub signals: Vec<(&'static str, u32)>,
    /// Requests by what became of them.
    pub outcomes: Vec<(&'static str, u32)>,
    /// How long each attempt took, in milliseconds, in the order of their ends; the first 256.
    pub provider_ms: Vec<u32>,
}

impl Counts {
    pub(crate) fn attempt(&mut self, answer: &Answer, took: Duration, retry: bool) {
        self.attempts += 1;
        self.retries += u32::from(retry);
        self.replays += u32::from(answer.replayed);
        add(&mut self.signals, answer.signal.as_str());
        if self.provider_ms.len() < TIMES_MAX {
            self.provider_ms.push(u32::try_from(took.as_millis()).unwrap_or(u32::MAX));
        }
    }

    pub(crate) fn outcome(&mut self, outcome: &Outcome) {
        add(&mut self.outcomes, outcome.as_str());
    }
}

/// A handful of names: a list is found through faster than a map.
fn add(counts: &mut Vec<(&'static str, u32)>, name: &'static str) {
    match counts.iter_mut().find(|(counted, _)| *counted == name) {
        Some((_, count)) => *count += 1,
        None => counts.push((name, 1)),
    }
}
