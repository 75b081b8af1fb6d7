//! A statement with its parameters.

use std::fmt;

use aws_sdk_rdsdata::types::{Field, SqlParameter, TypeHint};

/// One SQL statement with named parameters (`:name`).
///
/// The text is a constant of the program, so no value can become part of it. `Debug` shows names of parameters, never
/// values. The Data API takes no arrays and only one statement: pass a list as JSON and read it with
/// `jsonb_to_recordset(CAST(:list AS jsonb))`.
#[derive(Clone)]
pub struct Statement {
    pub(crate) sql: &'static str,
    pub(crate) parameters: Vec<SqlParameter>,
    pub(crate) idempotent: bool,
    pub(crate) runs_on: bool,
}

impl Statement {
    /// A statement of at most 65,536 characters.
    #[must_use]
    pub fn new(sql: &'static str) -> Self {
        Self { sql, parameters: Vec::new(), idempotent: false, runs_on: false }
    }

    /// Binds a text.
    #[must_use]
    pub fn text(self, name: &str, value: impl Into<String>) -> Self {
        self.bind(name, Field::StringValue(value.into()), None)
    }

    /// Binds a `bigint`.
    #[must_use]
    pub fn long(self, name: &str, value: i64) -> Self {
        self.bind(name, Field::LongValue(value), None)
    }

    /// Binds a `boolean`.
    #[must_use]
    pub fn bool(self, name: &str, value: bool) -> Self {
        self.bind(name, Field::BooleanValue(value), None)
    }

    /// Binds a `uuid`, given as its text.
    #[must_use]
    pub fn uuid(self, name: &str, value: impl Into<String>) -> Self {
        self.bind(name, Field::StringValue(value.into()), Some(TypeHint::Uuid))
    }

    /// Binds a JSON document, given as its text.
    #[must_use]
    pub fn json(self, name: &str, value: impl Into<String>) -> Self {
        self.bind(name, Field::StringValue(value.into()), Some(TypeHint::Json))
    }

    /// Binds `NULL`.
    #[must_use]
    pub fn null(self, name: &str) -> Self {
        self.bind(name, Field::IsNull(true), None)
    }

    /// Says that running this statement twice leaves what running it once leaves, so that it may be sent again when
    /// nobody knows whether it ran. A read is; an `INSERT` is where it writes under a key of the caller and does nothing
    /// on conflict.
    #[must_use]
    pub fn idempotent(self) -> Self {
        Self { idempotent: true, ..self }
    }

    /// Lets the statement run on when the Data API's own 45 s are over, instead of stopping it halfway. For migrations:
    /// AWS advises it for DDL, and for nothing else.
    #[must_use]
    pub fn runs_past_timeout(self) -> Self {
        Self { runs_on: true, ..self }
    }

    fn bind(mut self, name: &str, value: Field, hint: Option<TypeHint>) -> Self {
        self.parameters.push(SqlParameter::builder().name(name).value(value).set_type_hint(hint).build());
        self
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.parameters.iter().filter_map(SqlParameter::name).collect();
        let idempotent = self.idempotent;
        f.debug_struct("Statement")
            .field("sql", &self.sql)
            .field("parameters", &names)
            .field("idempotent", &idempotent)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Statement;

    #[test]
    fn debug_shows_names_and_no_values() {
        let statement =
            Statement::new("SELECT :a, :b").text("a", "secret-value").long("b", 4_711).idempotent();
        let shown = format!("{statement:?}");
        assert!(shown.contains("SELECT :a, :b") && shown.contains("\"a\", \"b\""));
        assert!(!shown.contains("secret-value") && !shown.contains("4711"));
    }
}
