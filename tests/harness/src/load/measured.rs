//! How fast orders were accepted: over the whole run, by ten seconds, cold and warm. Pure: batches in, figures out.
//!
//! A time is that of one order, from the queue taking its message to the answer of the call that committed it. The
//! function's log has every one of them, so percentiles are exact and no sample is missing.

use super::k6::{Step, Summary, WARM_UP};
use crate::figures::{Batch, Percentiles};
use crate::report::{float, hundredths};
use serde::Serialize;

/// How long a window is.
const WINDOW_MS: u64 = 10_000;

/// A window with fewer orders has no meaningful p99.
const ORDERS_LEAST: usize = 50;

/// The percentiles of a distribution that are kept.
const KEPT: [f64; 7] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9];

/// Ten seconds of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Window {
    /// Seconds from the beginning of the load.
    pub(super) from_s: u64,
    /// Orders accepted in it.
    pub(super) orders: u64,
    /// How long they took.
    #[serde(flatten)]
    pub(super) accepted_ms: Percentiles,
}

/// Times and how many of them there are, as percentile and milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(super) struct Distribution {
    /// How many orders.
    pub(super) orders: u64,
    /// Percentile and milliseconds; those beyond what so few orders can tell are left out.
    pub(super) percentiles: Vec<(f64, f64)>,
    /// The slowest, in milliseconds.
    pub(super) max_ms: Option<f64>,
}

impl Distribution {
    /// The distribution of these times, by nearest rank.
    pub(super) fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let orders = u64::try_from(times.len()).unwrap_or(u64::MAX);
        let told = |percentile: &f64| float(orders) * (100.0 - percentile) >= 100.0 - 1e-6;
        let at = |percentile: f64| {
            let basis_points = (percentile * 100.0).round();
            let rank = (0..times.len()).find(|rank| {
                let below = float(u64::try_from(rank + 1).unwrap_or(u64::MAX));
                below * 10_000.0 >= basis_points * float(orders)
            });
            rank.and_then(|rank| times.get(rank)).map(|ms| (percentile, *ms))
        };
        let percentiles = KEPT.into_iter().filter(told).filter_map(at).collect();
        Self { orders, percentiles, max_ms: times.last().copied() }
    }
}

/// All times, and those of the first batches of new instances and of the others.
pub(super) fn distributions(batches: &[Batch]) -> [Distribution; 3] {
    let times = |wanted: fn(&Batch) -> bool| {
        let chosen = batches.iter().filter(|batch| wanted(batch));
        Distribution::of(chosen.flat_map(|batch| batch.accepted_ms.iter().copied()).collect())
    };
    [times(|_| true), times(|batch| !batch.cold), times(|batch| batch.cold)]
}

/// The percentiles of all orders.
pub(super) fn accepted_ms(batches: &[Batch]) -> Percentiles {
    Percentiles::of(batches.iter().flat_map(|batch| batch.accepted_ms.iter().copied()).collect())
}

/// When the load began, in Unix milliseconds.
pub(super) fn began_ms(summary: &Summary) -> u64 {
    summary.steps.iter().map(|step| step.started_at_ms).filter(|ms| *ms > 0).min().unwrap_or_default()
}

/// The run by ten seconds, from the beginning of the load; what comes after its end is in the last.
pub(super) fn windows(batches: &[Batch], (began_ms, ended_ms): (u64, u64)) -> Vec<Window> {
    let last = ended_ms.saturating_sub(began_ms).saturating_sub(1) / WINDOW_MS;
    let nth = |batch: &Batch| (batch.at_ms.saturating_sub(began_ms) / WINDOW_MS).min(last);
    let window = |wanted: u64| {
        let chosen = batches.iter().filter(|batch| nth(batch) == wanted);
        let times: Vec<f64> = chosen.flat_map(|batch| batch.accepted_ms.iter().copied()).collect();
        (times.len() >= ORDERS_LEAST).then(|| Window {
            from_s: wanted * WINDOW_MS / 1_000,
            orders: u64::try_from(times.len()).unwrap_or(u64::MAX),
            accepted_ms: Percentiles::of(times),
        })
    };
    (0..=last).filter_map(window).collect()
}

/// The worst of the windows, by one of its figures.
pub(super) fn worst(windows: &[Window], figure: fn(&Percentiles) -> Option<f64>) -> Option<f64> {
    windows.iter().filter_map(|window| figure(&window.accepted_ms)).max_by(f64::total_cmp)
}

/// One step of a ladder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Rung {
    /// What was to be offered, in messages a second.
    pub(super) planned_per_s: f64,
    /// What was offered.
    pub(super) offered_per_s: f64,
    /// Messages that the generator could not send at their time.
    pub(super) dropped: u64,
    /// Orders accepted of those sent in this step.
    pub(super) orders: u64,
    /// Orders accepted in the time of this step, a second, whenever they were sent: what the functions kept up with.
    pub(super) accepted_per_s: f64,
    /// How long they took.
    pub(super) accepted_ms: Percentiles,
}

