//! Values and their types for a statement, from the parameters of a request.
//!
//! The type that PostgreSQL is told decides what works: a text without a hint is a `varchar`, which
//! PostgreSQL does not compare with a `uuid` or put into a `jsonb` column, here as on Aurora.

use base64::Engine as _;
use bytes::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use super::{
    exception::Exception,
    named::Named,
    request::{Double, Field, Parameter},
};

/// The types and values of a statement's parameters, in the order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Bound {
    pub(super) types: Vec<Type>,
    pub(super) values: Vec<Bind>,
}

/// A value on its way to PostgreSQL, which reads a text by the type it was told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Bind {
    Null,
    Text(String),
    Bytes(Vec<u8>),
}

/// Finds a value for every name; parameters that no name asks for are ignored, as Aurora does.
pub(super) fn bind(named: &Named, parameters: &[Parameter]) -> Result<Bound, Exception> {
    let mut bound = Bound::default();
    for parameter in parameters {
        if parameter.value.as_ref().is_some_and(|value| value.array_value.is_some()) {
            return Err(Exception::bad_request("Array parameters are not supported."));
        }
    }
    for name in &named.names {
        let parameter = parameters
            .iter()
            .find(|parameter| parameter.name.as_ref() == Some(name))
            .ok_or_else(|| Exception::bad_request(format!("Cannot find parameter: {name}")))?;
        let (kind, value) = convert(parameter)?;
        bound.types.push(kind);
        bound.values.push(value);
    }
    Ok(bound)
}

fn convert(parameter: &Parameter) -> Result<(Type, Bind), Exception> {
    let none = Field::default();
    let field = parameter.value.as_ref().unwrap_or(&none);
    let hinted = parameter.type_hint.as_deref().map(hint).transpose()?;
    Ok(match field {
        Field { is_null: Some(true), .. } => (hinted.unwrap_or(Type::UNKNOWN), Bind::Null),
        Field { string_value: Some(text), .. } => match hinted {
            Some(kind) => (kind.clone(), Bind::Text(checked(&kind, text)?)),
            None => (Type::VARCHAR, Bind::Text(text.clone())),
        },
        Field { long_value: Some(number), .. } => (Type::INT8, Bind::Text(number.to_string())),
        Field { boolean_value: Some(flag), .. } => (Type::BOOL, Bind::Text(flag.to_string())),
        Field { double_value: Some(Double::Number(number)), .. } => {
            (Type::FLOAT8, Bind::Text(number.to_string()))
        }
        Field { double_value: Some(Double::Special(name)), .. } => (Type::FLOAT8, Bind::Text(name.clone())),
        Field { blob_value: Some(encoded), .. } => (Type::BYTEA, Bind::Bytes(blob(encoded)?)),
        _ => return Err(Exception::bad_request("Parameter value is missing or has no known type")),
    })
}

fn blob(encoded: &str) -> Result<Vec<u8>, Exception> {
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded);
    // The decoder's reason shows a byte of the value.
    decoded.ok().ok_or_else(|| Exception::serialization("blobValue is not base64"))
}

/// The type that a hint names.
fn hint(name: &str) -> Result<Type, Exception> {
    Ok(match name {
        "UUID" => Type::UUID,
        "JSON" => Type::JSON,
        "DATE" => Type::DATE,
        "TIME" => Type::TIME,
        "TIMESTAMP" => Type::TIMESTAMP,
        "DECIMAL" => Type::NUMERIC,
        _ => {
            return Err(Exception::validation(
                "typeHint must be one of JSON, UUID, TIMESTAMP, DATE, TIME, DECIMAL",
            ));
        }
    })
}

/// Dates and times have one form each; PostgreSQL would take many more.
fn checked(kind: &Type, text: &str) -> Result<String, Exception> {
    let fits = match *kind {
        Type::DATE => is_date(text),
        Type::TIME => is_time(text),
        Type::TIMESTAMP => text.split_once(' ').is_some_and(|(date, time)| is_date(date) && is_time(time)),
        _ => true,
    };
    let name = match *kind {
        Type::DATE => "Date",
        Type::TIME => "Time",
        _ => "TimeStamp",
    };
    if fits {
        return Ok(text.to_owned());
    }
    Err(Exception::bad_request(format!("Parse Error for {name}: input contains invalid characters")))
}

