//! The third layer: the products as Aurora has them, in one read.

use std::collections::BTreeMap;
use std::future::Future;

use data_api::{Clock, DataApi, Deadline, Statement};
use order::{Currency, Known, ProductView, Sku};
use serde::Deserialize;

/// The most SKUs that one read asks for. Ten orders of fifty lines make 500; a thousand keep the parameter and the
/// answer far below the Data API's 1 MiB.
pub(crate) const SKUS_PER_READ_MAX: usize = 1_000;

/// Reads products from where they are true. Implemented for [`DataApi`]; simulations and tests bring their own.
pub trait ProductReader {
    /// Why nothing could be read; logged by the catalog, so without names, values or secrets.
    type Error: std::error::Error + Send + 'static;

    /// Reads the rows of `skus`, in any order; an SKU without a row does not exist.
    ///
    /// # Errors
    /// Any error means that nothing is known of any of `skus`. The reader does its own retrying, and ends by
    /// `deadline`.
    fn read(
        &self,
        skus: &[Sku],
        deadline: Deadline,
    ) -> impl Future<Output = Result<Vec<Row>, Self::Error>> + Send;
}

/// A row of `products`, as read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Row {
    /// `products.sku`.
    pub sku: String,
    /// `products.price_minor`: minor units of `currency`.
    pub price_minor: i64,
    /// `products.currency`: three upper-case letters.
    pub currency: String,
    /// `products.active`: whether it may be sold.
    pub active: bool,
    /// `products.version`: grows with each change of the row.
    pub version: i64,
}

const READ_PRODUCTS: &str = "\
SELECT p.sku, p.price_minor, p.currency, p.active, p.version
FROM jsonb_array_elements_text(CAST(:skus AS jsonb)) AS wanted(sku)
JOIN products AS p ON p.sku = wanted.sku";

impl<C: Clock> ProductReader for DataApi<C> {
    type Error = data_api::Error;

    async fn read(&self, skus: &[Sku], deadline: Deadline) -> Result<Vec<Row>, data_api::Error> {
        let statement = Statement::new(READ_PRODUCTS).text("skus", json_list(skus)).idempotent();
        self.query(statement, deadline).await
    }
}

/// `["a","b"]`. An SKU holds no character that JSON would escape, so this cannot fail.
fn json_list(skus: &[Sku]) -> String {
    let quoted: Vec<String> = skus.iter().map(|sku| format!("\"{sku}\"")).collect();
    format!("[{}]", quoted.join(","))
}

/// What the rows of one read tell of `skus`: no row means unknown, a row that makes no sense means unread.
pub(crate) fn known(skus: &[Sku], rows: Vec<Row>) -> BTreeMap<Sku, Known> {
    let mut known: BTreeMap<Sku, Known> = skus.iter().map(|sku| (sku.clone(), Known::Unknown)).collect();
    for row in rows {
        let Ok(sku) = Sku::parse(&row.sku) else { continue };
        if let Some(entry) = known.get_mut(&sku) {
            *entry = view(&row).map_or(Known::Unread, Known::Product);
        }
    }
    known
}

fn view(row: &Row) -> Option<ProductView> {
    let currency = Currency::parse(&row.currency).ok()?;
    Some(ProductView { price_minor: row.price_minor, currency, active: row.active, version: row.version })
}

#[cfg(test)]
mod tests {
    use super::{Row, json_list, known};
    use order::{Known, Sku};

    fn skus(names: &[&str]) -> Vec<Sku> {
        names.iter().map(|name| Sku::parse(name).expect("a usable SKU")).collect()
    }

    fn row(sku: &str, currency: &str) -> Row {
        Row { sku: sku.to_owned(), price_minor: 100, currency: currency.to_owned(), active: true, version: 1 }
    }

    #[test]
    fn skus_go_out_as_a_json_list() {
        assert_eq!(json_list(&[]), "[]");
        assert_eq!(json_list(&skus(&["kit-1", "a.b:c_d"])), r#"["kit-1","a.b:c_d"]"#);
    }

    #[test]
    fn no_row_means_unknown_and_a_row_without_sense_unread() {
        let asked = skus(&["here", "gone", "odd"]);
        let rows = vec![row("here", "EUR"), row("odd", "euro"), row("never-asked", "EUR"), row("", "EUR")];
        let known = known(&asked, rows);
        assert_eq!(known.len(), 3);
        assert!(matches!(&known[&asked[0]], Known::Product(product) if product.price_minor == 100));
        assert_eq!(known[&asked[1]], Known::Unknown);
        assert_eq!(known[&asked[2]], Known::Unread);
    }
}
