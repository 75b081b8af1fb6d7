//! The bodies of successful answers.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{
    Serialize, Serializer,
    ser::{SerializeMap as _, SerializeSeq as _},
};

use super::{
    exception::Exception,
    execute::Outcome,
    metadata::ColumnMetadata,
    request::RecordsFormat,
    value::{Elements, Value},
};

/// The most that a formatted result may hold (AWS: 10 MB).
const FORMATTED_BYTES_MAX: usize = 10_000_000;

/// The answer to one statement.
pub(super) fn executed(
    outcome: &Outcome,
    format: RecordsFormat,
    metadata: Option<Vec<ColumnMetadata>>,
) -> Result<Vec<u8>, Exception> {
    // The format is for SELECT; other statements that return rows ignore it.
    let formatted = outcome.is_query && format == RecordsFormat::Json;
    let has_rows = !outcome.columns.is_empty();
    body(&Executed {
        column_metadata: metadata.filter(|_| !formatted),
        formatted_records: if formatted { Some(format_records(outcome)?) } else { None },
        generated_fields: [],
        number_of_records_updated: outcome.updated,
        records: (has_rows && !formatted)
            .then(|| outcome.rows.iter().map(|row| row.iter().map(Record).collect()).collect()),
    })
}

/// The answer to a batch of `count` statements.
pub(super) fn batch(count: usize) -> Result<Vec<u8>, Exception> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Update {
        generated_fields: [(); 0],
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Batch {
        update_results: Vec<Update>,
    }
    body(&Batch { update_results: (0..count).map(|_| Update { generated_fields: [] }).collect() })
}

/// The answer to the begin of a transaction.
pub(super) fn begun(transaction_id: &str) -> Result<Vec<u8>, Exception> {
    body(&serde_json::json!({"transactionId": transaction_id}))
}

/// The answer to the end of a transaction.
pub(super) fn ended(status: &'static str) -> Result<Vec<u8>, Exception> {
    body(&serde_json::json!({"transactionStatus": status}))
}

fn body(answer: &impl Serialize) -> Result<Vec<u8>, Exception> {
    serde_json::to_vec(answer).map_err(|error| Exception::internal(error.to_string()))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Executed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    column_metadata: Option<Vec<ColumnMetadata>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    formatted_records: Option<String>,
    generated_fields: [(); 0],
    number_of_records_updated: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<Vec<Vec<Record<'a>>>>,
}

/// Rows as one JSON text of objects, keys in the order of the columns.
fn format_records(outcome: &Outcome) -> Result<String, Exception> {
    for (index, name) in outcome.columns.iter().enumerate() {
        if outcome.columns.iter().skip(index + 1).any(|other| other == name) {
            return Err(Exception::bad_request(format!("The result has more than one column named {name}")));
        }
    }
    let rows: Vec<_> = outcome.rows.iter().map(|row| Object { columns: &outcome.columns, row }).collect();
    let text = serde_json::to_string(&rows).map_err(|error| Exception::internal(error.to_string()))?;
    if text.len() > FORMATTED_BYTES_MAX {
        return Err(Exception::result_too_large());
    }
    Ok(text)
}

struct Object<'a> {
    columns: &'a [String],
    row: &'a [Value],
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.columns.len()))?;
        for (name, value) in self.columns.iter().zip(self.row) {
            object.serialize_entry(name, &Plain(value))?;
        }
        object.end()
    }
}

/// A value as JSON itself has it.
struct Plain<'a>(&'a Value);

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Null => serializer.serialize_unit(),
            Value::Bool(flag) => serializer.serialize_bool(*flag),
            Value::Long(number) => serializer.serialize_i64(*number),
            Value::Double(number) => double(serializer, *number),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Blob(bytes) => serializer.serialize_str(&BASE64.encode(bytes)),
            Value::Array(_, values) => {
                let mut array = serializer.serialize_seq(Some(values.len()))?;
                for value in values {
                    array.serialize_element(&Plain(value))?;
                }
                array.end()
            }
        }
    }
}

/// A value as a member of the API's union.
struct Record<'a>(&'a Value);

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut union = serializer.serialize_map(Some(1))?;
        match self.0 {
            Value::Null => union.serialize_entry("isNull", &true)?,
            Value::Bool(_) => union.serialize_entry("booleanValue", &Plain(self.0))?,
            Value::Long(_) => union.serialize_entry("longValue", &Plain(self.0))?,
            Value::Double(_) => union.serialize_entry("doubleValue", &Plain(self.0))?,
            Value::Text(_) => union.serialize_entry("stringValue", &Plain(self.0))?,
            Value::Blob(_) => union.serialize_entry("blobValue", &Plain(self.0))?,
            Value::Array(elements, _) => {
                union.serialize_entry(
                    "arrayValue",
                    &std::collections::BTreeMap::from([(member(*elements), Plain(self.0))]),
                )?;
            }
        }
        union.end()
    }
}

fn member(elements: Elements) -> &'static str {
    match elements {
        Elements::Booleans => "booleanValues",
        Elements::Longs => "longValues",
        Elements::Doubles => "doubleValues",
        Elements::Strings => "stringValues",
    }
}

/// What JSON numbers cannot say is said in a text, as the protocol has it.
fn double<S: Serializer>(serializer: S, number: f64) -> Result<S::Ok, S::Error> {
    match number {
        _ if number.is_nan() => serializer.serialize_str("NaN"),
        f64::INFINITY => serializer.serialize_str("Infinity"),
        f64::NEG_INFINITY => serializer.serialize_str("-Infinity"),
        _ => serializer.serialize_f64(number),
    }
}
