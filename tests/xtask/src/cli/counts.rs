//! The options of `cargo xtask counts`.

use clap::Args;

/// Options of `counts`.
#[derive(Debug, Args)]
pub struct Counts {
    /// Write the numbers down as the ones to keep, in `tests/counts.json`
    #[arg(long)]
    pub update: bool,
    /// Print instead where the instructions of a warm batch and of a start go, by part of the program
    #[arg(long, conflicts_with = "update")]
    pub profile: bool,
    /// The optimisation level that the programs were built with: compiler and level have their own numbers
    #[arg(long, default_value = "2", value_name = "LEVEL")]
    pub opt_level: String,
    /// Print the comparison or the profile as one JSON object on standard output; progress goes to standard error
    #[arg(long)]
    pub json: bool,
}
