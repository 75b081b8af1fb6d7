//! Time: no attempt outlives the deadline or starts too late, and the provider's wish to be left alone is granted.

use std::time::Duration;

use backoff::{Clock, Deadline, ManualClock, Random};
use futures_util::{FutureExt, StreamExt};
use payments::{Answer, Grant, Later, Outcome, Payments, Permit, Request, Signal, Timeouts, Wrapper};
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

use crate::gate::Script;
use crate::server::{Reply, Server};
use crate::twin::Twin;
use crate::{authorize, capture, door_behind, id, intent, ok, send, stripe};

const NOW_MS: u64 = 1_790_000_000_000;

/// Sends `requests` with `ahead` left; everything ends without waiting in earnest.
fn step(twin: &Twin, gate: Script, requests: &[Request], ahead: Duration) -> Vec<(usize, Outcome)> {
    let clock = twin.clock.clone();
    let deadline = Deadline::after(&clock, ahead);
    let wrapper = Wrapper::new(gate, twin, (clock, Random::seeded(1)), "test");
    wrapper.send(requests, deadline).collect::<Vec<_>>().now_or_never().unwrap()
}

fn grants() -> impl Strategy<Value = Permit> {
    (0_u64..3_000, any::<bool>())
        .prop_map(|(after_ms, probe)| Permit::Go(Grant { after: Duration::from_millis(after_ms), probe }))
}

fn answers() -> impl Strategy<Value = (Answer, Duration)> {
    let signal = prop_oneof![
        proptest::sample::select(Signal::ALL),
        proptest::sample::select(&[Signal::TimedOut, Signal::ClosedBeforeAnswer, Signal::InFlight][..]),
    ];
    (signal, proptest::option::of(0_u64..8), any::<Option<bool>>(), 0_u64..6_000).prop_map(
        |(signal, retry_after_s, should_retry, took_ms)| {
            let retry_after = retry_after_s.map(Duration::from_secs);
            (Answer { retry_after, should_retry, ..Answer::of(signal) }, Duration::from_millis(took_ms))
        },
    )
}

proptest! {
    #[test]
    fn no_attempt_outlives_the_deadline_or_starts_with_too_little_time(
        ahead_ms in 0_u64..30_000,
        permits in proptest::collection::vec(grants(), 0..6),
        retries in proptest::collection::vec(grants(), 0..6),
        replies in proptest::collection::vec(answers(), 0..12),
    ) {
        let twin = Twin::new(&ManualClock::at_ms(NOW_MS), replies);
        let requests = [authorize(), authorize(), authorize()];
        let ended = step(&twin, Script::of(&permits, &retries), &requests, Duration::from_millis(ahead_ms));
        let mut positions: Vec<usize> = ended.iter().map(|(at, _)| *at).collect();
        positions.sort_unstable();
        prop_assert_eq!(positions, [0, 1, 2]);
        let usual = Timeouts::default();
        for (began_ms, timeout) in twin.attempts.lock().unwrap().iter() {
            let left = Duration::from_millis((NOW_MS + ahead_ms).saturating_sub(*began_ms));
            prop_assert!(*timeout <= left && *timeout >= usual.least && *timeout <= usual.change);
        }
        // A charge that nobody has shown is never done.
        let done = |outcome: &Outcome| {
            matches!(outcome.as_str(), "authorized" | "captured" | "canceled" | "awaits_provider")
        };
        prop_assert!(!ended.iter().any(|(_, outcome)| done(outcome)));
    }
}

#[test]
fn a_near_deadline_shortens_the_attempt_down_to_a_floor() {
    for (ahead_ms, timeouts_ms) in
        [(20_000, [5_000; 3].as_slice()), (3_000, &[3_000]), (1_000, &[1_000]), (999, &[])]
    {
        let twin = Twin::new(&ManualClock::at_ms(NOW_MS), []);
        let ended = step(&twin, Script::default(), &[authorize()], Duration::from_millis(ahead_ms));
        let why = if timeouts_ms.is_empty() { Later::NoTime } else { Later::NoAnswer };
        assert_eq!(ended, [(0, Outcome::Later { why, not_before: None })]);
        let attempts: Vec<u128> = twin.attempts.lock().unwrap().iter().map(|(_, t)| t.as_millis()).collect();
        let expected: Vec<u128> = timeouts_ms.to_vec();
        assert_eq!(attempts, expected, "with {ahead_ms} ms left");
    }
}

#[test]
fn the_provider_is_left_alone_for_as_long_as_it_asks_within_limits() {
    for (asked_s, least_ms, most_ms) in
        [(0, 0, 100), (1, 1_000, 1_000), (4, 4_000, 4_000), (60, 5_000, 5_100)]
    {
        let busy =
            Answer { retry_after: Some(Duration::from_secs(asked_s)), ..Answer::of(Signal::GatewayFailed) };
        let twin =
            Twin::new(&ManualClock::at_ms(NOW_MS), [(busy.clone(), Duration::ZERO), (busy, Duration::ZERO)]);
        step(
            &twin,
            Script::of(&[], &[crate::gate::GO, crate::gate::denied(payments::Denial::RateLimited)]),
            &[capture()],
            Duration::from_secs(25),
        );
        let began: Vec<u64> = twin.attempts.lock().unwrap().iter().map(|(began_ms, _)| *began_ms).collect();
        assert_eq!(began.len(), 2);
        let waited_ms = began[1] - began[0];
        assert!((least_ms..=most_ms).contains(&waited_ms), "asked for {asked_s} s, waited {waited_ms} ms");
    }
}

#[tokio::test]
async fn so_it_is_on_the_wire() {
    let busy = Reply::with(503, "retry-after: 1", "{}");
    let server = Server::start([busy, ok(intent("succeeded"))]);
    let clock = crate::Watch::default();
    let door: crate::Door = Wrapper::new(
        Script::default(),
        stripe(&server.url, &clock),
        (clock.clone(), Random::seeded(1)),
        "test",
    );
    assert_eq!(send(&door, capture()).await, Outcome::Captured { payment_id: id("pi_1") });
    assert_eq!(clock.pauses(), [Duration::from_secs(1)]);
    // A throttled request that is to wait for longer is handed back, with the wish.
    let limited = Reply::with(429, "stripe-rate-limited-reason: endpoint-rate\r\nretry-after: 3", "{}");
    let server = Server::start([limited]);
    let outcome = send(&door_behind(Script::default(), &server), capture()).await;
    assert_eq!(outcome, Outcome::Later { why: Later::Throttled, not_before: Some(Duration::from_secs(3)) });
    assert_eq!(server.arrived().len(), 1);
}

#[test]
fn a_hanging_provider_costs_its_timeout_and_no_more() {
    let clock = ManualClock::at_ms(NOW_MS);
    let twin = Twin::new(&clock, []);
    step(&twin, Script::default(), &[authorize()], Duration::from_millis(28_500));
    let attempts = twin.attempts.lock().unwrap().len();
    assert_eq!(attempts, 3);
    assert!(clock.now_ms() - NOW_MS <= 15_300, "three attempts of 5 s, and pauses of 100 and 200 ms at most");
}
