//! One statement on one connection: prepared once per connection, its rows decoded as they arrive.

use std::pin::pin;

use deadpool_postgres::Object;
use futures_util::TryStreamExt as _;
use tokio_postgres::{
    Row, Statement,
    error::SqlState,
    types::{FromSql, Type},
};

use super::{
    exception::Exception,
    named::{Kind, Named},
    parameters::Bound,
    request::ResultSetOptions,
    value::{self, Value},
};

/// The most that the rows of one result may hold (AWS: 1 MiB).
const RESULT_BYTES_MAX: usize = 1024 * 1024;
/// The most that one row may hold (AWS: 64 KB).
const ROW_BYTES_MAX: usize = 64 * 1024;
/// Prepared statements that one connection keeps. A product has dozens; what generates SQL text would fill
/// the server's memory.
const STATEMENTS_MAX: usize = 500;

/// What a statement did.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The names of the columns, none for a statement that returns no rows.
    pub(super) columns: Vec<String>,
    /// The statement, for the metadata of its columns.
    pub(super) statement: Statement,
    /// The rows.
    pub(super) rows: Vec<Vec<Value>>,
    /// Rows changed; a query changes none.
    pub(super) updated: u64,
    /// Whether rows can be returned as one JSON text.
    pub(super) is_query: bool,
}

/// Runs a statement.
pub(super) async fn execute(
    client: &Object,
    named: &Named,
    bound: &Bound,
    options: ResultSetOptions,
) -> Result<Outcome, Exception> {
    let statement = prepare(client, named, &bound.types).await?;
    let columns: Vec<String> = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    let mut stream = pin!(client.query_raw(&statement, &bound.values).await?);
    let (mut rows, mut result_bytes) = (Vec::new(), 0);
    while let Some(row) = stream.try_next().await? {
        let (values, row_bytes) = decode(&row, options)?;
        result_bytes += row_bytes;
        if row_bytes > ROW_BYTES_MAX {
            return Err(Exception::unsupported_result("Packet for query is too large: a row exceeds 64 KB"));
        }
        if result_bytes > RESULT_BYTES_MAX {
            return Err(Exception::result_too_large());
        }
        rows.push(values);
    }
    let changed = stream.rows_affected().unwrap_or_default();
    let is_query = named.kind == Kind::Query && !columns.is_empty();
    let updated = if is_query || named.kind == Kind::Session { 0 } else { changed };
    Ok(Outcome { columns, statement, rows, updated, is_query })
}

/// Whether a statement failed because the schema changed under its prepared form, which a new one mends.
pub(super) fn is_stale(exception: &Exception) -> bool {
    exception.message.contains("cached plan must not change result type")
        && exception.message.ends_with(SqlState::FEATURE_NOT_SUPPORTED.code())
}

async fn prepare(client: &Object, named: &Named, types: &[Type]) -> Result<Statement, Exception> {
    if matches!(named.kind, Kind::Session | Kind::Schema) {
        return Ok(client.prepare_typed(&named.sql, types).await?);
    }
    if client.statement_cache.size() > STATEMENTS_MAX {
        client.statement_cache.clear();
    }
    Ok(client.prepare_typed_cached(&named.sql, types).await?)
}

/// The values of a row, and their bytes on the wire.
fn decode(row: &Row, options: ResultSetOptions) -> Result<(Vec<Value>, usize), Exception> {
    let mut bytes = 0;
    let mut values = Vec::with_capacity(row.len());
    for (index, column) in row.columns().iter().enumerate() {
        let raw: Option<Raw<'_>> = row.try_get(index)?;
        let raw = raw.map(|Raw(raw)| raw);
        bytes += raw.map_or(0, <[u8]>::len);
        values.push(value::decode(column.type_(), raw, options)?);
    }
    Ok((values, bytes))
}

/// A value of any type, undecoded.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
