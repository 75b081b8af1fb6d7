//! A sick Redis: work goes on at the local share, the quota holds through every change-over, and the shared state is in
//! use again once Redis is well.

use std::time::Duration;

use payments::{Denial, Endpoint, Gate, Permit, Report, Verdict};

use crate::fleet::{Fleet, SHORT, busiest};

const QUOTA: u32 = 200;

/// Hammers for three times so long, with trouble after the first part and its end after the second.
async fn through_trouble(fleet: &mut Fleet, part: Duration, begin: fn(&mut Fleet), end: fn(&mut Fleet)) {
    let gates = fleet.gates.clone();
    let others = Fleet { redis: redis_server::Server::stopped(), gates };
    let hammering = tokio::spawn(async move { others.hammer(Endpoint::Authorize, part * 3).await });
    fleet.sleep(part).await;
    begin(fleet);
    let degraded = fleet.sum_degraded();
    fleet.sleep(part).await;
    assert!(fleet.sum_degraded() > degraded, "the trouble was noticed");
    end(fleet);
    let hammered = hammering.await.unwrap();
    let most = busiest(&hammered);
    assert!(most <= usize::try_from(QUOTA).unwrap(), "{most} in a second");
    let first = hammered.used.iter().min().copied().unwrap();
    let without_redis = hammered.used.iter().filter(|used| {
        let at = **used - first;
        at > part + Duration::from_secs(2) && at < part * 2
    });
    assert!(without_redis.count() > 50, "work goes on at the local share");
    fleet.is_shared_again().await;
}

impl Fleet {
    fn sum_degraded(&self) -> u64 {
        self.gates.iter().map(|gate| gate.redis_degraded()).sum()
    }

    /// Every process uses Redis again.
    async fn is_shared_again(&self) {
        for gate in &self.gates {
            self.until("the gate asks Redis again", async || {
                let degraded = gate.redis_degraded();
                gate.permits(Endpoint::LookUp, 1, Duration::ZERO, self.deadline()).await;
                gate.redis_degraded() == degraded
            })
            .await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_may_be_killed_and_restarted_empty() {
    let mut fleet = Fleet::start(4, QUOTA, SHORT);
    let part = Duration::from_secs(4);
    through_trouble(&mut fleet, part, |fleet| fleet.redis.kill(), |fleet| fleet.redis.start_again()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_may_freeze_and_thaw() {
    let mut fleet = Fleet::start(4, QUOTA, SHORT);
    let part = Duration::from_secs(4);
    through_trouble(&mut fleet, part, |fleet| fleet.redis.freeze(), |fleet| fleet.redis.thaw()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_a_process_has_its_own_breaker_and_one_retry() {
    let mut fleet = Fleet::start(1, QUOTA, SHORT);
    fleet.redis.kill();
    let gate = &fleet.gates[0];
    let retry = gate.retry_permit(Endpoint::Authorize, fleet.deadline()).await;
    assert!(matches!(retry, Permit::Go(_)), "{retry:?}");
    let retry = gate.retry_permit(Endpoint::Authorize, fleet.deadline()).await;
    assert!(matches!(retry, Permit::Denied { why: Denial::NoRetryBudget, .. }), "{retry:?}");
    assert!(gate.spare_per_s(fleet.deadline()).await > 0);
    let fault = Report { verdict: Verdict::ProviderFault, probe: false, took: Duration::ZERO };
    gate.report(Endpoint::Authorize, &[fault; 3], fleet.deadline()).await;
    let permits = gate.permits(Endpoint::Authorize, 1, Duration::from_secs(2), fleet.deadline()).await;
    assert!(matches!(permits[..], [Permit::Denied { why: Denial::BreakerOpen, .. }]), "{permits:?}");
    assert!(!gate.warm_up().await);
}
