//! What an outage cost, and whether that is within the goals. Pure: counts in, figures out.

use super::load::{Moments, bound_s};
use crate::control::Function;
use crate::figures::Figures;
use crate::report::{float, hundredths};
use crate::sandbox;
use crate::sent::Sent;
use crate::verdict::Judgement;
use serde::Serialize;
use std::collections::BTreeMap;
use xtask::cli::Outage;

/// Calls per arriving order once the outage is noticed.
const CALLS_PER_ORDER_MAX: f64 = 0.05;

/// A drained backlog may take so much longer than the shortest time in which that is possible.
const DRAIN_FACTOR_MAX: f64 = 1.1;

/// Seconds until the first success after the provider is back.
const FIRST_SUCCESS_MAX_S: f64 = 6.0;

/// The provider's own quota for all endpoints together, in quotas of one endpoint.
const ENDPOINTS: f64 = 4.0;

/// What the figures are made of.
#[derive(Debug, Clone, Default)]
pub(super) struct Watched {
    pub(super) moments: Moments,
    /// From the log of the function that settles.
    pub(super) log: Figures,
    /// What its host counted.
    pub(super) function: Function,
    /// Messages in dead-letter queues.
    pub(super) dead: u64,
    /// The provider's counts at the end.
    pub(super) provider: sandbox::Figures,
}

/// What an outage cost.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Measured {
    /// The program that settled.
    pub(super) adapter: &'static str,
    /// Orders that arrived while the provider failed.
    pub(super) orders_in_outage: u64,
    /// Calls that reached the provider meanwhile.
    pub(super) calls_in_outage: u64,
    /// Those calls by endpoint.
    pub(super) calls_by_endpoint: BTreeMap<String, u64>,
    /// Calls by orders.
    pub(super) calls_per_order: f64,
    /// The same without the first two seconds, in which the outage has to be noticed.
    pub(super) calls_per_order_after_detection: f64,
    /// Calls beyond the quota, in the whole run.
    pub(super) answered_429: u64,
    /// Most calls in any sliding second: accepted ones by endpoint and `global`, and `offered`, refused ones included.
    pub(super) peak_per_s: BTreeMap<String, u64>,
    /// Orders that waited when the provider was back.
    pub(super) backlog: u64,
    /// Seconds until the backlog was gone; none when that was not waited for.
    pub(super) drain_s: Option<f64>,
    /// The shortest time in which it could be gone within nine tenths of the quota.
    pub(super) drain_bound_s: f64,
    /// Seconds from the provider's return to its first success; none when there was none.
    pub(super) first_success_s: Option<f64>,
    /// Seconds of invocations that confirmed nothing: what one pays for waiting.
    pub(super) wasted_lambda_s: f64,
    /// Messages in dead-letter queues.
    pub(super) dead_lettered: u64,
    /// Orders from which money was taken more than once.
    pub(super) double_charged: u64,
    /// Charges whose money is still held.
    pub(super) orphan_holds: u64,
    /// Orders sent in the whole run.
    pub(super) sent: u64,
    /// Paid in the end.
    pub(super) confirmed: u64,
    /// Lost, mismatched or unfinished in the end, and places where personal data or secrets came out.
    pub(super) wrong: u64,
}

/// A goal, what was found, and whether it was met.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Goal {
    /// What it is about, as in [`Measured`].
    pub(super) name: String,
    /// At most this.
    pub(super) at_most: f64,
    /// What was found; none when it never came to that.
    pub(super) found: Option<f64>,
    /// Whether it was met.
    pub(super) met: bool,
}

