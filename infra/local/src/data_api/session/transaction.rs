//! A transaction: one connection between the calls that name it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

use super::{Limits, Session};
use crate::{clock, data_api::exception::Exception};

/// An open transaction.
#[derive(Debug)]
pub(in crate::data_api) struct Transaction {
    /// The database it was begun in.
    pub(in crate::data_api) database: String,
    session: Arc<tokio::sync::Mutex<Session>>,
    begun: clock::Instant,
    last_used: Mutex<clock::Instant>,
}

/// How a transaction is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data_api) enum End {
    Commit,
    Rollback,
}

impl Transaction {
    /// Begins one on a connection of its own.
    pub(in crate::data_api) async fn begin(session: Session, database: String) -> Result<Self, Exception> {
        session.client()?.batch_execute("BEGIN").await?;
        let now = clock::now();
        let session = Arc::new(tokio::sync::Mutex::new(session));
        Ok(Self { database, session, begun: now, last_used: Mutex::new(now) })
    }

    /// Its connection, for one call at a time: Aurora refuses a second one instead of letting it wait.
    pub(super) fn enter(&self) -> Result<OwnedMutexGuard<Session>, Exception> {
        self.touch();
        let free = Arc::clone(&self.session).try_lock_owned();
        free.ok().ok_or_else(|| Exception::database_error("Transaction is still running a query"))
    }

    /// Idle time counts from the end of a call.
    pub(in crate::data_api) fn touch(&self) {
        *self.last_used.lock().unwrap_or_else(PoisonError::into_inner) = clock::now();
    }

    /// Whether a limit has passed; while a statement runs the transaction is not idle.
    pub(super) fn is_over(&self, now: clock::Instant, limits: Limits) -> bool {
        let last_used = *self.last_used.lock().unwrap_or_else(PoisonError::into_inner);
        let is_idle =
            self.session.try_lock().is_ok() && now.duration_since(last_used) > limits.transaction_idle;
        is_idle || now.duration_since(self.begun) > limits.transaction_life
    }

    /// Commits or rolls back, and gives the connection back.
    ///
    /// PostgreSQL answers the commit of a failed transaction with a quiet rollback, and Aurora passes that on
    /// as "Transaction Committed": a client that saw a statement fail must roll back.
    pub(in crate::data_api) async fn end(self: Arc<Self>, end: End) -> Result<(), Exception> {
        let session = self.enter()?;
        session.client()?.batch_execute(if end == End::Commit { "COMMIT" } else { "ROLLBACK" }).await?;
        drop(session);
        if let Some(session) = Arc::into_inner(self).and_then(|ended| Arc::into_inner(ended.session)) {
            session.into_inner().give_back();
        }
        Ok(())
    }
}
