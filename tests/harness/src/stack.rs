//! A running stack: started as a child process, or found where `up` left it.
//!
//! A started stack ends with the value that holds it, and with this process whatever becomes of it: `local-cloud`
//! watches its parent.

use crate::control::{self, Status};
use crate::queues::{Outgoing, Queue, Queues};
use crate::{Error, database, http};
use backoff::{Clock as _, SystemClock};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio_postgres::Client;

/// Longest time until a stack is ready: the first one may install PostgreSQL and Redis.
const READY_LIMIT: Duration = Duration::from_secs(240);

/// Longest time for a stack to end by itself.
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(25);

/// What `local-cloud` writes into `stack.json` when it is ready.
#[derive(Debug, Clone, Deserialize)]
pub struct Info {
    /// The stage of the settings.
    pub stage: String,
    /// The process id of `local-cloud`.
    pub pid: u32,
    /// Figures and levers.
    pub control_url: String,
    /// The SQS endpoint.
    pub sqs_url: String,
    /// The Data API endpoint.
    pub data_api_url: String,
    /// The Lambda Invoke API.
    pub lambda_url: String,
    /// PostgreSQL as superuser, for verifiers.
    pub postgres_url: String,
    /// Redis.
    pub redis_url: String,
    /// The payment sandbox.
    pub sandbox_url: String,
    /// The AWS region.
    pub region: String,
    /// Queues by name.
    pub queues: BTreeMap<String, Queue>,
    /// The ARNs of the database users' secrets, `app` and `migrator`.
    pub secrets: BTreeMap<String, String>,
    /// The ARN of the database cluster.
    pub cluster_arn: String,
    /// The database's name.
    pub database: String,
    /// Where the output of every function goes.
    pub log_dir: PathBuf,
    /// The functions' names.
    pub functions: Vec<String>,
    /// The addresses of the functions that have one, by name.
    pub function_urls: BTreeMap<String, String>,
    /// Whether the queues are not this stack's own but those of an emulator beside it.
    #[serde(skip)]
    pub queues_elsewhere: bool,
}

impl Info {
    /// The stack in this state folder, if its `local-cloud` is alive.
    ///
    /// # Errors
    /// [`Error::NoStack`] when there is none, [`Error::Unreadable`] when its file is from another version.
    pub fn find(state: &Path) -> Result<Self, Error> {
        let info = Self::read(state)?.ok_or(Error::NoStack)?;
        let alive = Path::new("/proc").join(info.pid.to_string()).exists();
        // Where there is no /proc, the first call tells.
        if alive || !Path::new("/proc/self").exists() { Ok(info) } else { Err(Error::NoStack) }
    }

    fn read(state: &Path) -> Result<Option<Self>, Error> {
        let path = state.join("stack.json");
        let Ok(text) = std::fs::read_to_string(&path) else { return Ok(None) };
        let info = serde_json::from_str(&text);
        info.map(Some).map_err(|source| Error::Unreadable { what: path.display().to_string(), source })
    }

    /// The queue of this name.
    ///
    /// # Errors
    /// [`Error::NoSuchQueue`], which lists those there are.
    pub fn queue(&self, name: &str) -> Result<&Queue, Error> {
        let known = || self.queues.keys().cloned().collect::<Vec<_>>().join(", ");
        self.queues.get(name).ok_or_else(|| Error::NoSuchQueue { name: name.to_owned(), known: known() })
    }

    /// The SQS client of this stack.
    pub fn sqs(&self) -> Queues {
        Queues::new(&self.sqs_url, &self.region)
    }

    /// Invokes a function and returns its answer, as the Lambda Invoke API gives it.
    ///
    /// # Errors
    /// As [`http::call`].
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, Error> {
        let url = format!("{}/2015-03-31/functions/{function}/invocations", self.lambda_url);
        http::call("POST", &url, event).await
    }

    /// One call of the control API; `path` begins with a slash.
    ///
    /// # Errors
    /// As [`http::call`].
    pub async fn control(&self, method: &'static str, path: &str, body: &Value) -> Result<Value, Error> {
        http::call(method, &format!("{}{path}", self.control_url), body).await
    }

