//! Parses a map of environment variables into typed values, with errors that name the variable.
//!
//! A function's `main` collects its environment once, by [`Variables::from_environment`], and its `settings.rs` reads
//! values from that. The crate promises:
//!
//! - **Nothing else reads the environment** of what is deployed: clippy and the tidy test see to it.
//!
//! - **Everything wrong is said at once**: [`Variables::finish`] names each missing or unusable variable and what it
//!   must look like, so that one deployment is enough to learn it all.
//! - **No default stands in for what is required**: a function that cannot know its queue refuses to start.
//! - **No value is ever repeated**, in an error or by `Debug`: it may be a password in the wrong variable.

mod variables;

mod parse;
mod secret;

pub use secret::Secret;
pub use variables::{Error, Problem, Variables};
