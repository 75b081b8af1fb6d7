//! The knee: the offered rate at which the slowest orders become too slow.

use super::measured::Rung;
use serde::Serialize;

/// What p99 of accepted orders must stay below, in milliseconds.
pub(super) const P99_LIMIT_MS: f64 = 100.0;

/// Where the knee is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Knee {
    /// Messages a second.
    pub(super) per_s: f64,
    /// Whether no step was too slow, so that the knee lies somewhere above.
    pub(super) at_least: bool,
}

/// Looks for the first step that was too slow, and draws a straight line from the one before; none when the first one was
/// too slow already. A step whose messages the generator could not send at their time does not count.
pub(super) fn knee(rungs: &[Rung]) -> Option<Knee> {
    let mut good: Option<(f64, f64)> = None;
    for rung in rungs.iter().filter(|rung| rung.dropped == 0) {
        let point = (rung.offered_per_s, rung.accepted_ms.p99?);
        if point.1 < P99_LIMIT_MS {
            good = Some(point);
            continue;
        }
        let (from_per_s, from_ms) = good?;
        let share = (P99_LIMIT_MS - from_ms) / (point.1 - from_ms);
        let per_s = (from_per_s + share * (point.0 - from_per_s).max(0.0)).round();
        return Some(Knee { per_s, at_least: false });
    }
    good.map(|(per_s, _)| Knee { per_s: per_s.round(), at_least: true })
}

#[cfg(test)]
mod tests {
    use super::{Knee, Rung, knee};
    use crate::figures::Percentiles;

    #[track_caller]
    fn check(steps: &[(f64, f64)], expected: Option<Knee>) {
        let rung = |(offered_per_s, p99): &(f64, f64)| Rung {
            offered_per_s: *offered_per_s,
            accepted_ms: Percentiles { p99: Some(*p99), ..Percentiles::default() },
            ..Rung::default()
        };
        assert_eq!(knee(&steps.iter().map(rung).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn the_knee_lies_where_the_limit_is_crossed() {
        let exactly = |per_s| Some(Knee { per_s, at_least: false });
        check(&[(100.0, 40.0), (200.0, 50.0), (300.0, 150.0), (400.0, 900.0)], exactly(250.0));
        check(&[(100.0, 40.0), (200.0, 100.0)], exactly(200.0));
        check(&[(100.0, 40.0), (200.0, 60.0)], Some(Knee { per_s: 200.0, at_least: true }));
        check(&[(100.0, 140.0), (200.0, 60.0)], None);
        check(&[], None);
    }

    #[test]
    fn a_step_that_was_not_offered_as_planned_does_not_count() {
        let rung = |offered_per_s, p99, dropped| Rung {
            offered_per_s,
            dropped,
            accepted_ms: Percentiles { p99: Some(p99), ..Percentiles::default() },
            ..Rung::default()
        };
        let rungs = [rung(100.0, 40.0, 0), rung(150.0, 900.0, 3), rung(200.0, 60.0, 0)];
        assert_eq!(knee(&rungs), Some(Knee { per_s: 200.0, at_least: true }));
    }
}