    /// The figures of all parts; of the queues as whoever has them counts.
    ///
    /// # Errors
    /// As [`http::call`] and [`Queues::depth`].
    pub async fn status(&self) -> Result<Status, Error> {
        let mut status = control::status(&self.control_url).await?;
        if self.queues_elsewhere {
            let sqs = self.sqs();
            for (name, queue) in &self.queues {
                status.queues.insert(name.clone(), sqs.depth(queue).await?);
            }
        }
        Ok(status)
    }

    /// A connection to PostgreSQL as superuser.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn sql(&self) -> Result<Client, Error> {
        database::connect(&self.postgres_url).await
    }

    /// Sends one body to the orders queue and returns its message id.
    ///
    /// # Errors
    /// As [`Queues::send`].
    pub async fn send_order(&self, body: &str, traceparent: &str) -> Result<String, Error> {
        let message = Outgoing { body: body.to_owned(), traceparent: traceparent.to_owned() };
        let ids = self.sqs().send(self.queue("orders")?, &[message]).await?;
        Ok(ids.into_iter().next().unwrap_or_default())
    }

    /// Asks `local-cloud` to end, and waits until it has; its children end with it.
    ///
    /// # Errors
    /// [`Error::Never`] when it does not end in time.
    pub async fn stop(&self) -> Result<(), Error> {
        // An answer is not needed: what counts is that the process ends.
        self.control("POST", "/shutdown", &Value::Null).await.ok();
        let process = Path::new("/proc").join(self.pid.to_string());
        poll_until("the end of the stack", STOP_LIMIT, async || Ok(!process.exists())).await
    }
}

/// Which stack to start.
#[derive(Debug, Clone)]
pub struct StackOptions {
    /// The stage of `infra/settings.json`.
    pub stage: &'static str,
    /// Its folder; created, and emptied beforehand.
    pub state: PathBuf,
    /// Where PostgreSQL and Redis come from: `auto`, `machine` or `wheels`.
    pub servers: &'static str,
    /// A PostgreSQL server to use instead of an own one, as superuser.
    pub postgres_url: Option<String>,
    /// More arguments of `local-cloud up`.
    pub arguments: Vec<String>,
    /// Programs that run in the place of functions: peers to compare with, or a function under a tool.
    pub instead: Vec<(&'static str, PathBuf)>,
    /// What becomes of it when this value is dropped.
    pub life: Life,
    /// Where `local-cloud` writes what it does.
    pub messages: Messages,
}

/// Where `local-cloud` writes what it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Messages {
    /// Into `local-cloud.log` in the state folder.
    Kept,
    /// Onto our standard error.
    Shown,
}

/// How long a stack lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// As long as the value, and never longer than this process.
    Owned,
    /// Until somebody stops it.
    Detached,
}

impl Default for StackOptions {
    /// A stack for a test: stage `test`, in a folder of its own.
    fn default() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let nth = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test-{}-{nth}", std::process::id());
        Self {
            stage: "test",
            state: xtask::workspace::private().join(name),
            servers: "auto",
            postgres_url: None,
            arguments: Vec::new(),
            instead: Vec::new(),
            life: Life::Owned,
            messages: Messages::Kept,
        }
    }
}

/// A stack that this process started.
#[derive(Debug)]
pub struct Stack {
    /// Where everything is.
    pub info: Info,
    options: StackOptions,
    child: Child,
}

impl std::ops::Deref for Stack {
    type Target = Info;

    fn deref(&self) -> &Info {
        &self.info
    }
}

impl Stack {
    /// Starts `local-cloud` and waits until it is ready, migrations included.
    ///
    /// # Errors
    /// [`Error::NotBuilt`], [`Error::NotReady`] and [`Error::TooSlow`] say where to look; what the first calls return.
    pub async fn start(options: StackOptions) -> Result<Self, Error> {
        let state = &options.state;
        sweep(state.parent().unwrap_or(state));
        if state.exists() {
            std::fs::remove_dir_all(state).map_err(|source| Error::File { path: state.clone(), source })?;
        }
        std::fs::create_dir_all(state).map_err(|source| Error::File { path: state.clone(), source })?;
        let mut child = spawn(&options)?;
        let info = ready(&mut child, &options).await?;
        Ok(Self { info, options, child })
    }

