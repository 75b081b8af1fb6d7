//! Connections: a pool for each user and database, and transactions that keep one for themselves.
//!
//! A call without a transaction borrows any connection, so nothing that lives in a session may survive it: a
//! connection on which a statement changed the session is closed, not returned.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use tokio::sync::OwnedMutexGuard;
use tokio_postgres::{Config, NoTls};

use super::{Credentials, DataApiOptions, Limits, exception::Exception, named::Kind};
use crate::clock;

mod transaction;

pub(super) use transaction::{End, Transaction};

/// Connections per user and database at most; more calls wait. Three users stay below the server's 200.
const POOL_SIZE: usize = 60;
/// How many ended transactions are remembered, so that a late call hears why its own is gone.
const ENDED_MAX: usize = 1_000;

/// All connections of one server.
#[derive(Debug)]
pub(super) struct Sessions {
    options: DataApiOptions,
    pools: Mutex<HashMap<(String, String), Pool>>,
    transactions: Mutex<HashMap<String, Arc<Transaction>>>,
    ended: Mutex<VecDeque<(String, Ending)>>,
}

/// Why a transaction is gone; the words are Aurora's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// By its own commit or rollback.
    Finished,
    /// By a call whose failure ends transactions.
    Aborted,
    /// By a limit of time, or it never was.
    Expired,
}

impl Ending {
    fn reason(self) -> &'static str {
        match self {
            Self::Finished => "One previous call resulted in a termination of your transaction.",
            Self::Aborted => "Transaction has been aborted due to an error from a previous call.",
            Self::Expired => "Transaction may be expired.",
        }
    }
}

/// A connection in use. It is closed unless it was found fit for others.
#[derive(Debug)]
pub(super) struct Session {
    client: Option<Object>,
    /// Whether a statement changed what lives in the session.
    changed: bool,
    fit_for_others: bool,
}

impl Session {
    /// The connection.
    pub(super) fn client(&self) -> Result<&Object, Exception> {
        self.client.as_ref().ok_or_else(|| Exception::internal("a connection was used after its end"))
    }

    /// Notes what a statement does to the session.
    pub(super) fn note(&mut self, kind: Kind) {
        self.changed |= matches!(kind, Kind::Session | Kind::Schema);
    }

    /// Gives the connection back, if nothing that lives in it was changed.
    pub(super) fn give_back(mut self) {
        self.fit_for_others = !self.changed;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.fit_for_others
            && let Some(client) = self.client.take()
        {
            drop(Object::take(client));
        }
    }
}

impl Sessions {
    pub(super) fn new(options: &DataApiOptions) -> Self {
        Self {
            options: options.clone(),
            pools: Mutex::default(),
            transactions: Mutex::default(),
            ended: Mutex::default(),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        self.options.limits
    }

    /// Refuses a request for another cluster, or with a secret that there is not; one that somebody else keeps is asked
    /// for when a connection is needed.
    pub(super) fn authorize(&self, cluster_arn: &str, secret_arn: &str) -> Result<(), Exception> {
        if cluster_arn != self.options.cluster_arn {
            return Err(Exception::endpoint_not_enabled(format!(
                "HttpEndpoint is not enabled for cluster {cluster_arn}"
            )));
        }
        if self.options.secrets_manager.is_none() && !self.options.secrets.contains_key(secret_arn) {
            return Err(Exception::secrets_error(
                "Secrets Manager can't find the specified secret. Check the secretArn",
            ));
        }
        Ok(())
    }

    /// Borrows a connection as the secret's user.
    pub(super) async fn acquire(&self, secret_arn: &str, database: &str) -> Result<Session, Exception> {
        let pool = self.pool(secret_arn, database).await?;
        match pool.get().await {
            Ok(client) => Ok(Session { client: Some(client), changed: false, fit_for_others: false }),
            Err(PoolError::Backend(error)) => Err(error.into()),
            Err(error) => Err(Exception::unavailable(error.to_string())),
        }
    }

    async fn pool(&self, secret_arn: &str, database: &str) -> Result<Pool, Exception> {
        let key = (secret_arn.to_owned(), database.to_owned());
        if let Some(pool) = lock(&self.pools).get(&key) {
            return Ok(pool.clone());
        }
        let mut config: Config = self.options.server.clone();
        if let Some(credentials) = self.credentials(secret_arn).await? {
            config.user(&credentials.user).password(&credentials.password);
        }
        config.dbname(database).application_name("rds-data-api");
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let pool = Pool::builder(Manager::from_config(config, NoTls, recycling))
            .max_size(POOL_SIZE)
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| Exception::internal(error.to_string()))?;
        // Whoever was as early and faster made the one to use.
        Ok(lock(&self.pools).entry(key).or_insert(pool).clone())
    }

    /// Whom a secret opens the database for; none is the superuser.
    async fn credentials(&self, secret_arn: &str) -> Result<Option<Credentials>, Exception> {
        match (self.options.secrets.get(secret_arn), &self.options.secrets_manager) {
            (Some(credentials), _) => Ok(Some(credentials.clone())),
            (None, Some(secrets_manager)) => secrets_manager.look_up(secret_arn).await,
            (None, None) => Err(Exception::secrets_error("Secrets Manager can't find the specified secret.")),
        }
    }

    /// Forgets every prepared statement, because the schema changed.
    pub(super) fn forget_statements(&self) {
        for pool in lock(&self.pools).values() {
            pool.manager().statement_caches.clear();
        }
    }

    /// Remembers a new transaction.
    pub(super) fn begun(&self, transaction: Transaction) -> String {
        let id = uuid::Uuid::new_v4().simple().to_string();
        lock(&self.transactions).insert(id.clone(), Arc::new(transaction));
        id
    }

    /// The transaction and its connection, for one call.
    pub(super) fn enter(&self, id: &str) -> Result<(Arc<Transaction>, OwnedMutexGuard<Session>), Exception> {
        let transaction = lock(&self.transactions).get(id).cloned().ok_or_else(|| self.not_found(id))?;
        let session = transaction.enter()?;
        Ok((transaction, session))
    }

    /// Takes a transaction out, so that no other call finds it.
    pub(super) fn leave(&self, id: &str, ending: Ending) -> Option<Arc<Transaction>> {
        let transaction = lock(&self.transactions).remove(id);
        if transaction.is_some() {
            let mut ended = lock(&self.ended);
            ended.push_back((id.to_owned(), ending));
            if ended.len() > ENDED_MAX {
                ended.pop_front();
            }
        }
        transaction
    }

    /// Ends the transactions whose time is over; closing their connection rolls them back.
    pub(super) fn expire(&self) {
        let now = clock::now();
        let over: Vec<String> = lock(&self.transactions)
            .iter()
            .filter(|(_, transaction)| transaction.is_over(now, self.options.limits))
            .map(|(id, _)| id.clone())
            .collect();
        for id in over {
            self.leave(&id, Ending::Expired);
        }
    }

    /// How many transactions are open.
    pub(super) fn open(&self) -> u64 {
        u64::try_from(lock(&self.transactions).len()).unwrap_or(u64::MAX)
    }

    pub(super) fn not_found(&self, id: &str) -> Exception {
        let ended = lock(&self.ended);
        let ending =
            ended.iter().find(|(known, _)| known == id).map_or(Ending::Expired, |(_, ending)| *ending);
        Exception::transaction_not_found(format!("Transaction {id} is not found. {}", ending.reason()))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
