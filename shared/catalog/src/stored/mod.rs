//! The second layer: products in Redis, read with one `MGET` and written with one script.
//!
//! A product lives under `{catalog}:v1:<sku>`; the braces put all keys into one cluster slot, and `v1` is the version
//! of the text format (`value.rs`). Redis holds no truth: whatever cannot be read is a miss, and the write-back heals
//! it. Writers race freely, because the script keeps the newest version.

mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use data_api::{Clock, Deadline};
use order::{Known, Sku};
use redis_link::{Cmd, Fault, Link, RedisSettings};

use crate::look_up::Counts;

/// How long a product lives in Redis, before jitter. Versions keep entries right, so this only bounds how long a lost
/// refresh may last; 200 products then cost less than one read a second over all instances.
const PRODUCT_TTL_MS: u64 = 300_000;

/// How long an unknown SKU is remembered, before jitter: spares the database a burst of one wrong SKU, and a product
/// that is added a moment later is doubted for a few seconds only.
const UNKNOWN_TTL_MS: u64 = 5_000;

/// Times to live vary by a fifth in both directions, so that products loaded together do not expire together.
const TTL_JITTER_PERCENT: u64 = 20;

/// What a process does without Redis: its one warning.
const WITHOUT_REDIS: &str = "products come from the database, past Redis";

const WRITE: &str = include_str!("write.lua");

/// What became of published products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Products that Redis has now, in the given version.
    pub written: u64,
    /// Products of which Redis had a newer version already, or that cannot be stored (a negative price or version).
    pub superseded: u64,
}

/// The products in Redis.
pub(crate) struct Stored<C> {
    link: Link<C>,
    random: Mutex<fastrand::Rng>,
}

/// What one `MGET` told.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What Redis knows.
    pub(crate) known: BTreeMap<Sku, Known>,
    /// Text that is no value, to be replaced by the write-back if it is still there then.
    pub(crate) unreadable: BTreeMap<Sku, Vec<u8>>,
}

impl<C: Clock> Stored<C> {
    pub(crate) fn new(redis: RedisSettings, clock: C, seed: u64) -> Self {
        Self {
            link: Link::new(redis, clock, WITHOUT_REDIS),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
        }
    }

    pub(crate) async fn warm_up(&self) -> Result<(), Fault> {
        self.link.warm_up().await
    }

    /// Reads `skus` with one `MGET`. Whatever goes wrong, the SKUs are merely not found.
    pub(crate) async fn read(&self, skus: &BTreeSet<Sku>, deadline: Deadline, counts: &mut Counts) -> Found {
        if skus.is_empty() {
            return Found::default();
        }
        let mut command = redis_link::cmd("MGET");
        for sku in skus {
            command.arg(key(sku));
        }
        let texts = self.link.call(&command, deadline, &mut counts.redis_calls).await;
        found(skus, texts.unwrap_or_default())
    }

    /// Writes what was read from the database back, in one round trip. Nobody waits for its outcome.
    pub(crate) async fn write_back(
        &self,
        read: &BTreeMap<Sku, Known>,
        unreadable: &BTreeMap<Sku, Vec<u8>>,
        deadline: Deadline,
        counts: &mut Counts,
    ) {
        if let Some(command) = self.write(read, unreadable) {
            // A write that failed leaves a later look-up with a miss; the link has logged why.
            self.link.call::<u64>(&command, deadline, &mut counts.redis_calls).await.ok();
        }
    }

    /// Writes new versions of products, and tells how many Redis took.
    pub(crate) async fn publish(
        &self,
        products: &BTreeMap<Sku, Known>,
        deadline: Deadline,
    ) -> Result<Published, Fault> {
        let asked = u64::try_from(products.len()).unwrap_or(u64::MAX);
        let written = match self.write(products, &BTreeMap::new()) {
            Some(command) => self.link.call::<u64>(&command, deadline, &mut 0).await?,
            None => 0,
        };
        Ok(Published { written, superseded: asked.saturating_sub(written) })
    }

