//! What can go wrong with a call, told apart once, from the SDK's error.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_rdsdata::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::DispatchFailure;
use hyper_util::client::legacy::Error as ConnectionError;

use crate::SqlState;

/// What went wrong. The first seventeen are the exceptions that the Data API's model names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// `AccessDeniedException`.
    AccessDenied,
    /// `BadRequestException`, deprecated by AWS.
    BadRequest,
    /// `DatabaseErrorException`: PostgreSQL, or the Data API's way to it, refused the statement.
    Database(SqlError),
    /// `DatabaseNotFoundException`: the cluster has no instance.
    DatabaseNotFound,
    /// `DatabaseResumingException`: the cluster was paused, and this call wakes it.
    DatabaseResuming,
    /// `DatabaseUnavailableException`: no writer, as during a failover.
    DatabaseUnavailable,
    /// `ForbiddenException`.
    Forbidden,
    /// `HttpEndpointNotEnabledException`.
    HttpEndpointNotEnabled,
    /// `InternalServerErrorException`.
    InternalServerError,
    /// `InvalidResourceStateException`: the cluster is being changed.
    InvalidResourceState,
    /// `InvalidSecretException`.
    InvalidSecret,
    /// `NotFoundException`: cluster, secret or transaction is unknown.
    NotFound,
    /// `SecretsErrorException`: the secret could not be fetched or decrypted.
    SecretsError,
    /// `ServiceUnavailableError`.
    ServiceUnavailable,
    /// `StatementTimeoutException`: the Data API's own 45 s are over.
    StatementTimeout,
    /// `TransactionNotFoundException`: it has ended, by a commit, a rollback or three idle minutes.
    TransactionNotFound,
    /// `UnsupportedResultException`: the result has a type or a size that the Data API does not carry.
    UnsupportedResult,
    /// `ValidationException`, not in the model: several statements in one, or a parameter of the wrong form.
    Validation,
    /// `ThrottlingException` and its relatives, not in the model.
    Throttling,
    /// Any other code, or an error page of something in between.
    Unmodelled {
        /// The code, or `none`.
        code: String,
        /// The HTTP status.
        status: u16,
    },
    /// The request could not be built or signed: no credentials, or an endpoint that is no URL.
    NotSent,
    /// No connection could be opened.
    NotConnected,
    /// The connection broke before the answer was complete.
    Lost,
    /// No answer within the attempt's time.
    TimedOut,
    /// An answer of success that is not the Data API's.
    UnreadableAnswer,
    /// The rows do not have the expected fields. Tells where, not what.
    UnreadableRows {
        /// The position in the rows' JSON, in bytes; 0 if there were no rows at all.
        column: usize,
    },
    /// The deadline left no time for an attempt.
    OutOfTime,
}

/// What PostgreSQL said, without its text, which quotes values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SqlError {
    /// The code, if the message ended with one.
    pub state: Option<SqlState>,
    /// The constraint that refused a row, for codes of class 23.
    pub constraint: Option<String>,
}

impl Fault {
    /// The kind of fault in metrics: one of a few words, and never anything of the message.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Throttling => "throttled",
            Self::DatabaseResuming => "resuming",
            Self::DatabaseNotFound
            | Self::DatabaseUnavailable
            | Self::InternalServerError
            | Self::InvalidResourceState
            | Self::ServiceUnavailable => "unavailable",
            Self::StatementTimeout | Self::TimedOut | Self::OutOfTime => "timed_out",
            Self::NotSent | Self::NotConnected | Self::Lost => "connection",
            Self::Database(_) => "sql",
            Self::AccessDenied
            | Self::Forbidden
            | Self::HttpEndpointNotEnabled
            | Self::InvalidSecret
            | Self::SecretsError => "denied",
            Self::BadRequest
            | Self::NotFound
            | Self::TransactionNotFound
            | Self::UnsupportedResult
            | Self::Validation
            | Self::Unmodelled { .. }
            | Self::UnreadableAnswer
            | Self::UnreadableRows { .. } => "malformed",
        }
    }
}

