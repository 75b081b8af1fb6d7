//! The five operations, from a request to the body of its answer.

use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;
use tokio_postgres::{CancelToken, NoTls};

use super::{
    answer,
    exception::Exception,
    execute::{self, Outcome},
    metadata,
    named::{self, Kind, Named},
    parameters::{self, Bound},
    request::{Operation, Request},
    session::{End, Ending, Session, Sessions, Transaction},
};

/// The most that a statement's text may hold, in characters.
const SQL_CHARS_MAX: usize = 65_536;

/// Performs an operation.
pub(super) async fn perform(
    sessions: &Arc<Sessions>,
    operation: Operation,
    request: Request,
) -> Result<Vec<u8>, Exception> {
    let cluster_arn = required("resourceArn", request.resource_arn.as_deref())?;
    let secret_arn = required("secretArn", request.secret_arn.as_deref())?;
    if request.schema.is_some() {
        return Err(Exception::validation("The schema parameter isn't supported."));
    }
    sessions.authorize(cluster_arn, secret_arn)?;
    match operation {
        Operation::ExecuteStatement => execute_statement(sessions, request).await,
        Operation::BatchExecuteStatement => batch_execute(sessions, request).await,
        Operation::BeginTransaction => begin(sessions, &request).await,
        Operation::CommitTransaction => {
            end(sessions, &request, End::Commit).await?;
            answer::ended("Transaction Committed")
        }
        Operation::RollbackTransaction => {
            end(sessions, &request, End::Rollback).await?;
            answer::ended("Rollback Complete")
        }
    }
}

async fn execute_statement(sessions: &Arc<Sessions>, request: Request) -> Result<Vec<u8>, Exception> {
    let named = statement(&request)?;
    let job = Job::One(parameters::bind(&named, &request.parameters)?);
    let lease = lease(sessions, &request).await?;
    limited(Work { sessions: Arc::clone(sessions), lease, named, request, job }).await
}

async fn batch_execute(sessions: &Arc<Sessions>, request: Request) -> Result<Vec<u8>, Exception> {
    let named = statement(&request)?;
    let sets = request.parameter_sets.iter().map(|set| parameters::bind(&named, set));
    let job = Job::Batch(sets.collect::<Result<_, _>>()?);
    let lease = lease(sessions, &request).await?;
    limited(Work { sessions: Arc::clone(sessions), lease, named, request, job }).await
}

async fn begin(sessions: &Sessions, request: &Request) -> Result<Vec<u8>, Exception> {
    let database = required("database", request.database.as_deref())?;
    let secret_arn = required("secretArn", request.secret_arn.as_deref())?;
    let session = sessions.acquire(secret_arn, database).await?;
    let transaction = Transaction::begin(session, database.to_owned()).await?;
    answer::begun(&sessions.begun(transaction))
}

async fn end(sessions: &Sessions, request: &Request, end: End) -> Result<(), Exception> {
    let id = required("transactionId", request.transaction_id.as_deref())?;
    // A transaction in the middle of a statement is left as it is.
    drop(sessions.enter(id)?);
    let transaction = sessions.leave(id, Ending::Finished).ok_or_else(|| sessions.not_found(id))?;
    // In a task of its own: a client that goes away does not stop what it asked for.
    let ended = tokio::spawn(transaction.end(end)).await;
    ended.unwrap_or_else(|_| Err(Exception::internal("An internal error occurred")))
}

fn required<'a>(name: &str, value: Option<&'a str>) -> Result<&'a str, Exception> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| {
        Exception::validation(format!(
            "Value at '{name}' failed to satisfy constraint: Member must not be null"
        ))
    })
}

fn statement(request: &Request) -> Result<Named, Exception> {
    let sql = required("sql", request.sql.as_deref())?;
    if sql.chars().nth(SQL_CHARS_MAX).is_some() {
        return Err(Exception::validation(format!(
            "Value at 'sql' failed to satisfy constraint: Member must have length less than or equal to {SQL_CHARS_MAX}"
        )));
    }
    Ok(named::rewrite(sql))
}

/// Where a statement runs.
enum Lease {
    Alone(Box<Session>),
    Within(Arc<Transaction>, OwnedMutexGuard<Session>),
}

