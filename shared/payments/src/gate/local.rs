//! The gate of a process that is alone: its share of the limit, its own breaker and a retry budget of one token. Never
//! the full rate, never a standstill.
//!
//! It begins without a burst, at a random moment, and not before what the fleet had reserved when Redis was last seen:
//! those permits are still being used. Later, what it may send in a second it may send at once.

use std::time::Duration;

use backoff::Random;

use super::breaker::{Breaker, Stance};
use super::limits::{Limits, RESERVED_MAX};
use super::window::Window;
use super::{AHEAD_UNKNOWN, Ask, BREAKERS, ENDPOINTS, breaker_of, index_of};
use crate::{Denial, Endpoint, Grant, Permit, Report, Verdict};

/// One retry, in tenths.
const TOKEN: u32 = 10;

/// When to ask again for a token: other calls have to succeed first.
const TOKEN_WAIT: Duration = Duration::from_secs(1);

/// The fleet has reserved more since this process asked last: about as much as it reserves while a batch is paid.
const MARGIN: Duration = Duration::from_millis(500);

/// A batch goes together: permits that are for so much later than its first are denied. Waiting for them would keep the
/// paid part of the batch from its next step, and the process from its next batch.
const TOGETHER: Duration = Duration::from_millis(300);

/// The state of one process. Times are those of its monotonic clock.
#[derive(Debug)]
pub(super) struct Local {
    windows: [Window; ENDPOINTS],
    breakers: [Breaker; BREAKERS],
    tokens: u32,
    random: Random,
}

impl Local {
    pub(super) fn new(limits: &Limits, random: Random) -> Self {
        Self {
            windows: Endpoint::ALL.map(|endpoint| Window::new(limits.local_share(endpoint))),
            breakers: [const { Breaker::new() }; BREAKERS],
            tokens: TOKEN,
            random,
        }
    }

    /// Begins to give permits: not before what is reserved `ahead`, endpoint by endpoint.
    pub(super) fn begin(&mut self, now: Duration, ahead: &[Duration; ENDPOINTS]) {
        for (window, ahead) in self.windows.iter_mut().zip(ahead) {
            let interval_us = u64::try_from(window.interval().as_micros()).unwrap_or(u64::MAX);
            let phase = Duration::from_micros(self.random.below(interval_us));
            let reserved = if ahead.is_zero() { Duration::ZERO } else { *ahead + MARGIN };
            window.begin(now.saturating_add(phase.max(reserved.min(RESERVED_MAX))));
        }
    }

    /// Answers every permit that is wanted.
    pub(super) fn permits(&mut self, now: Duration, ask: &Ask) -> Vec<Permit> {
        let denied = |why, retry_after| Permit::Denied { why, retry_after };
        let stance = self.breaker(ask.endpoint).map_or(Stance::Closed, |breaker| breaker.stance(now));
        let (mut permits, rest) = match stance {
            Stance::Open(left) => (Vec::new(), denied(Denial::BreakerOpen, left)),
            Stance::Probe if ask.retry => (Vec::new(), denied(Denial::BreakerOpen, TOKEN_WAIT)),
            Stance::Closed if ask.retry && self.tokens < TOKEN => {
                (Vec::new(), denied(Denial::NoRetryBudget, TOKEN_WAIT))
            }
            Stance::Probe => self.probe(now, ask),
            Stance::Closed => self.places(now, ask),
        };
        permits.resize(ask.wanted, rest);
        permits
    }

    /// At most one permit, and what the others get.
    fn probe(&mut self, now: Duration, ask: &Ask) -> (Vec<Permit>, Permit) {
        let permit = match self.reserve(now, ask.endpoint, ask.most_wait) {
            Ok(after) => {
                if let Some(breaker) = self.breaker(ask.endpoint) {
                    breaker.probing(now, after);
                }
                Permit::Go(Grant { after, probe: true })
            }
            Err(retry_after) => Permit::Denied { why: Denial::RateLimited, retry_after },
        };
        (vec![permit], Permit::Denied { why: Denial::BreakerOpen, retry_after: TOKEN_WAIT / 2 })
    }

