//! All products that may be sold, for those who look at them rather than order them.
//!
//! A listing says what a page shows: name, image, price. It says nothing of stock, which changes with every order. It
//! may be a few seconds old, and while the database is away much older: an order is judged by the database anyway.

mod layers;
mod read;
mod stored;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use data_api::Deadline;
use order::{Currency, Sku};

pub use layers::Listings;
pub use read::{ListedRow, ListingReader};

/// The door to the listing. [`Listings`] is the real one; simulations bring a twin.
pub trait CatalogLister {
    /// Tells which products there are, and answers by `deadline` plus the time of one command.
    ///
    /// Cancellation-safe: dropping the future leaves no lock and no half-read connection.
    fn list(&self, deadline: Deadline) -> impl Future<Output = Listed> + Send;
}

/// What one question for the listing found, and what it cost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The products; nothing when neither database nor Redis answered and none are remembered.
    pub listing: Option<Arc<Listing>>,
    /// Where it came from.
    pub source: Source,
    /// Whether it is older than it should be, because the database did not answer.
    pub stale: bool,
    /// How long ago it was read from the database.
    pub age: Duration,
    /// Commands sent to Redis: at most one to read and one to write.
    pub redis_calls: u64,
    /// Reads sent to the database: one for every 400 products.
    pub data_api_calls: u64,
}

/// Where a listing came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Source {
    /// This process remembered it.
    Snapshot,
    /// Redis had it.
    Redis,
    /// It was read from the database.
    Database,
    /// There is none.
    #[default]
    Nowhere,
}

impl Source {
    /// One word for a log line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Redis => "redis",
            Self::Database => "database",
            Self::Nowhere => "nowhere",
        }
    }
}

/// One product as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedProduct {
    /// What it is ordered by.
    pub sku: Sku,
    /// What it is called, 1 to 200 characters.
    pub name: String,
    /// Minor units of `currency`.
    pub price_minor: i64,
    /// The currency of the price.
    pub currency: Currency,
    /// Where its image is in the bucket of images, if it has one.
    pub image_key: Option<String>,
    /// Grows with each change of the product.
    pub version: i64,
}

/// The products that may be sold, in the order of their SKUs (by bytes), each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// When reading began, Unix milliseconds.
    read_at_ms: u64,
    products: Vec<ListedProduct>,
}

impl Listing {
    /// A listing of products in any order, as read at `read_at_ms` (Unix milliseconds).
    #[must_use]
    pub fn new(read_at_ms: u64, mut products: Vec<ListedProduct>) -> Self {
        products.sort_by(|a, b| a.sku.cmp(&b.sku));
        products.dedup_by(|a, b| a.sku == b.sku);
        Self { read_at_ms, products }
    }

    /// All products.
    #[must_use]
    pub fn products(&self) -> &[ListedProduct] {
        &self.products
    }

    /// The products behind `after`, which need not be listed; all of them without.
    #[must_use]
    pub fn after(&self, after: Option<&Sku>) -> &[ListedProduct] {
        let first = after.map_or(0, |after| self.products.partition_point(|product| product.sku <= *after));
        self.products.get(first..).unwrap_or_default()
    }

    /// One product.
    #[must_use]
    pub fn product(&self, sku: &Sku) -> Option<&ListedProduct> {
        let at = self.products.binary_search_by(|product| product.sku.cmp(sku)).ok()?;
        self.products.get(at)
    }
}

#[cfg(test)]
mod tests {
    use super::{ListedProduct, Listing};
    use order::{Currency, Sku};

    fn sku(name: &str) -> Sku {
        Sku::parse(name).expect("a usable SKU")
    }

    fn listing(names: &[&str]) -> Listing {
        let product = |name: &&str| ListedProduct {
            sku: sku(name),
            name: (*name).to_owned(),
            price_minor: 100,
            currency: Currency::parse("EUR").expect("a currency"),
            image_key: None,
            version: 1,
        };
        Listing::new(0, names.iter().map(product).collect())
    }

    #[track_caller]
    fn check_after(after: Option<&str>, expected: &[&str]) {
        let listing = listing(&["b", "a", "d", "b"]);
        let found: Vec<&str> =
            listing.after(after.map(sku).as_ref()).iter().map(|product| product.sku.as_str()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn products_are_in_order_and_each_is_there_once() {
        check_after(None, &["a", "b", "d"]);
    }

    #[test]
    fn a_page_begins_behind_any_sku() {
        check_after(Some("a"), &["b", "d"]);
        check_after(Some("c"), &["d"]);
        check_after(Some("A"), &["a", "b", "d"]);
        check_after(Some("d"), &[]);
    }

    #[test]
    fn a_product_is_found_by_its_sku() {
        let listing = listing(&["b", "a", "d"]);
        assert_eq!(listing.product(&sku("d")).map(|product| product.name.as_str()), Some("d"));
        assert_eq!(listing.product(&sku("c")), None);
    }
}
