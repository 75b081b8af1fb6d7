//! The CPU that another process has used, user and system together: what its own `getrusage` would say.

use crate::Error;
use std::time::Duration;

/// CPU time of the process so far, all its threads included, in nanoseconds' resolution.
///
/// # Errors
/// [`Error::Tool`] for a process that is gone, and on systems other than Linux.
#[cfg(target_os = "linux")]
pub(super) fn used(pid: u32) -> Result<Duration, Error> {
    use nix::time::{ClockId, clock_gettime};
    use nix::unistd::Pid;

    let pid = Pid::from_raw(i32::try_from(pid).unwrap_or_default());
    let time = ClockId::pid_cpu_clock_id(pid).and_then(clock_gettime);
    time.map(Duration::from).map_err(|error| failed(error.to_string()))
}

/// Other systems do not show the CPU clock of another process.
///
/// # Errors
/// Always [`Error::Tool`].
#[cfg(not(target_os = "linux"))]
pub(super) fn used(_pid: u32) -> Result<Duration, Error> {
    Err(failed("only Linux shows it: run this there".to_owned()))
}

/// How much of its CPU so far the process spent in the kernel, in percent; none where the system does not say.
pub(super) fn system_percent(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name may hold spaces; user and system time are the twelfth and thirteenth field behind it.
    let mut ticks = stat.rsplit(") ").next()?.split(' ').skip(11).map(str::parse);
    let (user, system): (f64, f64) = (ticks.next()?.ok()?, ticks.next()?.ok()?);
    Some(100.0 * system / (user + system).max(1.0))
}

fn failed(last_words: String) -> Error {
    Error::Tool { tool: "reading the CPU time of an instance", last_words }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{system_percent, used};

    #[test]
    fn work_shows_and_a_process_that_is_not_there_is_an_error() {
        let before = used(std::process::id()).unwrap();
        let mut sum = 0_u64;
        while used(std::process::id()).unwrap() < before + std::time::Duration::from_millis(5) {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(sum > 0);
        assert!(system_percent(std::process::id()).is_some_and(|percent| (0.0..=100.0).contains(&percent)));
        assert!(used(4_194_304).is_err());
    }
}
