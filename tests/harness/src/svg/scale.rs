//! Axes: where a value lies between two ends, and which values get a label.

/// Most labels of one axis, roughly.
const TICKS: f64 = 6.0;

/// How values are spread over an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    /// Evenly, between these ends.
    Linear(f64, f64),
    /// Each ten times as much takes the same room, between these ends; both above zero.
    Log(f64, f64),
    /// Percentiles from the median on, each nine more takes the same room; to 99 followed by so many nines.
    Nines(u32),
}

impl Scale {
    /// Even, from zero to a round number that is at least `max`.
    pub fn from_zero(max: f64) -> Self {
        let max = if max > 0.0 { max } else { 1.0 };
        let step = nice_step(max / TICKS);
        Self::Linear(0.0, (max / step).ceil() * step)
    }

    /// Whole decades around these values, at least one.
    pub fn decades(min: f64, max: f64) -> Self {
        let low = min.max(0.001).log10().floor();
        let high = max.max(0.001).log10().ceil().max(low + 1.0);
        Self::Log(10_f64.powf(low), 10_f64.powf(high))
    }

    /// Where a value lies: 0 at the lower end, 1 at the upper; values beyond are put at the end.
    pub fn place(self, value: f64) -> f64 {
        let within = match self {
            Self::Linear(from, to) => (value - from) / (to - from),
            Self::Log(from, to) => (value.max(from) / from).log10() / (to / from).log10(),
            Self::Nines(nines) => {
                let place = |percentile: f64| -(1.0 - percentile / 100.0).max(1e-9).log10();
                let (from, to) = (place(50.0), f64::from(nines) + 2.0);
                (place(value) - from) / (to - from)
            }
        };
        within.clamp(0.0, 1.0)
    }

    /// The values that get a label, with their labels, from the lower end to the upper.
    pub fn ticks(self) -> Vec<(f64, String)> {
        match self {
            Self::Linear(from, to) => {
                let step = nice_step((to - from) / TICKS);
                let count = ((to - from) / step).round();
                let values = (0..=1000_u32).map(f64::from).take_while(|n| *n <= count);
                values.map(|n| (from + n * step, number(from + n * step))).collect()
            }
            Self::Log(from, to) => {
                let decades = (0..=20).map(|n| from * 10_f64.powi(n));
                decades.take_while(|value| *value <= to * 1.001).map(|value| (value, number(value))).collect()
            }
            Self::Nines(nines) => {
                let usual = [50.0, 75.0, 90.0, 95.0, 99.0, 99.5, 99.9, 99.95, 99.99];
                let last = 100.0 - 10_f64.powi(-i32::try_from(nines).unwrap_or(0));
                let shown = usual.into_iter().filter(|value| *value <= last + 1e-9);
                shown.map(|value| (value, format!("p{value}"))).collect()
            }
        }
    }
}

/// 1, 2 or 5 times a power of ten, at least `least`.
fn nice_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= least * 0.999).unwrap_or(10.0);
    factor * power
}

/// A number as people write it: no needless decimals, thousands apart.
pub fn number(value: f64) -> String {
    let rounded = (value * 1_000.0).round() / 1_000.0;
    if rounded.fract() != 0.0 {
        return format!("{rounded}");
    }
    let digits = format!("{:.0}", rounded.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if rounded < 0.0 { format!("-{text}") } else { text }
}

/// The greatest of these values; 0 of none.
pub fn greatest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::{Scale, number};

    #[track_caller]
    fn check_place(scale: Scale, value: f64, expected: f64) {
        assert!((scale.place(value) - expected).abs() < 1e-6, "{scale:?} {value}: {}", scale.place(value));
    }

    #[test]
    fn values_lie_where_their_scale_puts_them() {
        check_place(Scale::Linear(0.0, 200.0), 50.0, 0.25);
        check_place(Scale::Linear(0.0, 200.0), 900.0, 1.0);
        check_place(Scale::Log(1.0, 1000.0), 10.0, 1.0 / 3.0);
        check_place(Scale::Log(1.0, 1000.0), 0.0, 0.0);
        check_place(Scale::Nines(1), 50.0, 0.0);
        check_place(Scale::Nines(1), 99.9, 1.0);
    }

    #[track_caller]
    fn check_ticks(scale: Scale, expected: &str) {
        let labels: Vec<String> = scale.ticks().into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels.join(" "), expected);
    }

    #[test]
    fn labels_are_round_numbers_from_end_to_end() {
        check_ticks(Scale::from_zero(413.0), "0 100 200 300 400 500");
        check_ticks(Scale::from_zero(0.0), "0 0.2 0.4 0.6 0.8 1");
        check_ticks(Scale::from_zero(7_000.0), "0 2,000 4,000 6,000 8,000");
        check_ticks(Scale::decades(7.0, 2_300.0), "1 10 100 1,000 10,000");
        check_ticks(Scale::Nines(1), "p50 p75 p90 p95 p99 p99.5 p99.9");
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!([0.25, 1_234_567.0, -1500.0, 3.0].map(number).join(" "), "0.25 1,234,567 -1,500 3");
    }
}
