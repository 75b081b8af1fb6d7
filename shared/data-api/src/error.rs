//! The crate's error: which call, which fault, and what to do about it.

use std::fmt;

use backoff::OutOfTime;

use crate::fault::{Fault, SqlError};
use crate::ruling::{Decision, Ran, ruling};
use crate::{SqlClass, SqlState};

/// What was asked of the Data API. It decides what an unknown outcome means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A statement that commits by itself and may run twice.
    Idempotent,
    /// A statement that commits by itself and must not run twice.
    Once,
    /// A statement within a transaction; nothing of it stands before the commit.
    InTransaction,
    /// Opening a transaction.
    Begin,
    /// Committing a transaction.
    Commit,
    /// Rolling a transaction back.
    Rollback,
}

/// Something did not work. Ask [`decision`](Error::decision) what to do; the text is for people, and safe to log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The environment names no region.
    #[error("no region to call AWS in; set AWS_REGION")]
    NoRegion,
    /// A call failed.
    #[error("{call} through the Data API: {fault}")]
    Call {
        /// What was asked.
        call: Call,
        /// What went wrong.
        fault: Fault,
        /// What the service said. Printed by nothing; see [`Error::raw_message`].
        message: Unprinted,
    },
}

impl Error {
    /// What to do next. See [`Decision`].
    #[must_use]
    pub fn decision(&self) -> Decision {
        match self {
            Self::NoRegion => Decision::Reject,
            Self::Call { call, fault, .. } => ruling(*call, fault).decision,
        }
    }

    /// Whether the database may have carried out what was asked.
    #[must_use]
    pub fn ran(&self) -> Ran {
        match self {
            Self::NoRegion => Ran::No,
            Self::Call { call, fault, .. } => ruling(*call, fault).ran,
        }
    }

    /// The fault, if a call was made or due.
    #[must_use]
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::NoRegion => None,
            Self::Call { fault, .. } => Some(fault),
        }
    }

    /// PostgreSQL's code, if it was PostgreSQL that refused.
    #[must_use]
    pub fn sql_state(&self) -> Option<SqlState> {
        match self.fault()? {
            Fault::Database(SqlError { state, .. }) => *state,
            _ => None,
        }
    }

    /// Whether it is the values that the database refused (classes 22 and 23): the same values will be refused again,
    /// and others may pass.
    #[must_use]
    pub fn blames_data(&self) -> bool {
        matches!(
            self.sql_state().map(|state| state.class()),
            Some(SqlClass::Data | SqlClass::Constraint | SqlClass::UniqueViolation)
        )
    }

    /// What the service said, word for word. **It may quote values of rows**: only for a tool whose statements carry
    /// none, such as migrations, and never for a log of customers' orders.
    #[must_use]
    pub fn raw_message(&self) -> Option<&str> {
        match self {
            Self::NoRegion => None,
            Self::Call { message, .. } => message.0.as_deref(),
        }
    }

    pub(crate) fn new(call: Call, (fault, message): (Fault, Option<String>)) -> Self {
        Self::Call { call, fault, message: Unprinted(message) }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idempotent | Self::Once => "running a statement",
            Self::InTransaction => "running a statement in a transaction",
            Self::Begin => "opening a transaction",
            Self::Commit => "committing a transaction",
            Self::Rollback => "rolling a transaction back",
        })
    }
}

/// A text that `Debug` does not show.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Unprinted(Option<String>);

impl fmt::Debug for Unprinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// An attempt's error while `backoff` decides about another; it does not know which call it was.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) Fault, pub(crate) Option<String>);

impl From<OutOfTime> for Failed {
    fn from(_: OutOfTime) -> Self {
        Self(Fault::OutOfTime, None)
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, Error};
    use crate::{Decision, Fault, SqlError};

    const MESSAGE: &str = "ERROR: duplicate key value violates unique constraint \"orders_pkey\"\n  \
        Detail: Key (order_id)=(ord_anna) already exists.; SQLState: 23505";

    #[test]
    fn an_error_tells_code_and_constraint_and_quotes_no_row() {
        let error =
            Error::new(Call::Once, (Fault::Database(SqlError::of(MESSAGE)), Some(MESSAGE.to_owned())));
        let shown = format!("{error}");
        assert_eq!(shown, "running a statement through the Data API: SQLSTATE 23505, constraint orders_pkey");
        assert!(!format!("{error:?} {error:#?}").contains("anna"));
        assert_eq!(error.raw_message(), Some(MESSAGE));
    }

    #[track_caller]
    fn blames(state: &str, blames: bool) {
        let fault = Fault::Database(SqlError::of(&format!("ERROR: x; SQLState: {state}")));
        assert_eq!(Error::new(Call::Idempotent, (fault, None)).blames_data(), blames, "{state}");
    }

    #[test]
    fn only_classes_22_and_23_blame_the_data() {
        blames("22003", true);
        blames("23505", true);
        blames("23514", true);
        blames("42501", false);
        blames("40P01", false);
        blames("P0001", false);
    }

    #[test]
    fn without_a_region_nothing_is_asked() {
        assert_eq!((Error::NoRegion.decision(), Error::NoRegion.raw_message()), (Decision::Reject, None));
    }
}