    /// The script's call for all products that can be stored; `None` if there are none.
    ///
    /// `EVAL` rather than `EVALSHA`: 1 KB more on the wire, and never a second round trip after a restart.
    fn write(&self, products: &BTreeMap<Sku, Known>, unreadable: &BTreeMap<Sku, Vec<u8>>) -> Option<Cmd> {
        let storable: Vec<(&Sku, &Known, String)> =
            products.iter().filter_map(|(sku, known)| Some((sku, known, value::encode(known)?))).collect();
        if storable.is_empty() {
            return None;
        }
        let mut command = redis_link::cmd("EVAL");
        command.arg(WRITE).arg(storable.len());
        for (sku, _, _) in &storable {
            command.arg(key(sku));
        }
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        for (sku, known, text) in &storable {
            let seen = unreadable.get(*sku).map_or(&[][..], Vec::as_slice);
            command.arg(text).arg(ttl_ms(&mut random, known)).arg(seen);
        }
        Some(command)
    }
}

/// Pairs the answers of an `MGET` with what was asked. A missing key, and a key of another type, is `None`.
fn found(skus: &BTreeSet<Sku>, texts: Vec<Option<Vec<u8>>>) -> Found {
    let mut found = Found::default();
    for (sku, text) in skus.iter().zip(texts) {
        let Some(text) = text else { continue };
        match value::decode(&text) {
            Some(known) => {
                found.known.insert(sku.clone(), known);
            }
            // The script replaces longer text without being told.
            None if text.len() > value::LENGTH_MAX => {}
            None => {
                found.unreadable.insert(sku.clone(), text);
            }
        }
    }
    found
}

/// One slot for all products, so that `MGET` and the script work in cluster mode.
fn key(sku: &Sku) -> String {
    format!("{{catalog}}:v1:{sku}")
}

fn ttl_ms(random: &mut fastrand::Rng, known: &Known) -> u64 {
    let base_ms = if matches!(known, Known::Product(_)) { PRODUCT_TTL_MS } else { UNKNOWN_TTL_MS };
    let spread_ms = base_ms * TTL_JITTER_PERCENT / 100;
    random.u64(base_ms - spread_ms..=base_ms + spread_ms)
}

#[cfg(test)]
mod tests {
    use super::{found, key, ttl_ms};
    use order::{Currency, Known, ProductView, Sku};
    use proptest::prelude::{any, prop_assert, proptest};
    use std::collections::{BTreeMap, BTreeSet};

    fn sku(name: &str) -> Sku {
        Sku::parse(name).expect("a usable SKU")
    }

    #[test]
    fn all_products_share_one_cluster_slot() {
        assert_eq!(key(&sku("kit-1")), "{catalog}:v1:kit-1");
    }

    #[test]
    fn an_answer_that_is_too_short_leaves_the_rest_missing() {
        let asked = BTreeSet::from([sku("a"), sku("b"), sku("c"), sku("d")]);
        let found = found(&asked, vec![Some(b"0".to_vec()), None, Some(b"no".to_vec())]);
        assert_eq!(found.known, BTreeMap::from([(sku("a"), Known::Unknown)]));
        assert_eq!(found.unreadable, BTreeMap::from([(sku("c"), b"no".to_vec())]));
    }

    proptest! {
        #[test]
        fn times_to_live_stay_within_a_fifth_of_their_base(seed in any::<u64>()) {
            let currency = Currency::parse("EUR").expect("a currency");
            let product = Known::Product(ProductView { price_minor: 1, currency, active: true, version: 1 });
            let mut random = fastrand::Rng::with_seed(seed);
            for _ in 0..20 {
                prop_assert!((240_000..=360_000).contains(&ttl_ms(&mut random, &product)));
                prop_assert!((4_000..=6_000).contains(&ttl_ms(&mut random, &Known::Unknown)));
            }
        }
    }
}