/// `YYYY-MM-DD`.
fn is_date(text: &str) -> bool {
    matches_pattern(text, "0000-00-00")
}

/// `HH:MM:SS[.FFF]`; more digits of a second are taken too.
fn is_time(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    matches_pattern(whole, "00:00:00")
        && (1..=6).contains(&fraction.len())
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
}

/// A `0` in the pattern stands for any digit, anything else for itself.
fn matches_pattern(text: &str, pattern: &str) -> bool {
    text.len() == pattern.len()
        && text.bytes().zip(pattern.bytes()).all(|(byte, wanted)| match wanted {
            b'0' => byte.is_ascii_digit(),
            wanted => byte == wanted,
        })
}

impl ToSql for Bind {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::Bytes(bytes) => out.extend_from_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        match self {
            Self::Text(_) => Format::Text,
            Self::Null | Self::Bytes(_) => Format::Binary,
        }
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::{super::named::rewrite, *};

    /// Binds one JSON parameter to `:p`; the expected text is the type and the value, or the message.
    #[track_caller]
    fn check(parameter: &str, expected: &str) {
        let parameter: Parameter = serde_json::from_str(parameter).unwrap();
        let shown = match bind(&rewrite("SELECT :p"), &[parameter]) {
            Ok(bound) => format!("{} {:?}", bound.types[0], bound.values[0]),
            Err(exception) => format!("{} {}", exception.name, exception.message),
        };
        assert!(shown.starts_with(expected), "{shown}");
    }

    #[track_caller]
    fn check_hint(hint: &str, text: &str, expected: &str) {
        check(&format!(r#"{{"name":"p","value":{{"stringValue":"{text}"}},"typeHint":"{hint}"}}"#), expected);
    }

    #[test]
    fn a_value_has_the_type_of_its_kind() {
        check(r#"{"name":"p","value":{"stringValue":"a"}}"#, r#"varchar Text("a")"#);
        check(r#"{"name":"p","value":{"longValue":-7}}"#, r#"int8 Text("-7")"#);
        check(r#"{"name":"p","value":{"doubleValue":0.5}}"#, r#"float8 Text("0.5")"#);
        check(r#"{"name":"p","value":{"doubleValue":"NaN"}}"#, r#"float8 Text("NaN")"#);
        check(r#"{"name":"p","value":{"booleanValue":true}}"#, r#"bool Text("true")"#);
        check(r#"{"name":"p","value":{"blobValue":"AP8="}}"#, "bytea Bytes([0, 255])");
        check(r#"{"name":"p","value":{"isNull":true}}"#, "unknown Null");
        check(r#"{"name":"p","value":{"isNull":true},"typeHint":"UUID"}"#, "uuid Null");
    }

    #[test]
    fn a_hint_names_the_type_of_a_text() {
        check_hint("UUID", "x", r#"uuid Text("x")"#);
        check_hint("JSON", "{}", r#"json Text("{}")"#);
        check_hint("DECIMAL", "1.50", r#"numeric Text("1.50")"#);
        check_hint("MONEY", "1", "ValidationException");
    }

    #[test]
    fn dates_and_times_have_one_form() {
        check_hint("TIMESTAMP", "2024-01-15 10:30:00", "timestamp Text");
        check_hint("TIMESTAMP", "2024-01-15 10:30:00.123", "timestamp Text");
        check_hint("TIMESTAMP", "2024-01-15T10:30:00Z", "BadRequestException Parse Error for TimeStamp");
        check_hint("TIMESTAMP", "2024-01-15 10:30:00+02", "BadRequestException Parse Error for TimeStamp");
        check_hint("DATE", "2024-01-15", "date Text");
        check_hint("DATE", "15.1.2024", "BadRequestException Parse Error for Date");
        check_hint("TIME", "10:30:00.5", "time Text");
        check_hint("TIME", "10:30", "BadRequestException Parse Error for Time");
    }

    #[test]
    fn what_cannot_be_bound_is_refused() {
        check(r#"{"name":"q","value":{"longValue":1}}"#, "BadRequestException Cannot find parameter: p");
        check(r#"{"name":"p"}"#, "BadRequestException Parameter value is missing");
        check(r#"{"name":"p","value":{"blobValue":"?"}}"#, "SerializationException");
        let array = r#"{"name":"p","value":{"arrayValue":{"longValues":[1]}}}"#;
        check(array, "BadRequestException Array parameters are not supported");
    }
}
