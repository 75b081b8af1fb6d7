//! The screen to read: how migrations are applied.
//!
//! One step applies at most one migration, in one transaction: take the lock, read what is applied, check it, run the
//! next migration, record it, commit. Steps follow each other until nothing is pending. The next step's reading is
//! also what resolves a lost answer: whatever a commit did stands in `schema_migrations`, and the lock makes the
//! reading wait until that commit is over.

use std::time::Duration;

use backoff::{Clock, Deadline, Random, full_jitter};
use data_api::{DataApi, Decision, Ran, Statement, Transaction};
use order_store::{Migration, SCHEMA_MIGRATIONS};
use serde::{Deserialize, Serialize};

/// Runners take turns under this number: "orderflow" on a phone's keys. Held by a transaction, never by a session,
/// because the Data API lends a session only for a statement.
const LOCK: &str = "SELECT 1 AS locked FROM pg_advisory_xact_lock(673373569)";

const READ: &str = "SELECT version, name, checksum FROM schema_migrations ORDER BY version";

const RECORD: &str = "INSERT INTO schema_migrations (version, name, checksum)
                      VALUES (CAST(:version AS integer), :name, :checksum)";

/// The pause after a failed step doubles from `PAUSE_BASE` to `PAUSE_CAP`: another runner may need seconds for its
/// migration, and a paused cluster 15 s to resume.
const PAUSE_BASE: Duration = Duration::from_millis(200);
const PAUSE_CAP: Duration = Duration::from_secs(5);

/// Failed steps in a row. The deadline ends a run sooner; this ends one whose clock stands still.
const FAILURES_MAX: u32 = 100;

/// A step that has less time left is not begun: it would probably be cut off.
const STEP_LEAST: Duration = Duration::from_millis(500);

/// What to do with pending migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Apply them.
    Apply,
    /// Only tell which they are.
    Tell,
}

/// What was found and done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Versions that this run applied, in order.
    pub applied: Vec<i32>,
    /// How many were applied before.
    pub already: usize,
    /// The newest version in the database; 0 if there is none.
    pub version: i32,
    /// Versions that are not applied; empty unless only told.
    pub pending: Vec<i32>,
}

/// What stops migrations. All that was committed before stays.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file was changed after it was applied.
    #[error(
        "migration {version} ({name}) was applied with other contents; restore its file and mend with a new migration"
    )]
    Changed {
        /// Its number.
        version: i32,
        /// Its name in this code.
        name: &'static str,
    },
    /// A later migration was applied without this one.
    #[error(
        "migration {version} ({name}) is missing in the database, which has later ones; give it a new number"
    )]
    Skipped {
        /// Its number.
        version: i32,
        /// Its name.
        name: &'static str,
    },
    /// The database refused a statement.
    #[error("statement {statement} of migration {version} ({name}) failed: {message}; nothing of it stands")]
    Statement {
        /// The migration's number.
        version: i32,
        /// Its name.
        name: &'static str,
        /// Which of its statements, from 1.
        statement: usize,
        /// What PostgreSQL said. A migration holds no customer's data that it could quote.
        message: String,
        /// The failed call.
        source: data_api::Error,
    },
    /// Something around the migrations failed.
    #[error("cannot {doing}; run it again, which is always safe")]
    Call {
        /// What for.
        doing: &'static str,
        /// The failed call.
        source: data_api::Error,
    },
    /// The deadline came first.
    #[error("no time is left, with {} applied; run it again, which goes on where this stopped", .applied.len())]
    OutOfTime {
        /// Versions that this run applied.
        applied: Vec<i32>,
    },
}

/// A row of `schema_migrations`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Applied {
    version: i32,
    checksum: String,
}

/// How one step ended.
enum Step {
    /// Nothing was pending, or nothing was to be applied.
    Settled(Vec<Applied>),
    /// This version was committed.
    Committed(i32),
    /// This version was committed or not.
    InDoubt(i32),
}

/// Applies what is pending, or tells it.
///
/// # Errors
/// [`Error`]; transient failures are tried again until the deadline.
pub async fn run<C: Clock>(
    (data_api, clock, random): (&DataApi<C>, &C, &Random),
    migrations: &'static [Migration],
    task: Task,
    deadline: Deadline,
) -> Result<Report, Error> {
    let (mut ours, mut in_doubt, mut failures) = (Vec::new(), Vec::new(), 0);
    while deadline.allows(clock, STEP_LEAST) {
        match step(data_api, migrations, task, deadline).await {
            Ok(Step::Settled(applied)) => return Ok(report(migrations, &applied, (ours, in_doubt))),
            Ok(Step::Committed(version)) => {
                ours.push(version);
                failures = 0;
            }
            Ok(Step::InDoubt(version)) => {
                in_doubt.push(version);
                failures += 1;
            }
            Err(error) if error.is_transient() && failures < FAILURES_MAX => failures += 1,
            Err(error) => return Err(error),
        }
        if failures > 0 {
            let pause = full_jitter(random, PAUSE_BASE, PAUSE_CAP, failures);
            clock.sleep(pause.min(deadline.remaining(clock))).await;
        }
    }
    Err(Error::OutOfTime { applied: ours })
}

