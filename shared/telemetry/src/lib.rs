//! Names of log fields and counters, and the one line a batch leaves on stdout.
//!
//! Functions emit, crates only name and count. The crate promises:
//!
//! - **One JSON object per line**, written in one call, so that lines of concurrent tasks never mix: `timestamp`,
//!   `level`, `message`, `function`, then the fields of the event and of the spans around it, flat and dotted as
//!   they were named (`order.id`, `duration_ms`).
//! - **Foreign crates may only warn.** The SDK, HTTP and Redis clients log requests and answers at `DEBUG` and `TRACE`;
//!   those hold orders. Only our own crates follow the configured level.
//! - Logging never fails its caller: a line that cannot be written is counted in [`LOST_LINES`].

pub mod fields;

mod counter;
mod emit;
mod line;
mod subscriber;
mod time;

pub use counter::Counter;
pub use emit::{LOST_LINES, emit_line};
pub use subscriber::{init, set_level};
pub use time::rfc3339;
