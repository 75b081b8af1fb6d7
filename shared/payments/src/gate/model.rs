//! The shared state against plain models and against its promises, inside a real Redis, on a clock that the test
//! moves: the scripts' one line that asks the server for the time reads a key here.

use std::time::Duration;

use backoff::{Deadline, SystemClock};
use proptest::prelude::{Strategy, prop_assert, prop_assert_eq};
use proptest::test_runner::{Config, TestRunner};
use redis_link::{Link, RedisSettings, pipe};
use redis_server::Server;
use tokio::runtime::Runtime;

use super::limits::Limits;
use super::schedule::Schedule;
use super::script::{Answer, Known, Scripts};
use super::{Ask, GateSettings};
use crate::{Denial, Endpoint, Report, Throttle, Verdict};

mod breaker;

const SECOND: Duration = Duration::from_secs(1);
const SERVER_TIME: &str = "redis.call('TIME')";
const TEST_TIME: &str = "redis.call('HMGET', '{pay}:test:time', 's', 'us')";
const CLOSED: i64 = 0;
const OPEN: i64 = 1;
const HALF_OPEN: i64 = 2;

struct World {
    runtime: Runtime,
    redis: Server,
    link: Link<SystemClock>,
    scripts: Scripts,
    limits: Limits,
    now: Duration,
    known: Known,
}

impl World {
    fn new(rate_per_s: u32, global_rate_per_s: u32) -> Self {
        let redis = Server::start();
        let mut settings = RedisSettings::parse(&redis.url()).unwrap();
        settings.command_timeout = 2 * SECOND;
        settings.connect_timeout = 2 * SECOND;
        let gate = GateSettings { rate_per_s, global_rate_per_s, instances_max: 1, redis: settings.clone() };
        let state = include_str!("state.lua");
        assert_eq!(state.matches(SERVER_TIME).count(), 1, "one place asks for the time");
        Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            redis,
            link: Link::new(settings, SystemClock, "the test fails"),
            scripts: Scripts::of(&state.replace(SERVER_TIME, TEST_TIME)),
            limits: Limits::new(&gate),
            now: Duration::from_secs(1_800_000_000),
            known: Known::default(),
        }
    }

    fn forget(&self) {
        self.redis.ask::<i64>(&[b"DEL", b"{pay}:v1:gate"]);
    }

    fn wait(&mut self, duration: Duration) {
        self.now += duration;
    }

    async fn set_time(&self, deadline: Deadline) {
        let mut commands = pipe();
        let (s, us) = (self.now.as_secs(), self.now.subsec_micros());
        commands.cmd("HSET").arg("{pay}:test:time").arg("s").arg(s).arg("us").arg(us).ignore();
        self.link.call_all::<()>(&commands, deadline, &mut 0).await.unwrap();
    }

    fn ask(&mut self, ask: &Ask, random: u64) -> Answer {
        let answer = self.runtime.block_on(async {
            let deadline = Deadline::after(&SystemClock, Duration::from_secs(60));
            self.set_time(deadline).await;
            let call = self.scripts.permits(ask, &self.limits, self.known, random);
            self.link.run::<Vec<i64>>(&call, deadline, &mut 0).await.unwrap()
        });
        Answer::read(&answer).unwrap()
    }

    fn permits(&mut self, endpoint: Endpoint, wanted: usize) -> Answer {
        self.ask(&Ask { endpoint, wanted, most_wait: 2 * SECOND, retry: false }, 0)
    }

    /// Authorizations, each used at once.
    fn sent(&mut self, count: usize) -> usize {
        let mut given = 0;
        for _ in 0..count {
            given += self.permits(Endpoint::Authorize, 1).waits.len();
            self.wait(self.limits.interval());
        }
        given
    }

    /// The time between two permits, once a pause is made up for.
    fn spacing(&mut self, endpoint: Endpoint) -> Duration {
        let waits = self.permits(endpoint, 50).waits;
        waits[49] - waits[48]
    }

    fn retry(&mut self) -> Answer {
        self.ask(&Ask { endpoint: Endpoint::Authorize, wanted: 1, most_wait: 2 * SECOND, retry: true }, 0)
    }

    /// Reports so many attempts that took no time, and tells the breaker's mode.
    fn report(&mut self, endpoint: Endpoint, verdict: Verdict, count: usize) -> i64 {
        self.reports(endpoint, &vec![Report { verdict, probe: false, took: Duration::ZERO }; count])
    }

    fn report_probe(&mut self, verdict: Verdict) -> i64 {
        self.reports(Endpoint::Authorize, &[Report { verdict, probe: true, took: Duration::ZERO }])
    }

    fn reports(&mut self, endpoint: Endpoint, reports: &[Report]) -> i64 {
        self.runtime.block_on(async {
            let deadline = Deadline::after(&SystemClock, Duration::from_secs(60));
            self.set_time(deadline).await;
            let call = self.scripts.report(endpoint, reports, 0);
            self.link.run::<i64>(&call, deadline, &mut 0).await.unwrap()
        })
    }

    fn spare(&mut self) -> u32 {
        self.permits(Endpoint::Authorize, 0).spare_per_s
    }

    /// The breaker of charges, open since now.
    fn opened(rate_per_s: u32) -> Self {
        let mut world = Self::new(rate_per_s, rate_per_s * 5);
        assert_eq!(world.report(Endpoint::Capture, Verdict::ProviderFault, 20), OPEN);
        world
    }

    /// The breaker of charges, closed since now.
    fn closed_again(rate_per_s: u32) -> Self {
        let mut world = Self::opened(rate_per_s);
        world.wait(SECOND / 2);
        for _ in 0..3 {
            assert!(world.permits(Endpoint::Authorize, 1).probe, "one probe after the other");
            world.wait(SECOND / 10);
            world.report_probe(Verdict::Success);
        }
        world
    }
}