/// The steps of a ladder with the orders that were sent in each, whenever they were accepted.
pub(super) fn rungs(steps: &[Step], batches: &[Batch]) -> Vec<Rung> {
    // The log has when an order was accepted and how long it took, so when it was sent.
    let sent = batches
        .iter()
        .flat_map(|batch| batch.accepted_ms.iter().map(|took_ms| (float32(batch.at_ms) - took_ms, *took_ms)));
    let sent: Vec<(f64, f64)> = sent.collect();
    let rung = |step: &Step| {
        let (from, seconds) = (float32(step.started_at_ms), step.seconds());
        let to = from + seconds * 1_000.0;
        let in_time = |batch: &&Batch| (from..to).contains(&float32(batch.at_ms));
        let accepted: usize = batches.iter().filter(in_time).map(|batch| batch.accepted_ms.len()).sum();
        let times: Vec<f64> =
            sent.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, took)| *took).collect();
        Rung {
            planned_per_s: step.stages.first().map_or(0.0, |stage| stage.from_per_s),
            offered_per_s: hundredths(float(step.messages) / seconds.max(0.001)),
            dropped: step.dropped,
            orders: u64::try_from(times.len()).unwrap_or(u64::MAX),
            accepted_per_s: hundredths(float(accepted.try_into().unwrap_or(u64::MAX)) / seconds.max(0.001)),
            accepted_ms: Percentiles::of(times),
        }
    };
    steps.iter().filter(|step| step.name != WARM_UP).map(rung).collect()
}

/// Unix milliseconds as a float: two halves, because only 32 bits convert without loss of meaning.
fn float32(ms: u64) -> f64 {
    float(ms / 1_000) * 1_000.0 + float(ms % 1_000)
}

#[cfg(test)]
mod tests {
    use super::{Distribution, Step, distributions, float32, rungs, windows, worst};
    use crate::figures::Batch;
    use crate::load::k6::Stage;

    fn batch(at_ms: u64, accepted_ms: Vec<f64>, cold: bool) -> Batch {
        Batch { at_ms, accepted_ms, cold, ..Batch::default() }
    }

    #[test]
    fn a_distribution_tells_no_more_than_its_orders_can() {
        let thousand = Distribution::of((1..=1000).map(f64::from).collect());
        assert_eq!(thousand.percentiles.first(), Some(&(50.0, 500.0)));
        assert_eq!(thousand.percentiles.last(), Some(&(99.9, 999.0)));
        let ten = Distribution::of((1..=10).map(f64::from).collect());
        assert_eq!(ten.percentiles, [(50.0, 5.0), (75.0, 8.0), (90.0, 9.0)]);
        assert_eq!((ten.orders, ten.max_ms), (10, Some(10.0)));
        assert_eq!(Distribution::of(Vec::new()), Distribution::default());
    }

    #[test]
    fn first_batches_of_instances_are_cold() {
        let batches = [batch(1, vec![80.0], true), batch(2, vec![20.0, 22.0], false)];
        assert_eq!(distributions(&batches).map(|of| of.orders), [3, 2, 1]);
    }

    #[test]
    fn windows_cover_the_load_and_the_last_one_what_follows() {
        let times = |ms: f64| vec![ms; 50];
        let batches = [
            batch(100_500, times(20.0), false),
            batch(112_000, times(90.0), false),
            batch(130_000, times(120.0), false),
        ];
        let windows = windows(&batches, (100_000, 120_000));
        assert_eq!(windows.iter().map(|w| (w.from_s, w.orders)).collect::<Vec<_>>(), [(0, 50), (10, 100)]);
        assert_eq!(worst(&windows, |times| times.p99), Some(120.0));
        assert_eq!(worst(&windows, |times| times.p50), Some(90.0));
    }

    #[test]
    fn a_window_of_a_few_orders_has_no_percentiles() {
        assert_eq!(windows(&[batch(100_500, vec![900.0; 49], false)], (100_000, 110_000)), []);
    }

    #[test]
    fn an_order_belongs_to_the_step_in_which_it_was_sent() {
        let stages = vec![Stage { from_per_s: 2.0, to_per_s: 2.0, seconds: 1.0 }];
        let step =
            |started_at_ms| Step { started_at_ms, messages: 2, stages: stages.clone(), ..Step::default() };
        let warm_up = Step { name: "warm_up".into(), ..step(0) };
        // Sent at 900 and 2,100, both accepted in the time of the second step.
        let batches = [batch(2_500, vec![1_600.0, 400.0], false)];
        let rungs = rungs(&[warm_up, step(500), step(2_000)], &batches);
        assert_eq!(
            rungs.iter().map(|rung| rung.accepted_ms.p99).collect::<Vec<_>>(),
            [Some(1_600.0), Some(400.0)]
        );
        assert_eq!(rungs.iter().map(|rung| rung.accepted_per_s).collect::<Vec<_>>(), [0.0, 2.0]);
        assert_eq!(rungs[0].offered_per_s, 2.0);
    }

    #[test]
    fn unix_milliseconds_keep_their_milliseconds() {
        assert_eq!(float32(1_796_051_704_577) - float32(1_796_051_704_576), 1.0);
    }
}