/// One transaction: at most one migration.
async fn step<C: Clock>(
    data_api: &DataApi<C>,
    migrations: &'static [Migration],
    task: Task,
    deadline: Deadline,
) -> Result<Step, Error> {
    let transaction = data_api.begin(deadline).await.map_err(during("begin a transaction"))?;
    let next = match next(data_api, &transaction, migrations, deadline).await {
        Ok((_, Some(migration))) if task == Task::Apply => {
            apply(data_api, &transaction, migration, deadline).await.map(|()| Some(migration.version))
        }
        Ok((applied, _)) => {
            end(data_api, transaction, deadline).await;
            return Ok(Step::Settled(applied));
        }
        Err(error) => Err(error),
    };
    match next {
        Ok(version) => commit(data_api, transaction, version.unwrap_or_default(), deadline).await,
        Err(error) => {
            end(data_api, transaction, deadline).await;
            Err(error)
        }
    }
}

/// Takes the lock, and returns what is applied and what comes next.
async fn next<C: Clock>(
    data_api: &DataApi<C>,
    transaction: &Transaction,
    migrations: &'static [Migration],
    deadline: Deadline,
) -> Result<(Vec<Applied>, Option<&'static Migration>), Error> {
    let lock = data_api.execute_in(transaction, Statement::new(LOCK), deadline);
    lock.await.map_err(during("take turns with other runners"))?;
    let create = data_api.execute_in(transaction, Statement::new(SCHEMA_MIGRATIONS), deadline);
    create.await.map_err(during("create schema_migrations"))?;
    let read = data_api.query_in(transaction, Statement::new(READ), deadline);
    let applied = read.await.map_err(during("read schema_migrations"))?;
    let next = check(migrations, &applied)?;
    Ok((applied, next))
}

async fn apply<C: Clock>(
    data_api: &DataApi<C>,
    transaction: &Transaction,
    migration: &'static Migration,
    deadline: Deadline,
) -> Result<(), Error> {
    for (number, sql) in migration.statements.iter().enumerate() {
        let executed = data_api.execute_in(transaction, Statement::new(sql), deadline).await;
        executed.map_err(|source| Error::Statement {
            version: migration.version,
            name: migration.name,
            statement: number + 1,
            message: source.raw_message().unwrap_or("no answer").to_owned(),
            source,
        })?;
    }
    let record = Statement::new(RECORD)
        .long("version", i64::from(migration.version))
        .text("name", migration.name)
        .text("checksum", &*migration.checksum);
    data_api.execute_in(transaction, record, deadline).await.map(drop).map_err(during("record a migration"))
}

/// Commits. An answer that was lost is no failure: the next step reads what became of it.
async fn commit<C: Clock>(
    data_api: &DataApi<C>,
    transaction: Transaction,
    version: i32,
    deadline: Deadline,
) -> Result<Step, Error> {
    match data_api.commit(transaction, deadline).await {
        Ok(()) => Ok(Step::Committed(version)),
        Err(error) if error.ran() == Ran::Perhaps || error.decision() == Decision::AlreadyDone => {
            tracing::warn!(version, error.message = %error, "a commit's answer was lost; reading what stands");
            Ok(Step::InDoubt(version))
        }
        Err(error) => Err(during("commit")(error)),
    }
}

/// Rolls back, so that the lock is free at once. If that fails, it is free after three idle minutes.
async fn end<C: Clock>(data_api: &DataApi<C>, transaction: Transaction, deadline: Deadline) {
    if let Err(error) = data_api.rollback(transaction, deadline).await {
        tracing::warn!(error.message = %error, "a transaction could not be rolled back; others may wait for 3 minutes");
    }
}

/// The first migration that is not applied. Applied versions that this code does not know are newer code's: after a
/// roll-back of the code they stay, because migrations first expand.
fn check(migrations: &'static [Migration], applied: &[Applied]) -> Result<Option<&'static Migration>, Error> {
    let mut next = None;
    for migration in migrations {
        let Migration { version, name, .. } = *migration;
        match applied.iter().find(|row| row.version == version) {
            None => next = next.or(Some(migration)),
            Some(row) if row.checksum != migration.checksum => return Err(Error::Changed { version, name }),
            Some(_) => {}
        }
    }
    let newest = applied.iter().map(|row| row.version).max().unwrap_or_default();
    match next {
        Some(&Migration { version, name, .. }) if version < newest => Err(Error::Skipped { version, name }),
        next => Ok(next),
    }
}

fn report(migrations: &[Migration], applied: &[Applied], (ours, in_doubt): (Vec<i32>, Vec<i32>)) -> Report {
    let stands = |version: i32| applied.iter().any(|row| row.version == version);
    let mut ours: Vec<i32> =
        ours.into_iter().chain(in_doubt.into_iter().filter(|version| stands(*version))).collect();
    ours.sort_unstable();
    ours.dedup();
    Report {
        already: applied.len().saturating_sub(ours.len()),
        applied: ours,
        version: applied.iter().map(|row| row.version).max().unwrap_or_default(),
        pending: migrations
            .iter()
            .map(|migration| migration.version)
            .filter(|version| !stands(*version))
            .collect(),
    }
}

fn during(doing: &'static str) -> impl Fn(data_api::Error) -> Error {
    move |source| Error::Call { doing, source }
}

impl Error {
    /// Whether the same step may succeed a moment later.
    fn is_transient(&self) -> bool {
        match self {
            Self::Statement { source, .. } | Self::Call { source, .. } => {
                matches!(source.decision(), Decision::Retry | Decision::Resuming)
            }
            Self::Changed { .. } | Self::Skipped { .. } | Self::OutOfTime { .. } => false,
        }
    }
}
