//! The commands behind `cargo xtask`: light to build, precise about what is missing.
