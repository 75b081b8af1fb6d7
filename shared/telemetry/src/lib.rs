//! The catalogue of metrics, the names of log fields, and the one line a batch leaves on stdout.
//!
//! Functions emit, crates only name and count. The crate promises:
//!
//! - **Every metric stands once in [`catalogue::METRICS`]**, with its name, unit, attribute and buckets. Dashboards, alarms,
//!   rules and documentation are made from it or held against it.
//! - **[`Emf`] keeps the Embedded Metric Format**, whatever is measured, and has no id among its dimensions.
//! - **One JSON object per line**, written in one call, so that lines of concurrent tasks never mix: `timestamp`,
//!   `level`, `message`, `function`, then the fields of the event and of the spans around it, flat and dotted as
//!   they were named (`order.id`, `duration_ms`).
//! - **Foreign crates may only warn.** The SDK, HTTP and Redis clients log requests and answers at `DEBUG` and `TRACE`;
//!   those hold orders. Only our own crates follow the configured level.
//! - Logging never fails its caller: a line that cannot be written is counted in [`LOST_LINES`].

pub mod catalogue;
pub mod fields;

mod counter;
mod emf;
mod emit;
mod identity;
mod line;
mod metric;
mod subscriber;
mod time;

pub use counter::Counter;
pub use emf::{Emf, Field, METRICS_MAX, VALUES_MAX};
pub use emit::{LOST_LINES, emit_line};
pub use metric::{Attribute, Kind, Metric, Source, Unit};
pub use subscriber::init;
pub use time::rfc3339;