impl Measured {
    pub(super) fn new(options: &Outage, sent: &[Sent], judgement: Judgement, watched: &Watched) -> Self {
        let Moments { begun, noticed, cleared, backlog, drain_s } = &watched.moments;
        let calls = |from: &sandbox::Figures| cleared.1.calls_total.saturating_sub(from.calls_total);
        let arrived = |from_ms: u64| {
            let within = sent.iter().filter(|sent| (from_ms..cleared.0).contains(&sent.sent_at_ms));
            u64::try_from(within.count()).unwrap_or(u64::MAX)
        };
        let per_order = |from: &(u64, sandbox::Figures)| {
            let orders = float(arrived(from.0)).max(1.0);
            (float(calls(&from.1)) / orders * 10_000.0).round() / 10_000.0
        };
        let success =
            watched.provider.first_success_ms.map(|at| float(at.saturating_sub(cleared.0)) / 1_000.0);
        // An invocation that ran into its timeout left no line; the longest of all took as long as it.
        let killed_s = float(watched.function.timeouts) * watched.function.duration_ms.max / 1_000.0;
        Self {
            adapter: "",
            orders_in_outage: arrived(begun.0),
            calls_in_outage: calls(&begun.1),
            calls_by_endpoint: by_endpoint(&begun.1, &cleared.1),
            calls_per_order: per_order(begun),
            calls_per_order_after_detection: per_order(noticed),
            answered_429: watched.provider.answered_429,
            peak_per_s: watched.provider.peak_per_s.clone(),
            backlog: *backlog,
            drain_s: drain_s.map(hundredths),
            drain_bound_s: hundredths(bound_s(options, *backlog)),
            first_success_s: success.map(hundredths),
            wasted_lambda_s: hundredths(watched.log.fruitless_s + killed_s),
            dead_lettered: watched.dead,
            double_charged: judgement.double_charged,
            orphan_holds: judgement.orphan_holds,
            sent: judgement.sent,
            confirmed: judgement.confirmed,
            wrong: judgement.lost + judgement.mismatched + judgement.unfinished + judgement.leaked,
        }
    }
}

/// Calls to each endpoint from one moment to another.
fn by_endpoint(from: &sandbox::Figures, to: &sandbox::Figures) -> BTreeMap<String, u64> {
    let calls = |figures: &sandbox::Figures, endpoint: &str| -> u64 {
        figures.calls.get(endpoint).map_or(0, |classes| classes.values().sum())
    };
    to.calls.keys().map(|name| (name.clone(), calls(to, name).saturating_sub(calls(from, name)))).collect()
}

/// The goals of an outage, each with what was found.
pub(super) fn goals(options: &Outage, found: &Measured) -> Vec<Goal> {
    let goal = |name: &str, at_most: f64, found: Option<f64>| Goal {
        name: name.to_owned(),
        at_most,
        found,
        met: found.is_some_and(|found| found <= at_most),
    };
    let none = |name: &str, found: u64| goal(name, 0.0, Some(float(found)));
    let quota = f64::from(options.quota);
    let mut goals = vec![
        goal(
            "calls_per_order_after_detection",
            CALLS_PER_ORDER_MAX,
            Some(found.calls_per_order_after_detection),
        ),
        none("answered_429", found.answered_429),
        goal("drain_s", hundredths(DRAIN_FACTOR_MAX * found.drain_bound_s), found.drain_s),
        goal("first_success_s", FIRST_SUCCESS_MAX_S, found.first_success_s),
        none("dead_lettered", found.dead_lettered),
        none("double_charged", found.double_charged),
        none("orphan_holds", found.orphan_holds),
        none("wrong", found.wrong),
    ];
    goals.extend(found.peak_per_s.iter().map(|(endpoint, peak)| {
        let of_all = ["global", "offered"].contains(&endpoint.as_str());
        let quota = if of_all { ENDPOINTS * quota } else { quota };
        goal(&format!("peak_per_s.{endpoint}"), quota, Some(float(*peak)))
    }));
    goals
}

#[cfg(test)]
mod tests {
    use super::{Measured, Moments, Watched, goals};
    use crate::control::{Durations, Function};
    use crate::figures::Figures;
    use crate::sandbox;
    use crate::sent::Sent;
    use crate::verdict::Judgement;
    use clap::Parser as _;
    use xtask::cli::{Cli, Command, Outage};

