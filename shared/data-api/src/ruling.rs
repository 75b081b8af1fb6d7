//! The one place that says what a fault means: retry, wait, give up, or read what stands.

use crate::{Call, Fault, SqlClass, SqlError};

/// What the caller does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It did not work now and may work later: hand the work back, and repeat it after a pause. For a call in a
    /// transaction this means the whole transaction.
    Retry,
    /// As `Retry`, but the cluster was paused and takes 15 s and more to resume: a shorter pause is wasted.
    Resuming,
    /// Repeating will not help, or cannot be done blindly. See [`Error::blames_data`](crate::Error::blames_data) for
    /// whose fault it is, and [`Error::ran`](crate::Error::ran) for whether something may stand.
    Reject,
    /// An earlier call got there first: read what it left before reporting either success or failure.
    ///
    /// - A unique violation of an idempotent statement: a row with this key stands, written by an earlier attempt
    ///   or by somebody beside us.
    /// - The transaction of a commit or a rollback has already ended. After a commit whose answer was lost it may have
    ///   been committed; after three idle minutes it was rolled back. Nobody but the tables can tell.
    AlreadyDone,
}

/// Whether the database carried out what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// Certainly not, or it was rolled back.
    No,
    /// Nobody knows.
    Perhaps,
}

/// When another attempt of an idempotent statement is worth it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// At once: the fault is over in milliseconds.
    Now,
    /// Later, or never: what causes the fault lasts, and an attempt at once would feed it.
    Later,
}

/// All there is to say of a fault in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ruling {
    pub(crate) decision: Decision,
    pub(crate) ran: Ran,
    pub(crate) again: Again,
}

/// Rules on a fault, given what was asked.
pub(crate) fn ruling(call: Call, fault: &Fault) -> Ruling {
    let ruling =
        Ruling { decision: already_done(call, fault).unwrap_or(of_fault(fault).decision), ..of_fault(fault) };
    // Repeating is the answer to an unknown outcome only where twice is as good as once. A lost begin leaves an idle
    // transaction, which ends by itself; a lost rollback is repeated or left to the same end; a transaction that is begun
    // anew has nothing of the old one.
    let twice_is_once = match call {
        Call::Idempotent | Call::InTransaction | Call::Begin | Call::Rollback => true,
        Call::Once | Call::Commit => false,
    };
    if ruling.ran == Ran::Perhaps && ruling.decision == Decision::Retry && !twice_is_once {
        return Ruling { decision: Decision::Reject, ..ruling };
    }
    ruling
}

/// The faults that mean something else where an earlier call may have done the work.
fn already_done(call: Call, fault: &Fault) -> Option<Decision> {
    let earlier_row = match fault {
        Fault::Database(error) => class(error) == Some(SqlClass::UniqueViolation),
        _ => false,
    };
    let ended = matches!(fault, Fault::TransactionNotFound | Fault::NotFound);
    let done = match call {
        Call::Idempotent => earlier_row,
        Call::Commit | Call::Rollback => ended,
        Call::Once | Call::InTransaction | Call::Begin => false,
    };
    done.then_some(Decision::AlreadyDone)
}

/// Every fault, by name: a new one does not compile until somebody has decided.
fn of_fault(fault: &Fault) -> Ruling {
    match fault {
        Fault::Database(error) => of_sql(error),
        Fault::DatabaseResuming => Ruling { decision: Decision::Resuming, ran: Ran::No, again: Again::Later },

        // Never sent, or no connection to send on. One more try meets another address of the service.
        Fault::NotConnected => retry(Ran::No, Again::Now),
        Fault::OutOfTime => retry(Ran::No, Again::Later),

        // Unknown outcomes of a moment: a broken socket, a front end that fails or restarts.
        Fault::Lost | Fault::InternalServerError | Fault::ServiceUnavailable | Fault::DatabaseUnavailable => {
            retry(Ran::Perhaps, Again::Now)
        }
        // The role's statement_timeout is shorter than an attempt, so the first statement is over by now.
        Fault::TimedOut => retry(Ran::Perhaps, Again::Now),
        // A statement of ours takes milliseconds: after 45 s it stood in a queue for locks or for a saturated database.
        // That passes, but not at once. It may still run, where it was told to run past its time.
        Fault::StatementTimeout => retry(Ran::Perhaps, Again::Later),
        // Something in between answered for the Data API. The next attempt would meet the same.
        Fault::UnreadableAnswer => retry(Ran::Perhaps, Again::Later),

        // Refused before anything ran, for a reason that passes: too many calls, a cluster being changed, a secret
        // that took too long to fetch, a transaction that ended (and took its statements along).
        Fault::Throttling
        | Fault::InvalidResourceState
        | Fault::SecretsError
        | Fault::TransactionNotFound => retry(Ran::No, Again::Later),

        // Refused before anything ran, for a reason that somebody must mend.
        Fault::AccessDenied
        | Fault::BadRequest
        | Fault::DatabaseNotFound
        | Fault::Forbidden
        | Fault::HttpEndpointNotEnabled
        | Fault::InvalidSecret
        | Fault::NotFound
        | Fault::Validation
        | Fault::NotSent => reject(Ran::No),
        // The statement ran; its result cannot be carried, or is not what the code was written for.
        Fault::UnsupportedResult | Fault::UnreadableRows { .. } => reject(Ran::Perhaps),

        // Codes of the future: the status tells whose fault it is.
        Fault::Unmodelled { status: 500.., .. } => retry(Ran::Perhaps, Again::Now),
        Fault::Unmodelled { status: ..500, .. } => reject(Ran::No),
    }
}

