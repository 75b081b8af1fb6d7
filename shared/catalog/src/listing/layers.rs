//! The listing of one process: what it remembers, then Redis, then the database; and what it remembers again, however
//! old, when the database does not answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use data_api::{Clock, Deadline};
use redis_link::{Link, RedisSettings};
use telemetry::fields;
use tokio::sync::Mutex;

use super::read::{ListingReader, read_all};
use super::stored::{self, Found};
use super::{CatalogLister, Listed, Listing, Source};

/// How old a listing may get before somebody reads the database. With the CDN in front, it bounds how old a price may
/// be when it leaves here; one read in five seconds is nothing to the database.
const FRESH_MS: u64 = 5_000;

/// Processes find a listing old up to a fifth earlier than that, each by itself, so that one of them reads while the
/// others still have a fresh one.
const FRESH_JITTER_PERCENT: u64 = 20;

/// How old a listing may be shown while the database is away. An hour is longer than a failover and most outages, and
/// little enough that not many prices have changed.
const STALE_MS: u64 = 3_600_000;

/// Clocks of two machines differ by less. What comes from further in the future is garbage.
const CLOCK_SKEW_MS: u64 = 1_000;

/// How long the database may take where there is an old listing to show instead.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// After the database failed, how long an old listing is shown without asking it again.
const REST: Duration = Duration::from_secs(2);

/// What a process does without Redis: its one warning.
const WITHOUT_REDIS: &str = "the listing comes from the database, past Redis";

/// The listing of one process: a handle, cheap to clone, whose clones share memory, connection and reads.
pub struct Listings<R, C> {
    layers: Arc<Layers<R, C>>,
}

struct Layers<R, C> {
    reader: R,
    link: Link<C>,
    clock: C,
    fresh_ms: u64,
    /// Held while a question is answered: the next one finds what this one has read.
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    listing: Option<Arc<Listing>>,
    /// The database has failed: until this moment of the monotonic clock it is not asked if there is an old listing.
    rests_until: Duration,
}

impl<R: ListingReader, C: Clock> Listings<R, C> {
    /// A listing over a database and a Redis. Nothing is connected yet; see [`Listings::warm_up`].
    ///
    /// `seed` is for the jitter: each process needs another one.
    pub fn new(reader: R, redis: RedisSettings, clock: C, seed: u64) -> Self {
        let spread_ms = FRESH_MS * FRESH_JITTER_PERCENT / 100;
        let fresh_ms = FRESH_MS - fastrand::Rng::with_seed(seed).u64(0..=spread_ms);
        let link = Link::new(redis, clock.clone(), WITHOUT_REDIS);
        Self { layers: Arc::new(Layers { reader, link, clock, fresh_ms, memory: Mutex::default() }) }
    }

    /// Opens the connection to Redis during init. Takes half a second at most, and never fails. Returns whether Redis
    /// answered, for the init's log line.
    pub async fn warm_up(&self) -> bool {
        self.layers.link.warm_up().await.is_ok()
    }
}

impl<R: ListingReader + Send + Sync, C: Clock> CatalogLister for Listings<R, C> {
    async fn list(&self, deadline: Deadline) -> Listed {
        let layers = &*self.layers;
        let mut memory = tokio::select! {
            biased;
            memory = layers.memory.lock() => memory,
            () = layers.clock.sleep(deadline.remaining(&layers.clock)) => return Listed::default(),
        };
        if let Some(fresh) = layers.remembered(&memory).filter(|listed| !listed.stale) {
            return fresh;
        }
        let (mut source, mut redis_calls, mut data_api_calls) = (Source::Snapshot, 0, 0);
        let found = stored::read(&layers.link, layers.newest_ms(), deadline, &mut redis_calls).await;
        let unreadable = matches!(found, Found::Unreadable);
        if memory.learn(found) {
            source = Source::Redis;
        }
        if layers.remembered(&memory).is_none_or(|listed| listed.stale) {
            let calls = (&mut redis_calls, &mut data_api_calls);
            if layers.ask_database(&mut memory, unreadable, deadline, calls).await {
                source = Source::Database;
            }
        }
        match layers.remembered(&memory) {
            Some(listed) => Listed { source, redis_calls, data_api_calls, ..listed },
            None => Listed { redis_calls, data_api_calls, ..Listed::default() },
        }
    }
}

impl Memory {
    /// Keeps what Redis has, if it is later; returns whether it is.
    fn learn(&mut self, found: Found) -> bool {
        let Found::Listing(found) = found else { return false };
        let later = self.listing.as_ref().is_none_or(|known| known.read_at_ms < found.read_at_ms);
        if later {
            self.listing = Some(Arc::new(found));
        }
        later
    }
}

impl<R: ListingReader, C: Clock> Layers<R, C> {
    /// What this process remembers, unless it is too old for anything.
    fn remembered(&self, memory: &Memory) -> Option<Listed> {
        let listing = memory.listing.clone()?;
        // A clock that was set back makes it as old as can be shown; one that differs a little, fresh.
        let age_ms = match self.clock.now_ms().checked_sub(listing.read_at_ms) {
            Some(age_ms) => age_ms,
            None if listing.read_at_ms - self.clock.now_ms() <= CLOCK_SKEW_MS => 0,
            None => STALE_MS,
        };
        let stale = age_ms > self.fresh_ms;
        let (listing, age, source) = (Some(listing), Duration::from_millis(age_ms), Source::Snapshot);
        (age_ms <= STALE_MS).then_some(Listed { listing, source, stale, age, ..Listed::default() })
    }

    /// A listing that was read later than this is not one.
    fn newest_ms(&self) -> u64 {
        self.clock.now_ms().saturating_add(CLOCK_SKEW_MS)
    }

    /// Remembers what the database has, and tells Redis; or that the database has failed.
    /// Returns whether it has answered.
    async fn ask_database(
        &self,
        memory: &mut Memory,
        replace: bool,
        deadline: Deadline,
        (redis_calls, data_api_calls): (&mut u64, &mut u64),
    ) -> bool {
        let spare = self.remembered(memory).is_some();
        if deadline.remaining(&self.clock).is_zero() || (spare && self.clock.monotonic() < memory.rests_until)
        {
            return false;
        }
        let patience = if spare { PATIENCE } else { Duration::MAX };
        let by = Deadline::after(&self.clock, deadline.remaining(&self.clock).min(patience));
        // What is learned is as old as the question, however long the answer takes.
        let asked_ms = self.clock.now_ms();
        match read_all(&self.reader, by, data_api_calls).await {
            Ok(products) => {
                let listing = Arc::new(Listing::new(asked_ms, products));
                memory.listing = Some(Arc::clone(&listing));
                stored::write(&self.link, &listing, (STALE_MS, replace), deadline, redis_calls).await;
                true
            }
            Err(error) => {
                memory.rests_until = self.clock.monotonic().saturating_add(REST);
                tracing::warn!(
                    { fields::ERROR_MESSAGE } = %error,
                    "the listing could not be read; an old one is shown, if there is one"
                );
                false
            }
        }
    }
}

impl<R, C> Clone for Listings<R, C> {
    fn clone(&self) -> Self {
        Self { layers: Arc::clone(&self.layers) }
    }
}

impl<R, C> fmt::Debug for Listings<R, C> {
    /// Shows no product, URL or connection.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listings").finish_non_exhaustive()
    }
}
