//! The `products` table as the catalog sees it: rows, a count of reads, and switches for trouble.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use catalog::{Known, ListedRow, ListingReader, ProductReader, Row};
use data_api::Deadline;
use order::Sku;
use tokio::sync::watch;

use super::product;

/// A table whose clones are the same table.
#[derive(Clone)]
pub(crate) struct Table {
    state: Arc<Mutex<State>>,
    gate: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<String, Row>,
    reads: u64,
    pages: u64,
    down: bool,
}

/// The database does not answer.
#[derive(Debug, thiserror::Error)]
#[error("the table is down")]
pub(crate) struct Down;

impl Default for Table {
    fn default() -> Self {
        Self { state: Arc::default(), gate: watch::Sender::new(true) }
    }
}

impl Table {
    /// Inserts or changes a product.
    pub(crate) fn put(&self, sku: &str, price_minor: i64, version: i64) {
        let row = Row { sku: sku.to_owned(), price_minor, currency: "EUR".to_owned(), active: true, version };
        self.lock().rows.insert(sku.to_owned(), row);
    }

    /// Takes a product off sale.
    pub(crate) fn retire(&self, sku: &str) {
        self.lock().rows.get_mut(sku).expect("a product").active = false;
    }

    pub(crate) fn set_down(&self, down: bool) {
        self.lock().down = down;
    }

    /// How often it was read.
    pub(crate) fn reads(&self) -> u64 {
        self.lock().reads
    }

    /// How many pages of listings were read.
    pub(crate) fn pages(&self) -> u64 {
        self.lock().pages
    }

    /// Holds back the answers of reads (rows as they are when the read comes) until [`Table::release`].
    pub(crate) fn hold(&self) {
        self.gate.send_replace(false);
    }

    pub(crate) fn release(&self) {
        self.gate.send_replace(true);
    }

    /// What a look-up should answer.
    pub(crate) fn known(&self, sku: &Sku) -> Known {
        let state = self.lock();
        state
            .rows
            .get(sku.as_str())
            .map_or(Known::Unknown, |row| Known::Product(product(row.price_minor, row.version)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the table")
    }
}

impl ProductReader for Table {
    type Error = Down;

    async fn read(&self, skus: &[Sku], _: Deadline) -> Result<Vec<Row>, Down> {
        let answer = {
            let mut state = self.lock();
            state.reads += 1;
            let rows = skus.iter().filter_map(|sku| state.rows.get(sku.as_str()).cloned()).collect();
            if state.down { Err(Down) } else { Ok(rows) }
        };
        self.gate.subscribe().wait_for(|open| *open).await.expect("the table outlives its readers");
        answer
    }
}

impl ListingReader for Table {
    type Error = Down;

    async fn page(&self, after: &str, limit: usize, _: Deadline) -> Result<Vec<ListedRow>, Down> {
        let answer = {
            let mut state = self.lock();
            state.pages += 1;
            let rows = state.rows.values().filter(|row| row.active && row.sku.as_str() > after);
            let rows = rows.take(limit).map(listed).collect();
            if state.down { Err(Down) } else { Ok(rows) }
        };
        self.gate.subscribe().wait_for(|open| *open).await.expect("the table outlives its readers");
        answer
    }
}

fn listed(row: &Row) -> ListedRow {
    let Row { sku, price_minor, currency, version, .. } = row.clone();
    ListedRow { name: format!("Kit {sku}"), image_key: None, sku, price_minor, currency, version }
}
