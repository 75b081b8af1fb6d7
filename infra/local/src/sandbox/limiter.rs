//! The provider's limits, strictly: in no sliding second are more calls accepted than the quota says.
//!
//! A call counts against its endpoint and against all endpoints together; one that is refused counts against none.

use std::{collections::VecDeque, time::Duration};

use serde::Serialize;

use super::endpoints::Endpoint;
use crate::clock::Instant;

/// What a rate counts in.
const SECOND: Duration = Duration::from_secs(1);

/// How many calls a second are accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// Of one endpoint.
    pub rate_per_s: u64,
    /// Of all endpoints together.
    pub global_rate_per_s: u64,
    /// By how many calls any second may exceed either rate.
    pub burst: u64,
}

/// Which limit a refused call met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    Endpoint,
    Global,
}

impl Reason {
    /// As in `Stripe-Rate-Limited-Reason`.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint-rate",
            Self::Global => "global-rate",
        }
    }
}

/// The calls of the last second, and the most there were in any.
#[derive(Debug, Default)]
struct Window {
    calls: VecDeque<Instant>,
    peak: usize,
}

impl Window {
    /// How many calls the second that ends now holds.
    fn count(&mut self, now: Instant) -> usize {
        while self.calls.front().is_some_and(|first| now.saturating_duration_since(*first) >= SECOND) {
            self.calls.pop_front();
        }
        self.calls.len()
    }

    fn add(&mut self, now: Instant) {
        self.calls.push_back(now);
        self.peak = self.peak.max(self.calls.len());
    }
}

/// The limits and what has been counted against them.
#[derive(Debug)]
pub(super) struct Limiter {
    limits: Limits,
    endpoints: [Window; Endpoint::ALL.len()],
    all: Window,
    /// Refused calls as well.
    offered: Window,
}

impl Limiter {
    pub(super) fn new(limits: Limits) -> Self {
        let endpoints = Endpoint::ALL.map(|_| Window::default());
        Self { limits, endpoints, all: Window::default(), offered: Window::default() }
    }

    pub(super) const fn limits(&self) -> Limits {
        self.limits
    }

    pub(super) const fn set(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Counts a call, or says which limit it exceeds.
    pub(super) fn admit(&mut self, endpoint: Endpoint, now: Instant) -> Result<(), Reason> {
        self.offered.count(now);
        self.offered.add(now);
        let Limits { rate_per_s, global_rate_per_s, burst } = self.limits;
        let full =
            |count: usize, rate: u64| u64::try_from(count).unwrap_or(u64::MAX) >= rate.saturating_add(burst);
        if full(self.all.count(now), global_rate_per_s) {
            return Err(Reason::Global);
        }
        let Some(window) = self.endpoints.get_mut(position(endpoint)) else { return Ok(()) };
        if full(window.count(now), rate_per_s) {
            return Err(Reason::Endpoint);
        }
        window.add(now);
        self.all.add(now);
        Ok(())
    }

    /// The most accepted calls of any sliding second, by endpoint.
    pub(super) fn peaks(&self) -> impl Iterator<Item = (Endpoint, usize)> {
        Endpoint::ALL.into_iter().zip(self.endpoints.iter().map(|window| window.peak))
    }

    /// The most accepted calls of any sliding second.
    pub(super) const fn peak(&self) -> usize {
        self.all.peak
    }

    /// The most calls of any sliding second, refused ones included.
    pub(super) const fn offered_peak(&self) -> usize {
        self.offered.peak
    }
}

/// Where the endpoint stands in [`Endpoint::ALL`].
fn position(endpoint: Endpoint) -> usize {
    Endpoint::ALL.iter().position(|other| *other == endpoint).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock;

    fn limiter(rate_per_s: u64, global_rate_per_s: u64, burst: u64) -> Limiter {
        Limiter::new(Limits { rate_per_s, global_rate_per_s, burst })
    }

    #[test]
    fn each_limit_refuses_with_its_reason() {
        let now = clock::now();
        let mut limiter = limiter(2, 3, 0);
        assert_eq!(limiter.admit(Endpoint::Capture, now), Ok(()));
        assert_eq!(limiter.admit(Endpoint::Capture, now), Ok(()));
        assert_eq!(limiter.admit(Endpoint::Capture, now), Err(Reason::Endpoint));
        assert_eq!(limiter.admit(Endpoint::Cancel, now), Ok(()));
        assert_eq!(limiter.admit(Endpoint::Cancel, now), Err(Reason::Global));
        let almost = now + SECOND - Duration::from_nanos(1);
        assert_eq!(limiter.admit(Endpoint::Capture, almost), Err(Reason::Global));
        assert_eq!(limiter.admit(Endpoint::Capture, now + SECOND), Ok(()));
        assert_eq!((limiter.peak(), limiter.offered_peak()), (3, 6));
    }

    #[test]
    fn a_burst_is_what_a_second_may_hold_beyond_the_rate() {
        let now = clock::now();
        let mut limiter = limiter(1, 10, 2);
        let accepted = (0..9).filter(|_| limiter.admit(Endpoint::Refund, now).is_ok()).count();
        assert_eq!(accepted, 3);
    }

    proptest! {
        #[test]
        fn no_sliding_second_holds_more_than_the_quota(
            rate in 1_u64..20, burst in 0_u64..5, gaps_ms in prop::collection::vec(0_u64..200, 1..200),
        ) {
            let (mut limiter, mut now) = (limiter(rate, 1_000, burst), clock::now());
            let mut accepted: Vec<Instant> = Vec::new();
            for gap_ms in gaps_ms {
                now += Duration::from_millis(gap_ms);
                if limiter.admit(Endpoint::Authorize, now).is_ok() {
                    accepted.push(now);
                }
            }
            for first in &accepted {
                let second = accepted.iter().filter(|call| *call >= first && **call < *first + SECOND).count();
                prop_assert!(u64::try_from(second).unwrap() <= rate + burst);
            }
        }
    }
}
