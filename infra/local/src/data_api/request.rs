//! The requests, as `application/json` bodies of the five operations.

use serde::Deserialize;

/// The operations, by their paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    ExecuteStatement,
    BatchExecuteStatement,
    BeginTransaction,
    CommitTransaction,
    RollbackTransaction,
}

impl Operation {
    const ALL: [(Self, &'static str, &'static str); 5] = [
        (Self::ExecuteStatement, "/Execute", "ExecuteStatement"),
        (Self::BatchExecuteStatement, "/BatchExecute", "BatchExecuteStatement"),
        (Self::BeginTransaction, "/BeginTransaction", "BeginTransaction"),
        (Self::CommitTransaction, "/CommitTransaction", "CommitTransaction"),
        (Self::RollbackTransaction, "/RollbackTransaction", "RollbackTransaction"),
    ];

    /// The operation that is called at a path.
    pub(super) fn at(path: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, at, _)| *at == path).map(|(operation, ..)| *operation)
    }

    /// The name that AWS gives it.
    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(operation, ..)| *operation == self).map_or("", |(.., name)| name)
    }
}

/// Every field of every operation: what an operation does not have, it ignores, as the service does.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Request {
    pub(super) resource_arn: Option<String>,
    pub(super) secret_arn: Option<String>,
    pub(super) sql: Option<String>,
    pub(super) database: Option<String>,
    pub(super) schema: Option<String>,
    pub(super) transaction_id: Option<String>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) parameter_sets: Vec<Vec<Parameter>>,
    pub(super) include_result_metadata: bool,
    pub(super) continue_after_timeout: bool,
    pub(super) format_records_as: RecordsFormat,
    pub(super) result_set_options: ResultSetOptions,
}

/// A named value.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Parameter {
    pub(super) name: Option<String>,
    pub(super) value: Option<Field>,
    pub(super) type_hint: Option<String>,
}

/// A value: a union, of which one member is given.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Field {
    pub(super) is_null: Option<bool>,
    pub(super) boolean_value: Option<bool>,
    pub(super) long_value: Option<i64>,
    pub(super) double_value: Option<Double>,
    pub(super) string_value: Option<String>,
    pub(super) blob_value: Option<String>,
    pub(super) array_value: Option<serde::de::IgnoredAny>,
}

/// A number, or one of the texts for what JSON numbers cannot say.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Double {
    Number(f64),
    /// `NaN`, `Infinity`, `-Infinity`.
    Special(String),
}

/// How rows are returned.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum RecordsFormat {
    #[default]
    None,
    Json,
}

/// How numbers are returned.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ResultSetOptions {
    pub(super) decimal_return_type: DecimalReturnType,
    pub(super) long_return_type: LongReturnType,
}

/// How `numeric` is returned.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum DecimalReturnType {
    #[default]
    String,
    DoubleOrLong,
}

/// How integers are returned.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum LongReturnType {
    #[default]
    Long,
    String,
}
