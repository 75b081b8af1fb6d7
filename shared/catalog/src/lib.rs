//! The product catalog behind three layers: what this process saw in the last half second, Redis, Aurora.
//!
//! [`Catalog`] answers "what is known of these SKUs" for a whole batch at once. A look-up costs nothing while the
//! snapshot is fresh, one Redis `MGET` when it is not, and one Data API read for what neither knows; what was read
//! goes back to Redis in one round trip. The crate promises:
//!
//! - **A look-up never fails and never waits for a sick cache.** Redis may be down, frozen, slow, restarted, full,
//!   read-only or hold garbage: the look-up pays one short timeout at most, then reads from the database. What
//!   nobody could tell is [`Known::Unread`].
//! - **An older version never replaces a newer one in Redis**, whoever writes when (`stored/write.lua`).
//! - **One read per product at a time**: look-ups that miss the same SKU share one database read.
//! - **[`Listings`] shows what is for sale**, from one value that is remembered, in Redis, or read anew, and a few seconds
//!   old; an old one rather than none while the database is away.
//! - **The cache prices, it never decides a rejection**: Aurora compares again when it accepts the order. A stale
//!   entry costs a doubt, and [`CatalogReader::forget`] heals it.
//! - No SKU, value, URL or password is ever logged.
//!
//! Nothing here reads a clock or waits except through the [`data_api::Clock`] that is handed in; the only other
//! timers are the socket timeouts inside the Redis client.

mod catalog;
mod error;
mod listing;
mod look_up;
mod memory;
mod reader;
mod snapshot;
mod stored;

pub use catalog::Catalog;
pub use error::Error;
pub use listing::{
    CatalogLister, Listed, ListedProduct, ListedRow, Listing, ListingReader, Listings, Source,
};
pub use look_up::{CatalogReader, CatalogWriter, Counts, Lookup};
pub use order::{Known, ProductView};
pub use reader::{ProductReader, Row};
pub use redis_link::{BadUrl, Fault, RedisSettings};
pub use stored::Published;
