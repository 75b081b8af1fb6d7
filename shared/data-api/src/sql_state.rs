//! PostgreSQL's error codes, as far as anybody here decides by them.

use std::fmt;

/// Five characters of class and code (PostgreSQL manual, appendix A).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SqlState([u8; 5]);

impl SqlState {
    /// A code of five digits and upper-case letters; `None` for anything else.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        let code: [u8; 5] = code.as_bytes().try_into().ok()?;
        code.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()).then_some(Self(code))
    }

    /// The code at the end of a Data API message: `ERROR: …; SQLState: 23505`. Only the end counts, since the text
    /// before it may quote a value.
    #[must_use]
    pub fn at_end_of(message: &str) -> Option<Self> {
        let (_, code) = message.trim_end().rsplit_once("SQLState: ")?;
        Self::parse(code)
    }

    /// The five characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Always ASCII, by construction.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// What kind of failure it names.
    #[must_use]
    pub fn class(&self) -> SqlClass {
        let code = self.as_str();
        match code {
            "23505" => SqlClass::UniqueViolation,
            "25006" => SqlClass::ReadOnly,
            "40003" => SqlClass::CompletionUnknown,
            "40P01" => SqlClass::Deadlock,
            "55P03" => SqlClass::LockNotAvailable,
            "57014" => SqlClass::QueryCanceled,
            "57P01" | "57P02" | "57P03" | "57P05" => SqlClass::ServerStopping,
            _ => match code.get(..2).unwrap_or_default() {
                "08" => SqlClass::Connection,
                "22" => SqlClass::Data,
                "23" => SqlClass::Constraint,
                "28" => SqlClass::Authorization,
                "40" => SqlClass::Serialization,
                "42" => SqlClass::SyntaxOrAccess,
                "53" => SqlClass::Resources,
                "58" => SqlClass::System,
                _ => SqlClass::Other,
            },
        }
    }
}

impl fmt::Display for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SqlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlState({})", self.as_str())
    }
}

/// The failures that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlClass {
    /// 08: the connection between the Data API and the database failed.
    Connection,
    /// 22: a value has the wrong type, range or form.
    Data,
    /// 23505: a row with this key exists.
    UniqueViolation,
    /// 23, otherwise: a constraint refused the row.
    Constraint,
    /// 25006: the database takes no writes, as the old writer just after a failover.
    ReadOnly,
    /// 28: the database user was refused.
    Authorization,
    /// 40P01: two transactions waited for each other; this one was chosen to give way.
    Deadlock,
    /// 40003: the connection broke, and the database does not know whether the statement took effect.
    CompletionUnknown,
    /// 40001 and the rest of 40: the transaction was rolled back because of others beside it.
    Serialization,
    /// 42: unknown table, wrong syntax, missing grant.
    SyntaxOrAccess,
    /// 53: too many connections, no memory, no disk.
    Resources,
    /// 55P03: a lock was not granted within `lock_timeout`.
    LockNotAvailable,
    /// 57014: stopped by `statement_timeout`, or by an administrator.
    QueryCanceled,
    /// 57P01, 57P02, 57P03, 57P05: the server stops, crashed, starts, or closed an idle session.
    ServerStopping,
    /// 58: an error of the operating system below the database.
    System,
    /// Anything else, `RAISE` without a code of its own included.
    Other,
}

#[cfg(test)]
mod tests {
    use super::{SqlClass, SqlState};
    use proptest::prelude::{prop_assert_eq, proptest};

    #[track_caller]
    fn check(message: &str, expected: Option<&str>) {
        assert_eq!(
            SqlState::at_end_of(message).map(|state| state.to_string()).as_deref(),
            expected,
            "{message:?}"
        );
    }

    #[test]
    fn the_code_is_read_from_the_end_of_the_message_only() {
        check("ERROR: relation \"x\" does not exist; Position: 15; SQLState: 42P01", Some("42P01"));
        check(
            "ERROR: duplicate key\n  Detail: Key (id)=(x) already exists.; SQLState: 23505\n",
            Some("23505"),
        );
        check("ERROR: invalid input \"SQLState: 08006\"; SQLState: 22P02", Some("22P02"));
        check("ERROR: invalid input \"SQLState: 08006\"", None);
        check("Transaction is still running a query", None);
        check("; SQLState: 2350", None);
        check("; SQLState: 23505x", None);
        check("; SQLState: 23z05", None);
        check("", None);
    }

    #[track_caller]
    fn is(code: &str, class: SqlClass) {
        assert_eq!(SqlState::parse(code).unwrap().class(), class, "{code}");
    }

    #[test]
    fn codes_belong_to_their_class() {
        is("08006", SqlClass::Connection);
        is("22P02", SqlClass::Data);
        is("23505", SqlClass::UniqueViolation);
        is("23514", SqlClass::Constraint);
        is("25006", SqlClass::ReadOnly);
        is("25P02", SqlClass::Other);
        is("28P01", SqlClass::Authorization);
        is("40001", SqlClass::Serialization);
        is("40003", SqlClass::CompletionUnknown);
        is("40P01", SqlClass::Deadlock);
        is("42501", SqlClass::SyntaxOrAccess);
        is("42P01", SqlClass::SyntaxOrAccess);
        is("53300", SqlClass::Resources);
        is("55006", SqlClass::Other);
        is("55P03", SqlClass::LockNotAvailable);
        is("57014", SqlClass::QueryCanceled);
        is("57P01", SqlClass::ServerStopping);
        is("57P03", SqlClass::ServerStopping);
        is("57P04", SqlClass::Other);
        is("58030", SqlClass::System);
        is("P0001", SqlClass::Other);
        is("XX000", SqlClass::Other);
    }

    proptest! {
        #[test]
        fn any_code_survives_any_text_before_it(text in "\\PC*", code in "[0-9A-Z]{5}") {
            let state = SqlState::at_end_of(&format!("{text}; SQLState: {code}"));
            prop_assert_eq!(state.map(|state| state.to_string()), Some(code));
        }
    }
}