/// What PostgreSQL's codes mean. A statement that fails leaves nothing, unless the connection failed with it.
fn of_sql(error: &SqlError) -> Ruling {
    // Without a code it is the Data API's own trouble with the database, or two calls at once in one transaction.
    let Some(class) = class(error) else { return retry(Ran::Perhaps, Again::Later) };
    match class {
        SqlClass::Connection | SqlClass::CompletionUnknown | SqlClass::ServerStopping => {
            retry(Ran::Perhaps, Again::Now)
        }
        SqlClass::Deadlock | SqlClass::Serialization => retry(Ran::No, Again::Now),
        // It has waited for a lock, or run, for seconds already; the database is out of room, or just lost its writer.
        // Another attempt at once would make all of that worse.
        SqlClass::LockNotAvailable
        | SqlClass::QueryCanceled
        | SqlClass::Resources
        | SqlClass::System
        | SqlClass::ReadOnly => retry(Ran::No, Again::Later),
        SqlClass::Data
        | SqlClass::UniqueViolation
        | SqlClass::Constraint
        | SqlClass::Authorization
        | SqlClass::SyntaxOrAccess
        | SqlClass::Other => reject(Ran::No),
    }
}

fn class(error: &SqlError) -> Option<SqlClass> {
    error.state.map(|state| state.class())
}

const fn retry(ran: Ran, again: Again) -> Ruling {
    Ruling { decision: Decision::Retry, ran, again }
}

const fn reject(ran: Ran) -> Ruling {
    Ruling { decision: Decision::Reject, ran, again: Again::Later }
}

#[cfg(test)]
mod tests {
    use super::Again::{Later, Now};
    use super::Decision::{AlreadyDone, Reject, Resuming, Retry};
    use super::Ran::{No, Perhaps};
    use super::{Again, Call, Decision, Fault, Ran, ruling};
    use crate::{SqlError, SqlState};
    use std::collections::BTreeSet;
    use std::mem::discriminant;

    type Row = (Fault, Decision, Decision, Ran, Again);

    fn sql(state: &str) -> Fault {
        Fault::Database(SqlError { state: SqlState::parse(state), constraint: None })
    }

    fn unmodelled(status: u16) -> Fault {
        Fault::Unmodelled { code: "X".to_owned(), status }
    }