/// The most of these moments in any closed interval of this length.
fn busiest(moments: &mut [Duration], length: Duration) -> usize {
    moments.sort();
    let held = |i: usize| moments[i..].iter().take_while(|moment| **moment <= moments[i] + length).count();
    (0..moments.len()).map(held).max().unwrap_or(0)
}

/// Runs a property over one server: its state is dropped before each history.
fn for_histories<S: Strategy>(
    cases: u32,
    strategy: &S,
    property: impl Fn(S::Value) -> Result<(), proptest::test_runner::TestCaseError>,
) {
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    runner.run(strategy, property).unwrap();
}

#[test]
fn shared_and_local_limiter_decide_alike_and_no_sliding_second_exceeds_the_quota() {
    let world = std::cell::RefCell::new(World::new(25, 1_000));
    let steps = proptest::collection::vec((0_u64..300_000, 0_usize..12, 0_u64..2_000_000), 1..40);
    for_histories(40, &steps, |steps| {
        let mut world = world.borrow_mut();
        world.forget();
        world.wait(10 * SECOND);
        let (mut local, mut used) = (Schedule::default(), Vec::new());
        let interval = world.limits.interval();
        for (i, (pause_us, wanted, most_wait_us)) in steps.into_iter().enumerate() {
            world.wait(Duration::from_micros(pause_us));
            if i == 0 {
                local.not_before(world.now);
            }
            let most_wait = Duration::from_micros(most_wait_us);
            // Without an answer in between, the gate would take the provider for silent.
            world.report(Endpoint::Authorize, Verdict::Success, 1);
            let ask = Ask { endpoint: Endpoint::Authorize, wanted, most_wait, retry: false };
            let answer = world.ask(&ask, 0);
            let expected: Vec<Duration> =
                (0..wanted).map_while(|_| local.reserve(world.now, interval, most_wait).ok()).collect();
            prop_assert_eq!(&answer.waits, &expected);
            prop_assert_eq!(answer.denial.is_none(), expected.len() == wanted);
            used.extend(expected.into_iter().map(|wait| world.now + wait));
        }
        prop_assert!(busiest(&mut used, SECOND + Duration::from_millis(90)) <= 25);
        Ok(())
    });
}

#[test]
fn the_global_limit_holds_over_all_endpoints() {
    let world = std::cell::RefCell::new(World::new(25, 40));
    let steps = proptest::collection::vec((0_u64..200_000, 0_usize..5, 1_usize..12), 1..60);
    for_histories(30, &steps, |steps| {
        let mut world = world.borrow_mut();
        world.forget();
        world.wait(10 * SECOND);
        let mut used = [const { Vec::new() }; 5];
        for (pause_us, endpoint, wanted) in steps {
            world.wait(Duration::from_micros(pause_us));
            world.report(Endpoint::ALL[endpoint], Verdict::Success, 1);
            let answer = world.permits(Endpoint::ALL[endpoint], wanted);
            used[endpoint].extend(answer.waits.iter().map(|wait| world.now + *wait));
        }
        for used in &mut used {
            prop_assert!(busiest(used, SECOND + Duration::from_millis(90)) <= 25);
        }
        let mut all: Vec<Duration> = used.into_iter().flatten().collect();
        prop_assert!(busiest(&mut all, SECOND + Duration::from_millis(50)) <= 40);
        Ok(())
    });
}

