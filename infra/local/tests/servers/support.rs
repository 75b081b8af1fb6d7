//! What these tests share.

use std::time::Duration;

use local_cloud::{children::Spawner, clock};

/// The executable that answers to `guard`.
pub(crate) const GUARD_EXE: &str = env!("CARGO_BIN_EXE_local-cloud");

/// A spawner whose guard is the binary of this build.
pub(crate) fn spawner() -> Spawner {
    Spawner::new(GUARD_EXE).unwrap()
}

/// Polls until `done`, for ten seconds at most; `what` is for the failure.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if done() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("not within 10 s: {what}");
}

/// As [`wait_until`], for what needs the runtime meanwhile.
pub(crate) async fn wait_for(what: &str, mut done: impl AsyncFnMut() -> bool) {
    for _ in 0..1_000 {
        if done().await {
            return;
        }
        clock::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 10 s: {what}");
}

/// Whether a process runs; one that ended and was not waited for does not.
pub(crate) fn is_running(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z')))
}
