//! Upper bounds of histogram buckets.

/// For what takes milliseconds to minutes. Has the goals of accepting an order exactly: 40 ms for the median and 100 ms
/// for the slowest in a hundred.
pub(super) const LATENCY_S: &[f64] = &[
    0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    300.0, 900.0,
];

/// For a look-up that memory answers in microseconds and Redis in less than a millisecond.
pub(super) const CACHE_S: &[f64] =
    &[0.000_01, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0];
