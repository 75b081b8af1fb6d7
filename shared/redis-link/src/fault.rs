//! Why Redis gave no answer.

use redis::{ErrorKind, RedisError, ServerErrorKind};
use thiserror::Error;

/// Why Redis gave no answer. Carries no key, value, address or text of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// Redis was not asked: it failed a moment ago, or no time was left.
    #[error("Redis was not asked; it failed a moment ago, or the time was up")]
    Skipped,
    /// The command, or the connection, took longer than it may.
    #[error("Redis took too long; look at its load and at the network")]
    TimedOut,
    /// No connection, or it broke, or what came back is not Redis.
    #[error("the connection to Redis failed; check that it runs and that the URL names it")]
    Lost,
    /// The server answered with an error (wrong password, loading, out of memory, not permitted …).
    #[error("Redis refused; check its memory, its role, and the user's password and permissions")]
    Refused,
    /// The server is a replica now. The connection is dropped, because the name may point to a new primary.
    #[error("Redis is read-only; if this lasts, check that the URL names the primary")]
    ReadOnly,
}

impl Fault {
    /// Names what happened, without its text: a server's error may quote what it was sent.
    pub(crate) fn of(error: &RedisError) -> Self {
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::ReadOnly) => Self::ReadOnly,
            ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::AuthenticationFailed => Self::Refused,
            _ if error.is_timeout() => Self::TimedOut,
            _ => Self::Lost,
        }
    }

    /// Whether the connection is still good: the server understood the command and answered it.
    pub(crate) fn leaves_the_connection_usable(self) -> bool {
        match self {
            Self::Skipped | Self::Refused => true,
            Self::TimedOut | Self::Lost | Self::ReadOnly => false,
        }
    }
}