    fn options() -> Outage {
        let line = ["xtask", "outage", "--kind", "hang", "--rate", "60", "--quota", "100"];
        let Command::Outage(options) = Cli::parse_from(line).command else { panic!("not `outage`") };
        options
    }

    fn sent(sent_at_ms: u64) -> Sent {
        let (unit, kind, message_id, traceparent) =
            (sent_at_ms.to_string(), "plain".into(), String::new(), String::new());
        Sent { unit, kind, order: None, expected: Vec::new(), message_id, sent_at_ms, traceparent }
    }

    fn calls(calls_total: u64) -> sandbox::Figures {
        let calls = [("authorize".to_owned(), [("2xx".to_owned(), calls_total)].into())].into();
        sandbox::Figures { calls, calls_total, ..sandbox::Figures::default() }
    }

    /// An order every 10 ms; the outage from 1 s to 5 s, noticed at 3 s, over 40 calls to notice it and 5 more.
    fn measured() -> Measured {
        let all: Vec<Sent> = (0..700).map(|n| sent(n * 10)).collect();
        let moments = Moments {
            begun: (1_000, calls(100)),
            noticed: (3_000, calls(140)),
            cleared: (5_000, calls(145)),
            backlog: 300,
            drain_s: Some(10.5),
        };
        let provider = sandbox::Figures {
            first_success_ms: Some(6_500),
            peak_per_s: [("authorize".to_owned(), 92), ("global".to_owned(), 180)].into(),
            ..calls(900)
        };
        let duration_ms = Durations { max: 30_000.0, ..Durations::default() };
        let function = Function { timeouts: 2, duration_ms, ..Function::default() };
        let log = Figures { fruitless_s: 12.0, ..Figures::default() };
        let judgement = Judgement { sent: 700, confirmed: 700, ..Judgement::default() };
        Measured::new(&options(), &all, judgement, &Watched { moments, log, function, dead: 0, provider })
    }

    #[test]
    fn calls_are_counted_by_the_orders_that_arrived_meanwhile() {
        let found = measured();
        assert_eq!((found.orders_in_outage, found.calls_in_outage), (400, 45));
        assert_eq!(found.calls_by_endpoint, [("authorize".to_owned(), 45)].into());
        assert_eq!((found.calls_per_order, found.calls_per_order_after_detection), (0.1125, 0.025));
    }

    #[test]
    fn times_count_from_the_providers_return() {
        let found = measured();
        assert_eq!(
            (found.first_success_s, found.drain_s, found.drain_bound_s),
            (Some(1.5), Some(10.5), 10.0)
        );
        assert_eq!(found.wasted_lambda_s, 72.0, "two killed invocations of 30 s, and 12 s of others");
    }

    #[track_caller]
    fn check(spoil: impl FnOnce(&mut Measured), missed: &[&str]) {
        let mut found = measured();
        spoil(&mut found);
        let goals = goals(&options(), &found);
        let names: Vec<&str> = goals.iter().filter(|goal| !goal.met).map(|goal| goal.name.as_str()).collect();
        assert_eq!(names, missed);
    }

    #[test]
    fn each_goal_can_be_missed() {
        check(|_| (), &[]);
        check(|found| found.calls_per_order_after_detection = 0.051, &["calls_per_order_after_detection"]);
        check(|found| found.answered_429 = 1, &["answered_429"]);
        check(|found| found.drain_s = Some(11.1), &["drain_s"]);
        check(|found| found.drain_s = None, &["drain_s"]);
        check(|found| found.first_success_s = Some(6.1), &["first_success_s"]);
        check(|found| found.dead_lettered = 1, &["dead_lettered"]);
        check(|found| found.double_charged = 1, &["double_charged"]);
        check(|found| found.orphan_holds = 1, &["orphan_holds"]);
        check(|found| found.wrong = 1, &["wrong"]);
        check(|found| found.peak_per_s.extend([("authorize".into(), 101)]), &["peak_per_s.authorize"]);
        check(|found| found.peak_per_s.extend([("offered".into(), 401)]), &["peak_per_s.offered"]);
    }
}