impl Lease {
    fn session(&self) -> &Session {
        match self {
            Self::Alone(session) => session,
            Self::Within(_, session) => session,
        }
    }

    fn session_mut(&mut self) -> &mut Session {
        match self {
            Self::Alone(session) => session,
            Self::Within(_, session) => session,
        }
    }

    /// After a statement that PostgreSQL has finished with.
    fn finish(self) {
        match self {
            Self::Alone(session) => session.give_back(),
            Self::Within(transaction, session) => {
                drop(session);
                transaction.touch();
            }
        }
    }
}

async fn lease(sessions: &Sessions, request: &Request) -> Result<Lease, Exception> {
    let Some(id) = request.transaction_id.as_deref() else {
        let database = required("database", request.database.as_deref())?;
        let secret_arn = required("secretArn", request.secret_arn.as_deref())?;
        return Ok(Lease::Alone(Box::new(sessions.acquire(secret_arn, database).await?)));
    };
    let (transaction, session) = sessions.enter(id)?;
    if request.database.as_ref().is_some_and(|database| *database != transaction.database) {
        return Err(Exception::bad_request("Database name is not the same as transaction's"));
    }
    Ok(Lease::Within(transaction, session))
}

/// A statement and all that it needs, so that it can go on when nobody waits any more.
struct Work {
    sessions: Arc<Sessions>,
    lease: Lease,
    named: Named,
    request: Request,
    job: Job,
}

/// With which parameters the statement runs.
enum Job {
    One(Bound),
    /// Every set is committed on its own unless the call names a transaction: the first failure ends the
    /// call, and what was done before stays.
    Batch(Vec<Bound>),
}

impl Work {
    async fn run(&mut self) -> Result<Vec<u8>, Exception> {
        self.lease.session_mut().note(self.named.kind);
        let result = match &self.job {
            Job::One(bound) => self.one(bound).await,
            Job::Batch(sets) => self.batch(sets).await,
        };
        if self.named.kind == Kind::Schema {
            self.sessions.forget_statements();
        }
        if let (Err(exception), Some(id)) = (&result, &self.request.transaction_id)
            && exception.ends_transaction()
        {
            drop(self.sessions.leave(id, Ending::Aborted));
        }
        result
    }

    async fn one(&self, bound: &Bound) -> Result<Vec<u8>, Exception> {
        let outcome = self.execute(bound).await?;
        let metadata = if self.request.include_result_metadata {
            Some(metadata::describe(self.lease.session().client()?, outcome.statement.columns()).await?)
        } else {
            None
        };
        answer::executed(&outcome, self.request.format_records_as, metadata)
    }

    async fn batch(&self, sets: &[Bound]) -> Result<Vec<u8>, Exception> {
        for bound in sets {
            self.execute(bound).await?;
        }
        answer::batch(sets.len())
    }

    /// Runs the statement once, or twice when only its prepared form was out of date.
    async fn execute(&self, bound: &Bound) -> Result<Outcome, Exception> {
        let options = self.request.result_set_options;
        let client = self.lease.session().client()?;
        match execute::execute(client, &self.named, bound, options).await {
            Err(exception) if execute::is_stale(&exception) && matches!(self.lease, Lease::Alone(_)) => {
                client.statement_cache.clear();
                execute::execute(client, &self.named, bound, options).await
            }
            result => result,
        }
    }
}

/// Runs the work under the limit of a statement, in a task of its own: a client that goes away does not stop
/// what it asked for.
async fn limited(mut work: Work) -> Result<Vec<u8>, Exception> {
    let limit = work.sessions.limits().statement;
    let continues = work.request.continue_after_timeout;
    let cancel: CancelToken = work.lease.session().client()?.cancel_token();
    let mut task = tokio::spawn(async move {
        let result = work.run().await;
        work.lease.finish();
        result
    });
    if let Ok(finished) = tokio::time::timeout(limit, &mut task).await {
        return finished.unwrap_or_else(|_| Err(Exception::internal("An internal error occurred")));
    }
    if !continues {
        if let Err(error) = cancel.cancel_query(NoTls).await {
            tracing::warn!(%error, "a statement could not be canceled");
        }
        // PostgreSQL reports the end of the canceled statement; the transaction is free again after that.
        drop(tokio::time::timeout(limit, task).await);
    }
    Err(Exception::statement_timeout("Request timed out"))
}
