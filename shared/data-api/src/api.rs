//! The door itself: runs statements, once or, where that is safe, once more.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_rdsdata::Client;
use aws_sdk_rdsdata::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_rdsdata::operation::execute_statement::ExecuteStatementOutput;
use aws_sdk_rdsdata::types::RecordsFormatType;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use backoff::{Clock, Deadline, Policy, Random, retry, within};
use serde::de::DeserializeOwned;
use telemetry::fields;

use crate::error::Failed;
use crate::fault::fault_of;
use crate::ruling::ruling;
use crate::{Again, Call, Counts, Decision, Error, Fault, Statement};

/// Which database to talk to, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The Aurora cluster.
    pub cluster_arn: String,
    /// The secret with the database user's name and password. An ARN is no secret.
    pub secret_arn: String,
    /// The database in the cluster.
    pub database: String,
}

/// An open transaction. It ends by commit, rollback, or after three idle minutes; one call at a time.
#[derive(Debug)]
#[must_use = "an open transaction holds its locks for three minutes"]
pub struct Transaction {
    id: String,
}

/// The Data API of one database. Cheap to clone; clones share their connections and counts.
pub struct DataApi<C> {
    shared: Arc<Shared<C>>,
    policy: Policy,
}

struct Shared<C> {
    client: Client,
    target: Target,
    clock: C,
    random: Random,
    counts: Mutex<Counts>,
}

impl<C: Clock> DataApi<C> {
    /// A door over `client`, which [`client`](crate::client) builds: it must not retry by itself. `random` jitters the
    /// pause before a second attempt.
    #[must_use]
    pub fn new(client: Client, target: Target, clock: C, random: Random) -> Self {
        Self {
            shared: Arc::new(Shared { client, target, clock, random, counts: Mutex::default() }),
            policy: Policy::data_api(),
        }
    }

    /// This door with another limit for one attempt: for migrations, whose statements may take up to the Data API's own
    /// 45 s. Elsewhere the limit stays a little above the database role's `statement_timeout`, 3 s.
    #[must_use]
    pub fn with_attempt_timeout(self, attempt_timeout: Duration) -> Self {
        Self { policy: Policy { attempt_timeout, ..self.policy }, ..self }
    }

    /// Opens the connection by running `SELECT 1`, so that the first batch waits neither for TLS nor, if it can be
    /// helped, for a paused cluster. For init.
    ///
    /// # Errors
    /// As [`execute`](Self::execute). A cluster that resumes is no reason to fail init: the next call finds it awake.
    pub async fn warm_up(&self) -> Result<(), Error> {
        let deadline = Deadline::after(&self.shared.clock, self.policy.attempt_timeout);
        self.execute(Statement::new("SELECT 1").idempotent(), deadline).await.map(drop)
    }

    /// Runs a `SELECT` that commits by itself and returns its rows, each by its columns' names.
    ///
    /// # Errors
    /// [`Error::Call`]; ask it for its [`decision`](Error::decision).
    pub async fn query<T: DeserializeOwned>(
        &self,
        statement: Statement,
        deadline: Deadline,
    ) -> Result<Vec<T>, Error> {
        let call = alone(&statement);
        let output = self.statement(call, None, statement, (deadline, Some(RecordsFormatType::Json))).await?;
        rows(&output).map_err(|fault| Error::new(call, (fault, None)))
    }

