//! The products that may be sold, as Aurora has them, page by page.

use std::future::Future;

use data_api::{Clock, DataApi, Deadline, Statement};
use order::{Currency, Sku};
use serde::Deserialize;

use super::ListedProduct;

/// How many products one read brings. The longest row, all of it escaped, is 2.5 KB; the Data API answers 1 MiB at most.
pub(super) const LISTED_PER_READ: usize = 400;

/// The most reads of one listing: 2,000 products, ten times a large meal-kit catalog. Beyond that a listing as one
/// value is the wrong design; what comes first by SKU is shown then, and a warning says so.
const READS_MAX: usize = 5;

/// Reads listings from where they are true. Implemented for [`DataApi`]; simulations and tests bring their own.
pub trait ListingReader {
    /// Why nothing could be read; logged by the catalog, so without names, values or secrets.
    type Error: std::error::Error + Send + 'static;

    /// Reads the first `limit` active products behind `after`, in the order of their SKUs (by bytes). The empty text is
    /// before every SKU.
    ///
    /// # Errors
    /// The reader does its own retrying, and ends by `deadline`.
    fn page(
        &self,
        after: &str,
        limit: usize,
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<ListedRow>, Self::Error>> + Send;
}

/// A row of `products` that is active, as read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ListedRow {
    /// `products.sku`.
    pub sku: String,
    /// `products.name`.
    pub name: String,
    /// `products.price_minor`: minor units of `currency`.
    pub price_minor: i64,
    /// `products.currency`: three upper-case letters.
    pub currency: String,
    /// `products.image_key`.
    pub image_key: Option<String>,
    /// `products.version`.
    pub version: i64,
}

const READ_LISTING: &str = "\
SELECT p.sku, p.name, p.price_minor, p.currency, p.image_key, p.version
FROM products AS p
WHERE p.active AND p.sku > :after
ORDER BY p.sku
LIMIT :limit";

impl<C: Clock> ListingReader for DataApi<C> {
    type Error = data_api::Error;

    async fn page(
        &self,
        after: &str,
        limit: usize,
        deadline: Deadline,
    ) -> Result<Vec<ListedRow>, data_api::Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let statement = Statement::new(READ_LISTING).text("after", after).long("limit", limit).idempotent();
        self.query(statement, deadline).await
    }
}

/// Reads all pages; `calls` counts them. A product of which the pages differ is as it was when its page was read.
///
/// # Errors
/// The first page that could not be read: a part of a listing is none.
pub(super) async fn read_all<R: ListingReader>(
    reader: &R,
    deadline: Deadline,
    calls: &mut u64,
) -> Result<Vec<ListedProduct>, R::Error> {
    let mut products = Vec::new();
    let mut after = String::new();
    for _ in 0..READS_MAX {
        *calls += 1;
        let rows = reader.page(&after, LISTED_PER_READ, deadline).await?;
        let full = rows.len() >= LISTED_PER_READ;
        if let Some(last) = rows.last() {
            after.clone_from(&last.sku);
        }
        products.extend(rows.into_iter().filter_map(product));
        if !full {
            return Ok(products);
        }
    }
    tracing::warn!(
        products = products.len(),
        "more products are for sale than a listing holds; those with the last SKUs are not shown"
    );
    Ok(products)
}

/// The product in a row or in a stored text; nothing if it makes no sense, which no row of the table does.
pub(super) fn product(row: ListedRow) -> Option<ListedProduct> {
    let ListedRow { sku, name, price_minor, currency, image_key, version } = row;
    let (sku, currency) = (Sku::parse(&sku).ok()?, Currency::parse(&currency).ok()?);
    Some(ListedProduct { sku, name, price_minor, currency, image_key, version })
}
