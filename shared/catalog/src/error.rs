//! What can go wrong outside of a look-up.

use redis_link::Fault;
use thiserror::Error as ThisError;

/// What went wrong outside of a look-up (a look-up never fails).
#[derive(Debug, Clone, PartialEq, Eq, ThisError)]
pub enum Error {
    /// New product versions could not be written to Redis. Their old ones live on until their time is over, so
    /// publish again.
    #[error("publishing products to Redis")]
    Publish(#[source] Fault),
}
