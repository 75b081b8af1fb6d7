//! The RDS Data API over a real PostgreSQL: the five operations, their limits, their errors in Aurora's words.
//!
//! What it promises: a client that works here works on Aurora PostgreSQL Serverless v2, and one that relies
//! on something Aurora does not do fails here too (untyped text bound to a uuid, ISO times under the
//! `TIMESTAMP` hint, several statements, array parameters). Every call pays a round trip like one inside a
//! region; failures that are rare on AWS are injected on demand ([`Fault`]); calls are counted by caller.
//!
//! Not promised: signatures are not checked, and metadata that PostgreSQL's JDBC driver would look up
//! elsewhere (precision of expressions) is approximate.
//!
//! Reading order: `http` is the wire, `operations` the flow. `named` and `parameters` make a statement of a
//! request, `session` finds a connection or transaction for it, `execute` runs it, `value` and `answer` turn
//! rows into the response.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::error::Error;

mod answer;
mod counts;
mod exception;
mod execute;
mod fault;
mod http;
mod metadata;
mod named;
mod operations;
mod parameters;
mod request;
mod secrets_manager;
mod session;
mod value;

pub use fault::{Fault, FaultKind};
pub use secrets_manager::SecretsManager;

/// What to serve.
#[derive(Debug, Clone)]
pub struct DataApiOptions {
    /// The port on 127.0.0.1; 0 is any free one.
    pub port: u16,
    /// Host and port of the PostgreSQL server; user, password and database come with each request.
    pub server: tokio_postgres::Config,
    /// The only cluster there is.
    pub cluster_arn: String,
    /// The secrets there are, by ARN.
    pub secrets: BTreeMap<String, Credentials>,
    /// Who keeps the secrets that are not among these.
    pub secrets_manager: Option<SecretsManager>,
    /// The round trip that every call pays, half before and half after its work.
    pub rtt: Duration,
    /// The service's limits.
    pub limits: Limits,
}

/// What a secret holds.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The database user.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The limits that time sets. Those of size are constants where they are checked.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// After this a statement is stopped (AWS: 45 s).
    pub statement: Duration,
    /// After this without a call a transaction is rolled back (AWS: 3 minutes).
    pub transaction_idle: Duration,
    /// After this a transaction is rolled back in any case (AWS: 24 hours).
    pub transaction_life: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            statement: Duration::from_secs(45),
            transaction_idle: Duration::from_secs(3 * 60),
            transaction_life: Duration::from_secs(24 * 60 * 60),
        }
    }
}

/// What the server is doing and has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The injected round trip in milliseconds.
    pub rtt_ms: u64,
    /// Requests that are being worked on, round trip included.
    pub in_flight: u64,
    /// Transactions that are open.
    pub open_transactions: u64,
    /// Calls by caller (a function's name, or `other`) and operation, failed ones included.
    pub calls: BTreeMap<String, BTreeMap<String, u64>>,
    /// Faults that are still to come.
    pub faults: Vec<Fault>,
}

/// A running server. Dropping it ends it and every connection.
#[derive(Debug)]
pub struct DataApi {
    port: u16,
    server: Arc<http::Server>,
    tasks: Vec<JoinHandle<()>>,
}

/// Starts serving.
///
/// # Errors
/// [`Error::Listen`] when the port is taken.
pub async fn start(options: DataApiOptions) -> Result<DataApi, Error> {
    let failed = |source| Error::Listen { what: "the Data API", port: options.port, source };
    let listener = TcpListener::bind(("127.0.0.1", options.port)).await.map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let sessions = session::Sessions::new(&options);
    let server = Arc::new(http::Server::new(sessions, &options));
    let tasks = vec![
        tokio::spawn(http::accept(Arc::clone(&server), listener)),
        tokio::spawn(http::reap(Arc::clone(&server))),
    ];
    Ok(DataApi { port, server, tasks })
}

impl DataApi {
    /// Where clients send requests.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What the server is doing and has done.
    #[must_use]
    pub fn status(&self) -> Status {
        self.server.status()
    }

    /// Calls by caller and operation, failed ones included.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, BTreeMap<String, u64>> {
        self.server.status().calls
    }

    /// Changes the injected round trip of later calls.
    pub fn set_rtt(&self, rtt: Duration) {
        self.server.set_rtt(rtt);
    }

    /// Replaces the faults that are still to come.
    pub fn inject(&self, faults: Vec<Fault>) {
        self.server.inject(faults);
    }

    /// Ends the server; requests that are being worked on lose their connection.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for DataApi {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}