impl SqlError {
    /// Reads code and constraint from a message of the Data API.
    pub(crate) fn of(message: &str) -> Self {
        let state = SqlState::at_end_of(message);
        let refused_a_row = state.is_some_and(|state| state.as_str().starts_with("23"));
        Self { state, constraint: refused_a_row.then(|| constraint(message)).flatten() }
    }
}

/// The quoted name after the first `constraint`, if it is a plain identifier. The first line of PostgreSQL's message
/// names tables and constraints only; values follow in the detail.
fn constraint(message: &str) -> Option<String> {
    let (_, rest) = message.lines().next()?.split_once("constraint \"")?;
    let (name, _) = rest.split_once('"')?;
    let plain = name.len() <= 63 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    plain.then(|| name.to_owned())
}

/// Tells the fault, and what the service said in words, if anything.
pub(crate) fn fault_of<E: ProvideErrorMetadata>(
    error: &SdkError<E, HttpResponse>,
) -> (Fault, Option<String>) {
    let fault = match error {
        SdkError::TimeoutError(_) => Fault::TimedOut,
        SdkError::DispatchFailure(failure) => undelivered(failure),
        SdkError::ResponseError(_) => Fault::Lost,
        SdkError::ServiceError(answer) => return answered(answer.err(), answer.raw().status().as_u16()),
        // ConstructionFailure. The SDK's enum is open; what it may add later happens before sending, too, or is
        // classified as unknown at worst by the arms above.
        _ => Fault::NotSent,
    };
    (fault, None)
}

fn answered(error: &impl ProvideErrorMetadata, status: u16) -> (Fault, Option<String>) {
    if (200..300).contains(&status) {
        return (Fault::UnreadableAnswer, None);
    }
    let message = error.message().map(str::to_owned);
    (of_code(error.code(), status, message.as_deref().unwrap_or_default()), message)
}

/// The fault that a code names. By code and not by the SDK's types, because not every code has one.
fn of_code(code: Option<&str>, status: u16, message: &str) -> Fault {
    match code.unwrap_or_default() {
        "AccessDeniedException" => Fault::AccessDenied,
        "BadRequestException" => Fault::BadRequest,
        "DatabaseErrorException" => Fault::Database(SqlError::of(message)),
        "DatabaseNotFoundException" => Fault::DatabaseNotFound,
        "DatabaseResumingException" => Fault::DatabaseResuming,
        "DatabaseUnavailableException" => Fault::DatabaseUnavailable,
        "ForbiddenException" => Fault::Forbidden,
        "HttpEndpointNotEnabledException" => Fault::HttpEndpointNotEnabled,
        "InternalServerErrorException" => Fault::InternalServerError,
        "InvalidResourceStateException" => Fault::InvalidResourceState,
        "InvalidSecretException" => Fault::InvalidSecret,
        "NotFoundException" => Fault::NotFound,
        "SecretsErrorException" => Fault::SecretsError,
        "ServiceUnavailableError" => Fault::ServiceUnavailable,
        "StatementTimeoutException" => Fault::StatementTimeout,
        "TransactionNotFoundException" => Fault::TransactionNotFound,
        "UnsupportedResultException" => Fault::UnsupportedResult,
        "ValidationException" => Fault::Validation,
        "ThrottlingException" | "Throttling" | "TooManyRequestsException" | "RequestLimitExceeded" => {
            Fault::Throttling
        }
        _ if status == 429 => Fault::Throttling,
        other => Fault::Unmodelled { code: plain(other), status },
    }
}

/// A code is a name; anything else in its place could be text of somebody else.
fn plain(code: &str) -> String {
    let is_name = (1..=64).contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_name { code.to_owned() } else { "none".to_owned() }
}

/// Whether the request can have reached anybody. In doubt it can.
fn undelivered(failure: &DispatchFailure) -> Fault {
    let Some(error) = failure.as_connector_error() else { return Fault::NotSent };
    let mut source: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(cause) = source {
        if cause.downcast_ref::<ConnectionError>().is_some_and(ConnectionError::is_connect) {
            return Fault::NotConnected;
        }
        // The SDK reports missing credentials like a broken connection.
        if cause.is::<CredentialsError>() {
            return Fault::NotSent;
        }
        source = cause.source();
    }
    if error.is_user() { Fault::NotSent } else { Fault::Lost }
}