    /// Fault, decision for an idempotent statement, decision for one that must not run twice, ran, again.
    fn golden() -> Vec<Row> {
        vec![
            (Fault::AccessDenied, Reject, Reject, No, Later),
            (Fault::BadRequest, Reject, Reject, No, Later),
            (Fault::DatabaseNotFound, Reject, Reject, No, Later),
            (Fault::DatabaseResuming, Resuming, Resuming, No, Later),
            (Fault::DatabaseUnavailable, Retry, Reject, Perhaps, Now),
            (Fault::Forbidden, Reject, Reject, No, Later),
            (Fault::HttpEndpointNotEnabled, Reject, Reject, No, Later),
            (Fault::InternalServerError, Retry, Reject, Perhaps, Now),
            (Fault::InvalidResourceState, Retry, Retry, No, Later),
            (Fault::InvalidSecret, Reject, Reject, No, Later),
            (Fault::NotFound, Reject, Reject, No, Later),
            (Fault::SecretsError, Retry, Retry, No, Later),
            (Fault::ServiceUnavailable, Retry, Reject, Perhaps, Now),
            (Fault::StatementTimeout, Retry, Reject, Perhaps, Later),
            (Fault::TransactionNotFound, Retry, Retry, No, Later),
            (Fault::UnsupportedResult, Reject, Reject, Perhaps, Later),
            (Fault::Validation, Reject, Reject, No, Later),
            (Fault::Throttling, Retry, Retry, No, Later),
            (unmodelled(403), Reject, Reject, No, Later),
            (unmodelled(502), Retry, Reject, Perhaps, Now),
            (Fault::NotSent, Reject, Reject, No, Later),
            (Fault::NotConnected, Retry, Retry, No, Now),
            (Fault::Lost, Retry, Reject, Perhaps, Now),
            (Fault::TimedOut, Retry, Reject, Perhaps, Now),
            (Fault::UnreadableAnswer, Retry, Reject, Perhaps, Later),
            (Fault::UnreadableRows { column: 1 }, Reject, Reject, Perhaps, Later),
            (Fault::OutOfTime, Retry, Retry, No, Later),
            (sql("none"), Retry, Reject, Perhaps, Later),
            (sql("08006"), Retry, Reject, Perhaps, Now),
            (sql("22P02"), Reject, Reject, No, Later),
            (sql("23505"), AlreadyDone, Reject, No, Later),
            (sql("23514"), Reject, Reject, No, Later),
            (sql("25006"), Retry, Retry, No, Later),
            (sql("28P01"), Reject, Reject, No, Later),
            (sql("40001"), Retry, Retry, No, Now),
            (sql("40003"), Retry, Reject, Perhaps, Now),
            (sql("40P01"), Retry, Retry, No, Now),
            (sql("42501"), Reject, Reject, No, Later),
            (sql("53300"), Retry, Retry, No, Later),
            (sql("55P03"), Retry, Retry, No, Later),
            (sql("57014"), Retry, Retry, No, Later),
            (sql("57P01"), Retry, Reject, Perhaps, Now),
            (sql("58030"), Retry, Retry, No, Later),
            (sql("P0001"), Reject, Reject, No, Later),
            (sql("XX000"), Reject, Reject, No, Later),
        ]
    }

    #[test]
    fn every_fault_has_its_ruling() {
        for (fault, idempotent, once, ran, again) in golden() {
            let ruled = ruling(Call::Idempotent, &fault);
            assert_eq!((ruled.decision, ruled.ran, ruled.again), (idempotent, ran, again), "{fault:?}");
            assert_eq!(ruling(Call::Once, &fault).decision, once, "{fault:?}, once");
        }
    }

    #[test]
    fn the_table_names_every_fault() {
        let named: BTreeSet<String> =
            golden().iter().map(|(fault, ..)| format!("{:?}", discriminant(fault))).collect();
        let source = include_str!("fault.rs");
        let variants = source.split("pub enum Fault {").nth(1).unwrap().split("\n}").next().unwrap();
        let is_variant = |line: &&str| {
            line.starts_with("    ") && line.as_bytes().get(4).is_some_and(u8::is_ascii_uppercase)
        };
        assert_eq!(named.len(), variants.lines().filter(is_variant).count());
    }

    #[track_caller]
    fn check(call: Call, fault: &Fault, expected: Decision) {
        assert_eq!(ruling(call, fault).decision, expected, "{call:?} {fault:?}");
    }

    #[test]
    fn a_transaction_that_has_ended_is_read_back_after_a_commit_and_begun_again_otherwise() {
        check(Call::Commit, &Fault::TransactionNotFound, AlreadyDone);
        check(Call::Commit, &Fault::NotFound, AlreadyDone);
        check(Call::Rollback, &Fault::TransactionNotFound, AlreadyDone);
        check(Call::InTransaction, &Fault::TransactionNotFound, Retry);
        check(Call::InTransaction, &sql("23505"), Reject);
    }

    #[test]
    fn a_commit_of_unknown_outcome_is_never_repeated_blindly() {
        for fault in [Fault::Lost, Fault::TimedOut, Fault::InternalServerError, sql("08006")] {
            check(Call::Commit, &fault, Reject);
            check(Call::Begin, &fault, Retry);
            check(Call::Rollback, &fault, Retry);
            check(Call::InTransaction, &fault, Retry);
        }
        check(Call::Commit, &sql("40001"), Retry);
    }
}
