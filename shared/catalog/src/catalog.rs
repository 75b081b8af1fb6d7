//! The catalog: one look-up through all layers, and the writer's side.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use data_api::{Clock, Deadline};
use order::{Known, ProductView, Sku};
use redis_link::RedisSettings;
use telemetry::fields;

use crate::error::Error;
use crate::look_up::{CatalogReader, CatalogWriter, Counts, Lookup};
use crate::memory::{Boarding, Flight, Follower, Memory};
use crate::reader::{self, ProductReader};
use crate::snapshot::Moment;
use crate::stored::{Published, Stored};

/// How often a look-up takes over from cancelled ones before it gives up. Each time stands for another invocation
/// that was dropped in the middle, which happens at its deadline only.
const BOARDINGS_MAX: u32 = 4;

/// The product catalog of one process: a handle, cheap to clone, whose clones share snapshot, connection and reads.
pub struct Catalog<R, C> {
    layers: Arc<Layers<R, C>>,
}

struct Layers<R, C> {
    reader: R,
    stored: Stored<C>,
    memory: Memory,
    clock: C,
}

impl<R: ProductReader, C: Clock> Catalog<R, C> {
    /// A catalog over a database and a Redis. Nothing is connected yet; see [`Catalog::warm_up`].
    ///
    /// `seed` is for the jitter of times to live: each process needs another one.
    pub fn new(reader: R, redis: RedisSettings, clock: C, seed: u64) -> Self {
        let stored = Stored::new(redis, clock.clone(), seed);
        Self { layers: Arc::new(Layers { reader, stored, memory: Memory::default(), clock }) }
    }

    /// Opens the connection to Redis during init, so that no order waits for it. Takes half a second at most, and
    /// never fails: without Redis the catalog works, slower. Returns whether Redis answered, for the init's log line.
    pub async fn warm_up(&self) -> bool {
        self.layers.stored.warm_up().await.is_ok()
    }
}

impl<R: ProductReader + Send + Sync, C: Clock> CatalogReader for Catalog<R, C> {
    async fn look_up(&self, skus: &BTreeSet<Sku>, deadline: Deadline) -> Lookup {
        let layers = &*self.layers;
        let mut lookup = Lookup::default();
        let mut wanted = skus.clone();
        for _ in 0..BOARDINGS_MAX {
            let Boarding { fresh, flight, others } = layers.memory.board(Moment::now(&layers.clock), &wanted);
            lookup.counts.snapshot_hits += lookup.add(fresh);
            layers.fly(flight, deadline, &mut lookup).await;
            wanted = layers.follow(others, deadline, &mut lookup).await;
            if wanted.is_empty() {
                break;
            }
        }
        lookup.counts.joined += lookup.add(wanted.into_iter().map(|sku| (sku, Known::Unread)));
        lookup
    }

    fn forget(&self, sku: &Sku) {
        self.layers.memory.distrust(sku);
    }
}

impl<R: ProductReader + Send + Sync, C: Clock> CatalogWriter for Catalog<R, C> {
    async fn publish(
        &self,
        products: &BTreeMap<Sku, ProductView>,
        deadline: Deadline,
    ) -> Result<Published, Error> {
        let known =
            products.iter().map(|(sku, product)| (sku.clone(), Known::Product(product.clone()))).collect();
        let published = self.layers.stored.publish(&known, deadline).await.map_err(Error::Publish)?;
        for sku in products.keys() {
            self.layers.memory.drop_sku(sku);
        }
        Ok(published)
    }
}

impl<R: ProductReader, C: Clock> Layers<R, C> {
    /// Reads what this look-up has to read: Redis, then the database for the rest; lands the answers for everybody,
    /// and only then writes back.
    async fn fly(&self, flight: Flight<'_>, deadline: Deadline, lookup: &mut Lookup) {
        if flight.skus.is_empty() {
            return;
        }
        // What is learned is as old as the question, however long the answer takes.
        let asked = Moment::now(&self.clock);
        let trusted: BTreeSet<Sku> = flight.skus.difference(&flight.past_redis).cloned().collect();
        let found = self.stored.read(&trusted, deadline, &mut lookup.counts).await;
        let missing = flight.skus.iter().filter(|sku| !found.known.contains_key(sku)).cloned().collect();
        let read = self.read(missing, deadline, &mut lookup.counts).await;
        flight.land(asked, &found.known, &read);
        self.stored.write_back(&read, &found.unreadable, deadline, &mut lookup.counts).await;
        lookup.counts.redis_hits += lookup.add(found.known);
        lookup.counts.misses += lookup.add(read);
    }

    /// Reads `missing` from the database, in one call; what cannot be read is `Unread`.
    async fn read(&self, missing: Vec<Sku>, deadline: Deadline, counts: &mut Counts) -> BTreeMap<Sku, Known> {
        let (asked, beyond) = missing.split_at(missing.len().min(reader::SKUS_PER_READ_MAX));
        let unread = |skus: &[Sku]| skus.iter().map(|sku| (sku.clone(), Known::Unread)).collect();
        if asked.is_empty() || deadline.remaining(&self.clock).is_zero() {
            return unread(&missing);
        }
        counts.data_api_calls += 1;
        let mut known = match self.reader.read(asked, deadline).await {
            Ok(rows) => reader::known(asked, rows),
            Err(error) => {
                tracing::warn!(
                    { fields::ERROR_MESSAGE } = %error,
                    "products could not be read; the database alone judges their orders"
                );
                unread(asked)
            }
        };
        known.append(&mut unread(beyond));
        known
    }

    /// Waits for the flights of other look-ups, until the deadline at most. Returns the SKUs whose flight was cancelled.
    async fn follow(
        &self,
        others: BTreeMap<Sku, Follower>,
        deadline: Deadline,
        lookup: &mut Lookup,
    ) -> BTreeSet<Sku> {
        if others.is_empty() {
            return BTreeSet::new();
        }
        let mut landed = BTreeMap::new();
        let all_land = async {
            for (sku, follower) in &others {
                landed.insert(sku.clone(), follower.clone().landed(sku).await);
            }
        };
        tokio::select! {
            biased;
            () = all_land => {}
            () = self.clock.sleep(deadline.remaining(&self.clock)) => {}
        }
        let mut cancelled = BTreeSet::new();
        for (sku, follower) in others {
            // Out of time: take what has landed behind the slow one.
            let answer = landed.remove(&sku).unwrap_or_else(|| follower.landed_by_now(&sku));
            match answer {
                Some(known) => lookup.counts.joined += lookup.add([(sku, known)]),
                None => {
                    cancelled.insert(sku);
                }
            }
        }
        cancelled
    }
}

impl<R, C> Clone for Catalog<R, C> {
    fn clone(&self) -> Self {
        Self { layers: Arc::clone(&self.layers) }
    }
}

impl<R, C> fmt::Debug for Catalog<R, C> {
    /// Shows no product, URL or connection.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").finish_non_exhaustive()
    }
}