    /// Ends the stack in good order and removes its folder.
    ///
    /// # Errors
    /// [`Error::Never`] when it does not end in time; it is killed then.
    pub async fn end(mut self) -> Result<(), Error> {
        self.info.control("POST", "/shutdown", &Value::Null).await.ok();
        let ended = tokio::time::timeout(STOP_LIMIT, self.child.wait()).await.is_ok();
        if !ended {
            self.child.start_kill().ok();
            return Err(Error::Never {
                what: "the end of the stack".to_owned(),
                limit_ms: STOP_LIMIT.as_millis(),
            });
        }
        std::fs::remove_dir_all(&self.options.state).ok();
        Ok(())
    }

    /// As [`Stack::end`], for a run whose result matters more than its end: what goes wrong is only told.
    pub async fn end_or_say(self) {
        if let Err(error) = self.end().await {
            xtask::out::note(&xtask::out::chain("the stack", &error));
        }
    }

    /// The folder that holds all that this stack writes.
    pub fn state(&self) -> &Path {
        &self.options.state
    }

    /// Lets the stack live on; `local-cloud` must have been started as [`Life::Detached`].
    pub fn leave(self) -> Info {
        self.info.clone()
    }

    /// Waits until `local-cloud` ends.
    pub async fn ended(&mut self) {
        self.child.wait().await.ok();
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        if self.options.life == Life::Owned {
            // Its guard ends the children; a stack that was ended has gone already.
            self.child.start_kill().ok();
        }
    }
}

/// Looks at a condition until it holds.
///
/// # Errors
/// [`Error::Never`] after `limit`, naming `what`; what the condition returns.
pub async fn poll_until(
    what: &str,
    limit: Duration,
    mut condition: impl AsyncFnMut() -> Result<bool, Error>,
) -> Result<(), Error> {
    let start = SystemClock.monotonic();
    while !condition().await? {
        if SystemClock.monotonic().saturating_sub(start) > limit {
            return Err(Error::Never { what: what.to_owned(), limit_ms: limit.as_millis() });
        }
        SystemClock.sleep(POLL).await;
    }
    Ok(())
}

/// The folder of the programs that were built with this one.
pub fn programs() -> PathBuf {
    let here = std::env::current_exe().unwrap_or_default();
    let folder = here.parent().unwrap_or(Path::new("."));
    // A test runs from `deps/`, one below.
    if folder.ends_with("deps") { folder.parent().unwrap_or(folder).to_owned() } else { folder.to_owned() }
}

/// The folder that `local-cloud` takes the functions from: all programs, with others under the names that they play.
fn functions(options: &StackOptions) -> Result<PathBuf, Error> {
    if options.instead.is_empty() {
        return Ok(programs());
    }
    let folder = options.state.join("programs");
    let failed = |source| Error::File { path: folder.clone(), source };
    let plays = |name: &OsStr| options.instead.iter().any(|(function, _)| name == *function);
    std::fs::create_dir_all(&folder).map_err(failed)?;
    for entry in std::fs::read_dir(programs()).map_err(failed)?.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        if path.is_file() && path.extension().is_none() && !plays(&name) {
            symlink(path, folder.join(name)).map_err(failed)?;
        }
    }
    for (function, program) in &options.instead {
        symlink(program, folder.join(function)).map_err(failed)?;
    }
    Ok(folder)
}

/// Removes what stacks left behind whose process is gone: folders named `…-<process id>`, perhaps with a number.
fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let mut parts = name.split('-');
        let ours = parts.next().is_some_and(|kind| {
            ["demo", "test", "conformance", "outage", "campaign", "deploy", "counts", "peers", "load"]
                .contains(&kind)
        });
        let owner: Option<u32> = parts.next().and_then(|pid| pid.parse().ok());
        if let (true, Some(owner)) = (ours, owner)
            && Path::new("/proc/self").exists()
            && !Path::new("/proc").join(owner.to_string()).exists()
        {
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}

