//! The door to the catalog's tables: product changes and stock adjustments, a batch a call.

use std::future::Future;

use backoff::Clock;
use data_api::{Deadline, Error, Statement};
use order::{Currency, EventId, ParseError, Product, ProductView, Sku, StockAdjusted};
use serde::{Deserialize, Serialize};

use crate::Aurora;
use crate::store::json;

/// Where products and their stock are kept.
pub trait CatalogStore {
    /// Applies a batch of changes, all in one transaction: of each product the newest version stays, each adjustment
    /// counts once. An error means that nothing was written, or (where the outcome was lost) that the same batch again
    /// is answered as known.
    ///
    /// Answers come in no particular sequence, one per change. An empty batch costs no call.
    ///
    /// # Errors
    /// The whole batch failed; [`Error::decision`] says what to do. What is wrong with one change alone is its answer,
    /// never an error.
    fn refresh(
        &self,
        batch: &[CatalogChange],
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<Refreshed>, Error>> + Send;
}

/// One change of the catalog, as `refresh_catalog_v1` takes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CatalogChange {
    /// Comes back with the answer.
    pub record_no: usize,
    /// What changes.
    #[serde(flatten)]
    pub change: Change,
}

/// What changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// A product is so now. Stock is not touched.
    Product {
        /// Which one.
        sku: Sku,
        /// For people.
        name: String,
        /// Price of one piece, in minor units.
        price_minor: i64,
        /// What the price is in.
        currency: Currency,
        /// Whether it is sold now.
        active: bool,
        /// A row with this version or a newer one stays as it is.
        version: i64,
        /// Where its image is.
        image_key: Option<String>,
    },
    /// Pieces came or went. What goes beyond the shelf is owed.
    Stock {
        /// The event counts once.
        event_id: EventId,
        /// Which product; its row in `products` may come later.
        sku: Sku,
        /// How many came (positive) or went (negative).
        delta: i64,
    },
}

impl From<Product> for Change {
    fn from(product: Product) -> Self {
        let Product { sku, name, price_minor, currency, active, version, image_key } = product;
        Self::Product { sku, name, price_minor, currency, active, version, image_key }
    }
}

impl Change {
    /// The change that this event tells of.
    #[must_use]
    pub fn adjustment(event_id: EventId, StockAdjusted { sku, delta }: StockAdjusted) -> Self {
        Self::Stock { event_id, sku, delta }
    }
}

/// The database's answer for one change. Whatever it says is committed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Row")]
pub struct Refreshed {
    /// The record's number, as it was given.
    pub record_no: usize,
    /// What this call did, or found.
    pub refreshing: Refreshing,
    /// The product as its row is now, for the cache; `None` for an adjustment and for what was refused.
    pub product: Option<(Sku, ProductView)>,
    /// Pieces of this SKU that adjustments have taken and that were not on the shelf: 0 but for a shop that has sold
    /// more than it has. Always 0 for a product.
    pub owed: i64,
}

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshing {
    /// This record made it.
    Applied,
    /// The same was applied before.
    Known,
    /// The product has a newer version already.
    Superseded,
    /// The version, or the event id, was applied with another content. The first one stands.
    IdReused,
    /// The database cannot hold this change (SQLSTATE class 22 or 23). Nothing was written.
    Refused {
        /// Five characters.
        sqlstate: String,
    },
}

/// `:batch` is text, because the Data API binds no JSON array; the cast makes it one.
const REFRESH: &str = "SELECT * FROM refresh_catalog_v1(CAST(:batch AS jsonb))";

impl<C: Clock> CatalogStore for Aurora<C> {
    async fn refresh(&self, batch: &[CatalogChange], deadline: Deadline) -> Result<Vec<Refreshed>, Error> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        // Idempotent: what was committed is known the second time.
        let statement = Statement::new(REFRESH).text("batch", json(batch)).idempotent();
        self.data_api.query(statement, deadline).await
    }
}

