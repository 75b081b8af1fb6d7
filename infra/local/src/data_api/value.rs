//! Values of rows, from PostgreSQL's binary form to the few kinds that the Data API knows.
//!
//! What has no kind of its own becomes text as PostgreSQL writes it, times with time zone in UTC without
//! the zone, as Aurora does. What Aurora refuses (composite and geometric types, money, arrays of more than
//! one dimension) is refused.

use tokio_postgres::types::{Kind, Type};

use super::{
    exception::Exception,
    request::{DecimalReturnType, LongReturnType, ResultSetOptions},
};

mod binary;
mod text;

use binary::Reader;

/// A value as the Data API returns it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Long(i64),
    Double(f64),
    Text(String),
    Blob(Vec<u8>),
    Array(Elements, Vec<Self>),
}

/// What an array holds, which names its member of the response's union.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Elements {
    Booleans,
    Longs,
    Doubles,
    Strings,
}

/// Decodes one value of a row; `None` is SQL's null.
pub(super) fn decode(kind: &Type, raw: Option<&[u8]>, options: ResultSetOptions) -> Result<Value, Exception> {
    let Some(raw) = raw else { return Ok(Value::Null) };
    let value = match kind.kind() {
        Kind::Domain(base) => return decode(base, Some(raw), options),
        Kind::Enum(_) => plain_text(raw),
        Kind::Array(element) => return decode_array(element, raw, options),
        Kind::Simple | Kind::Pseudo => decode_simple(kind, raw, options),
        _ => None,
    };
    value.ok_or_else(|| unsupported(kind))
}

fn unsupported(kind: &Type) -> Exception {
    Exception::unsupported_result(format!(
        "The result contains the unsupported data type {}; cast it to text",
        kind.name().trim_start_matches('_')
    ))
}

/// None is a type without a form here, or bytes that are not of the type.
fn decode_simple(kind: &Type, raw: &[u8], options: ResultSetOptions) -> Option<Value> {
    let mut reader = Reader::new(raw);
    Some(match *kind {
        Type::BOOL => Value::Bool(reader.byte()? != 0),
        Type::INT2 => long(reader.i16()?.into(), options),
        Type::INT4 => long(reader.i32()?.into(), options),
        Type::INT8 => long(reader.i64()?, options),
        Type::OID => long(reader.u32()?.into(), options),
        // The shortest text that is this f32, not its exact value as f64.
        Type::FLOAT4 => Value::Double(reader.f32()?.to_string().parse().ok()?),
        Type::FLOAT8 => Value::Double(reader.f64()?),
        Type::NUMERIC => decimal(&text::numeric(&mut reader)?, options),
        Type::BYTEA => Value::Blob(raw.to_vec()),
        Type::JSONB => Value::Text(text::compact_json(std::str::from_utf8(raw.get(1..)?).ok()?)),
        Type::UUID => Value::Text(text::uuid(raw)?),
        Type::DATE => Value::Text(text::date(reader.i32()?)?),
        Type::TIME => Value::Text(text::time(reader.i64()?)),
        Type::TIMESTAMP | Type::TIMESTAMPTZ => Value::Text(text::timestamp(reader.i64()?)?),
        Type::INTERVAL => Value::Text(text::interval(&mut reader)?),
        Type::INET | Type::CIDR => Value::Text(text::network(kind, &mut reader)?),
        Type::VOID => Value::Text(String::new()),
        _ if is_text(kind) => plain_text(raw)?,
        _ => return None,
    })
}

/// Types that are sent as their text.
fn is_text(kind: &Type) -> bool {
    matches!(
        *kind,
        Type::TEXT
            | Type::VARCHAR
            | Type::BPCHAR
            | Type::NAME
            | Type::CHAR
            | Type::UNKNOWN
            | Type::JSON
            | Type::XML
    ) || kind.name() == "citext"
}

fn plain_text(raw: &[u8]) -> Option<Value> {
    Some(Value::Text(std::str::from_utf8(raw).ok()?.to_owned()))
}

fn long(number: i64, options: ResultSetOptions) -> Value {
    match options.long_return_type {
        LongReturnType::Long => Value::Long(number),
        LongReturnType::String => Value::Text(number.to_string()),
    }
}

fn decimal(digits: &str, options: ResultSetOptions) -> Value {
    let number = match options.decimal_return_type {
        DecimalReturnType::String => None,
        DecimalReturnType::DoubleOrLong if digits.contains('.') => digits.parse().ok().map(Value::Double),
        DecimalReturnType::DoubleOrLong => digits.parse().ok().map(Value::Long),
    };
    number.unwrap_or_else(|| Value::Text(digits.to_owned()))
}

/// An array: dimensions, a flag for nulls, the element type, each dimension's length and first index, then
/// each element's length (-1 is null) and bytes.
fn decode_array(element: &Type, raw: &[u8], options: ResultSetOptions) -> Result<Value, Exception> {
    let mut reader = Reader::new(raw);
    let header = (reader.i32(), reader.i32(), reader.u32());
    let count = match header {
        (Some(0), ..) => 0,
        (Some(1), ..) => reader.i32().and_then(|count| reader.i32().map(|_| count)).unwrap_or_default(),
        _ => {
            return Err(Exception::unsupported_result("The result contains a multidimensional array"));
        }
    };
    let mut values = Vec::new();
    for _ in 0..count {
        let length = reader.i32().ok_or_else(|| unsupported(element))?;
        let bytes = match usize::try_from(length) {
            Ok(length) => Some(reader.bytes(length).ok_or_else(|| unsupported(element))?),
            Err(_) => None,
        };
        values.push(decode(element, bytes, options)?);
    }
    let elements = match values.iter().find(|value| **value != Value::Null) {
        Some(Value::Bool(_)) => Elements::Booleans,
        Some(Value::Long(_)) => Elements::Longs,
        Some(Value::Double(_)) => Elements::Doubles,
        Some(Value::Blob(_) | Value::Array(..)) => return Err(unsupported(element)),
        Some(Value::Text(_) | Value::Null) | None => elements_of(element),
    };
    Ok(Value::Array(elements, values))
}

/// What an array holds when no element tells.
fn elements_of(element: &Type) -> Elements {
    match *element {
        Type::BOOL => Elements::Booleans,
        Type::INT2 | Type::INT4 | Type::INT8 => Elements::Longs,
        Type::FLOAT4 | Type::FLOAT8 => Elements::Doubles,
        _ => Elements::Strings,
    }
}