#[test]
fn captures_and_look_ups_come_before_authorizations_and_those_before_refunds() {
    let mut world = World::new(100, 50);
    let mut given =
        |endpoint| world.permits(endpoint, 100).waits.iter().filter(|wait| **wait < SECOND).count();
    let [refunds, authorizations, captures] =
        [given(Endpoint::Refund), given(Endpoint::Authorize), given(Endpoint::Capture)];
    assert_eq!([refunds, authorizations, captures], [30, 15, 4], "60, 90 and 99 % of 50");
}

#[test]
fn what_hammers_gets_all_of_the_rate() {
    let mut world = World::new(100, 400);
    let mut given = 0;
    for _ in 0..100 {
        world.report(Endpoint::Authorize, Verdict::Success, 1);
        given += world.permits(Endpoint::Authorize, 20).waits.len();
        world.wait(SECOND / 10);
    }
    // Ten seconds, and two reserved ahead.
    assert!((12 * 90 - 10..=12 * 90).contains(&given), "{given}");
}

#[test]
fn what_is_spare_is_the_room_of_the_next_second_so_that_publishing_it_uses_all_of_the_rate() {
    let mut world = World::new(100, 500);
    let (mut direct, mut published) = (0, 0);
    for second in 0..10 {
        // Thirty orders a second come by themselves, and whoever publishes what is spare comes once a second.
        let spare = usize::try_from(world.spare()).unwrap();
        published += world.permits(Endpoint::Authorize, spare).waits.len();
        assert_eq!(world.spare(), 0, "second {second}: all of it is taken");
        for _ in 0..30 {
            direct += world.permits(Endpoint::Authorize, 1).waits.len();
            // Without an answer in between, the gate would take the provider for silent.
            world.report(Endpoint::Authorize, Verdict::Success, 1);
            world.wait(SECOND / 30);
            world.report(Endpoint::Authorize, Verdict::Success, 3);
        }
    }
    assert_eq!(direct, 300, "nobody who comes by itself is turned away");
    assert!(
        (600..=690).contains(&published),
        "{published}: what ten seconds of 90 leave, less or one second more"
    );
}

#[test]
fn the_rate_ramps_from_a_quarter_to_all_of_it_in_five_seconds() {
    let mut world = World::closed_again(1_000);
    for (after_ms, expected) in [(0, 225), (2_500, 562), (5_000, 899)] {
        let mut second = World::closed_again(1_000);
        second.wait(Duration::from_millis(after_ms + 1_100));
        let spare = second.spare();
        let ramped = expected + 900 * 3 / 4 * 1_100 / 5_000;
        assert!(spare.abs_diff(ramped.min(899)) < 5, "{spare} after {after_ms} ms, not {ramped}");
    }
    assert_eq!(world.spacing(Endpoint::Authorize), Duration::from_micros(4_448), "a quarter of 900 a second");
}

#[test]
fn retries_cost_ten_successes_each() {
    let mut world = World::new(100, 500);
    for retry in 0..10 {
        assert_eq!(world.retry().waits.len(), 1, "{retry}");
    }
    assert_eq!(world.retry().denial, Some((Denial::NoRetryBudget, SECOND)));
    world.report(Endpoint::LookUp, Verdict::Success, 9);
    assert_eq!(world.retry().waits.len(), 0);
    world.report(Endpoint::Refund, Verdict::Success, 1);
    assert_eq!([world.retry().waits.len(), world.retry().waits.len()], [1, 0]);
    world.report(Endpoint::Authorize, Verdict::Success, 1_000);
    let retries = (0..60).filter(|_| world.retry().waits.len() == 1).count();
    assert_eq!(retries, 50, "the most that is saved");
}

