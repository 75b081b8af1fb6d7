//! Child processes that cannot outlive this one, not even when it is killed.
//!
//! Every child is started through a guard: our own executable, run as `local-cloud guard …`, which drops to
//! another user if asked, ties its life to ours by a parent-death signal, and then becomes the program (see
//! [`guard`]). The kernel sends that signal when the *thread* that forked ends, so one thread of a
//! [`Spawner`] does all forking and lives as long as the spawner.
//!
//! Children have a process group of their own: Ctrl-C reaches this process only, which then ends them in
//! its own order. What a child starts itself is the child's business.

use std::{
    collections::BTreeMap, ffi::OsString, fs::File, path::PathBuf, process::ExitStatus, time::Duration,
};

pub use rustix::process::Signal;
use tokio::process::Child;

use crate::error::Error;

pub mod guard;
mod spawner;

pub use spawner::Spawner;

/// What to start, and how. The environment is exact: nothing is inherited.
#[derive(Debug)]
pub struct ChildSpec {
    /// The program's path, which must be executable for `user`.
    pub program: PathBuf,
    /// Its arguments, without the program itself.
    pub args: Vec<OsString>,
    /// Its whole environment.
    pub env: BTreeMap<String, String>,
    /// Its working folder; none is this process's own.
    pub cwd: Option<PathBuf>,
    /// The user to run as; none is this process's own. Another user needs this process to be root.
    pub user: Option<User>,
    /// What the kernel sends it when this process ends.
    pub death_signal: DeathSignal,
    /// Where its output goes.
    pub output: Output,
}

impl ChildSpec {
    /// A program without arguments and environment, as this process's user, killed with it, output dropped.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            cwd: None,
            user: None,
            death_signal: DeathSignal::Kill,
            output: Output::Null,
        }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Adds one variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }
}

/// A user by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// The user id.
    pub uid: u32,
    /// The only group id.
    pub gid: u32,
}

/// What a child gets when its parent is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeathSignal {
    /// SIGKILL, for programs that have no children of their own.
    Kill,
    /// SIGQUIT, with which PostgreSQL ends its backends and itself at once. Only for programs that handle it: a shell
    /// starts what it puts into the background with SIGQUIT ignored, and children inherit that.
    Quit,
}

impl DeathSignal {
    /// As the guard's command line spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Quit => "QUIT",
        }
    }

    /// The reverse of [`DeathSignal::as_str`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Kill, Self::Quit].into_iter().find(|signal| signal.as_str() == text)
    }
}

/// Where a child's standard output and standard error go. Its standard input is empty.
#[derive(Debug)]
pub enum Output {
    /// Dropped.
    Null,
    /// Two pipes, in the child's `stdout` and `stderr`.
    Piped,
    /// Both into one file, which should be open for appending.
    File(File),
}

/// Sends a signal to a child; a child that has ended already is left alone.
///
/// # Errors
/// [`Error::Signal`] when the kernel refuses.
pub fn signal(child: &Child, signal: Signal) -> Result<(), Error> {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
    let Some(pid) = pid else { return Ok(()) };
    match rustix::process::kill_process(pid, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(errno) => Err(Error::Signal { source: errno.into() }),
    }
}

/// Ends a child: `first` and, after `grace`, SIGKILL. Returns when it is gone.
///
/// # Errors
/// [`Error::Signal`] when the child cannot be signalled or waited for.
pub async fn stop(child: &mut Child, first: Signal, grace: Duration) -> Result<ExitStatus, Error> {
    signal(child, first)?;
    if let Ok(status) = tokio::time::timeout(grace, child.wait()).await {
        return status.map_err(|source| Error::Signal { source });
    }
    signal(child, Signal::KILL)?;
    child.wait().await.map_err(|source| Error::Signal { source })
}
