//! The errors of the Data API, in the names, codes and words that Aurora uses.
//!
//! Which of the modelled exceptions a failure gets is in the service's API model; the words are those that
//! AWS documents or that users of Aurora PostgreSQL v2 reported. `SQLState: ` is always last.

use tokio_postgres::error::{DbError, ErrorPosition};

/// An answer that is an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exception {
    /// The name in `x-amzn-errortype`.
    pub(super) name: &'static str,
    /// The HTTP status.
    pub(super) status: u16,
    /// The text under `message`.
    pub(super) message: String,
}

/// A constructor of each exception that this server answers with.
macro_rules! exceptions {
    ($($(#[$doc:meta])* $make:ident $status:literal $name:literal)*) => {
        impl Exception {
            $($(#[$doc])* pub(super) fn $make(message: impl Into<String>) -> Self {
                Self { name: $name, status: $status, message: message.into() }
            })*
        }
    };
}

exceptions! {
    /// A request that is wrong in itself.
    bad_request 400 "BadRequestException"
    /// A SQL error, or a rule about transactions.
    database_error 400 "DatabaseErrorException"
    /// The cluster is waking up.
    resuming 400 "DatabaseResumingException"
    /// No connection to the writer.
    unavailable 504 "DatabaseUnavailableException"
    /// Something here is broken.
    internal 500 "InternalServerErrorException"
    /// The ARN is not that of our cluster.
    endpoint_not_enabled 400 "HttpEndpointNotEnabledException"
    /// The secret is not known.
    secrets_error 400 "SecretsErrorException"
    /// The statement took too long.
    statement_timeout 400 "StatementTimeoutException"
    /// Commit or rollback of what is no transaction, or a statement in it.
    transaction_not_found 404 "TransactionNotFoundException"
    /// A result that the protocol cannot carry.
    unsupported_result 400 "UnsupportedResultException"
    /// A request against the API's rules. Not in the model, so SDKs show it as unhandled.
    validation 400 "ValidationException"
    /// Too many requests. Not in the model either.
    throttling 400 "ThrottlingException"
    /// A body that is not the JSON of this operation.
    serialization 400 "SerializationException"
    /// A body beyond the limit.
    too_large 413 "RequestEntityTooLargeException"
    /// A path that is no operation.
    unknown_operation 404 "UnknownOperationException"
}

/// What a result beyond a limit of size is answered with.
const RESULT_TOO_LARGE: &str = "Database response exceeded size limit";

impl Exception {
    /// A result beyond a limit of size.
    pub(super) fn result_too_large() -> Self {
        Self::bad_request(RESULT_TOO_LARGE)
    }

    /// Whether the call's transaction is over: Aurora ends it when a result is too large.
    pub(super) fn ends_transaction(&self) -> bool {
        self.message == RESULT_TOO_LARGE
    }
}

/// What PostgreSQL says to several statements at once; the words are the server's.
const SEVERAL_STATEMENTS: &str = "cannot insert multiple commands into a prepared statement";

impl From<tokio_postgres::Error> for Exception {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(error) if error.message() == SEVERAL_STATEMENTS => {
                Self::validation("Multistatements aren't supported.")
            }
            Some(error) => Self::database_error(describe(error)),
            None if error.is_closed() => {
                Self::unavailable("The writer instance in the DB cluster isn't available")
            }
            // A value that cannot be sent, an answer that cannot be read, or no server.
            None => Self::unavailable(error.to_string()),
        }
    }
}

/// As Aurora puts it: no detail, because that repeats values; the position counts characters.
fn describe(error: &DbError) -> String {
    let mut text = format!("ERROR: {}", error.message());
    if let Some(hint) = error.hint() {
        text.push_str(&format!("; Hint: {hint}"));
    }
    if let Some(ErrorPosition::Original(position)) = error.position() {
        text.push_str(&format!("; Position: {position}"));
    }
    text.push_str(&format!("; SQLState: {}", error.code().code()));
    text
}
