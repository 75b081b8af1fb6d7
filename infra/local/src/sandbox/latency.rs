//! How long the provider takes: log-normal, as banks are, mostly near the median and now and then much longer.

use std::time::Duration;

use serde::Serialize;

/// No call takes longer, whatever the distribution says.
const LONGEST_MS: f64 = 60_000.0;

/// The distribution of the provider's time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Half of the calls take longer; 0 is no time at all.
    pub median_ms: u64,
    /// The standard deviation of the logarithm; 0 makes all calls alike.
    pub sigma: f64,
}

impl Latency {
    /// The time of one call.
    pub(super) fn sample(&self, random: &mut fastrand::Rng) -> Duration {
        let median = Duration::from_millis(self.median_ms);
        // Box and Muller: two uniform numbers make a normal one. The logarithm wants one above zero.
        let (one, two) = (1.0 - random.f64(), random.f64());
        let normal = (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * two).cos();
        let ms = median.as_secs_f64() * 1_000.0 * (self.sigma * normal).exp();
        Duration::from_secs_f64(ms.clamp(0.0, LONGEST_MS) / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_the_calls_take_longer_than_the_median_and_one_in_a_hundred_much_longer() {
        let (latency, mut random) = (Latency { median_ms: 120, sigma: 0.35 }, fastrand::Rng::with_seed(1));
        let mut times: Vec<_> = (0..10_000).map(|_| latency.sample(&mut random)).collect();
        times.sort();
        let near = |time: Duration, ms: f64| (time.as_secs_f64() * 1_000.0 - ms).abs() < ms * 0.05;
        assert!(near(times[5_000], 120.0), "{:?}", times[5_000]);
        // exp(0.35 × 2.326) = 2.26
        assert!(near(times[9_900], 271.0), "{:?}", times[9_900]);
    }

    #[test]
    fn the_same_seed_gives_the_same_times_and_none_is_none() {
        let latency = Latency { median_ms: 100, sigma: 0.5 };
        let times = |seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            (0..5).map(|_| latency.sample(&mut random)).collect::<Vec<_>>()
        };
        assert_eq!(times(7), times(7));
        assert_ne!(times(7), times(8));
        let none = Latency { median_ms: 0, sigma: 0.5 };
        assert_eq!(none.sample(&mut fastrand::Rng::with_seed(1)), Duration::ZERO);
    }
}
