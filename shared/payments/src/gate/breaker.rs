//! The breaker of one process on its own: without the shared counts, it goes by faults in a row.

use std::time::Duration;

use backoff::Random;

/// So many provider faults in a row open it: a process alone sees too few calls for a rate.
const FAULTS: u32 = 3;

/// So many successful probes in a row close it.
const WINS: u32 = 3;

/// The first time it stays open, and the longest.
const OPEN_MIN: Duration = Duration::from_millis(500);
const OPEN_MAX: Duration = Duration::from_secs(2);

/// How long a probe may be under way before another may follow: longer than its attempt may take.
const LEASE: Duration = Duration::from_millis(2_500);

/// What the breaker says to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stance {
    /// Go on.
    Closed,
    /// One may go, as a probe: then call [`Breaker::probing`].
    Probe,
    /// Nobody may, for this long.
    Open(Duration),
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    Closed,
    Open { until: Duration },
    HalfOpen { probe_until: Duration, wins: u32 },
}

/// Closed, open or half-open, on a monotonic clock.
#[derive(Debug)]
pub(super) struct Breaker {
    mode: Mode,
    faults: u32,
    opens: u32,
    /// When it last opened or closed: what was sent before then has been judged.
    since: Duration,
}

impl Breaker {
    pub(super) const fn new() -> Self {
        Self { mode: Mode::Closed, faults: 0, opens: 0, since: Duration::ZERO }
    }

    /// What holds now.
    pub(super) fn stance(&mut self, now: Duration) -> Stance {
        if let Mode::Open { until } = self.mode {
            if now < until {
                return Stance::Open(until.saturating_sub(now));
            }
            self.mode = Mode::HalfOpen { probe_until: Duration::ZERO, wins: 0 };
        }
        match self.mode {
            Mode::HalfOpen { probe_until, .. } if now < probe_until => {
                Stance::Open(probe_until.saturating_sub(now).min(OPEN_MIN))
            }
            Mode::HalfOpen { .. } => Stance::Probe,
            Mode::Closed | Mode::Open { .. } => Stance::Closed,
        }
    }

    /// The caller sends a probe in `after`.
    pub(super) fn probing(&mut self, now: Duration, after: Duration) {
        if let Mode::HalfOpen { wins, .. } = self.mode {
            let probe_until = now.saturating_add(after).saturating_add(LEASE);
            self.mode = Mode::HalfOpen { probe_until, wins };
        }
    }

    /// Takes one report of a probe: `answered` is `None` where it says nothing.
    pub(super) fn weigh_probe(&mut self, now: Duration, random: &Random, answered: Option<bool>) {
        let Mode::HalfOpen { wins, .. } = self.mode else { return };
        match answered {
            Some(false) => self.open(now, random),
            Some(true) if wins + 1 >= WINS => self.close(now),
            Some(true) => self.mode = Mode::HalfOpen { probe_until: Duration::ZERO, wins: wins + 1 },
            None => self.mode = Mode::HalfOpen { probe_until: Duration::ZERO, wins },
        }
    }

    /// Takes one report of an attempt that began at `began` and was no probe.
    pub(super) fn count(&mut self, now: Duration, random: &Random, (began, answered): (Duration, bool)) {
        if began < self.since {
            return;
        }
        if answered {
            // Where the shared state let it pass, it knows better than this process.
            self.close(now);
        } else if matches!(self.mode, Mode::Closed) {
            self.faults += 1;
            if self.faults >= FAULTS {
                self.open(now, random);
            }
        }
    }

    fn close(&mut self, now: Duration) {
        if !matches!(self.mode, Mode::Closed) {
            self.since = now;
        }
        (self.mode, self.faults, self.opens) = (Mode::Closed, 0, 0);
    }

    fn open(&mut self, now: Duration, random: &Random) {
        let pause = OPEN_MIN.saturating_mul(2_u32.saturating_pow(self.opens)).min(OPEN_MAX);
        let half_us = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX) / 2;
        let jittered = Duration::from_micros(half_us + random.below(half_us));
        self.opens = self.opens.saturating_add(1);
        (self.mode, self.faults, self.since) = (Mode::Open { until: now.saturating_add(jittered) }, 0, now);
    }
}

#[cfg(test)]
mod tests {
    use super::{Breaker, LEASE, OPEN_MAX, OPEN_MIN, Stance};
    use backoff::Random;
    use std::time::Duration;

    const NOW: Duration = Duration::from_secs(100);

    struct World {
        breaker: Breaker,
        random: Random,
        now: Duration,
    }

    impl World {
        fn opened() -> Self {
            let mut world = Self { breaker: Breaker::new(), random: Random::seeded(1), now: NOW };
            world.report(false);
            world.report(false);
            assert_eq!(world.stance(), Stance::Closed, "two faults are none");
            world.report(false);
            world
        }

        fn report(&mut self, answered: bool) {
            self.breaker.count(self.now, &self.random, (self.now, answered));
        }

        fn stance(&mut self) -> Stance {
            self.breaker.stance(self.now)
        }

        /// Waits until it is half-open, and says how long that was.
        fn wait(&mut self) -> Duration {
            let Stance::Open(pause) = self.stance() else { panic!("{:?}", self.stance()) };
            self.now += pause;
            assert_eq!(self.stance(), Stance::Probe);
            self.breaker.probing(self.now, Duration::ZERO);
            pause
        }
    }

    #[test]
    fn three_faults_in_a_row_open_it_and_a_success_between_does_not() {
        let mut world = World::opened();
        assert!(world.wait() <= OPEN_MIN);
        let mut patient = World { breaker: Breaker::new(), random: Random::seeded(1), now: NOW };
        for answered in [false, false, true, false, false] {
            patient.report(answered);
        }
        assert_eq!(patient.stance(), Stance::Closed);
    }

    #[test]
    fn one_probe_at_a_time_and_a_lost_one_blocks_for_its_lease() {
        let mut world = World::opened();
        world.wait();
        assert!(matches!(world.stance(), Stance::Open(_)), "somebody is probing");
        world.now += LEASE;
        assert_eq!(world.stance(), Stance::Probe);
    }

    #[test]
    fn three_successful_probes_close_it_and_a_failed_one_opens_it_for_longer() {
        let mut world = World::opened();
        for _ in 0..6 {
            world.wait();
            world.breaker.weigh_probe(world.now, &world.random, Some(false));
        }
        let pause = world.wait();
        assert!(pause >= OPEN_MAX / 2 && pause <= OPEN_MAX, "{pause:?}");
        for _ in 0..3 {
            assert_ne!(world.stance(), Stance::Closed);
            world.breaker.weigh_probe(world.now, &world.random, Some(true));
        }
        assert_eq!(world.stance(), Stance::Closed);
    }

    #[test]
    fn what_was_sent_before_it_opened_counts_no_more() {
        let mut world = World::opened();
        let (began, now) = (world.now, world.now + Duration::from_secs(5));
        world.now = now;
        assert_eq!(world.stance(), Stance::Probe);
        for _ in 0..3 {
            world.breaker.weigh_probe(now, &world.random, Some(true));
        }
        for _ in 0..9 {
            world.breaker.count(now, &world.random, (began, false));
        }
        assert_eq!(world.stance(), Stance::Closed);
    }
}
