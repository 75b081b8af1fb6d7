//! The commands behind `cargo xtask`: light to build, precise about what is missing.
//!
//! What needs nothing but cargo and Python is done here: `test`, `check`, `fmt`, `doctor`,
//! `infra-check`, `cost`. What talks to a stack is built first, with visible progress, and then handed to `target/local/harness` with the same arguments; both parse
//! them with [`cli`], so that there is one command line and one set of help texts.

pub mod cli;
pub mod out;
pub mod workspace;

pub mod check;
pub mod cost;
pub mod doctor;
pub mod heavy;
pub mod infra;
pub mod python;
pub mod tally;
pub mod test;

mod error;

pub use error::Error;
