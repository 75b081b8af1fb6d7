//! The doors through which settlement reaches the provider: the wrapper in production, an in-memory twin in a
//! simulation.

use std::future::Future;

use backoff::Deadline;
use futures_util::Stream;
use order::ProviderRef;

use crate::{Charge, Later, ListCharges, ListPage, Outcome, Request};

/// Changes things at the provider, a batch at a time.
pub trait Payments: Sync {
    /// Sends one step of a batch: all of `requests` go to one endpoint. Yields each request's position and outcome as
    /// it ends, every position exactly once; a slow one holds up no other. Waiting for permits, retries with the same
    /// key and reports to the gate are part of it. Dropping the stream leaves sent requests as they are.
    ///
    /// Nothing is spawned: requests make progress only while the stream is polled, so poll it along with whatever else
    /// is waited for.
    fn send<'a>(
        &'a self,
        requests: &'a [Request],
        deadline: Deadline,
    ) -> impl Stream<Item = (usize, Outcome)> + Send + 'a;
}

/// Asks the provider what stands. Changes nothing, so it may be repeated freely.
pub trait LookUps: Sync {
    /// One charge by its id; `None` where the provider knows none.
    ///
    /// # Errors
    /// Why there is no answer now.
    fn read(
        &self,
        payment_id: &ProviderRef,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Option<Charge>, Later>> + Send;

    /// A page of charges.
    ///
    /// # Errors
    /// Why there is no answer now.
    fn list(
        &self,
        query: &ListCharges,
        deadline: Deadline,
    ) -> impl Future<Output = Result<ListPage, Later>> + Send;

    /// How many authorizations the limiter still has room for in the next second, behind all that are reserved already:
    /// what may be published now for work that waits, once a second. 0 while the breaker is open, and 1 when it wants a
    /// probe.
    fn spare_per_s(&self, deadline: Deadline) -> impl Future<Output = u32> + Send;
}
