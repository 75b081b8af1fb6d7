//! Counts of tests, read from what the runners print.

use std::fmt;
use std::ops::AddAssign;

/// How many tests passed and failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Tests that ran and held.
    pub passed: u64,
    /// Tests that ran and did not; a runner that broke off counts as one.
    pub failed: u64,
}

impl Tally {
    /// One line of `cargo test`: counts when it is a binary's summary, else nothing.
    pub fn from_cargo_line(line: &str) -> Option<Self> {
        let counts = line.trim().strip_prefix("test result: ")?;
        Some(Self { passed: before(counts, " passed;")?, failed: before(counts, " failed;")? })
    }

    /// The standard error of `python -m unittest`: `Ran N tests …`, then `OK` or `FAILED (failures=…)`.
    ///
    /// Skipped tests are neither passed nor failed. `None` when there is no summary: the runner broke off.
    pub fn from_unittest(output: &str) -> Option<Self> {
        let ran = output.lines().rev().find_map(|line| line.strip_prefix("Ran ").and_then(first_number))?;
        let end = output.lines().rev().find(|line| line.starts_with("OK") || line.starts_with("FAILED"))?;
        let failed = named(end, "failures=") + named(end, "errors=") + named(end, "unexpected successes=");
        Some(Self { passed: ran.saturating_sub(failed + named(end, "skipped=")), failed })
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The number that stands directly before `label`.
fn before(text: &str, label: &str) -> Option<u64> {
    text.split_once(label)?.0.rsplit(' ').next()?.parse().ok()
}

/// The number directly after `label`, or 0 where the label is absent.
fn named(text: &str, label: &str) -> u64 {
    text.split_once(label).and_then(|(_, rest)| first_number(rest)).unwrap_or(0)
}

fn first_number(text: &str) -> Option<u64> {
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[track_caller]
    fn cargo(line: &str, expected: Option<(u64, u64)>) {
        assert_eq!(Tally::from_cargo_line(line).map(|t| (t.passed, t.failed)), expected, "{line}");
    }

    #[track_caller]
    fn unittest(output: &str, expected: Option<(u64, u64)>) {
        assert_eq!(Tally::from_unittest(output).map(|t| (t.passed, t.failed)), expected, "{output}");
    }

    #[test]
    fn cargo_summaries_are_counted_and_other_lines_are_not() {
        let rest = "0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        cargo(&format!("test result: ok. 12 passed; 0 failed; {rest}"), Some((12, 0)));
        cargo(&format!("test result: FAILED. 3 passed; 2 failed; {rest}"), Some((3, 2)));
        cargo("test tests::a_test ... ok", None);
        cargo("running 12 tests", None);
        cargo("test result: unreadable", None);
    }

    #[test]
    fn unittest_summaries_are_counted() {
        unittest("..\n-----\nRan 2 tests in 0.1s\n\nOK\n", Some((2, 0)));
        unittest("Ran 1 test in 0.1s\n\nOK\n", Some((1, 0)));
        unittest("Ran 9 tests in 1s\n\nFAILED (failures=1, errors=2, skipped=3)\n", Some((3, 3)));
        unittest("Ran 9 tests in 1s\n\nOK (skipped=2)\n", Some((7, 0)));
        unittest("Traceback (most recent call last):", None);
        unittest("Ran 2 tests in 0.1s\n", None);
    }

    #[test]
    fn a_tally_reads_as_one_plain_line() {
        let mut tally = Tally { passed: 3, failed: 0 };
        tally += Tally { passed: 4, failed: 1 };
        assert_eq!(tally.to_string(), "7 passed, 1 failed");
    }
}
