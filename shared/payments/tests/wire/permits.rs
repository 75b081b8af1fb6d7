//! Permits and reports: one call for a batch, nothing without a permit, one report for each.

use std::time::Duration;

use backoff::Deadline;
use futures_util::{FutureExt, StreamExt};
use payments::{Denial, Endpoint, Grant, Later, Outcome, Payments, Permit, Report, Request, Verdict};

use crate::clock::Watch;
use crate::gate::{GO, PROBE, Script, denied};
use crate::server::{Reply, Server};
use crate::{authorize, capture, door, door_behind, id, intent, ok, send, send_all, short, soon, timed};

const HELD: fn() -> Outcome = || Outcome::Authorized { payment_id: id("pi_1") };

fn unused(probe: bool) -> Report {
    Report { verdict: Verdict::Neutral, probe, took: Duration::ZERO }
}

#[tokio::test]
async fn a_batch_asks_once_and_reports_once() {
    let server = Server::start(vec![ok(intent("requires_capture")); 10]);
    let door = door(&server);
    let outcomes = send_all(&door, &vec![authorize(); 10]).await;
    assert_eq!(outcomes, vec![HELD(); 10]);
    let heard = door.gate().heard();
    assert_eq!(heard.asked, [(Endpoint::Authorize, 10, Duration::from_secs(2))]);
    assert_eq!((heard.reports.len(), heard.reports[0].1.len()), (1, 10));
}

#[tokio::test]
async fn what_has_no_permit_is_not_sent() {
    let server = Server::start([ok(intent("requires_capture"))]);
    let permits = [denied(Denial::BreakerOpen), GO, denied(Denial::RateLimited)];
    let door = door_behind(Script::of(&permits, &[]), &server);
    let outcomes = send_all(&door, &[authorize(), authorize(), authorize()]).await;
    let not_before = Some(Duration::from_secs(3));
    let kept = |why| Outcome::Later { why, not_before };
    assert_eq!(outcomes, [kept(Later::BreakerOpen), HELD(), kept(Later::RateLimited)]);
    assert_eq!((server.arrived().len(), door.gate().reports(Endpoint::Authorize).len()), (1, 1));
}

#[tokio::test]
async fn a_place_in_the_line_is_waited_for() {
    let server = Server::start([ok(intent("requires_capture"))]);
    let after = Duration::from_millis(120);
    let door = door_behind(Script::of(&[Permit::Go(Grant { after, probe: false })], &[]), &server);
    let (outcome, took) = timed(send(&door, authorize())).await;
    assert_eq!(outcome, HELD());
    assert!(took >= after, "{took:?}");
}

#[tokio::test]
async fn a_place_behind_the_deadline_is_given_back() {
    let server = Server::start([]);
    let after = Duration::from_secs(19) + Duration::from_millis(500);
    let door = door_behind(Script::of(&[Permit::Go(Grant { after, probe: true })], &[]), &server);
    assert_eq!(send(&door, authorize()).await, Outcome::Later { why: Later::NoTime, not_before: None });
    assert_eq!(door.gate().reports(Endpoint::Authorize), [unused(true)]);
    assert!(server.arrived().is_empty());
}

#[tokio::test]
async fn a_probe_is_short_and_not_repeated() {
    let server = Server::start([Reply::Hang, ok(intent("requires_capture"))]);
    let door = door_behind(Script::of(&[PROBE], &[]), &server).with_timeouts(short());
    let (outcome, took) = timed(send(&door, authorize())).await;
    assert_eq!(outcome, Outcome::Later { why: Later::NoAnswer, not_before: None });
    assert!(took < short().change, "{took:?}");
    let reports = door.gate().reports(Endpoint::Authorize);
    assert_eq!((reports.len(), reports[0].verdict, reports[0].probe), (1, Verdict::ProviderFault, true));
    assert_eq!(door.gate().heard().retries, 0);
}

#[tokio::test]
async fn a_slow_request_holds_up_neither_its_neighbours_nor_their_reports() {
    // Two connections: which request meets which reply does not matter.
    let server = Server::start([Reply::Hang, ok(intent("requires_capture"))]);
    let door = door(&server);
    let requests = [authorize(), authorize()];
    let mut step = Box::pin(door.send(&requests, soon()));
    let ((_, outcome), took) = timed(async { step.next().await.unwrap() }).await;
    assert_eq!(outcome, HELD());
    assert!(took < Duration::from_secs(2), "{took:?}");
    // Until the slow one ends there is an early report, of the quick one.
    let early = async {
        while door.gate().heard().reports.is_empty() {
            assert!(step.next().now_or_never().is_none());
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(2), early).await.unwrap();
    assert_eq!(door.gate().reports(Endpoint::Authorize).len(), 1);
    // Let go of the slow one: the next step brings its report.
    drop(step);
    assert!(door.send(&[], soon()).collect::<Vec<_>>().await.is_empty());
    let reports = door.gate().reports(Endpoint::Authorize);
    assert_eq!((reports.len(), reports[1].verdict), (2, Verdict::Neutral));
}

#[tokio::test]
async fn the_last_outcome_comes_after_the_report() {
    let server = Server::start([ok(intent("requires_capture"))]);
    let door = door(&server);
    let requests = [authorize()];
    let mut step = Box::pin(door.send(&requests, soon()));
    assert!(step.next().await.is_some());
    assert_eq!(door.gate().reports(Endpoint::Authorize).len(), 1, "a caller that counts may let go now");
}

#[tokio::test]
async fn without_time_no_permit_is_asked_for() {
    let server = Server::start([]);
    let door = door(&server);
    let requests = [authorize(), capture()];
    let clock = Watch::default();
    for deadline in [Deadline { at_ms: 600_000 }, Deadline::after(&clock, Duration::from_millis(900))] {
        let outcomes: Vec<_> = door.send(&requests, deadline).collect().await;
        assert_eq!(outcomes.len(), 2);
        assert!(outcomes.iter().all(|(_, outcome)| outcome.as_str() == "no_time_left"));
    }
    assert!(door.gate().heard().asked.is_empty() && server.arrived().is_empty());
}

#[tokio::test]
async fn an_empty_step_ends_at_once() {
    let server = Server::start([]);
    let door = door(&server);
    let requests: [Request; 0] = [];
    assert!(door.send(&requests, soon()).collect::<Vec<_>>().await.is_empty());
    assert!(door.gate().heard().asked.is_empty());
}