/// A phrase for people; what to do next where somebody can do something.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phrase = match self {
            Self::Database(error) => return error.fmt(f),
            Self::Unmodelled { code, status } => {
                return write!(f, "the service answered {status} with code {code}");
            }
            Self::UnreadableRows { column } => {
                return write!(
                    f,
                    "the rows are not what the code expects, at byte {column}; compare SQL and struct"
                );
            }
            Self::AccessDenied | Self::Forbidden => {
                "access denied; check the role's rds-data and secret permissions"
            }
            Self::BadRequest => "the service calls the request bad",
            Self::DatabaseNotFound => "the cluster has no instance; check ORDERFLOW_CLUSTER_ARN",
            Self::DatabaseResuming => "the cluster is resuming from a pause",
            Self::DatabaseUnavailable => "the cluster has no writer right now",
            Self::HttpEndpointNotEnabled => "the cluster's Data API is off; enable its HTTP endpoint",
            Self::InternalServerError => "the service failed",
            Self::InvalidResourceState => "the cluster is being changed",
            Self::InvalidSecret => "the secret holds no usable user and password; check ORDERFLOW_SECRET_ARN",
            Self::NotFound => "cluster, secret or transaction is unknown; check the ARNs",
            Self::SecretsError => {
                "the secret could not be read; check the role's permissions and the secret's key"
            }
            Self::ServiceUnavailable => "the service is unavailable",
            Self::StatementTimeout => "the statement ran into the service's 45 s limit",
            Self::TransactionNotFound => "the transaction has already ended",
            Self::UnsupportedResult => {
                "the result has a type or size that the Data API does not carry; cast it to text"
            }
            Self::Validation => {
                "the request breaks a rule of the Data API: one statement, known parameter types"
            }
            Self::Throttling => "the service throttles",
            Self::NotSent => "the request could not be built or signed; check credentials and endpoint",
            Self::NotConnected => "no connection could be opened",
            Self::Lost => "the connection broke before the answer was complete",
            Self::TimedOut => "no answer in time",
            Self::UnreadableAnswer => "the answer is not the Data API's; check the endpoint",
            Self::OutOfTime => "the deadline leaves no time for an attempt",
        };
        f.write_str(phrase)
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.state, &self.constraint) {
            (Some(state), Some(constraint)) => write!(f, "SQLSTATE {state}, constraint {constraint}"),
            (Some(state), None) => write!(f, "SQLSTATE {state}"),
            (None, _) => f.write_str("a database error without SQLSTATE"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, SqlError, of_code};

    #[track_caller]
    fn names(message: &str, constraint: Option<&str>) {
        assert_eq!(SqlError::of(message).constraint.as_deref(), constraint, "{message}");
    }

    #[test]
    fn the_constraint_is_read_where_postgresql_names_it_and_nowhere_else() {
        let unique = "ERROR: duplicate key value violates unique constraint \"orders_pkey\"";
        names(
            &format!("{unique}\n  Detail: Key (order_id)=(x) already exists.; SQLState: 23505"),
            Some("orders_pkey"),
        );
        names(
            "ERROR: new row for relation \"stock\" violates check constraint \"stock_available_check\"; SQLState: 23514",
            Some("stock_available_check"),
        );
        names("ERROR: null value in column \"sku\" violates not-null constraint; SQLState: 23502", None);
        names("ERROR: no such thing\n  Detail: constraint \"anna\"; SQLState: 23505", None);
        names("ERROR: constraint \"anna@example.org\"; SQLState: 23505", None);
        names("ERROR: invalid input: constraint \"anna\"; SQLState: 22P02", None);
    }

    #[test]
    fn a_code_that_is_no_name_is_not_repeated() {
        let unmodelled = |code: &str| Fault::Unmodelled { code: code.to_owned(), status: 403 };
        assert_eq!(of_code(Some("ExpiredTokenException"), 403, ""), unmodelled("ExpiredTokenException"));
        assert_eq!(of_code(Some("Dear Anna, …"), 403, ""), unmodelled("none"));
        assert_eq!(of_code(None, 403, ""), unmodelled("none"));
        assert_eq!(of_code(None, 429, ""), Fault::Throttling);
    }
}
