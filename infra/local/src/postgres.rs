//! A PostgreSQL server of our own: found or installed, started on a free loopback port, watched, ended.
//!
//! Every start begins with an empty cluster, a copy of one that `initdb` made once. The server listens on
//! 127.0.0.1 only (no Unix socket, whose path could be too long), asks every user for a password by
//! SCRAM, and its superuser's password is random. As root it runs as another user, because PostgreSQL
//! refuses root.

use std::{
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use tokio::{
    process::Child,
    sync::{oneshot, watch},
    task::JoinHandle,
};
use tokio_postgres::{Client, Config, NoTls};

use crate::{
    children::{self, ChildSpec, DeathSignal, Output, Signal, Spawner, User},
    clock,
    error::Error,
    programs::{Origin, Places},
};

mod cluster;
mod home;
mod prepare;
mod program;

pub use prepare::{prepare_database, role_password};

/// The superuser that `initdb` creates.
const SUPERUSER: &str = "postgres";
/// Enough for 100 instances of functions and as many connections of verifiers and tools.
const MAX_CONNECTIONS: &str = "max_connections=200";
/// How long a server may take until it answers; starting takes 0.2 s on an idle machine.
const START_LIMIT: Duration = Duration::from_secs(30);
/// How long a fast shutdown may take, which ends sessions at once.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How often a port that was free, and was then taken by somebody else, is replaced.
const PORT_ATTEMPTS: u32 = 5;
/// The pause between two attempts to connect while the server starts.
const POLL: Duration = Duration::from_millis(20);

/// What to start.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Whose programs.
    pub origin: Origin,
    /// Where they are looked for.
    pub places: Places,
    /// The stack's own folder; the cluster is below it, or in the temporary folder where this one cannot be
    /// reached by the user the server runs as.
    pub state_dir: PathBuf,
    /// The checkout's folder for what may be kept between runs: the fresh cluster to copy.
    pub cache_dir: PathBuf,
    /// The file for the server's messages.
    pub log: PathBuf,
    /// The port; 0 is any free one.
    pub port: u16,
    /// Whether a commit survives a crash of the machine.
    pub durability: Durability,
}

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// As in production; every measured figure needs this one.
    Durable,
    /// Faster, for tests: a crash of the machine may lose everything, a crash of the server nothing.
    Fast,
}

/// A running server. Dropping it without [`Postgres::stop`] kills the server.
#[derive(Debug)]
pub struct Postgres {
    port: u16,
    password: String,
    log: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    ended: watch::Receiver<Option<String>>,
    watcher: JoinHandle<()>,
    home: home::Home,
}

