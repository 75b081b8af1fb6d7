//! The gate of several processes over one real Redis (or Valkey): what the provider sees when all of them hammer, and
//! when Redis is killed, frozen, restarted empty or has forgotten the scripts in the middle.
//!
//! What needs minutes or an exact clock is tested inside the crate, on a clock that the test moves.

#![cfg(test)]

mod fleet;
mod trouble;

use std::time::Duration;

use payments::{Denial, Endpoint, Gate, Grant, Permit, Report, Verdict};

use crate::fleet::{Fleet, PATIENT, busiest};

fn faults(count: usize) -> Vec<Report> {
    vec![Report { verdict: Verdict::ProviderFault, probe: false, took: Duration::ZERO }; count]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_hammer_use_the_rate_and_never_exceed_the_quota() {
    let fleet = Fleet::start(8, 200, PATIENT);
    let length = Duration::from_secs(4);
    let hammered = fleet.hammer(Endpoint::Authorize, length).await;
    assert!(busiest(&hammered) <= 200, "{} in a second", busiest(&hammered));
    let seconds = hammered.span().as_secs_f64();
    let rate = f64::from(u32::try_from(hammered.used.len()).unwrap()) / seconds;
    assert!(rate >= 0.95 * 0.9 * 200.0, "{rate} a second");
    assert!(fleet.gates.iter().all(|gate| gate.redis_degraded() == 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_processes_that_ask_at_once_one_probes() {
    let fleet = Fleet::start(50, 1_000, PATIENT);
    fleet.gates[0].report(Endpoint::Capture, &faults(20), fleet.deadline()).await;
    for gate in &fleet.gates[..2] {
        let permits = gate.permits(Endpoint::Authorize, 2, PATIENT, fleet.deadline()).await;
        assert!(
            permits.iter().all(|permit| matches!(permit, Permit::Denied { why: Denial::BreakerOpen, .. }))
        );
    }
    fleet
        .until("the breaker is half-open", async || fleet.gates[2].spare_per_s(fleet.deadline()).await == 1)
        .await;
    // Nobody still believes that it is open.
    fleet.sleep(Duration::from_millis(250)).await;
    let asked = fleet.gates.iter().map(|gate| {
        let (gate, deadline) = (gate.clone(), fleet.deadline());
        tokio::spawn(async move { gate.permits(Endpoint::Authorize, 3, PATIENT, deadline).await })
    });
    let mut given = Vec::new();
    for asked in asked.collect::<Vec<_>>() {
        given.extend(asked.await.unwrap().into_iter().filter(|permit| matches!(permit, Permit::Go(_))));
    }
    assert!(matches!(given[..], [Permit::Go(Grant { probe: true, .. })]), "{given:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_breaker_is_believed_for_a_moment_without_asking() {
    let fleet = Fleet::start(1, 1_000, PATIENT);
    let gate = &fleet.gates[0];
    gate.report(Endpoint::Capture, &faults(20), fleet.deadline()).await;
    gate.permits(Endpoint::Authorize, 1, PATIENT, fleet.deadline()).await;
    let calls = gate.redis_calls();
    let permits = gate.permits(Endpoint::Capture, 3, PATIENT, fleet.deadline()).await;
    assert!(permits.iter().all(|permit| matches!(permit, Permit::Denied { why: Denial::BreakerOpen, .. })));
    assert_eq!((permits.len(), gate.redis_calls() - calls), (3, 0));
    let look_up = gate.permits(Endpoint::LookUp, 1, PATIENT, fleet.deadline()).await;
    assert!(matches!(look_up[..], [Permit::Go(_)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pair_of_permits_and_reports_is_two_commands() {
    let fleet = Fleet::start(1, 1_000, PATIENT);
    let gate = &fleet.gates[0];
    for expected in [4, 2, 2] {
        let calls = gate.redis_calls();
        let permits = gate.permits(Endpoint::Authorize, 10, PATIENT, fleet.deadline()).await;
        assert_eq!(permits.len(), 10);
        gate.report(Endpoint::Authorize, &faults(1), fleet.deadline()).await;
        assert_eq!(gate.redis_calls() - calls, expected, "the first one loads both scripts");
    }
    fleet.redis.ask::<String>(&[b"SCRIPT", b"FLUSH"]);
    let permits = gate.permits(Endpoint::Authorize, 10, PATIENT, fleet.deadline()).await;
    assert!(permits.iter().all(|permit| matches!(permit, Permit::Go(_))));
    assert_eq!(gate.redis_degraded(), 0, "a forgotten script is no failure");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_reserved_beyond_the_deadline() {
    let fleet = Fleet::start(1, 10, PATIENT);
    let permits = fleet.gates[0].permits(Endpoint::Authorize, 500, PATIENT, fleet.deadline()).await;
    assert_eq!(permits.len(), 500, "one answer each");
    let waits = permits.iter().filter_map(|permit| match permit {
        Permit::Go(Grant { after, .. }) => Some(*after),
        Permit::Denied { why, retry_after } => {
            assert_eq!(*why, Denial::RateLimited);
            assert!(!retry_after.is_zero());
            None
        }
    });
    assert!(waits.clone().count() > 10 && waits.max().unwrap() <= Duration::from_secs(2));
}
