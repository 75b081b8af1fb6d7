//! The door through which flows reach the orders, and Aurora behind it.

use std::future::Future;

use backoff::Clock;
use data_api::{DataApi, Deadline, Error, Statement};
use serde::Serialize;

use crate::{AcceptOrder, Accepted};

/// Where orders are kept.
pub trait OrderStore {
    /// Accepts a batch: inserts orders, items, payments, history and events, reserves stock, and answers what is
    /// known, rejected or canceled. All in one transaction: an error means that nothing was written, or (where
    /// the outcome was lost) that the same batch again is answered as known.
    ///
    /// `sent` are ids of events published since the last call: they are marked as sent in the same statement.
    ///
    /// Answers come in no particular sequence, one per record. An empty batch costs no call, unless there are ids to
    /// mark.
    ///
    /// # Errors
    /// The whole batch failed; [`Error::decision`] says what to do. What is wrong with one record alone is its
    /// verdict, never an error.
    fn accept(
        &self,
        batch: &[AcceptOrder],
        sent: &[String],
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<Accepted>, Error>> + Send;
}

/// `:batch` is text, because the Data API binds no JSON array; the cast makes it one.
const ACCEPT: &str = "SELECT * FROM accept_orders_v1(CAST(:batch AS jsonb), CAST(:sent AS jsonb))";

/// Orders in Aurora, through the Data API: one call per batch.
#[derive(Debug, Clone)]
pub struct Aurora<C> {
    pub(crate) data_api: DataApi<C>,
}

impl<C: Clock> Aurora<C> {
    /// A store in the database that `data_api` talks to, as the user `orderflow_app`.
    #[must_use]
    pub fn new(data_api: DataApi<C>) -> Self {
        Self { data_api }
    }
}

impl<C: Clock> OrderStore for Aurora<C> {
    async fn accept(
        &self,
        batch: &[AcceptOrder],
        sent: &[String],
        deadline: Deadline,
    ) -> Result<Vec<Accepted>, Error> {
        if batch.is_empty() && sent.is_empty() {
            return Ok(Vec::new());
        }
        // Idempotent: a record that was committed is known the second time.
        let statement =
            Statement::new(ACCEPT).text("batch", json(batch)).text("sent", json(sent)).idempotent();
        self.data_api.query(statement, deadline).await
    }
}

/// A list as the text that a statement casts to `jsonb`. Texts and integers always serialize; if they did not, the
/// database would refuse the empty text.
pub(crate) fn json<T: Serialize + ?Sized>(list: &T) -> String {
    serde_json::to_string(list).unwrap_or_default()
}
