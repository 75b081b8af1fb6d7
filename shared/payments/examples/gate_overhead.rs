//! What the gate costs: a whole pair of permits and report, for a batch of ten, against a bare round trip to the same
//! Redis in the same run.
//!
//! `cargo run --profile local -p payments --example gate_overhead` starts a server of its own and prints one JSON line:
//! microseconds at p50 and p99, and the ratio at p99, whose target is 5.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and may fail")]

use std::time::Duration;

use backoff::{Clock, Deadline, Random, SystemClock};
use payments::{Endpoint, Gate, GateSettings, Permit, RedisGate, Report, Verdict};
use redis_link::{Link, RedisSettings};
use redis_server::Server;

const ROUNDS: usize = 3_000;
const BATCH: usize = 10;

/// No permit is denied at this rate and with this pause: what is measured is the gate, not the limit.
const RATE_PER_S: u32 = 5_000;
const PAUSE: Duration = Duration::from_millis(3);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let server = Server::start();
    let mut redis = RedisSettings::parse(&server.url()).unwrap();
    redis.command_timeout = Duration::from_secs(2);
    let link = Link::new(redis.clone(), SystemClock, "the benchmark fails");
    let settings =
        GateSettings { rate_per_s: RATE_PER_S, global_rate_per_s: 4 * RATE_PER_S, instances_max: 1, redis };
    let gate = RedisGate::new(settings, SystemClock, Random::seeded(1));
    let (mut bare, mut pairs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        // By turns, so that a noisy moment of the machine meets both; and each after a pause, as in a function, where
        // neither finds the server's caches warm.
        SystemClock.sleep(PAUSE).await;
        bare.push(timed(ping(&link)).await);
        SystemClock.sleep(PAUSE).await;
        pairs.push(timed(pair(&gate)).await);
    }
    // The first rounds connect and load.
    let (bare, pairs) = (Figures::of(bare.split_off(ROUNDS / 10)), Figures::of(pairs.split_off(ROUNDS / 10)));
    let ratio = pairs.p99_us as f64 / bare.p99_us.max(1) as f64;
    println!(
        r#"{{"bare_us":{{"p50":{},"p99":{}}},"pair_us":{{"p50":{},"p99":{}}},"p99_ratio":{ratio:.2}}}"#,
        bare.p50_us, bare.p99_us, pairs.p50_us, pairs.p99_us
    );
}

async fn ping(link: &Link<SystemClock>) {
    let deadline = Deadline::after(&SystemClock, Duration::from_secs(60));
    link.call::<String>(&redis_link::cmd("PING"), deadline, &mut 0).await.unwrap();
}

async fn pair(gate: &RedisGate<SystemClock>) {
    let deadline = Deadline::after(&SystemClock, Duration::from_secs(60));
    let permits = gate.permits(Endpoint::Authorize, BATCH, Duration::from_secs(2), deadline).await;
    assert!(permits.iter().all(|permit| matches!(permit, Permit::Go(_))), "{permits:?}");
    let report = Report { verdict: Verdict::Success, probe: false, took: Duration::from_millis(1) };
    gate.report(Endpoint::Authorize, &[report; BATCH], deadline).await;
}

async fn timed(work: impl Future<Output = ()>) -> Duration {
    let began = SystemClock.monotonic();
    work.await;
    SystemClock.monotonic() - began
}

struct Figures {
    p50_us: u128,
    p99_us: u128,
}

impl Figures {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let at = |percent: usize| times.get(times.len() * percent / 100).map_or(0, Duration::as_micros);
        Self { p50_us: at(50), p99_us: at(99) }
    }
}
