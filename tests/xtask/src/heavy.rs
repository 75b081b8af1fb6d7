//! Commands that talk to a stack: build everything with visible progress, then become `target/local/harness`.
//!
//! Everything is built as one workspace, because a narrower build would resolve other features and compile the
//! dependencies a second time.

use crate::workspace::{PROFILE, cargo, name, program, run, succeeded};
use crate::{Error, out};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// The program that knows the heavy commands.
const HARNESS: &str = "harness";

/// How long an up-to-date check may take before we say that something is being built.
const SILENCE: Duration = Duration::from_secs(2);

/// Builds all programs, then replaces this process by the harness with our own arguments.
///
/// Returns only on failure.
pub fn build_and_hand_over() -> Result<(), Error> {
    if program(HARNESS).exists() {
        build_what_changed()?
    } else {
        build_all()?
    }
    hand_over()
}

/// Replaces this process by the harness as it was built last: what stops a stack must not need a compiler.
pub fn hand_over_without_build() -> Result<(), Error> {
    if program(HARNESS).exists() { hand_over() } else { Err(Error::NothingBuilt) }
}

/// Builds all programs in plain view, and says beforehand how long a first time takes.
pub fn build_all() -> Result<(), Error> {
    out::note("Building orderflow: the functions, the local stack and the harness.");
    if !program(HARNESS).exists() {
        out::note("This first build takes 4 to 6 minutes on 2 cores; later ones take seconds.");
    }
    run(&mut build())
}

/// All programs. The one small test makes cargo choose the features that tests need, so that `test` builds no dependency
/// a second time.
fn build() -> Command {
    cargo(["build", "--workspace", "--bins", "--test", "tidy", "--profile", PROFILE])
}

/// Builds quietly when there is little to do, so that `status` prints a status and nothing else.
fn build_what_changed() -> Result<(), Error> {
    let mut command = build();
    command.arg("--quiet");
    let mut child = command.spawn().map_err(|source| Error::Start { program: name(&command), source })?;
    let (done, ended) = channel();
    std::thread::scope(|scope| {
        scope.spawn(move || done.send(child.wait()));
        let result = match ended.recv_timeout(SILENCE) {
            Err(RecvTimeoutError::Timeout) => {
                out::note("Building what changed …");
                ended.recv().unwrap_or_else(|gone| Err(std::io::Error::other(gone)))
            }
            Err(RecvTimeoutError::Disconnected) => Err(std::io::Error::other("the waiting thread has gone")),
            Ok(result) => result,
        };
        let status = result.map_err(|source| Error::Start { program: name(&command), source })?;
        succeeded(&command, status)
    })
}

fn hand_over() -> Result<(), Error> {
    let harness = program(HARNESS);
    let source = Command::new(&harness).args(std::env::args_os().skip(1)).exec();
    Err(Error::Start { program: harness.display().to_string(), source })
}
