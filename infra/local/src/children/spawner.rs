//! The one thread that forks: the parent whose end the children's death signals wait for.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::Stdio,
    sync::mpsc,
};

use tokio::{
    process::{Child, Command},
    runtime::Handle,
    sync::oneshot,
};

use super::{ChildSpec, Output};
use crate::error::Error;

/// Starts children from a thread of its own. Clones share the thread; when the last one is dropped the
/// thread ends, and with it every child.
#[derive(Debug, Clone)]
pub struct Spawner {
    requests: mpsc::Sender<Request>,
    guard_exe: PathBuf,
}

struct Request {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<std::io::Result<Child>>,
}

impl Spawner {
    /// Starts the thread. `guard_exe` is the `local-cloud` executable, which answers to `guard`; the binary
    /// itself passes its own path, another program (a test) the one beside it in the target folder.
    ///
    /// # Errors
    /// [`Error::Spawn`] when no thread can be started.
    pub fn new(guard_exe: impl Into<PathBuf>) -> Result<Self, Error> {
        let guard_exe = guard_exe.into();
        let (requests, inbox) = mpsc::channel();
        std::thread::Builder::new()
            .name("spawner".to_owned())
            .spawn(move || serve(&inbox))
            .map_err(|source| Error::Spawn { program: guard_exe.clone(), source })?;
        Ok(Self { requests, guard_exe })
    }

    /// Starts a child; it is killed when the returned handle is dropped.
    ///
    /// That the program itself could be executed is known only later: the guard exits with 126 and says why
    /// on the child's standard error.
    ///
    /// # Errors
    /// [`Error::Spawn`] when the guard cannot be started.
    pub async fn spawn(&self, spec: ChildSpec) -> Result<Child, Error> {
        let program = spec.program.clone();
        let failed = |source| Error::Spawn { program, source };
        let command = match guarded(&self.guard_exe, spec) {
            Ok(command) => command,
            Err(source) => return Err(failed(source)),
        };
        let (reply, answer) = oneshot::channel();
        let request = Request { command, runtime: Handle::current(), reply };
        let answered = match self.requests.send(request) {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(thread_gone())),
            Err(_) => Err(thread_gone()),
        };
        answered.map_err(failed)
    }
}

fn thread_gone() -> std::io::Error {
    std::io::Error::other("the spawner's thread has ended")
}

/// Ends when every [`Spawner`] is dropped.
fn serve(inbox: &mpsc::Receiver<Request>) {
    while let Ok(Request { mut command, runtime, reply }) = inbox.recv() {
        let entered = runtime.enter();
        let spawned = command.spawn();
        drop(entered);
        // A caller that no longer waits drops the child, which kills it.
        drop(reply.send(spawned));
    }
}

fn guarded(guard_exe: &Path, spec: ChildSpec) -> std::io::Result<Command> {
    let ChildSpec { program, args, env, cwd, user, death_signal, output } = spec;
    let mut command = Command::new(guard_exe);
    command.arg("guard").args(["--parent", &std::process::id().to_string()]);
    command.args(["--signal", death_signal.as_str()]);
    if let Some(user) = user {
        command.args(["--uid", &user.uid.to_string(), "--gid", &user.gid.to_string()]);
    }
    command.arg("--").arg(OsString::from(program)).args(args);
    command.env_clear().envs(env);
    if let Some(cwd) = cwd {
        command.current_dir(cwd);
    }
    let (stdout, stderr) = match output {
        Output::Null => (Stdio::null(), Stdio::null()),
        Output::Piped => (Stdio::piped(), Stdio::piped()),
        Output::File(file) => (Stdio::from(file.try_clone()?), Stdio::from(file)),
    };
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).process_group(0).kill_on_drop(true);
    Ok(command)
}
