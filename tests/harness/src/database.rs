//! The stack's PostgreSQL, past the Data API: what a verifier reads must not come through what it verifies.

use crate::Error;
use crate::kits::{CURRENCY, Kit};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};

/// Connects as the user in the URL; the connection ends with the client.
///
/// # Errors
/// [`Error::Database`] when nothing answers or it refuses us.
pub async fn connect(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.map_err(failed("let us in"))?;
    // Its errors reach the client's calls.
    tokio::spawn(connection);
    Ok(client)
}

/// The rows of a statement whose only column is JSON as text.
///
/// # Errors
/// [`Error::Database`], or [`Error::Unreadable`] when a row does not have the form of `T`.
pub async fn rows<T: DeserializeOwned>(
    client: &Client,
    action: &'static str,
    statement: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<T>, Error> {
    let rows = client.query(statement, parameters).await.map_err(failed(action))?;
    let parse = |row: tokio_postgres::Row| {
        let text: String = row.try_get(0).map_err(failed(action))?;
        serde_json::from_str(&text)
            .map_err(|source| Error::Unreadable { what: format!("a row ({action})"), source })
    };
    rows.into_iter().map(parse).collect()
}

/// Puts the kits on the shelves, with the adjustments that account for them; kits that are there already stay as
/// they are.
///
/// # Errors
/// [`Error::Database`].
pub async fn seed(client: &Client, kits: &[Kit], plenty: i64) -> Result<(), Error> {
    let rows = kits.iter().map(|kit| {
        json!({"sku": kit.sku, "name": kit.name, "price_minor": kit.price_minor, "active": kit.active(), "stock": kit.stock(plenty)})
    });
    let kits = serde_json::Value::from_iter(rows).to_string();
    client.execute(SEED, &[&kits, &CURRENCY]).await.map_err(failed("take the catalog"))?;
    Ok(())
}

/// One statement, so that stock and adjustments never disagree.
const SEED: &str = "
WITH kit AS (
  SELECT * FROM jsonb_to_recordset(CAST(CAST($1 AS text) AS jsonb))
    AS kit(sku text, name text, price_minor bigint, active boolean, stock bigint)
), product AS (
  INSERT INTO products (sku, name, price_minor, currency, active, version)
  SELECT sku, name, price_minor, CAST($2 AS text), active, 1 FROM kit
  ON CONFLICT DO NOTHING RETURNING sku
), on_shelf AS (
  INSERT INTO stock (sku, available) SELECT sku, stock FROM kit JOIN product USING (sku)
)
INSERT INTO stock_adjustments (event_id, sku, delta)
SELECT 'seed-' || sku, sku, stock FROM kit JOIN product USING (sku) WHERE stock <> 0";

/// The version of a kit that the database holds.
///
/// # Errors
/// [`Error::Database`].
pub async fn version(client: &Client, sku: &str) -> Result<Option<i64>, Error> {
    let action = "show the version of a kit";
    let statement = "SELECT version FROM products WHERE sku = $1";
    let row = client.query_opt(statement, &[&sku]).await.map_err(failed(action))?;
    row.map(|row| row.try_get(0).map_err(failed(action))).transpose()
}

/// Bytes that the database takes on disk.
///
/// # Errors
/// [`Error::Database`].
pub async fn size_bytes(client: &Client) -> Result<i64, Error> {
    let action = "tell its size";
    let statement = "SELECT pg_database_size(current_database())";
    let row = client.query_one(statement, &[]).await.map_err(failed(action))?;
    row.try_get(0).map_err(failed(action))
}

/// Names what was being done in the error.
pub fn failed(action: &'static str) -> impl FnOnce(tokio_postgres::Error) -> Error {
    move |source| Error::Database { action, source }
}
