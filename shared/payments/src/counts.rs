//! What a step did, in numbers that a function says in its batch's line.

use std::time::Duration;

use telemetry::{Emf, catalogue};

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
    /// How long each attempt took, in the order of their ends; the first 256.
    pub took: Vec<Duration>,
}

impl Counts {
    pub(crate) fn attempt(&mut self, answer: &Answer, took: Duration, retry: bool) {
        self.attempts += 1;
        self.retries += u32::from(retry);
        self.replays += u32::from(answer.replayed);
        add(&mut self.signals, answer.signal.as_str());
        if self.took.len() < TIMES_MAX {
            self.took.push(took);
        }
    }

    pub(crate) fn outcome(&mut self, outcome: &Outcome) {
        add(&mut self.outcomes, outcome.as_str());
    }

    /// Says them in the invocation's line.
    pub fn write(&self, emf: &mut Emf) {
        emf.count(&catalogue::PAYMENT_RETRIES, self.retries);
        emf.count(&catalogue::PAYMENT_REPLAYS, self.replays);
        for (signal, n) in &self.signals {
            emf.count_by(&catalogue::PAYMENT_ATTEMPTS, signal, *n);
        }
        for (outcome, n) in &self.outcomes {
            emf.count_by(&catalogue::PAYMENT_REQUESTS, outcome, *n);
        }
        emf.observe(&catalogue::PROVIDER_DURATION, self.took.iter().copied());
    }
}

/// A handful of names: a list is found through faster than a map.
fn add(counts: &mut Vec<(&'static str, u32)>, name: &'static str) {
    match counts.iter_mut().find(|(counted, _)| *counted == name) {
        Some((_, count)) => *count += 1,
        None => counts.push((name, 1)),
    }
}

#[cfg(test)]
mod tests {
    use telemetry::catalogue;

    use crate::{Later, Signal};

    #[test]
    fn the_catalogue_of_metrics_knows_every_signal() {
        let words: Vec<&str> = Signal::ALL.iter().map(|signal| signal.as_str()).collect();
        assert_eq!(catalogue::PAYMENT_ATTEMPTS.attribute.unwrap().values, words);
    }

    #[test]
    fn the_catalogue_of_metrics_knows_why_a_request_comes_later() {
        let all = [
            Later::RateLimited,
            Later::BreakerOpen,
            Later::NoTime,
            Later::KeyTooOld,
            Later::NotConnected,
            Later::Unauthorized,
            Later::Throttled,
            Later::InFlight,
            Later::NoAnswer,
        ];
        for metric in [&catalogue::RETRIED, &catalogue::PAYMENTS_PARKED, &catalogue::PAYMENT_REQUESTS] {
            let words = metric.attribute.unwrap().values;
            let missing = all.iter().map(|why| why.as_str()).filter(|why| !words.contains(why));
            assert_eq!(missing.collect::<Vec<_>>(), [""; 0], "{}", metric.name);
        }
    }
}
