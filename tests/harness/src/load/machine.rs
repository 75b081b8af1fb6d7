//! What else this machine does: its load average, how busy its cores are, and what one process used of them.
//!
//! From `/proc`; where there is none, nothing is known and nothing is refused.

use backoff::{Clock as _, SystemClock};
use serde::Serialize;
use std::time::Duration;

/// How long is looked at how busy the cores are.
const LOOK: Duration = Duration::from_secs(2);

/// Ticks of `/proc` in a second, on every Linux that is in use.
const TICKS_PER_S: f64 = 100.0;

/// The load average over 1, 5 and 15 minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct LoadAverage(f64, f64, f64);

impl LoadAverage {
    /// As it is now.
    pub(super) fn now() -> Self {
        Self::read(&std::fs::read_to_string("/proc/loadavg").unwrap_or_default())
    }

    fn read(text: &str) -> Self {
        let mut numbers = text.split_whitespace().map(|word| word.parse().unwrap_or_default());
        let mut next = || numbers.next().unwrap_or_default();
        Self(next(), next(), next())
    }
}

/// Which share of all cores is busy, from 0 to 1; none where the system does not tell.
pub(super) async fn busy() -> Option<f64> {
    let before = Ticks::now()?;
    SystemClock.sleep(LOOK).await;
    Some(Ticks::now()?.busy_since(before))
}

/// What all cores have done since the machine was started.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ticks {
    idle: f64,
    all: f64,
}

impl Ticks {
    /// As counted by now.
    pub(super) fn now() -> Option<Self> {
        Self::read(&std::fs::read_to_string("/proc/stat").ok()?)
    }

    /// User, nice, system, idle, waiting for disks, interrupts, stolen; what guests use is in user.
    fn read(text: &str) -> Option<Self> {
        let line = text.lines().find(|line| line.starts_with("cpu "))?;
        let numbers: Vec<f64> =
            line.split_whitespace().skip(1).take(8).filter_map(|word| word.parse().ok()).collect();
        let idle = numbers.get(3)? + numbers.get(4)?;
        Some(Self { idle, all: numbers.iter().sum() })
    }

    /// Which share of all cores was busy since then, from 0 to 1.
    pub(super) fn busy_since(self, before: Self) -> f64 {
        let all = (self.all - before.all).max(1.0);
        1.0 - (self.idle - before.idle) / all
    }
}

/// Seconds of one core that a process has used; none when it is gone.
pub(super) fn cpu_s(pid: u32) -> Option<f64> {
    used_s(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The program's name may hold anything, so fields are counted from the last parenthesis: user and system time are the
/// twelfth and thirteenth after it.
fn used_s(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks = fields.split_whitespace().skip(11).take(2).filter_map(|word| word.parse::<f64>().ok());
    Some(ticks.sum::<f64>() / TICKS_PER_S)
}

#[cfg(test)]
mod tests {
    use super::{LoadAverage, Ticks, used_s};

    #[test]
    fn load_averages_are_read() {
        assert_eq!(LoadAverage::read("0.50 1.19 0.79 2/345 6789\n"), LoadAverage(0.5, 1.19, 0.79));
        assert_eq!(LoadAverage::read(""), LoadAverage(0.0, 0.0, 0.0));
    }

    #[test]
    fn cores_that_wait_for_disks_are_idle() {
        let ticks = |text| Ticks::read(text).unwrap();
        let before = ticks("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 1 1 1\n");
        let after = ticks("cpu  140 0 60 840 60 0 0 0 0 0\n");
        assert!((after.busy_since(before) - 0.5).abs() < 1e-9);
        assert_eq!(Ticks::read("intr 1 2 3"), None);
    }

    #[test]
    fn a_process_has_used_user_and_system_time() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 100 0 0";
        assert_eq!(used_s(stat), Some(3.0));
    }
}