    /// Runs a statement that commits by itself and returns how many rows it changed.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn execute(&self, statement: Statement, deadline: Deadline) -> Result<u64, Error> {
        let output = self.statement(alone(&statement), None, statement, (deadline, None)).await?;
        Ok(changed(&output))
    }

    /// Runs a `SELECT` in a transaction. Never a second attempt: see [`Decision::Retry`].
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn query_in<T: DeserializeOwned>(
        &self,
        transaction: &Transaction,
        statement: Statement,
        deadline: Deadline,
    ) -> Result<Vec<T>, Error> {
        let call = Call::InTransaction;
        let output = self
            .statement(call, Some(transaction), statement, (deadline, Some(RecordsFormatType::Json)))
            .await?;
        rows(&output).map_err(|fault| Error::new(call, (fault, None)))
    }

    /// Runs a statement in a transaction and returns how many rows it changed. Never a second attempt.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn execute_in(
        &self,
        transaction: &Transaction,
        statement: Statement,
        deadline: Deadline,
    ) -> Result<u64, Error> {
        let output =
            self.statement(Call::InTransaction, Some(transaction), statement, (deadline, None)).await?;
        Ok(changed(&output))
    }

    /// Opens a transaction. Not for a hot path: it holds its locks for as many round trips as it has statements.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn begin(&self, deadline: Deadline) -> Result<Transaction, Error> {
        let Target { cluster_arn, secret_arn, database } = &self.shared.target;
        let request = self.shared.client.begin_transaction();
        let request = request.resource_arn(cluster_arn).secret_arn(secret_arn).database(database);
        let send = || request.clone().send();
        let output = self.attempts(Call::Begin, deadline, send).await?;
        let id =
            output.transaction_id.ok_or_else(|| Error::new(Call::Begin, (Fault::UnreadableAnswer, None)))?;
        Ok(Transaction { id })
    }

    /// Commits. One attempt: after a lost answer, a second could not tell whether the first had committed.
    ///
    /// # Errors
    /// As [`query`](Self::query). Where [`Error::ran`] says perhaps, or the decision is [`Decision::AlreadyDone`], the
    /// tables must be read to know whether the transaction stands.
    pub async fn commit(&self, transaction: Transaction, deadline: Deadline) -> Result<(), Error> {
        let Target { cluster_arn, secret_arn, .. } = &self.shared.target;
        let request = self.shared.client.commit_transaction();
        let request = request.resource_arn(cluster_arn).secret_arn(secret_arn).transaction_id(transaction.id);
        let send = || request.clone().send();
        self.attempts(Call::Commit, deadline, send).await.map(drop)
    }

    /// Rolls back. If it fails, the transaction ends by itself after three idle minutes.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn rollback(&self, transaction: Transaction, deadline: Deadline) -> Result<(), Error> {
        let Target { cluster_arn, secret_arn, .. } = &self.shared.target;
        let request = self.shared.client.rollback_transaction();
        let request = request.resource_arn(cluster_arn).secret_arn(secret_arn).transaction_id(transaction.id);
        let send = || request.clone().send();
        self.attempts(Call::Rollback, deadline, send).await.map(drop)
    }

    /// What was done since this was last asked, also by clones. Batches that overlap share it: each line says what was
    /// done since the line before.
    #[must_use]
    pub fn take_counts(&self) -> Counts {
        std::mem::take(&mut *self.shared.counts())
    }

    async fn statement(
        &self,
        call: Call,
        transaction: Option<&Transaction>,
        statement: Statement,
        (deadline, format): (Deadline, Option<RecordsFormatType>),
    ) -> Result<ExecuteStatementOutput, Error> {
        let Target { cluster_arn, secret_arn, database } = &self.shared.target;
        let request = self.shared.client.execute_statement();
        let request = request.resource_arn(cluster_arn).secret_arn(secret_arn).database(database);
        let request = request
            .sql(statement.sql)
            .set_parameters(Some(statement.parameters))
            .set_format_records_as(format);
        let request = request.set_transaction_id(transaction.map(|transaction| transaction.id.clone()));
        let request = request.set_continue_after_timeout(statement.runs_on.then_some(true));
        let send = || request.clone().send();
        self.attempts(call, deadline, send).await
    }

    /// The attempts of one call: several only for idempotent statements, each counted, each within the deadline.
    async fn attempts<T, E, F>(
        &self,
        call: Call,
        deadline: Deadline,
        send: impl Fn() -> F,
    ) -> Result<T, Error>
    where
        E: ProvideErrorMetadata,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    {
        let shared = &*self.shared;
        let Shared { clock, random, .. } = shared;
        let attempts = if call == Call::Idempotent { self.policy.attempts } else { 1 };
        let policy = Policy { attempts, ..self.policy };
        let attempt = |number| {
            shared.counts().begin(number > 0);
            let limit = policy.attempt_limit(clock, deadline);
            let sent = within(clock, limit, send());
            async move {
                let began = clock.monotonic();
                let answer = match sent.await {
                    Some(answer) => answer.map_err(|error| Failed::of(&error)),
                    None => Err(Failed(Fault::TimedOut, None)),
                };
                let took = clock.monotonic().saturating_sub(began);
                shared.counts().end(took, answer.as_ref().err().map(|Failed(fault, _)| fault));
                answer
            }
        };
        let again = |Failed(fault, _): &Failed| {
            let ruling = ruling(call, fault);
            let again = ruling.decision == Decision::Retry && ruling.again == Again::Now;
            if again {
                tracing::info!({ fields::REASON } = %fault, "a call to the Data API failed and may be made once more");
            }
            again
        };
        let result = retry(clock, random, (&policy, deadline), attempt, again).await;
        result.map_err(|Failed(fault, message)| Error::new(call, (fault, message)))
    }
}

impl<C> Shared<C> {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failed {
    fn of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Self {
        let (fault, message) = fault_of(error);
        Self(fault, message)
    }
}

impl<C> Clone for DataApi<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), policy: self.policy }
    }
}

impl<C> fmt::Debug for DataApi<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataApi").field("target", &self.shared.target).finish_non_exhaustive()
    }
}

/// A statement that commits by itself: twice or once, as it says.
fn alone(statement: &Statement) -> Call {
    if statement.idempotent { Call::Idempotent } else { Call::Once }
}

/// The rows, from the JSON that the Data API formats them as. Says where they are wrong and not how: `serde_json` would
/// quote them.
fn rows<T: DeserializeOwned>(output: &ExecuteStatementOutput) -> Result<Vec<T>, Fault> {
    let json = output.formatted_records().ok_or(Fault::UnreadableRows { column: 0 })?;
    serde_json::from_str(json).map_err(|error| Fault::UnreadableRows { column: error.column() })
}

fn changed(output: &ExecuteStatementOutput) -> u64 {
    u64::try_from(output.number_of_records_updated()).unwrap_or(0)
}
