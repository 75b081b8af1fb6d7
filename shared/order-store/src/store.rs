//! The door through which flows reach the orders, and Aurora behind it.

use std::future::Future;

use backoff::Clock;
use data_api::{DataApi, Deadline, Error, Statement};

use crate::{AcceptOrder, Accepted};

/// Where orders are kept.
pub trait OrderStore {
    /// Accepts a batch: inserts orders, items, payments, history and events, reserves stock, and answers what is
    /// known, rejected or canceled. All in one transaction: an error means that nothing was written, or (where
    /// the outcome was lost) that the same batch again is answered as known.
    ///
    /// Answers come in no particular sequence, one per record. An empty batch costs no call.
    ///
    /// # Errors
    /// The whole batch failed; [`Error::decision`] says what to do. What is wrong with one record alone is its
    /// verdict, never an error.
    fn accept(
        &self,
        batch: &[AcceptOrder],
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<Accepted>, Error>> + Send;
}

/// `:batch` is text, because the Data API binds no JSON array; the cast makes it one.
const ACCEPT: &str = "SELECT * FROM accept_orders_v1(CAST(:batch AS jsonb))";

/// Orders in Aurora, through the Data API: one call per batch.
#[derive(Debug, Clone)]
pub struct Aurora<C> {
    data_api: DataApi<C>,
}

impl<C: Clock> Aurora<C> {
    /// A store in the database that `data_api` talks to, as the user `orderflow_app`.
    #[must_use]
    pub fn new(data_api: DataApi<C>) -> Self {
        Self { data_api }
    }
}

impl<C: Clock> OrderStore for Aurora<C> {
    async fn accept(&self, batch: &[AcceptOrder], deadline: Deadline) -> Result<Vec<Accepted>, Error> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        // Texts and integers always serialize. If they did not, the database would refuse the empty text.
        let batch = serde_json::to_string(batch).unwrap_or_default();
        // Idempotent: a record that was committed is known the second time.
        self.data_api.query(Statement::new(ACCEPT).text("batch", batch).idempotent(), deadline).await
    }
}
