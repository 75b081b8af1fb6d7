//! The catalog, cache-aside: Redis first, the database for what it does not have.

use crate::order::{Order, Product};
use backoff::{Deadline, SystemClock};
use data_api::{DataApi, Statement};
use lambda_runtime::Error;
use redis_link::{Link, RedisSettings, cmd};
use std::collections::BTreeMap;

const TTL_S: u32 = 3600;

const PRODUCT: &str = "SELECT price_minor, currency, active FROM products WHERE sku = :sku";

pub(crate) struct Catalog {
    redis: Link<SystemClock>,
    api: DataApi<SystemClock>,
}

impl Catalog {
    pub(crate) fn new(redis_url: &str, api: DataApi<SystemClock>) -> Result<Self, Error> {
        let redis = Link::new(RedisSettings::parse(redis_url)?, SystemClock, "the batch fails");
        Ok(Self { redis, api })
    }

    /// The products of the order that exist, by SKU.
    pub(crate) async fn products(
        &self,
        order: &Order,
        deadline: Deadline,
    ) -> Result<BTreeMap<String, Product>, Error> {
        let mut read = cmd("MGET");
        for item in &order.items {
            read.arg(key(&item.sku));
        }
        let cached: Vec<Option<String>> = self.redis.call(&read, deadline, &mut 0).await?;
        let mut products = BTreeMap::new();
        for (item, cached) in order.items.iter().zip(cached) {
            let product = match cached {
                Some(text) => Some(serde_json::from_str(&text)?),
                None => self.read(&item.sku, deadline).await?,
            };
            products.extend(product.map(|product| (item.sku.clone(), product)));
        }
        Ok(products)
    }

    /// Reads a product from the database, and leaves it in the cache.
    async fn read(&self, sku: &str, deadline: Deadline) -> Result<Option<Product>, Error> {
        let rows: Vec<Product> = self.api.query(Statement::new(PRODUCT).text("sku", sku), deadline).await?;
        let Some(product) = rows.into_iter().next() else { return Ok(None) };
        let mut write = cmd("SET");
        write.arg(key(sku)).arg(serde_json::to_string(&product)?).arg("EX").arg(TTL_S);
        self.redis.call::<()>(&write, deadline, &mut 0).await?;
        Ok(Some(product))
    }
}

fn key(sku: &str) -> String {
    format!("naive-accept:product:{sku}")
}
