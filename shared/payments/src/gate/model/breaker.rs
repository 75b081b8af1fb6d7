//! The shared breaker against its promises: what opens it, who probes, what closes it.

use std::time::Duration;

use super::{CLOSED, HALF_OPEN, OPEN, SECOND, World};
use crate::gate::Ask;
use crate::{Denial, Endpoint, Report, Throttle, Verdict};

#[test]
fn twenty_samples_half_of_them_faults_open_the_breaker_of_charges_alone() {
    let mut world = World::new(100, 500);
    assert_eq!(world.report(Endpoint::Authorize, Verdict::ProviderFault, 10), CLOSED, "too few");
    assert_eq!(world.report(Endpoint::Authorize, Verdict::Success, 9), CLOSED);
    assert_eq!(world.report(Endpoint::Capture, Verdict::Success, 1), OPEN, "10 of 20");
    let denied = world.permits(Endpoint::Cancel, 3);
    assert_eq!(denied.denial, Some((Denial::BreakerOpen, SECOND / 2)));
    assert_eq!((denied.waits.len(), world.spare()), (0, 0));
    assert_eq!(world.permits(Endpoint::LookUp, 3).waits.len(), 3);
}

#[test]
fn twenty_faults_since_the_last_success_open_it_however_many_came_before() {
    let mut world = World::new(100, 500);
    world.report(Endpoint::Capture, Verdict::Success, 500);
    assert_eq!(world.report(Endpoint::Authorize, Verdict::ProviderFault, 19), CLOSED);
    world.report(Endpoint::Capture, Verdict::Success, 1);
    assert_eq!(world.report(Endpoint::Authorize, Verdict::ProviderFault, 19), CLOSED, "not in a row");
    assert_eq!(world.report(Endpoint::Capture, Verdict::ProviderFault, 1), OPEN);
}

#[test]
fn fewer_faults_than_successes_old_faults_and_what_is_no_fault_open_nothing() {
    let mut world = World::new(100, 500);
    world.report(Endpoint::Authorize, Verdict::Success, 11);
    assert_eq!(world.report(Endpoint::Authorize, Verdict::ProviderFault, 10), CLOSED);
    world.wait(10 * SECOND);
    assert_eq!(world.report(Endpoint::Authorize, Verdict::ProviderFault, 9), CLOSED, "the others are over");
    world.wait(10 * SECOND);
    let throttled = [
        Throttle::GlobalRate,
        Throttle::EndpointRate,
        Throttle::GlobalConcurrency,
        Throttle::ResourceSpecific,
    ];
    for verdict in throttled.map(Verdict::Throttled).into_iter().chain([Verdict::Neutral]) {
        assert_eq!(world.report(Endpoint::Authorize, verdict, 100), CLOSED);
    }
}

#[test]
fn silence_opens_it_before_any_call_has_timed_out() {
    let mut world = World::new(100, 500);
    let given = world.permits(Endpoint::Authorize, 21).waits.len();
    assert_eq!(given, 21);
    let mut waited = Duration::ZERO;
    while world.spare() > 0 {
        world.wait(SECOND / 20);
        waited += SECOND / 20;
        assert!(waited < 3 * SECOND, "never noticed");
    }
    // The twentieth permit was for 0.22 s; a permit is old at 1.5 s, and counted by quarters of a second.
    assert!(waited >= 3 * SECOND / 2 && waited <= Duration::from_millis(2_000), "{waited:?}");
}

#[test]
fn answers_break_the_silence() {
    for unanswered in [19, 40] {
        let mut world = World::new(100, 500);
        world.sent(40);
        world.wait(SECOND);
        let reports = vec![Report { verdict: Verdict::Success, probe: false, took: SECOND }; 40 - unanswered];
        world.reports(Endpoint::Authorize, &reports);
        world.wait(SECOND);
        assert!(unanswered == 40 || world.spare() > 0, "one success lately, or fewer than 20 unanswered");
        world.wait(SECOND);
        assert_eq!(world.spare() > 0, unanswered == 19);
    }
}