fn spawn(options: &StackOptions) -> Result<Child, Error> {
    let program = programs().join("local-cloud");
    if !program.exists() {
        return Err(Error::NotBuilt { path: program });
    }
    let mut command = Command::new(&program);
    command.args(["up", "--stage", options.stage, "--state-dir"]).arg(&options.state);
    command
        .args(["--postgres-from", options.servers, "--redis-from", options.servers, "--bin-dir"])
        .arg(functions(options)?);
    command.args(options.postgres_url.iter().flat_map(|url| ["--postgres-url", url]));
    command.args(&options.arguments).stdin(Stdio::null());
    command.stdout(Stdio::null());
    if options.messages == Messages::Kept {
        let log = log(options);
        command.stderr(File::create(&log).map_err(|source| Error::File { path: log, source })?);
    }
    match options.life {
        Life::Owned => {
            command.args(["--parent-pid", &std::process::id().to_string()]).kill_on_drop(true);
        }
        // A group of its own: Ctrl-C in this terminal is not meant for it.
        Life::Detached => {
            command.process_group(0);
        }
    }
    command.spawn().map_err(|source| Error::File { path: program, source })
}

/// The log of `local-cloud`, where it keeps one.
fn log(options: &StackOptions) -> PathBuf {
    options.state.join("local-cloud.log")
}

/// The last line that `local-cloud` wrote, or where it stands.
fn last_words(options: &StackOptions) -> String {
    let kept = std::fs::read_to_string(log(options)).unwrap_or_default();
    kept.lines().last().map_or("its messages above say why".to_owned(), str::to_owned)
}

async fn ready(child: &mut Child, options: &StackOptions) -> Result<Info, Error> {
    let details = match options.messages {
        Messages::Kept => xtask::workspace::shown(&log(options)),
        Messages::Shown => "what it wrote above".to_owned(),
    };
    let mut found = None;
    let waited = poll_until("a ready stack", READY_LIMIT, async || {
        found = Info::read(&options.state)?;
        let ended = child.try_wait().is_ok_and(|status| status.is_some());
        if found.is_none() && ended {
            Err(Error::NotReady { last_words: last_words(options) })
        } else {
            Ok(found.is_some())
        }
    })
    .await;
    match (waited, found) {
        (Ok(()), Some(info)) => Ok(info),
        (Err(Error::Never { .. }), _) | (Ok(()), None) => {
            Err(Error::TooSlow { seconds: READY_LIMIT.as_secs(), details })
        }
        (Err(error), _) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::{Info, StackOptions, poll_until, sweep};
    use crate::Error;
    use std::path::Path;
    use std::time::Duration;

    #[tokio::test]
    async fn a_condition_that_never_holds_is_named() {
        let error =
            poll_until("snow in July", Duration::from_millis(1), async || Ok(false)).await.unwrap_err();
        assert_eq!(error.to_string(), "snow in July did not happen within 1 ms");
    }

    #[tokio::test]
    async fn a_condition_is_looked_at_until_it_holds() {
        let mut looks = 0;
        let holds = async || {
            looks += 1;
            Ok(looks == 3)
        };
        poll_until("a third look", Duration::from_secs(5), holds).await.unwrap();
        assert_eq!(looks, 3);
    }

    #[test]
    fn without_a_stack_the_error_says_how_to_start_one() {
        let error = Info::find(Path::new("/nowhere")).unwrap_err();
        assert!(matches!(error, Error::NoStack));
        assert_eq!(error.to_string(), "no stack is running: start one with `cargo xtask up`");
    }

    #[test]
    fn folders_of_processes_that_are_gone_are_swept() {
        let root = std::env::temp_dir().join(format!("orderflow-sweep-{}", std::process::id()));
        let (alive, gone, other) = (format!("demo-{}", std::process::id()), "test-4194305-0", "wheels");
        for name in [alive.as_str(), gone, other] {
            std::fs::create_dir_all(root.join(name)).unwrap();
        }
        sweep(&root);
        let exists = |name: &str| root.join(name).exists();
        assert!(exists(&alive) && exists(other) && !exists(gone));
        std::fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn every_test_stack_has_a_folder_of_its_own() {
        assert_ne!(StackOptions::default().state, StackOptions::default().state);
    }
}