/// The columns of `refresh_catalog_v1`.
#[derive(Deserialize)]
struct Row {
    record_no: usize,
    verdict: String,
    reason: Option<String>,
    sku: Option<Sku>,
    price_minor: Option<i64>,
    currency: Option<Currency>,
    active: Option<bool>,
    version: Option<i64>,
    owed: Option<i64>,
}

impl TryFrom<Row> for Refreshed {
    type Error = ParseError;

    fn try_from(row: Row) -> Result<Self, ParseError> {
        let refreshing = match row.verdict.as_str() {
            "applied" => Refreshing::Applied,
            "known" => Refreshing::Known,
            "superseded" => Refreshing::Superseded,
            "id_reused" => Refreshing::IdReused,
            "refused" => Refreshing::Refused { sqlstate: row.reason.unwrap_or_default() },
            _ => return Err(ParseError::Word { what: "verdict of refresh_catalog_v1" }),
        };
        let product = match (row.sku, row.price_minor, row.currency, row.active, row.version) {
            (Some(sku), Some(price_minor), Some(currency), Some(active), Some(version)) => {
                Some((sku, ProductView { price_minor, currency, active, version }))
            }
            _ => None,
        };
        Ok(Self { record_no: row.record_no, refreshing, product, owed: row.owed.unwrap_or(0) })
    }
}

#[cfg(test)]
mod tests {
    use order::event::{self, EventData};
    use serde_json::{Value, json};

    use super::{CatalogChange, Change, Refreshed, Refreshing};

    /// The change that the event of this type and data is, numbered 7.
    fn change(kind: &str, data: &Value) -> Value {
        let body = json!({"specversion": "1.0", "id": "evt_1", "source": "shop", "type": kind,
                          "time": "2026-11-23T10:15:00Z", "data": data});
        let event = event::parse(&body.to_string()).unwrap();
        let change = match event.data {
            EventData::ProductChanged(product) => Change::from(product),
            EventData::StockAdjusted(adjusted) => Change::adjustment(event.envelope.id, adjusted),
            other => panic!("{other:?}"),
        };
        serde_json::to_value(CatalogChange { record_no: 7, change }).unwrap()
    }

    #[test]
    fn events_become_the_elements_that_the_call_takes() {
        let product = json!({"sku": "kit", "name": "A kit", "priceMinor": 2490, "currency": "EUR", "active": true,
                             "version": 3, "imageKey": "kit.webp"});
        let expected = json!({"record_no": 7, "kind": "product", "sku": "kit", "name": "A kit", "price_minor": 2490,
                              "currency": "EUR", "active": true, "version": 3, "image_key": "kit.webp"});
        assert_eq!(change("product.changed.v1", &product), expected);
        let adjusted = json!({"sku": "kit", "delta": -4});
        let expected =
            json!({"record_no": 7, "kind": "stock", "event_id": "evt_1", "sku": "kit", "delta": -4});
        assert_eq!(change("stock.adjusted.v1", &adjusted), expected);
    }

    fn row(verdict: &str, reason: Value) -> Value {
        json!({"record_no": 3, "verdict": verdict, "reason": reason, "sku": "kit", "price_minor": null, "currency": null,
               "active": null, "version": null, "owed": 2})
    }

    #[track_caller]
    fn check(row: Value, expected: Option<Refreshing>) {
        let answer = serde_json::from_value::<Refreshed>(row).ok().map(|answer| answer.refreshing);
        assert_eq!(answer, expected);
    }

    #[test]
    fn every_verdict_of_the_call_is_read_and_no_other() {
        check(row("applied", Value::Null), Some(Refreshing::Applied));
        check(row("known", Value::Null), Some(Refreshing::Known));
        check(row("superseded", Value::Null), Some(Refreshing::Superseded));
        check(row("id_reused", Value::Null), Some(Refreshing::IdReused));
        check(row("refused", json!("23514")), Some(Refreshing::Refused { sqlstate: "23514".to_owned() }));
        check(row("postponed", Value::Null), None);
        check(json!({"record_no": 3}), None);
    }
}
