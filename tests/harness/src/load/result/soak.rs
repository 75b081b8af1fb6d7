//! What a soak must not do: grow, keep what it opened, or slow down. Its last quarter is compared with its
//! second; in the first, instances start and caches fill.

use super::{Goal, at_most};
use crate::figures::Percentiles;
use crate::load::leg::Leg;
use crate::load::measured;
use crate::load::watch::Sample;
use crate::report::float;
use std::ops::Range;

/// By how much the memory of an instance may grow.
const MEMORY_GROWTH_MAX: f64 = 1.05;

/// By how much the slowest in a hundred may become slower.
const SLOWER_MAX: f64 = 1.2;

/// Each goal is missed as well when a quarter has nothing to compare.
pub(super) fn goals(leg: &Leg) -> [Goal; 3] {
    [
        // What is resident now: the most ever resident, once high at a start, would hide a leak below it.
        at_most(
            "memory of an instance, last quarter by second: at most 1.05",
            pair(|nth| highest(leg, nth, |sample| sample.memory_kb)).map(|(second, last)| last / second),
            MEMORY_GROWTH_MAX,
        ),
        // Connections come and go, so single looks differ; what is kept raises the highest of a quarter.
        at_most(
            "open handles of an instance, last quarter less second: at most 0",
            pair(|nth| highest(leg, nth, |sample| sample.open_handles)).map(|(second, last)| last - second),
            0.0,
        ),
        at_most(
            "accepted, p99, last quarter by second: at most 1.2",
            pair(|nth| p99(leg, nth)).map(|(second, last)| last / second),
            SLOWER_MAX,
        ),
    ]
}

/// A figure of the second quarter and of the last.
fn pair(figure: impl Fn(u64) -> Option<f64>) -> Option<(f64, f64)> {
    Some((figure(1)?, figure(3)?))
}

/// A quarter of the load, counted from 0, in Unix milliseconds.
fn quarter(leg: &Leg, nth: u64) -> Range<u64> {
    let began_ms = measured::began_ms(&leg.summary);
    let quarter_ms = leg.ended_at_ms.saturating_sub(began_ms) / 4;
    let from_ms = began_ms + nth * quarter_ms;
    from_ms..from_ms + quarter_ms
}

/// The highest that was seen in a quarter; none when it was always 0, as when nobody looked.
fn highest(leg: &Leg, nth: u64, figure: impl Fn(&Sample) -> u64) -> Option<f64> {
    let within = quarter(leg, nth);
    let samples = leg.samples.iter().filter(|sample| within.contains(&sample.at_ms));
    samples.map(figure).max().filter(|highest| *highest > 0).map(float)
}

fn p99(leg: &Leg, nth: u64) -> Option<f64> {
    let within = quarter(leg, nth);
    let batches = leg.batches.iter().filter(|batch| within.contains(&batch.at_ms));
    Percentiles::of(batches.flat_map(|batch| batch.accepted_ms.iter().copied()).collect()).p99
}
