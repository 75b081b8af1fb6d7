//! The one connection of a process to Redis, for callers that can do without.
//!
//! [`Link`] sends a command, a pipeline or a script and answers within the command timeout, or says which [`Fault`]
//! there was. The crate promises:
//!
//! - **Nobody waits for a sick Redis.** A failure costs one short timeout; then Redis is skipped for a cool-down, and
//!   one caller at a time tries to connect again while all others go on without.
//! - **A late answer reaches nobody**: its connection is gone.
//! - **A script that the server forgot is loaded again in the same call**, so a restart or a `SCRIPT FLUSH` is no
//!   failure.
//! - No key, value, URL, password or text of the server is ever logged.
//!
//! Nothing here reads a clock or waits except through the [`backoff::Clock`] that is handed in; the only other timers
//! are the socket timeouts inside the Redis client.

mod fault;
mod link;
mod script;
mod settings;

pub use fault::Fault;
pub use link::Link;
pub use redis::{Cmd, FromRedisValue, Pipeline, cmd, pipe};
pub use script::{Script, ScriptCall};
pub use settings::{BadUrl, RedisSettings};
