//! The options of `peers`.

use super::Servers;
use clap::{Args, ValueEnum};

/// Options of `peers`.
#[derive(Debug, Args)]
pub struct Peers {
    /// Rounds; in each, every contender takes its turn with a fresh instance
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Batches of ten orders that are measured in a turn, after those that warm the instance up
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub batches: u32,
    /// Batches of ten over which process-orders' own CPU is measured, after the rounds; 0 leaves that out
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub cpu_batches: u32,
    /// Compare only with this one; may be given again
    #[arg(long, value_enum, value_name = "NAME")]
    pub only: Vec<Peer>,
    /// Compare programs of this cargo profile: `release` as they are deployed, `local` as the stack runs them
    #[arg(long, value_enum, default_value_t = Profile::Release)]
    pub profile: Profile,
    /// A round trip to the Data API in milliseconds, instead of the one that infra/settings.json assumes
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub data_api_rtt_ms: Option<u32>,
    /// Keep the result in loadtests/results; refused with uncommitted changes
    #[arg(long, conflicts_with_all = ["only", "profile"])]
    pub record: bool,
    /// Print the result as one JSON object on standard output; progress goes to standard error
    #[arg(long)]
    pub json: bool,
    /// Which servers to use
    #[command(flatten)]
    pub servers: Servers,
}

/// Somebody to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// Powertools, boto3 and redis-py
    Python,
    /// Powertools, AWS SDK v3 and node-redis
    Typescript,
    /// A transaction of single statements for each order, in Rust
    NaiveRust,
}

/// A cargo profile of the programs in Rust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Optimized for size and as a whole, which takes minutes to build the first time
    Release,
    /// What every other command runs: quick to build
    Local,
}

impl Profile {
    /// Its name in Cargo.toml, and of its folder below `target/`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Local => "local",
        }
    }
}
