//! What can stop a command, and what to do about it.

use std::path::PathBuf;

/// Why a command stopped; the text says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program of ours has not been built.
    #[error("{} is missing: build it with `cargo build --workspace --bins --profile local`", path.display())]
    NotBuilt {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A program that is not ours is not installed.
    #[error("{program} is not on PATH: {advice}")]
    NotInstalled {
        /// Its name.
        program: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The stack ended before it was ready.
    #[error("the stack ended before it was ready: {last_words}")]
    NotReady {
        /// The last line that `local-cloud` wrote, or where to find it.
        last_words: String,
    },
    /// The stack did not become ready in time.
    #[error("the stack was not ready after {seconds} s: {details} says how far it came")]
    TooSlow {
        /// How long we waited.
        seconds: u64,
        /// Where `local-cloud` says what it did.
        details: String,
    },
    /// Something could not be counted.
    #[error("{what}")]
    NotCounted {
        /// What, and what to do.
        what: String,
    },
    /// No stack is running where a command looks for one.
    #[error("no stack is running: start one with `cargo xtask up`")]
    NoStack,
    /// A stack is running already.
    #[error("a stack is already running (process {pid}): `cargo xtask down` stops it")]
    AlreadyUp {
        /// The process id of its `local-cloud`.
        pid: u32,
    },
    /// A file could not be read or written.
    #[error("cannot use {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file or an answer does not have the form that was agreed.
    #[error("{what} cannot be read: were all parts built from the same checkout?")]
    Unreadable {
        /// What was read.
        what: String,
        /// Where it stops making sense.
        #[source]
        source: serde_json::Error,
    },
    /// An HTTP call to the stack failed.
    #[error("{method} {url} failed: is the stack still running?")]
    Http {
        /// The method.
        method: &'static str,
        /// The URL.
        url: String,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An HTTP call to the stack was answered with an error.
    #[error("{method} {url} was answered with {status}: {body}")]
    Refused {
        /// The method.
        method: &'static str,
        /// The URL.
        url: String,
        /// The status code.
        status: u16,
        /// The answer, shortened.
        body: String,
    },
    /// A call to a queue failed.
    #[error("the queue {queue} could not {action}: is the stack still running?")]
    Queue {
        /// The queue's name.
        queue: String,
        /// The verb.
        action: &'static str,
        /// What the SDK said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Some messages of a batch were refused again and again.
    #[error("the queue {queue} refused {count} messages; the first with {code}")]
    MessagesRefused {
        /// The queue's name.
        queue: String,
        /// How many.
        count: usize,
        /// The error code of the first.
        code: String,
    },
    /// The queue is not one of the stack's.
    #[error("there is no queue {name}; there are {known}")]
    NoSuchQueue {
        /// What was asked for.
        name: String,
        /// What there is, separated by commas.
        known: String,
    },
    /// A dead-letter queue that no queue names has nowhere to redrive to.
    #[error("{queue} takes dead letters of no queue: choose one of {known}")]
    NoSource {
        /// The queue.
        queue: String,
        /// Queues that can be redriven.
        known: String,
    },
    /// A statement failed.
    #[error("the database could not {action}")]
    Database {
        /// What we were doing.
        action: &'static str,
        /// What PostgreSQL said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// A condition did not come true in time.
    #[error("{what} did not happen within {limit_ms} ms")]
    Never {
        /// What was waited for.
        what: String,
        /// How long.
        limit_ms: u128,
    },
    /// There is nothing under this id.
    #[error("no order {id}: the database has no row, and no dead letter names it")]
    NoSuchOrder {
        /// The id.
        id: String,
    },
    /// There is no confirmed order to plant a defect in.
    #[error("no order fit for planting: raise --orders")]
    NothingToPlantIn,
    /// A backlog could never drain.
    #[error(
        "nine tenths of a quota of {quota} calls a second leave no room above {rate} orders a second: raise --quota or lower --rate"
    )]
    QuotaTooSmall {
        /// Calls per second and endpoint.
        quota: u32,
        /// Orders per second.
        rate: u32,
    },
    /// The load would leave instances idle.
    #[error(
        "a quota of {quota} calls a second is more than {rate} orders a second use: raise --rate or lower --quota"
    )]
    QuotaTooLarge {
        /// Calls per second and endpoint.
        quota: u32,
        /// Orders per second.
        rate: u32,
    },
    /// A result that would be committed was measured while others were at work.
    #[error(
        "{percent} % of this machine are busy with something else: end that first, or leave out --record"
    )]
    Busy {
        /// How much of all cores, in percent.
        percent: u32,
    },
    /// A result that would be committed could not be measured again.
    #[error("commit {commit} is not all that was measured: commit your changes first, or leave out --record")]
    Uncommitted {
        /// The commit, with a plus.
        commit: String,
    },
    /// A tool that is not ours ended with an error.
    #[error("{tool} failed:\n  {last_words}")]
    Tool {
        /// Its name.
        tool: &'static str,
        /// What it said last.
        last_words: String,
    },
    /// A contender of `peers` did not do what the others did: its figures would mean nothing.
    #[error("{contender}: {finding}; its log is {}", log.display())]
    Contender {
        /// Its name.
        contender: &'static str,
        /// What was found.
        finding: String,
        /// Where it says more.
        log: PathBuf,
    },
    /// What the light half of the tasks does went wrong.
    #[error(transparent)]
    Task(xtask::Error),
    /// A command that needs no stack was given to this program.
    #[error("this command needs no stack: run it as `cargo xtask …`")]
    Light,
    /// Ctrl-C, or a request to end.
    #[error("interrupted; the stack has been stopped")]
    Interrupted,
    /// The verdict found something; it has been printed.
    #[error("the verdict found something")]
    Found,
}
