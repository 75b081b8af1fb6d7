//! What these tests share.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use local_cloud::{
    children::Spawner,
    clock,
    postgres::{Durability, PostgresOptions},
    programs::{Origin, Places},
};

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

/// The folder of the checkout that installed wheels and fresh clusters are kept in.
fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.orderflow")
}

/// The machine as this test sees it.
pub(crate) fn places() -> Places {
    Places {
        path: std::env::var_os("PATH").unwrap_or_default(),
        pg_bin: None,
        wheels: checkout().join("wheels"),
    }
}

/// A folder of one test, removed with it.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(uuid::Uuid::new_v4().simple().to_string());
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// A server whose state is in `folder`.
pub(crate) fn postgres_options(folder: &Path, origin: Origin) -> PostgresOptions {
    PostgresOptions {
        origin,
        places: places(),
        state_dir: folder.to_owned(),
        cache_dir: checkout().join("cache"),
        log: folder.join("postgres.log"),
        port: 0,
        durability: Durability::Fast,
    }
}
