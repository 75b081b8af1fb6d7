//! The options of `cargo xtask counts`.

use clap::Args;

/// Options of `counts`.
#[derive(Debug, Args)]
pub struct Counts {
    /// Write the numbers down as the ones to keep, in `tests/counts.json`
    #[arg(long)]
    pub update: bool,
    /// The optimisation level that the programs were built with: compiler and level have their own numbers
    #[arg(long, default_value = "2", value_name = "LEVEL")]
    pub opt_level: String,
    /// Print the comparison as one JSON object on standard output; progress goes to standard error
    #[arg(long)]
    pub json: bool,
}