impl Postgres {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// Missing programs, a cluster that cannot be created, or a server that does not answer in time.
    pub async fn start(spawner: &Spawner, options: PostgresOptions) -> Result<Self, Error> {
        let home = home::Home::create(&options.state_dir)?;
        match run(spawner, &options, &home).await {
            Ok((child, port, password)) => {
                let (stop, stopped) = oneshot::channel();
                let (report, ended) = watch::channel(None);
                let watcher = tokio::spawn(watch_over(child, stopped, report));
                Ok(Self { port, password, log: options.log, stop: Some(stop), ended, watcher, home })
            }
            Err(error) => {
                home.remove()?;
                Err(error)
            }
        }
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How the superuser connects, to the database `postgres`.
    #[must_use]
    pub fn admin(&self) -> Config {
        superuser(self.port, &self.password)
    }

    /// As [`Postgres::admin`], as a URL for `database`.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}:{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// Waits until the server has ended without being asked to, and says how.
    pub async fn crashed(&self) -> Error {
        let mut ended = self.ended.clone();
        let how = match ended.wait_for(Option::is_some).await {
            Ok(how) => how.clone().unwrap_or_default(),
            Err(_) => "is no longer watched".to_owned(),
        };
        Error::Server { server: "PostgreSQL", problem: how, log: self.log.clone() }
    }

    /// Ends the server, and removes what it kept outside the state folder.
    ///
    /// # Errors
    /// [`Error::File`] when its folder cannot be removed.
    pub async fn stop(mut self) -> Result<(), Error> {
        if let Some(stop) = self.stop.take() {
            // The server may have ended by itself, and nobody listen.
            stop.send(()).ok();
        }
        drop((&mut self.watcher).await);
        self.home.remove()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The child is killed when the watcher's future is dropped.
        self.watcher.abort();
    }
}

/// Finds the programs, makes the cluster, starts the server: the child, its port, the superuser's password.
async fn run(
    spawner: &Spawner,
    options: &PostgresOptions,
    home: &home::Home,
) -> Result<(Child, u16, String), Error> {
    let bin = program::find(options.origin, &options.places, home).await?;
    let first_password = cluster::copy_fresh(spawner, &bin, &options.cache_dir, home).await?;
    let mut attempt = 1;
    loop {
        let port = if options.port == 0 { free_port()? } else { options.port };
        let mut child = spawner.spawn(server(&bin, home, port, options)?).await?;
        match answered(&mut child, &superuser(port, &first_password)).await {
            Ok(client) => return Ok((child, port, change_password(&client).await?)),
            // Between choosing a free port and listening on it somebody else may have taken it.
            Err(StartProblem::Ended(_)) if options.port == 0 && attempt < PORT_ATTEMPTS => attempt += 1,
            Err(problem) => {
                let (problem, log) = (problem.to_string(), options.log.clone());
                return Err(Error::Server { server: "PostgreSQL", problem, log });
            }
        }
    }
}

/// Replaces the password that every copy of the cluster shares.
async fn change_password(client: &Client) -> Result<String, Error> {
    let password = uuid::Uuid::new_v4().simple().to_string();
    let statement = format!("ALTER ROLE {SUPERUSER} PASSWORD '{password}'");
    client
        .batch_execute(&statement)
        .await
        .map_err(|source| Error::Database { what: "set the superuser's password", source })?;
    Ok(password)
}

/// Why a server does not answer.
#[derive(Debug, thiserror::Error)]
enum StartProblem {
    #[error("ended while starting ({0})")]
    Ended(ExitStatus),
    #[error("did not answer within {} s", START_LIMIT.as_secs())]
    TooSlow,
}

/// Connects until the server answers, ends, or takes too long.
async fn answered(child: &mut Child, config: &Config) -> Result<Client, StartProblem> {
    let deadline = clock::now() + START_LIMIT;
    while clock::now() < deadline {
        if let Ok((client, connection)) = config.connect(NoTls).await {
            tokio::spawn(connection);
            return Ok(client);
        }
        if let Ok(Some(status)) = child.try_wait() {
            return Err(StartProblem::Ended(status));
        }
        clock::sleep(POLL).await;
    }
    Err(StartProblem::TooSlow)
}

/// Owns the child until it is asked to end or ends by itself.
async fn watch_over(mut child: Child, stopped: oneshot::Receiver<()>, report: watch::Sender<Option<String>>) {
    tokio::select! {
        status = child.wait() => {
            let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            report.send_replace(Some(format!("ended by itself ({how})")));
        }
        _ = stopped => {
            // SIGINT is PostgreSQL's fast shutdown: sessions are ended, data is flushed.
            if let Err(error) = children::stop(&mut child, Signal::INT, STOP_LIMIT).await {
                tracing::warn!(%error, "PostgreSQL could not be stopped");
            }
        }
    }
}

fn server(bin: &Path, home: &home::Home, port: u16, options: &PostgresOptions) -> Result<ChildSpec, Error> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        "unix_socket_directories=".to_owned(),
        MAX_CONNECTIONS.to_owned(),
        "timezone=UTC".to_owned(),
        "log_timezone=UTC".to_owned(),
        // Details of errors repeat the values of rows.
        "log_error_verbosity=terse".to_owned(),
    ];
    if options.durability == Durability::Fast {
        settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(str::to_owned));
    }
    let spec = program_of(bin, "postgres", home.user())
        .args(["-D".into(), home.data()])
        .args(settings.iter().flat_map(|setting| ["-c", setting]));
    let log = append(&options.log)?;
    let cwd = Some(home.folder().to_owned());
    Ok(ChildSpec { cwd, death_signal: DeathSignal::Quit, output: Output::File(log), ..spec })
}

/// A program of PostgreSQL in a plain environment.
fn program_of(bin: &Path, name: &str, user: Option<User>) -> ChildSpec {
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let spec = ChildSpec::new(bin.join(name)).env("PATH", path).env("LC_ALL", "C").env("TZ", "UTC");
    ChildSpec { user, ..spec }
}

fn superuser(port: u16, password: &str) -> Config {
    let mut config = Config::new();
    config.host("127.0.0.1").port(port).user(SUPERUSER).password(password).dbname(SUPERUSER);
    config.connect_timeout(Duration::from_secs(5));
    config
}

/// Opens a server's log for appending.
pub(crate) fn append(log: &Path) -> Result<File, Error> {
    OpenOptions::new().create(true).append(true).open(log).map_err(Error::file("open", log))
}

/// A port that nobody listened on a moment ago.
pub(crate) fn free_port() -> Result<u16, Error> {
    std::net::TcpListener::bind(("127.0.0.1", 0))
        .and_then(|listener| listener.local_addr())
        .map(|address| address.port())
        .map_err(|source| Error::Listen { what: "a server", port: 0, source })
}
