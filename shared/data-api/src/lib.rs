//! A typed door to the RDS Data API: parameters, rows into structs, one decision per error.
//!
//! [`DataApi`] is the only way to Aurora. The crate promises:
//!
//! - **One layer retries.** The SDK alone would send an `INSERT` three times after a lost reply and pause for a second
//!   in between; here it makes one attempt, and [`DataApi`] makes a second one only of statements marked
//!   [`idempotent`](Statement::idempotent), only for faults that a second attempt heals, and only within the deadline.
//! - **Every attempt ends**: connecting within half a second, the whole attempt within 3.5 s (migrations say otherwise),
//!   or earlier if the deadline says so.
//! - **Every fault has one answer**: [`Error::decision`] says whether to retry, to wait for a resuming cluster, to give
//!   up, or to read what an earlier call left.
//! - **No value leaks.** PostgreSQL quotes rows in its messages. `Display` and `Debug` of everything here show SQLSTATE
//!   and constraint, never the message, a parameter or a row.

mod api;
mod connect;
mod counts;
mod error;
mod fault;
mod ruling;
mod sql_state;
mod statement;

pub use api::{DataApi, Target, Transaction};
pub use backoff::{Clock, Deadline};
pub use connect::{client, http_client, sdk_config};
pub use counts::Counts;
pub use error::{Call, Error};
pub use fault::{Fault, SqlError};
pub use ruling::{Again, Decision, Ran};
pub use sql_state::{SqlClass, SqlState};
pub use statement::Statement;