    /// As many permits as the limit has places together, and what the others get.
    fn places(&mut self, now: Duration, ask: &Ask) -> (Vec<Permit>, Permit) {
        let mut permits = Vec::with_capacity(ask.wanted);
        let mut most_wait = ask.most_wait;
        let mut rest = Permit::Denied { why: Denial::RateLimited, retry_after: TOGETHER };
        while permits.len() < ask.wanted {
            match self.reserve(now, ask.endpoint, most_wait) {
                Ok(after) => {
                    if permits.is_empty() {
                        most_wait = most_wait.min(after.saturating_add(TOGETHER));
                    }
                    permits.push(Permit::Go(Grant { after, probe: false }));
                }
                Err(retry_after) => {
                    rest = Permit::Denied { why: Denial::RateLimited, retry_after };
                    break;
                }
            }
        }
        if ask.retry && !permits.is_empty() {
            self.tokens = self.tokens.saturating_sub(TOKEN);
        }
        (permits, rest)
    }

    /// How long to wait for this process's next place at an endpoint.
    pub(super) fn wait(&self, now: Duration, endpoint: Endpoint) -> Duration {
        self.windows.get(index_of(endpoint)).map_or(AHEAD_UNKNOWN, |window| window.wait(now))
    }

    /// This process's next place at an endpoint: its wait, or how much too far away it is.
    pub(super) fn reserve(
        &mut self,
        now: Duration,
        endpoint: Endpoint,
        most_wait: Duration,
    ) -> Result<Duration, Duration> {
        let window = self.windows.get_mut(index_of(endpoint));
        window.map_or(Err(AHEAD_UNKNOWN), |window| window.reserve(now, most_wait))
    }

    /// Learns from reports, also while the shared state decides, so as not to begin as a beginner.
    pub(super) fn observe(&mut self, now: Duration, endpoint: Endpoint, reports: &[Report]) {
        for report in reports {
            let answered = match report.verdict {
                Verdict::Success => Some(true),
                Verdict::ProviderFault => Some(false),
                Verdict::Throttled(_) | Verdict::Neutral => None,
            };
            if answered == Some(true) {
                self.tokens = (self.tokens + 1).min(TOKEN);
            }
            let random = self.random.clone();
            let Some(breaker) = self.breaker(endpoint) else { continue };
            match answered {
                answered if report.probe => breaker.weigh_probe(now, &random, answered),
                Some(answered) => breaker.count(now, &random, (now.saturating_sub(report.took), answered)),
                None => {}
            }
        }
    }

    /// How many authorizations a second this process may send.
    pub(super) fn spare_per_s(&mut self, now: Duration) -> u32 {
        match self.breaker(Endpoint::Authorize).map(|breaker| breaker.stance(now)) {
            Some(Stance::Open(_)) => 0,
            Some(Stance::Probe) => 1,
            Some(Stance::Closed) | None => self.windows.first().map_or(1, |window| window.per_second()),
        }
    }

    fn breaker(&mut self, endpoint: Endpoint) -> Option<&mut Breaker> {
        self.breakers.get_mut(breaker_of(endpoint))
    }
}

#[cfg(test)]
mod tests {
    use super::Local;
    use crate::gate::limits::Limits;
    use crate::gate::{Ask, GateSettings};
    use crate::{Denial, Endpoint, Grant, Permit, Report, Verdict};
    use backoff::Random;
    use redis_link::RedisSettings;
    use std::time::Duration;

    const NOW: Duration = Duration::from_secs(100);

    fn local(rate_per_s: u32, instances_max: u32, seed: u64) -> Local {
        let redis = RedisSettings::parse("redis://127.0.0.1:1").unwrap();
        let global_rate_per_s = rate_per_s * 5;
        let limits = Limits::new(&GateSettings { rate_per_s, global_rate_per_s, instances_max, redis });
        Local::new(&limits, Random::seeded(seed))
    }

    fn ask(wanted: usize, retry: bool) -> Ask {
        Ask { endpoint: Endpoint::Authorize, wanted, most_wait: Duration::from_secs(2), retry }
    }