#[test]
fn one_probe_at_a_time_and_a_crashed_prober_blocks_for_its_lease() {
    let mut world = World::opened(100);
    world.wait(SECOND / 2);
    assert_eq!(world.spare(), 1);
    let first = world.permits(Endpoint::Authorize, 10);
    assert!(first.probe);
    assert_eq!((first.waits.len(), first.denial.unwrap().0), (1, Denial::BreakerOpen));
    assert_eq!((world.permits(Endpoint::Capture, 10).waits.len(), world.spare()), (0, 0));
    world.wait(Duration::from_millis(2_499));
    assert_eq!(world.permits(Endpoint::Capture, 1).waits.len(), 0, "it may still answer");
    world.wait(Duration::from_millis(1));
    assert!(world.permits(Endpoint::Capture, 1).probe, "it has crashed");
}

#[test]
fn a_retry_never_probes() {
    let mut world = World::opened(100);
    world.wait(SECOND / 2);
    assert_eq!(world.retry().denial.unwrap().0, Denial::BreakerOpen);
    assert!(world.permits(Endpoint::Authorize, 1).probe);
}

#[test]
fn a_failed_probe_opens_it_again_for_longer_and_a_neutral_one_says_nothing() {
    let mut world = World::opened(100);
    for pause_ms in [500, 1_000, 2_000, 2_000] {
        let denied = world.permits(Endpoint::Authorize, 1).denial;
        assert_eq!(denied, Some((Denial::BreakerOpen, Duration::from_millis(pause_ms))));
        world.wait(Duration::from_millis(pause_ms));
        assert!(world.permits(Endpoint::Authorize, 1).probe);
        assert_eq!(world.report_probe(Verdict::Neutral), HALF_OPEN);
        assert!(world.permits(Endpoint::Authorize, 1).probe, "at once");
        assert_eq!(world.report_probe(Verdict::ProviderFault), OPEN);
    }
}

#[test]
fn the_open_time_is_jittered_by_the_random_number() {
    let mut world = World::new(100, 500);
    world.sent(40);
    world.wait(2 * SECOND);
    let ask = Ask { endpoint: Endpoint::Authorize, wanted: 1, most_wait: SECOND, retry: false };
    assert_eq!(world.ask(&ask, 1_000).denial, Some((Denial::BreakerOpen, SECOND / 4)));
}

#[test]
fn three_successes_close_it_and_late_faults_of_the_outage_do_not_open_it_again() {
    let mut world = World::closed_again(100);
    let late = vec![Report { verdict: Verdict::ProviderFault, probe: false, took: 5 * SECOND }; 60];
    assert_eq!(world.reports(Endpoint::Authorize, &late), CLOSED);
    assert_eq!(world.report(Endpoint::Authorize, Verdict::ProviderFault, 20), OPEN, "new ones do");
}

#[test]
fn a_state_from_before_faults_were_counted_goes_on() {
    let mut world = World::new(100, 500);
    world.report(Endpoint::Authorize, Verdict::ProviderFault, 1);
    let forget = b"local all = cmsgpack.unpack(redis.call('GET', KEYS[1])) \
        local group = cmsgpack.unpack(all.breakers[1]) \
        group.faults = nil \
        all.breakers[1] = cmsgpack.pack(group) \
        redis.call('SET', KEYS[1], cmsgpack.pack(all)) return 1";
    assert_eq!(world.redis.ask::<i64>(&[b"EVAL", forget, b"1", b"{pay}:v1:gate"]), 1);
    assert_eq!(world.permits(Endpoint::Authorize, 1).waits.len(), 1);
    assert_eq!(world.report(Endpoint::Authorize, Verdict::Success, 1), CLOSED);
    assert_eq!(world.report(Endpoint::Authorize, Verdict::ProviderFault, 20), OPEN);
}
