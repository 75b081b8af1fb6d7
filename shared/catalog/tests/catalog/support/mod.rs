//! What the tests stand on: a server, a table in place of Aurora, and catalogs over both.

mod clock;
mod proxy;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use backoff::{Clock, Deadline, SystemClock};
use catalog::{Catalog, CatalogReader, Counts, Known, Listings, Lookup, ProductView, RedisSettings};
use order::{Currency, Sku};
use redis_server::Server;
use tokio::task::JoinHandle;

pub(crate) use clock::TestClock;
pub(crate) use proxy::Proxy;
pub(crate) use table::Table;

/// A look-up that takes this long would never end.
const HANGS: Duration = Duration::from_secs(20);

/// The catalog under test.
pub(crate) type TestCatalog = Catalog<Table, TestClock>;

/// The listing under test.
pub(crate) type TestListings = Listings<Table, TestClock>;

/// Longer than a snapshot entry is fresh.
pub(crate) const SNAPSHOT_OVER: Duration = Duration::from_millis(501);

/// Longer than any cool-down.
pub(crate) const COOL_DOWN_OVER: Duration = Duration::from_millis(2_001);

/// Timeouts of a test in which Redis is well: so long that a busy machine does not look like a sick Redis.
const PATIENT: Duration = Duration::from_secs(2);

/// Timeouts of a test in which Redis does not answer: longer than in production, for the same reason.
const SHORT: Duration = Duration::from_millis(150);

/// A Redis, a table and a clock; the catalogs over them play the processes.
pub(crate) struct World {
    pub(crate) redis: Server,
    pub(crate) table: Table,
    pub(crate) clock: TestClock,
    timeout: Duration,
}

impl World {
    /// A running Redis, and products `kit-1` … `kit-9` in version 1.
    pub(crate) fn new() -> Self {
        Self::over(Server::start(), PATIENT)
    }

    /// A world in which Redis may fall ill.
    pub(crate) fn of_trouble() -> Self {
        Self::over(Server::start(), SHORT)
    }

    /// A world in which Redis is not running.
    pub(crate) fn without_redis() -> Self {
        Self::over(Server::stopped(), SHORT)
    }

    fn over(redis: Server, timeout: Duration) -> Self {
        let table = Table::default();
        for n in 1..=9 {
            table.put(&format!("kit-{n}"), n * 100, 1);
        }
        Self { redis, table, clock: TestClock::default(), timeout }
    }

    /// A process that has not connected yet.
    pub(crate) fn process(&self) -> TestCatalog {
        self.process_at(&self.redis.url())
    }

    pub(crate) fn process_at(&self, url: &str) -> TestCatalog {
        let mut settings = RedisSettings::parse(url).expect("a usable URL");
        settings.command_timeout = self.timeout;
        settings.connect_timeout = self.timeout;
        self.process_with(settings)
    }

    /// As [`World::warm_process`], for what is shown.
    pub(crate) async fn shop_window(&self) -> TestListings {
        let window = self.cold_shop_window();
        assert!(window.warm_up().await, "Redis answers during init");
        window
    }

    /// As [`World::process`], for what is shown.
    pub(crate) fn cold_shop_window(&self) -> TestListings {
        let mut settings = RedisSettings::parse(&self.redis.url()).expect("a usable URL");
        settings.command_timeout = self.timeout;
        settings.connect_timeout = self.timeout;
        Listings::new(self.table.clone(), settings, self.clock.clone(), 1)
    }

    pub(crate) fn process_with(&self, settings: RedisSettings) -> TestCatalog {
        Catalog::new(self.table.clone(), settings, self.clock.clone(), 1)
    }

    /// A process whose init is over.
    pub(crate) async fn warm_process(&self) -> TestCatalog {
        let process = self.process();
        assert!(process.warm_up().await, "Redis answers during init");
        process
    }

    /// The text under a product's key in Redis, if it is text.
    pub(crate) fn text(&self, sku: &str) -> Option<String> {
        self.redis.ask::<Vec<Option<String>>>(&[b"MGET", key(sku).as_bytes()]).into_iter().next().flatten()
    }

    pub(crate) fn deadline(&self) -> Deadline {
        self.deadline_in(Duration::from_secs(60))
    }

    pub(crate) fn deadline_in(&self, time: Duration) -> Deadline {
        Deadline::after(&self.clock, time)
    }

    /// Lets the other tasks run until something is so, within ten seconds.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let started = now();
        while !is_so() {
            assert!(started.elapsed().as_secs() < 10, "waited for: {what}");
            SystemClock.sleep(Duration::from_millis(1)).await;
        }
    }

    /// Looks up and checks what never may differ: each SKU answered once, and the counts add up.
    pub(crate) async fn look_up(&self, process: &TestCatalog, names: &[&str]) -> Lookup {
        let asked = skus(names);
        let look_up = process.look_up(&asked, self.deadline());
        let lookup = tokio::time::timeout(HANGS, look_up).await.expect("a look-up ends, whatever ails Redis");
        assert_eq!(lookup.products.keys().cloned().collect::<BTreeSet<_>>(), asked);
        let Counts { snapshot_hits, redis_hits, joined, misses, .. } = lookup.counts;
        assert_eq!(snapshot_hits + redis_hits + joined + misses, asked.len() as u64);
        lookup
    }

    /// Looks up SKUs of the table and checks that each answer is what the table says.
    pub(crate) async fn look_up_right(&self, process: &TestCatalog, names: &[&str]) -> Counts {
        let lookup = self.look_up(process, names).await;
        let expected: BTreeMap<Sku, Known> =
            skus(names).into_iter().map(|sku| (sku.clone(), self.table.known(&sku))).collect();
        assert_eq!(lookup.products, expected);
        lookup.counts
    }
}

/// What a spawned look-up answered.
pub(crate) async fn ended(look_up: JoinHandle<Lookup>) -> Lookup {
    let ended = tokio::time::timeout(HANGS, look_up).await;
    ended.expect("a look-up ends, whoever else is reading").expect("no panic")
}

/// The key of a product, as the contract has it.
pub(crate) fn key(sku: &str) -> String {
    format!("{{catalog}}:v1:{sku}")
}

/// The counts of a look-up, in the order: snapshot, Redis, missed; Redis calls, Data API calls.
pub(crate) fn told(counts: Counts) -> ([u64; 3], [u64; 2]) {
    let Counts { snapshot_hits, redis_hits, misses, redis_calls, data_api_calls, .. } = counts;
    ([snapshot_hits, redis_hits, misses], [redis_calls, data_api_calls])
}

pub(crate) fn sku(name: &str) -> Sku {
    Sku::parse(name).expect("a usable SKU")
}

pub(crate) fn skus(names: &[&str]) -> BTreeSet<Sku> {
    names.iter().map(|name| sku(name)).collect()
}

pub(crate) fn product(price_minor: i64, version: i64) -> ProductView {
    let currency = Currency::parse("EUR").expect("a currency");
    ProductView { price_minor, currency, active: true, version }
}

#[expect(clippy::disallowed_methods, reason = "how long a look-up takes is measured from outside")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