#[test]
fn a_429_for_the_rate_slows_down_once_in_five_seconds_and_recovers() {
    for (throttle, elsewhere) in [(Throttle::EndpointRate, 899), (Throttle::GlobalRate, 629)] {
        let mut world = World::new(1_000, 5_000);
        assert_eq!(world.spare(), 899);
        world.report(Endpoint::Authorize, Verdict::Throttled(throttle), 50);
        assert_eq!(world.spare(), 629, "0.7 times");
        world.wait(Duration::from_millis(4_999));
        world.report(Endpoint::Authorize, Verdict::Throttled(throttle), 50);
        assert!(world.spare() < 660, "not again");
        let captures_per_s = SECOND.as_micros() / world.spacing(Endpoint::Capture).as_micros();
        assert!(captures_per_s.abs_diff(elsewhere) <= 25, "{captures_per_s} at the other endpoints");
        world.wait(Duration::from_millis(1));
        world.report(Endpoint::Authorize, Verdict::Throttled(throttle), 1);
        assert_eq!(world.spare(), 455, "0.7 times 0.725");
        world.wait(10 * SECOND);
        assert_eq!(world.spare(), 500, "5 % more");
        world.wait(100 * SECOND);
        assert_eq!(world.spare(), 899);
    }
}

#[test]
fn a_429_for_concurrency_limits_what_is_under_way_and_for_one_object_nothing() {
    let mut world = World::new(1_000, 5_000);
    world.permits(Endpoint::Authorize, 50);
    world.report(Endpoint::Authorize, Verdict::Throttled(Throttle::ResourceSpecific), 10);
    assert_eq!(world.permits(Endpoint::Authorize, 10).waits.len(), 10, "50 under way");
    world.report(Endpoint::Authorize, Verdict::Throttled(Throttle::EndpointConcurrency), 20);
    assert_eq!(
        (world.spare() > 800, world.permits(Endpoint::Authorize, 50).waits.len()),
        (true, 5),
        "35 of 50"
    );
    assert_eq!(world.permits(Endpoint::Authorize, 1).denial, Some((Denial::RateLimited, SECOND / 4)));
    world.report(Endpoint::Authorize, Verdict::Success, 7);
    assert_eq!(world.permits(Endpoint::Authorize, 50).waits.len(), 7);
}

#[test]
fn a_lost_state_begins_after_what_was_reserved_and_keeps_everybody_to_its_share() {
    let mut world = World::new(100, 500);
    let before = world.permits(Endpoint::Authorize, 100);
    assert!(!before.mixed);
    world.forget();
    world.wait(SECOND / 10);
    let stranger = world.permits(Endpoint::Capture, 1);
    assert_eq!((stranger.waits, stranger.mixed), (vec![Duration::ZERO], false), "new to both");
    world.known = Known { born: before.born, away: false, ahead: before.ahead };
    let back = world.permits(Endpoint::Authorize, 1);
    assert_eq!((back.waits, back.mixed), (vec![before.ahead], true));
    world.known = Known { born: back.born, ..Known::default() };
    world.wait(4 * SECOND);
    assert!(!world.permits(Endpoint::Authorize, 1).mixed);
    world.known.away = true;
    assert!(world.permits(Endpoint::Authorize, 1).mixed, "others may still be away");
}

#[test]
fn a_clock_that_was_set_back_and_garbage_in_its_keys_only_begin_it_anew() {
    let mut world = World::new(100, 500);
    world.permits(Endpoint::Authorize, 100);
    world.now -= 100 * SECOND;
    assert_eq!(world.permits(Endpoint::Authorize, 1).waits, [Duration::ZERO]);
    for garbage in
        [&[b"SET".as_slice(), b"{pay}:v1:gate", b"\xc1 no MessagePack"], &[b"SET", b"{pay}:v1:gate", b"7"]]
    {
        world.redis.ask::<String>(garbage);
        assert_eq!(world.permits(Endpoint::Authorize, 1).waits, [Duration::ZERO]);
    }
}

#[test]
fn every_key_expires() {
    let mut world = World::new(100, 500);
    world.permits(Endpoint::Authorize, 1);
    world.report(Endpoint::LookUp, Verdict::Success, 1);
    let keys: Vec<String> = world.redis.ask(&[b"KEYS", b"{pay}:v1:*"]);
    assert_eq!(keys, ["{pay}:v1:gate"]);
    assert!(keys.iter().all(|key| world.redis.ask::<i64>(&[b"PTTL", key.as_bytes()]) > 0));
}
