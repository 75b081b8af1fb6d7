//! The Lambda host: runs functions as processes that speak the Runtime API, as many at a time as allowed.
//!
//! A function is any command that speaks the Runtime API: a Rust `bootstrap`, or Python under `awslambdaric`.
//! Each instance is a process with a Runtime API endpoint of its own; it works on one invocation at a time,
//! is killed at its deadline, is replaced when it dies, and is reused last-in-first-out. What the function
//! prints goes to one file per function.
//!
//! [`Host::invoke`] is the door for the event source; [`invoke_api`] is the same door over HTTP, as AWS's
//! SDKs and command line call it, and [`function_url`] gives one function an address for plain HTTP.

mod environment;
mod figures;
mod function;
pub mod function_url;
mod instance;
pub mod invoke_api;
mod life;
mod logs;
mod pool;
mod runtime_api;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;

pub use environment::Surroundings;
pub use figures::{FunctionFigures, Quantiles};

use crate::{children::Spawner, error::Error, metrics::Metrics};
use function::Function;

/// The only version there is here.
pub(crate) const VERSION: &str = "$LATEST";

/// How to run one function.
#[derive(Debug, Clone)]
pub struct FunctionSpec {
    /// Its name, which is also the name of its log file.
    pub name: String,
    /// The program.
    pub command: PathBuf,
    /// The program's arguments; the last one is what `_HANDLER` says.
    pub args: Vec<String>,
    /// The function's own variables; they win over Lambda's.
    pub environment: BTreeMap<String, String>,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// The memory it is told to have; not enforced.
    pub memory_mb: u64,
    /// The most instances at a time.
    pub cap: usize,
    /// After this time without work an instance is ended; none keeps them, so that load figures do not
    /// depend on pauses.
    pub idle_limit: Option<Duration>,
}

impl FunctionSpec {
    /// A program without arguments: 3 s, 128 MB, as Lambda's own defaults, and ten instances.
    #[must_use]
    pub fn new(name: impl Into<String>, command: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            command: command.into(),
            args: Vec::new(),
            environment: BTreeMap::new(),
            timeout: Duration::from_secs(3),
            memory_mb: 128,
            cap: 10,
            idle_limit: None,
        }
    }

    /// Where the program lies, as `LAMBDA_TASK_ROOT` says it.
    fn task_root(&self) -> String {
        self.command.parent().unwrap_or(Path::new("/")).display().to_string()
    }
}

/// What an invocation came to.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The invocation's id.
    pub request_id: String,
    /// What the function answered, or the error as JSON.
    pub payload: Bytes,
    /// Why the payload is an error, if it is one.
    pub failure: Option<Failure>,
    /// The end of the instance's log, at most 4 KiB.
    pub log_tail: Vec<u8>,
}

/// Why an invocation is a function error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The function reported an error.
    Handled,
    /// The function ran into its timeout and was killed.
    Timeout,
    /// The process ended before it answered.
    Exit,
    /// No instance came up.
    Init,
}

/// Why an invocation never reached the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such function.
    Unknown,
    /// All instances are busy, or the throttle fault is on; the caller may try later.
    Throttled,
}

/// Faults to inject into a function.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// Refuse every invocation.
    pub throttle: bool,
    /// Wait this long before starting a process.
    pub cold_start_delay: Duration,
}

/// What to do to the process of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nudge {
    /// End it at once, as a crashing machine would.
    Kill,
    /// Stop it without ending it: time goes on, it does not.
    Freeze,
    /// Let it go on.
    Thaw,
}

/// The running host. Clones are the same host.
#[derive(Debug, Clone)]
pub struct Host {
    shared: Arc<Shared>,
}

/// What all functions of a host share.
#[derive(Debug)]
struct Shared {
    surroundings: Surroundings,
    spawner: Spawner,
    log_dir: PathBuf,
    metrics: Arc<Metrics>,
    functions: Mutex<BTreeMap<String, Arc<Function>>>,
}

impl Host {
    /// A host without functions, whose logs go to `log_dir`, which must exist, and whose metrics to `metrics`.
    #[must_use]
    pub fn new(
        surroundings: Surroundings,
        spawner: Spawner,
        log_dir: PathBuf,
        metrics: Arc<Metrics>,
    ) -> Self {
        let functions = Mutex::default();
        Self { shared: Arc::new(Shared { surroundings, spawner, log_dir, metrics, functions }) }
    }

    /// Adds a function. One of the same name is replaced, its instances ended.
    ///
    /// # Errors
    /// Its log file cannot be opened.
    pub async fn register(&self, spec: FunctionSpec) -> Result<(), Error> {
        let name = spec.name.clone();
        let Shared { surroundings, spawner, log_dir, metrics, .. } = &*self.shared;
        let log = logs::Log::open(log_dir.join(format!("{name}.log")), Arc::clone(metrics)).await?;
        let function = Function::start(spec, log, surroundings.clone(), spawner.clone());
        if let Some(old) = self.functions().insert(name, function) {
            old.stop();
        }
        Ok(())
    }

    /// Runs the function once and waits for its answer. The invocation goes on when the caller leaves.
    ///
    /// # Errors
    /// [`Refusal`], when the function was not run.
    pub async fn invoke(&self, name: &str, payload: Bytes) -> Result<Answer, Refusal> {
        let Ok(function) = self.find(name) else { return Err(Refusal::Unknown) };
        let running = tokio::spawn(async move { function.invoke(payload).await });
        // The task neither panics nor is it cancelled, except when the process ends.
        running.await.unwrap_or(Err(Refusal::Throttled))
    }

    /// The names of all functions.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.functions().keys().cloned().collect()
    }

    /// The environment that every instance of the function gets, for another host to give it.
    ///
    /// # Errors
    /// There is no such function.
    pub fn environment(&self, name: &str) -> Result<BTreeMap<String, String>, Error> {
        let function = self.find(name)?;
        Ok(environment::of_function(&self.shared.surroundings, &function.spec))
    }

    /// The figures of all functions.
    #[must_use]
    pub fn figures(&self) -> BTreeMap<String, FunctionFigures> {
        let functions = self.functions().clone();
        functions.into_iter().map(|(name, function)| (name, function.figures())).collect()
    }

    /// Changes the faults of a function; instances that run already go on.
    ///
    /// # Errors
    /// There is no such function.
    pub fn set_faults(&self, name: &str, change: impl FnOnce(&mut Faults)) -> Result<(), Error> {
        self.find(name)?.change_faults(change);
        Ok(())
    }

    /// Does something to the process of a busy instance, or of any if none is busy. Answers its process id;
    /// none when the function has no instance.
    ///
    /// # Errors
    /// There is no such function.
    pub fn nudge(&self, name: &str, nudge: Nudge) -> Result<Option<u32>, Error> {
        Ok(self.find(name)?.nudge(nudge))
    }

    /// Ends every instance and waits until they are gone.
    pub async fn stop(&self) {
        let functions: Vec<_> = self.functions().values().cloned().collect();
        for function in &functions {
            function.stop();
        }
        for function in functions {
            function.gone().await;
        }
    }

    fn find(&self, name: &str) -> Result<Arc<Function>, Error> {
        let functions = self.functions();
        functions.get(name).cloned().ok_or_else(|| Error::UnknownFunction {
            name: name.to_owned(),
            known: functions.keys().cloned().collect::<Vec<_>>().join(", "),
        })
    }

    fn functions(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<Function>>> {
        self.shared.functions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
