//! Events in; rows, queues and responses out: the functions as built, hosted by `local-cloud`, over real PostgreSQL
//! and Redis. Each test has a stack of its own and speaks only through doors that AWS would have as well, and through
//! SQL for the truth.
//!
//! `cargo xtask test` builds what these tests start; plain `cargo test -p flow` tests what was built last.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what is wrong by failing"
)]

mod shop;

mod accepting;
mod caching;
mod caching_proxy;
mod database_faults;
mod killing;
mod load;
mod metrics;
mod outage;
mod paying;
mod poison;
mod provider_faults;
mod refreshing;
mod repeating;
mod repricing;
mod secrecy;
mod showing;
mod switch;
mod verdict;
mod without_redis;
