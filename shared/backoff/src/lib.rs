//! The clock, the only waiting there is, jitter, deadlines and one documented retry policy per callee.
//!
//! Everything else in the workspace takes a [`Clock`] and a [`Random`] as values, so that a flow runs the same on
//! the machine's clock and in a seeded simulation. The crate promises:
//!
//! - **Nothing waits past its deadline.** [`retry()`] neither sleeps nor starts an attempt that the [`Deadline`] does
//!   not leave time for, and attempts are bounded by the [`Policy`].
//! - **Jitter is full**: a pause is uniform between nothing and its bound, so that callers that failed together do
//!   not come back together.
//! - **Seeded means repeatable**: the same seed and the same calls give the same pauses.

mod clock;
mod deadline;
mod jitter;
mod manual;
mod policy;
mod random;
mod retry;

pub use clock::{Clock, SystemClock, within};
pub use deadline::Deadline;
pub use jitter::{VISIBILITY_MAX_S, full_jitter, transient_visibility_s};
pub use manual::ManualClock;
pub use policy::{CONNECT_TIMEOUT, Policy};
pub use random::Random;
pub use retry::{OutOfTime, retry};
