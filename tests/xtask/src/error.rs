//! What can stop a task, and what to do about it.

use std::path::PathBuf;
use std::process::ExitStatus;

/// Why a task stopped; the text says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program could not be started.
    #[error("cannot start `{program}`: is it installed and on PATH?")]
    Start {
        /// The program as typed.
        program: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A program ran and failed; it has already said why.
    #[error("`{program}` ended with {status}: its messages above say why")]
    Failed {
        /// The program and its arguments.
        program: String,
        /// How it ended.
        status: ExitStatus,
    },
    /// A file or folder of the checkout could not be read or written.
    #[error("cannot use {}: check that it exists and that you may write to it", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file is not the JSON that it should be.
    #[error("{} is not JSON: mend it where the cause below says", path.display())]
    NotJson {
        /// Which one.
        path: PathBuf,
        /// Where it stops being JSON.
        #[source]
        source: serde_json::Error,
    },
    /// A file of the cost model lacks a number.
    #[error(
        "the cost model needs the number {path}: look into infra/prices.json, infra/measured.json and infra/settings.json"
    )]
    NoNumber {
        /// Its place in one of the files.
        path: String,
    },
    /// The virtual environment could not be made.
    #[error(
        "cannot make a Python environment at {}: install Python 3.9 or newer with its venv module (Debian and Ubuntu: `apt-get install python3-venv`)",
        path.display()
    )]
    Python {
        /// Where it was to be.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: Box<Error>,
    },
    /// `local-cloud` ended before it was ready.
    #[error("the local stack did not start: its messages above say why")]
    NoStack,
    /// Nothing is running, so there is nothing to stop.
    #[error("nothing has been built, so no stack can be running: `cargo xtask up` starts one")]
    NothingBuilt,
    /// Something failed that is already on the screen.
    #[error("failed")]
    Reported,
}