    fn report(verdict: Verdict, probe: bool) -> Report {
        Report { verdict, probe, took: Duration::ZERO }
    }

    fn is_denied(permit: &Permit, why: Denial) -> bool {
        matches!(permit, Permit::Denied { why: denial, .. } if *denial == why)
    }

    #[test]
    fn all_processes_together_stay_within_the_quota_from_their_first_permit_on() {
        let mut used: Vec<Duration> = Vec::new();
        for seed in 0..4 {
            let mut local = local(100, 4, seed);
            local.begin(NOW, &[Duration::ZERO; 5]);
            for ms in (0..4_000).step_by(100) {
                let now = NOW + Duration::from_millis(ms);
                let permits = local.permits(now, &ask(10, false));
                used.extend(permits.iter().filter_map(|permit| match permit {
                    Permit::Go(Grant { after, .. }) => Some(now + *after),
                    Permit::Denied { .. } => None,
                }));
            }
        }
        used.sort();
        assert!(used.len() > 4 * 80, "work goes on: {} permits in four seconds and two ahead", used.len());
        let second = Duration::from_secs(1);
        let busiest =
            (0..used.len()).map(|i| used[i..].iter().take_while(|at| **at <= used[i] + second).count());
        assert!(busiest.max().unwrap() <= 100);
    }

    #[test]
    fn it_begins_after_what_the_fleet_has_reserved() {
        let mut local = local(100, 4, 1);
        local.begin(NOW, &[Duration::from_millis(1_500); 5]);
        let first = local.permits(NOW, &ask(1, false));
        assert_eq!(first, [Permit::Go(Grant { after: Duration::from_secs(2), probe: false })]);
    }

    #[test]
    fn one_retry_and_then_one_per_ten_successes() {
        let mut local = local(100, 1, 1);
        assert!(matches!(local.permits(NOW, &ask(1, true))[..], [Permit::Go(_)]));
        for _ in 0..10 {
            assert!(is_denied(&local.permits(NOW, &ask(1, true))[0], Denial::NoRetryBudget));
            local.observe(NOW, Endpoint::Authorize, &[report(Verdict::Success, false)]);
        }
        assert!(matches!(local.permits(NOW, &ask(1, true))[..], [Permit::Go(_)]));
    }

    #[test]
    fn three_faults_in_a_row_stop_it_and_one_probe_at_a_time_finds_out() {
        let mut local = local(100, 1, 1);
        local.observe(NOW, Endpoint::Capture, &[report(Verdict::ProviderFault, false); 3]);
        assert!(
            is_denied(&local.permits(NOW, &ask(1, false))[0], Denial::BreakerOpen),
            "charges share a breaker"
        );
        assert_eq!(local.spare_per_s(NOW), 0);
        let look_up = Ask { endpoint: Endpoint::LookUp, ..ask(1, false) };
        assert!(matches!(local.permits(NOW, &look_up)[..], [Permit::Go(_)]), "look-ups have their own");
        let mut now = NOW + Duration::from_millis(500);
        assert_eq!(local.spare_per_s(now), 1);
        for _ in 0..3 {
            now += Duration::from_millis(100);
            let permits = local.permits(now, &ask(3, false));
            assert!(matches!(permits[0], Permit::Go(Grant { probe: true, .. })), "{permits:?}");
            assert!(permits[1..].iter().all(|permit| is_denied(permit, Denial::BreakerOpen)));
            local.observe(now, Endpoint::Authorize, &[report(Verdict::Success, true)]);
        }
        assert!(matches!(local.permits(now, &ask(1, false))[..], [Permit::Go(Grant { probe: false, .. })]));
    }

    #[test]
    fn what_is_no_fault_opens_nothing() {
        let mut local = local(100, 1, 1);
        let throttle = Verdict::Throttled(crate::Throttle::GlobalRate);
        for verdict in [Verdict::Neutral, throttle] {
            local.observe(NOW, Endpoint::Authorize, &[report(verdict, false); 50]);
        }
        assert!(matches!(local.permits(NOW, &ask(1, false))[..], [Permit::Go(_)]));
    }
}
