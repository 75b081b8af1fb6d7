//! A fleet of processes, each with its own gate and connection, over one server; and what the provider sees of them.

use std::sync::Arc;
use std::time::Duration;

use backoff::{Clock, Deadline, Random, SystemClock};
use payments::{Endpoint, Gate, GateSettings, Grant, Permit, RedisGate, Report, Verdict};
use redis_link::RedisSettings;
use redis_server::Server;

/// Timeouts of a test in which Redis is well: so long that a busy machine does not look like a sick Redis.
pub(crate) const PATIENT: Duration = Duration::from_secs(2);

/// Timeouts of a test in which Redis does not answer: longer than in production, for the same reason.
pub(crate) const SHORT: Duration = Duration::from_millis(150);

/// The jitter that the limiter leaves room for.
const JITTER: Duration = Duration::from_millis(90);

/// How long a test waits for something.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Fleet {
    pub(crate) redis: Server,
    pub(crate) gates: Vec<Arc<RedisGate<SystemClock>>>,
}

/// When permits were used, and how late the machine was with the latest.
#[derive(Debug, Default)]
pub(crate) struct Hammered {
    pub(crate) used: Vec<Duration>,
    late: Duration,
}

impl Hammered {
    pub(crate) fn span(&self) -> Duration {
        let first = self.used.iter().min().copied().unwrap_or_default();
        self.used.iter().max().copied().unwrap_or_default() - first
    }
}

impl Fleet {
    pub(crate) fn start(processes: u32, rate_per_s: u32, timeout: Duration) -> Self {
        let redis = Server::start();
        let gates = (0..processes).map(|_| {
            let mut settings = RedisSettings::parse(&redis.url()).unwrap();
            settings.command_timeout = timeout;
            settings.connect_timeout = timeout;
            let global_rate_per_s = rate_per_s * 5;
            let settings =
                GateSettings { rate_per_s, global_rate_per_s, instances_max: processes, redis: settings };
            Arc::new(RedisGate::new(settings, SystemClock, Random::from_entropy()))
        });
        let gates = gates.collect();
        Self { redis, gates }
    }

    pub(crate) fn deadline(&self) -> Deadline {
        Deadline::after(&SystemClock, Duration::from_secs(60))
    }

    pub(crate) async fn sleep(&self, duration: Duration) {
        SystemClock.sleep(duration).await;
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let started = SystemClock.monotonic();
        while !is_so().await {
            assert!(SystemClock.monotonic() - started < PATIENCE, "waited for: {what}");
            SystemClock.sleep(Duration::from_millis(5)).await;
        }
    }

    /// Every process asks for batches of ten for so long, uses what it gets, and reports successes.
    pub(crate) async fn hammer(&self, endpoint: Endpoint, length: Duration) -> Hammered {
        let end = SystemClock.monotonic() + length;
        let hammers = self.gates.iter().map(|gate| tokio::spawn(hammer(Arc::clone(gate), endpoint, end)));
        let mut all = Hammered::default();
        for hammer in hammers.collect::<Vec<_>>() {
            let one = hammer.await.unwrap();
            all.used.extend(one.used);
            all.late = all.late.max(one.late);
        }
        all
    }
}

async fn hammer(gate: Arc<RedisGate<SystemClock>>, endpoint: Endpoint, end: Duration) -> Hammered {
    let (clock, mut hammered) = (SystemClock, Hammered::default());
    while clock.monotonic() < end {
        let deadline = Deadline::after(&clock, Duration::from_secs(60));
        let asked = clock.monotonic();
        let permits = gate.permits(endpoint, 10, Duration::from_secs(2), deadline).await;
        let answered = clock.monotonic();
        let mut pause = Duration::from_millis(5);
        let mut reports = Vec::new();
        for permit in permits {
            match permit {
                Permit::Go(Grant { after, probe }) => {
                    clock.sleep((answered + after).saturating_sub(clock.monotonic())).await;
                    let used = clock.monotonic();
                    hammered.late = hammered.late.max(used.saturating_sub(asked + after));
                    hammered.used.push(used);
                    reports.push(Report { verdict: Verdict::Success, probe, took: Duration::ZERO });
                }
                Permit::Denied { retry_after, .. } => {
                    pause = retry_after.min(Duration::from_millis(100));
                    break;
                }
            }
        }
        gate.report(endpoint, &reports, deadline).await;
        clock.sleep(pause).await;
    }
    hammered
}

/// The most permits used in any second. A machine that was later than the limiter leaves room for is forgiven what it
/// was late.
pub(crate) fn busiest(hammered: &Hammered) -> usize {
    let mut used = hammered.used.clone();
    used.sort();
    let second = Duration::from_secs(1).saturating_sub(hammered.late.saturating_sub(JITTER));
    let held = |i: usize| used[i..].iter().take_while(|moment| **moment <= used[i] + second).count();
    (0..used.len()).map(held).max().unwrap_or(0)
}
