//! One PostgreSQL for all tests that only need a database: each gets one of its own.

use std::{
    path::Path,
    sync::{LazyLock, OnceLock},
};

use local_cloud::{children::Spawner, postgres::Postgres, programs::Origin};
use tokio::runtime::Runtime;
use tokio_postgres::{Client, Config, NoTls};

use crate::support::{postgres_options, spawner};

/// The runtime that watches the server, the thread that ends it with this process, the server.
static SHARED: LazyLock<(Runtime, Spawner, OnceLock<Postgres>)> = LazyLock::new(|| {
    (
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(),
        spawner(),
        OnceLock::new(),
    )
});

/// How the superuser connects to the shared server.
async fn admin() -> Config {
    let started = tokio::task::spawn_blocking(|| {
        let (runtime, spawner, server) = &*SHARED;
        server.get_or_init(|| runtime.block_on(start(spawner))).admin()
    });
    started.await.unwrap()
}

/// The folder cannot be removed by the test that is last, so the next run removes what this one leaves.
async fn start(spawner: &Spawner) -> Postgres {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for entry in std::fs::read_dir(folder).unwrap().filter_map(Result::ok) {
        let name = entry.file_name().into_string().unwrap_or_default();
        let left_by = name.strip_prefix("shared-").and_then(|pid| pid.parse().ok());
        if left_by.is_some_and(|pid| !crate::support::is_running(pid)) {
            // Another run may remove it at the same time.
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
    let folder = folder.join(format!("shared-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    Postgres::start(spawner, postgres_options(&folder, Origin::Auto)).await.unwrap()
}

/// A connection to a database of the shared server.
pub(crate) async fn connect(database: &str) -> Client {
    let (client, connection) = admin().await.dbname(database).connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// The shared server's admin, and a new database.
pub(crate) async fn database() -> (Config, String) {
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    connect("postgres").await.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
    (admin().await, name)
}
