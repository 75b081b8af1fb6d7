//! What is known of a result's columns, in the terms of Java's database interface, which Aurora passes on.

use serde::Serialize;
use tokio_postgres::{
    Client, Column,
    types::{Kind, Type},
};

use super::exception::Exception;

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ColumnMetadata {
    array_base_column_type: i32,
    is_auto_increment: bool,
    is_case_sensitive: bool,
    is_currency: bool,
    is_signed: bool,
    label: String,
    name: String,
    nullable: i32,
    precision: i32,
    scale: i32,
    schema_name: &'static str,
    table_name: String,
    r#type: i32,
    type_name: String,
}

/// `java.sql.ResultSetMetaData`: a column that holds no nulls, one that may, and one of which it is unknown.
const NO_NULLS: i32 = 0;
const NULLABLE: i32 = 1;
const NULLABLE_UNKNOWN: i32 = 2;

/// The precision of what has no limit.
const UNLIMITED: i32 = i32::MAX;

/// `java.sql.Types.ARRAY`.
const ARRAY: i32 = 2003;

/// Describes columns; those of tables are looked up on the same connection.
pub(super) async fn describe(client: &Client, columns: &[Column]) -> Result<Vec<ColumnMetadata>, Exception> {
    let mut described = Vec::new();
    for column in columns {
        let origin = match (column.table_oid(), column.column_id()) {
            (Some(table), Some(number)) => origin(client, table, number).await?,
            _ => Origin { table: String::new(), nullable: NULLABLE_UNKNOWN, increments: false },
        };
        described.push(one(column, origin));
    }
    Ok(described)
}

/// Where a column comes from.
struct Origin {
    table: String,
    nullable: i32,
    increments: bool,
}

async fn origin(client: &Client, table: u32, number: i16) -> Result<Origin, Exception> {
    let sql = "SELECT c.relname::text, a.attnotnull, a.attidentity <> '' OR
                      coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%', false)
               FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
               LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
               WHERE c.oid = $1 AND a.attnum = $2";
    let row = client.query_opt(sql, &[&table, &number]).await?;
    Ok(row.map_or(Origin { table: String::new(), nullable: NULLABLE_UNKNOWN, increments: false }, |row| {
        Origin {
            table: row.get(0),
            nullable: if row.get(1) { NO_NULLS } else { NULLABLE },
            increments: row.get(2),
        }
    }))
}

fn one(column: &Column, origin: Origin) -> ColumnMetadata {
    let kind = column.type_();
    let modifier = column.type_modifier();
    let array_base_column_type = match kind.kind() {
        Kind::Array(element) => java_type(element),
        _ => 0,
    };
    ColumnMetadata {
        array_base_column_type,
        is_auto_increment: origin.increments,
        is_case_sensitive: !(is_number(kind) || is_time(kind) || *kind == Type::BOOL),
        is_currency: *kind == Type::MONEY,
        is_signed: is_number(kind) && *kind != Type::OID,
        label: column.name().to_owned(),
        name: column.name().to_owned(),
        nullable: origin.nullable,
        precision: precision(kind, modifier),
        scale: scale(kind, modifier),
        schema_name: "",
        table_name: origin.table,
        r#type: java_type(kind),
        type_name: kind.name().to_owned(),
    }
}

fn is_number(kind: &Type) -> bool {
    matches!(
        *kind,
        Type::INT2
            | Type::INT4
            | Type::INT8
            | Type::FLOAT4
            | Type::FLOAT8
            | Type::NUMERIC
            | Type::OID
            | Type::MONEY
    )
}

fn is_time(kind: &Type) -> bool {
    matches!(
        *kind,
        Type::DATE | Type::TIME | Type::TIMETZ | Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::INTERVAL
    )
}

/// The constants of `java.sql.Types`, as PostgreSQL's driver assigns them.
fn java_type(kind: &Type) -> i32 {
    match *kind {
        Type::INT2 => 5,
        Type::INT4 => 4,
        Type::INT8 | Type::OID => -5,
        Type::FLOAT4 => 7,
        Type::FLOAT8 | Type::MONEY => 8,
        Type::NUMERIC => 2,
        Type::BOOL => -7,
        Type::CHAR | Type::BPCHAR => 1,
        Type::VARCHAR | Type::TEXT | Type::NAME | Type::UNKNOWN => 12,
        Type::BYTEA => -2,
        Type::DATE => 91,
        Type::TIME | Type::TIMETZ => 92,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => 93,
        Type::XML => 2009,
        _ => match kind.kind() {
            Kind::Array(_) => ARRAY,
            Kind::Enum(_) => 12,
            Kind::Domain(_) => 2001,
            _ => 1111,
        },
    }
}

/// Digits or characters at most. A modifier counts four bytes of header, then packs precision and scale.
fn precision(kind: &Type, modifier: i32) -> i32 {
    match *kind {
        Type::INT2 => 5,
        Type::INT4 | Type::OID => 10,
        Type::INT8 => 19,
        Type::FLOAT4 => 8,
        Type::FLOAT8 => 17,
        Type::BOOL | Type::CHAR => 1,
        Type::NUMERIC if modifier < 4 => 0,
        Type::NUMERIC => ((modifier - 4) >> 16) & 0xFFFF,
        Type::VARCHAR | Type::BPCHAR if modifier >= 4 => modifier - 4,
        Type::DATE => 13,
        Type::TIME => 15,
        Type::TIMETZ => 21,
        Type::TIMESTAMP => 29,
        Type::TIMESTAMPTZ => 35,
        Type::INTERVAL => 49,
        _ => UNLIMITED,
    }
}

/// Digits behind the point.
fn scale(kind: &Type, modifier: i32) -> i32 {
    match *kind {
        Type::FLOAT4 => 8,
        Type::FLOAT8 => 17,
        Type::NUMERIC if modifier >= 4 => (modifier - 4) & 0xFFFF,
        Type::TIME | Type::TIMETZ | Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::INTERVAL if modifier < 0 => 6,
        Type::TIME | Type::TIMETZ | Type::TIMESTAMP | Type::TIMESTAMPTZ => modifier,
        _ => 0,
    }
}
