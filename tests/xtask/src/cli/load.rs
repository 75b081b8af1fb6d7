//! The options of `load`: the shapes of a load, and what a load test can do without.

use super::Servers;
use clap::{Args, ValueEnum};

/// Options of `load`.
#[derive(Debug, Clone, Args)]
pub struct LoadTest {
    /// The shape of the load
    #[arg(value_enum, value_name = "SCENARIO")]
    pub shape: Shape,
    /// Take something away that makes orders fast, to see the goals missed without it
    #[arg(long, value_enum, value_name = "WHAT")]
    pub without: Option<Without>,
    /// Wait until every order is paid as well, at the provider's pace, and report that apart
    #[arg(long)]
    pub settle: bool,
    /// Write result and pictures into loadtests/results, to be committed; refused on a busy machine and for a changed shape
    #[arg(long, conflicts_with = "set")]
    pub record: bool,
    /// Replace a constant of the shape, for a short run, for example `SURGE_TOP_S=10`; may be repeated
    #[arg(long, short = 'e', value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub set: Vec<String>,
    /// Seed of the orders
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u32,
    /// Print the result as one JSON object on standard output; progress goes to standard error
    #[arg(long)]
    pub json: bool,
    /// Which servers to use
    #[command(flatten)]
    pub servers: Servers,
}

/// The shape of a load; its numbers are in loadtests/lib/shapes.js.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// A few orders for ten seconds: does everything work?
    Smoke,
    /// An ordinary evening, one steady rate
    Baseline,
    /// From the baseline to four times as much (+ 300 %), and a minute at the top
    Surge,
    /// Eight times the baseline from one second to the next, for a few seconds
    Spike,
    /// One steady rate after the other, to find the knee
    Ladder,
    /// The baseline for an hour
    Soak,
    /// One steady rate twice, without Redis and with it: what does the database have to read?
    CacheAb,
    /// The baseline, with the payment provider failing in its middle
    ProviderDown,
}

impl Shape {
    /// The word on the command line, which is also the name of its script and of its results.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Baseline => "baseline",
            Self::Surge => "surge",
            Self::Spike => "spike",
            Self::Ladder => "ladder",
            Self::Soak => "soak",
            Self::CacheAb => "cache-ab",
            Self::ProviderDown => "provider-down",
        }
    }
}

/// What a load test can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Without {
    /// No Redis for the function that accepts orders; what it remembers for half a second by itself stays
    Cache,
    /// One order an invocation, and so one database call an order
    Batching,
}

impl Without {
    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Batching => "batching",
        }
    }
}

/// `NAME=VALUE`, as k6 wants it.
fn name_and_value(text: &str) -> Result<String, String> {
    let name = text.split_once('=').map(|(name, _)| name).unwrap_or_default();
    let known = |c: char| c.is_ascii_uppercase() || c == '_';
    if !name.is_empty() && name.chars().all(known) {
        return Ok(text.to_owned());
    }
    Err("write NAME=VALUE, with a name of loadtests/lib/shapes.js".to_owned())
}
