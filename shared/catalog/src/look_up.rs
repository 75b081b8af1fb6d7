//! The doors that flows see: what a look-up is asked, answers and costs, and how new versions come in.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use data_api::Deadline;
use order::{Known, ProductView, Sku};

use crate::error::Error;
use crate::stored::Published;

/// The door to the catalog. [`Catalog`](crate::Catalog) is the real one; simulations bring a twin.
pub trait CatalogReader {
    /// Tells what is known of `skus`. The answer names each of them exactly once, and it comes by `deadline` plus
    /// the time of one command: what could not be read by then is [`Known::Unread`].
    ///
    /// Cancellation-safe: dropping the future leaves no lock, no half-read connection and no look-up waiting for it.
    fn look_up(&self, skus: &BTreeSet<Sku>, deadline: Deadline) -> impl Future<Output = Lookup> + Send;

    /// Says that Aurora contradicted what was known of `sku`: the next look-up reads it from the database, past the
    /// snapshot and past Redis, and so heals both.
    fn forget(&self, sku: &Sku);
}

/// The door for whoever changes products. [`Catalog`](crate::Catalog) is the real one; simulations bring a twin.
pub trait CatalogWriter {
    /// Writes products that have just changed in the database, in one round trip, each only if Redis has no newer
    /// version; safe to repeat, and in any order. No products cost no call.
    ///
    /// # Errors
    /// [`Error::Publish`] if Redis did not answer. Some of the products may have been written: publish again, or leave
    /// it to their time to live and to [`CatalogReader::forget`].
    fn publish(
        &self,
        products: &BTreeMap<Sku, ProductView>,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Published, Error>> + Send;
}

/// What one look-up found, and what it cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lookup {
    /// One entry for each SKU that was asked, and for no other.
    pub products: BTreeMap<Sku, Known>,
    /// Where the answers came from.
    pub counts: Counts,
}

/// What one look-up cost, for the batch's log line and the benchmarks.
///
/// Each SKU counts once: `snapshot_hits + redis_hits + joined + misses` = SKUs asked. `unread` is part of
/// `joined + misses`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// SKUs answered from this process's snapshot.
    pub snapshot_hits: u64,
    /// SKUs answered by Redis.
    pub redis_hits: u64,
    /// SKUs that another look-up of this process was already reading.
    pub joined: u64,
    /// SKUs that neither snapshot nor Redis could answer.
    pub misses: u64,
    /// Commands sent to Redis: at most one to read and one to write back. Opening a connection is not counted.
    pub redis_calls: u64,
    /// Reads sent to the database: 0 or 1, more only where a look-up took over from a cancelled one.
    pub data_api_calls: u64,
    /// SKUs that end as [`Known::Unread`].
    pub unread: u64,
}

impl Lookup {
    /// Adds answers of one layer and returns how many they were.
    pub(crate) fn add(&mut self, found: impl IntoIterator<Item = (Sku, Known)>) -> u64 {
        let mut added = 0;
        for (sku, known) in found {
            self.counts.unread += u64::from(matches!(known, Known::Unread));
            self.products.insert(sku, known);
            added += 1;
        }
        added
    }
}
