//! What ends a stack from outside: signals, and the end of the process that wanted it.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::clock;

/// How often to look whether the parent is still there. A parent that wants to be sure of the end sends
/// SIGTERM; this is for one that was killed.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Returns, with a word for the log, on Ctrl-C or SIGTERM. A process that cannot listen for a signal is
/// ended by it, which is an end as well.
pub(super) async fn asked_to_end() -> &'static str {
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "interrupted",
        _ = terminate.recv() => "terminated",
    }
}

/// Returns when the process is gone, or was gone already; never without a process.
pub(super) async fn parent_gone(pid: Option<u32>) {
    let Some(pid) = pid else { return std::future::pending().await };
    let born = birth(pid);
    while born.is_some() && birth(pid) == born {
        clock::sleep(LOOK_EVERY).await;
    }
}

/// When a running process started, in the kernel's ticks; none when it has ended. The number of a process
/// may come to mean another one, together with its birth it never does.
fn birth(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name, in parentheses, may contain anything; the third field is the first behind it.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let ended = matches!(fields.next()?, "Z" | "X");
    fields.nth(18)?.parse().ok().filter(|_| !ended)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_end_of_the_parent_is_noticed() {
        let mut parent = tokio::process::Command::new("sleep").arg("60").kill_on_drop(true).spawn().unwrap();
        let gone = parent_gone(parent.id());
        tokio::pin!(gone);
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut gone).await.is_err());
        parent.start_kill().unwrap();
        tokio::time::timeout(Duration::from_secs(5), gone).await.unwrap();
    }

    #[tokio::test]
    async fn a_parent_that_is_gone_already_is_noticed() {
        let mut parent = tokio::process::Command::new("true").spawn().unwrap();
        let pid = parent.id();
        parent.wait().await.unwrap();
        tokio::time::timeout(Duration::from_secs(5), parent_gone(pid)).await.unwrap();
    }
}
