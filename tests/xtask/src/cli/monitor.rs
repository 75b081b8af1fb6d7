//! The options of `cargo xtask monitor`.

use clap::Args;

/// Options of `monitor`.
#[derive(Debug, Args)]
pub struct Monitor {
    /// End after so many seconds; with --check, load the stack for so long (60)
    #[arg(long = "for", value_name = "S", value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub seconds: Option<u32>,
    /// Load the stack, then ask Prometheus every query of every dashboard, and how its rules are
    #[arg(long)]
    pub check: bool,
    /// Print the result of the check as one JSON object on standard output
    #[arg(long, requires = "check")]
    pub json: bool,
}
