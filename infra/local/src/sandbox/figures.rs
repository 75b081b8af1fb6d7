//! What the sandbox has been asked and how it answered.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

use super::{endpoints::Endpoint, faults::FaultKind, limiter::Limiter};

/// A time beyond this counts as this.
const TIME_US_MAX: u64 = 120_000_000;
/// Three significant digits: 123 ms is told from 124.
const SIGNIFICANT_DIGITS: u8 = 3;

/// What the sandbox has been asked and how it answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Calls by endpoint and by the class of their status: `2xx`, `4xx`, `5xx`, or `none` where nothing whole was
    /// answered.
    pub calls: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// All calls, those included that met a fault or a limit.
    pub calls_total: u64,
    /// Calls that the limits refused; those of the fault `error_429` are not among them.
    pub answered_429: u64,
    /// Calls that answered what an earlier one with their key had been answered.
    pub replayed: u64,
    /// Calls that met a fault, by its kind.
    pub refused_by_fault: BTreeMap<&'static str, u64>,
    /// The most calls that were accepted in any sliding second, by endpoint and `global`; `offered` counts the
    /// refused ones as well.
    pub peak_per_s: BTreeMap<&'static str, usize>,
    /// From reading a request to answering it, of calls that met no fault and no limit.
    pub provider_ms: ProviderMs,
    /// When the first call that changes money succeeded since the last fault was taken away, in Unix milliseconds.
    pub first_success_ms: Option<u64>,
}

/// A distribution in milliseconds; zeros when there was nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct ProviderMs {
    /// The median.
    pub p50: f64,
    /// One in twenty took longer.
    pub p95: f64,
    /// One in a hundred took longer.
    pub p99: f64,
}

/// The running count.
#[derive(Debug)]
pub(super) struct Tally {
    calls: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    answered_429: u64,
    replayed: u64,
    faults: BTreeMap<&'static str, u64>,
    /// None only if the bounds above were wrong.
    times_us: Option<Histogram<u64>>,
    /// Since when there is no fault.
    cleared_at_ms: Option<u64>,
    first_success_ms: Option<u64>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            calls: BTreeMap::new(),
            answered_429: 0,
            replayed: 0,
            faults: BTreeMap::new(),
            times_us: Histogram::new_with_bounds(1, TIME_US_MAX, SIGNIFICANT_DIGITS).ok(),
            cleared_at_ms: None,
            first_success_ms: None,
        }
    }

    /// A call got this status; 0 is none.
    pub(super) fn answered(&mut self, endpoint: Endpoint, status: u16) {
        let class = match status {
            0 => "none",
            200..300 => "2xx",
            400..500 => "4xx",
            _ => "5xx",
        };
        *self.calls.entry(endpoint.as_str()).or_default().entry(class).or_default() += 1;
    }

    pub(super) const fn limited(&mut self) {
        self.answered_429 += 1;
    }

    pub(super) const fn replayed(&mut self) {
        self.replayed += 1;
    }

    pub(super) fn hit(&mut self, kind: FaultKind) {
        *self.faults.entry(kind.as_str()).or_default() += 1;
    }

    pub(super) fn took(&mut self, time: Duration) {
        let time_us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        if let Some(times_us) = &mut self.times_us {
            times_us.saturating_record(time_us);
        }
    }

    /// The faults were replaced by these.
    pub(super) const fn faults_changed(&mut self, none: bool, now_ms: u64) {
        self.cleared_at_ms = if none { Some(now_ms) } else { None };
        self.first_success_ms = None;
    }

    /// The last fault has hit for the last time.
    pub(super) const fn faults_used_up(&mut self, now_ms: u64) {
        self.faults_changed(true, now_ms);
    }

    /// A call that arrived then has changed money.
    pub(super) fn succeeded(&mut self, arrived_ms: u64, now_ms: u64) {
        if self.first_success_ms.is_none() && self.cleared_at_ms.is_some_and(|cleared| arrived_ms >= cleared)
        {
            self.first_success_ms = Some(now_ms);
        }
    }

    pub(super) fn figures(&self, limiter: &Limiter) -> Figures {
        let peaks = limiter.peaks().map(|(endpoint, peak)| (endpoint.as_str(), peak));
        let peaks = peaks.chain([("global", limiter.peak()), ("offered", limiter.offered_peak())]);
        Figures {
            calls: self.calls.clone(),
            calls_total: self.calls.values().flat_map(BTreeMap::values).sum(),
            answered_429: self.answered_429,
            replayed: self.replayed,
            refused_by_fault: self.faults.clone(),
            peak_per_s: peaks.collect(),
            provider_ms: self.provider_ms(),
            first_success_ms: self.first_success_ms,
        }
    }

    fn provider_ms(&self) -> ProviderMs {
        let Some(times_us) = self.times_us.as_ref().filter(|times| !times.is_empty()) else {
            return ProviderMs::default();
        };
        let ms =
            |quantile| Duration::from_micros(times_us.value_at_quantile(quantile)).as_secs_f64() * 1_000.0;
        ProviderMs { p50: ms(0.5), p95: ms(0.95), p99: ms(0.99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_success_is_one_that_arrived_after_the_faults_were_taken_away() {
        let mut tally = Tally::new();
        tally.succeeded(10, 11);
        assert_eq!(tally.first_success_ms, None, "there never was a fault");
        tally.faults_changed(false, 20);
        tally.succeeded(21, 22);
        tally.faults_changed(true, 30);
        tally.succeeded(29, 31);
        assert_eq!(tally.first_success_ms, None);
        tally.succeeded(30, 32);
        tally.succeeded(31, 33);
        assert_eq!(tally.first_success_ms, Some(32));
    }
}
