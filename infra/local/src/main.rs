//! The AWS side of orderflow on one machine: queues, event sources, functions, Data API, PostgreSQL, Redis.

use std::{io::Write as _, path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Parser, Subcommand};
use local_cloud::{
    children::guard,
    error::Error,
    programs::{Origin, Places},
    stack::{self, Beside, PostgresFrom, StackInfo, StackOptions},
};
use tracing_subscriber::EnvFilter;

/// The checkout that this program was built from.
const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The AWS side of orderflow on one machine, for unmodified functions.
#[derive(Debug, Parser)]
#[command(name = "local-cloud")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the stack and run it until Ctrl-C
    Up(Box<Up>),
    /// Become a child process that cannot outlive its parent (used by `up` itself)
    #[command(hide = true)]
    Guard,
}

#[derive(Debug, Args)]
struct Up {
    /// The stage of the settings: dev, prod, local or test
    #[arg(long, default_value = "local")]
    stage: String,
    /// The folder for logs, data and stack.json
    #[arg(long, value_name = "DIR")]
    state_dir: PathBuf,
    /// The first of eight ports: control, SQS, Data API, Lambda, PostgreSQL, Redis, payments, function URL; 0 takes any
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port_base: u16,
    /// Whose PostgreSQL: auto, machine or wheels
    #[arg(long, value_name = "ORIGIN", default_value = "auto")]
    postgres_from: Origin,
    /// Whose Redis or Valkey: auto, machine or wheels
    #[arg(long, value_name = "ORIGIN", default_value = "auto")]
    redis_from: Origin,
    /// Use a running server, by a superuser's URL, with a database of our own in it
    #[arg(long, value_name = "URL")]
    postgres_url: Option<String>,
    /// The folder of the functions' programs; without it, the folder of this program
    #[arg(long, value_name = "DIR")]
    bin_dir: Option<PathBuf>,
    /// The settings file; without it, infra/settings.json of the checkout
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Where wheels and fresh database clusters are kept; without it, .orderflow of the checkout
    #[arg(long, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// The round trip of every Data API call, instead of the settings'
    #[arg(long, value_name = "MS")]
    data_api_rtt_ms: Option<u64>,
    /// The payment provider's quota for each endpoint, in calls per second, instead of the settings'; for all together
    /// four times that
    #[arg(long, value_name = "PER_S")]
    provider_rate: Option<u64>,
    /// Let `cargo lambda watch` at this URL host the functions that queues invoke
    #[arg(long, value_name = "URL")]
    watch: Option<String>,
    /// Leave queues, functions and secrets to the AWS emulator at this URL, and serve what it lacks: the Data API over
    /// PostgreSQL, Redis, the payment provider
    #[arg(long, value_name = "URL", requires_all = ["cluster_arn", "master_user"], conflicts_with = "watch")]
    beside: Option<String>,
    /// The cluster that was deployed there, which this Data API answers for
    #[arg(long, value_name = "ARN", requires = "beside")]
    cluster_arn: Option<String>,
    /// The cluster's master user: whoever shows its secret is the superuser here
    #[arg(long, value_name = "NAME", requires = "beside")]
    master_user: Option<String>,
    /// End when this process ends
    #[arg(long, value_name = "PID")]
    parent_pid: Option<u32>,
    /// When ready, print stack.json as one line
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    // Before anything starts a thread: the guard must be alone in its process.
    if args.next().is_some_and(|word| word == "guard") {
        return guard::main(args);
    }
    match Cli::parse().command {
        Command::Up(options) => up(*options),
        Command::Guard => ExitCode::FAILURE,
    }
}

fn up(options: Up) -> ExitCode {
    // The pool reports every connection that ends with the server, also when the stack ends.
    let filter = EnvFilter::new("warn,local_cloud=info,deadpool=error");
    tracing_subscriber::fmt().with_env_filter(filter).with_target(false).with_writer(std::io::stderr).init();
    let json = options.json;
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error),
    };
    let stack = stack_options(options)
        .and_then(|options| runtime.block_on(stack::run(options, |info| ready(info, json))));
    match stack {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&error),
    }
}

fn stack_options(options: Up) -> Result<StackOptions, Error> {
    let find_own = |source| Error::File { what: "find", path: "/proc/self/exe".into(), source };
    let own = std::env::current_exe().map_err(find_own)?;
    let beside = own.parent().map(PathBuf::from).unwrap_or_default();
    let checkout = PathBuf::from(CHECKOUT);
    // A shorter name in messages; a checkout that was moved keeps the longer one.
    let checkout = checkout.canonicalize().unwrap_or(checkout);
    let cache_dir = options.cache_dir.unwrap_or_else(|| checkout.join(".orderflow"));
    let places = Places {
        path: std::env::var_os("PATH").unwrap_or_default(),
        pg_bin: std::env::var_os("PG_BIN").map(PathBuf::from),
        wheels: cache_dir.join("wheels"),
    };
    let own_server = PostgresFrom::Own(options.postgres_from);
    Ok(StackOptions {
        stage: options.stage,
        settings: options.settings.unwrap_or_else(|| checkout.join("infra/settings.json")),
        state_dir: options.state_dir,
        cache_dir: cache_dir.join("cache"),
        port_base: options.port_base,
        postgres: options.postgres_url.map_or(own_server, PostgresFrom::Url),
        redis_from: options.redis_from,
        places,
        bin_dir: options.bin_dir.unwrap_or(beside),
        data_api_rtt: options.data_api_rtt_ms.map(Duration::from_millis),
        provider_rate_per_s: options.provider_rate,
        watch: options.watch,
        beside: emulator(options.beside, options.cluster_arn, options.master_user),
        parent_pid: options.parent_pid,
        guard_exe: own,
    })
}

/// All three or none: the parser sees to it.
fn emulator(url: Option<String>, cluster_arn: Option<String>, master_user: Option<String>) -> Option<Beside> {
    Some(Beside { url: url?, cluster_arn: cluster_arn?, master_user: master_user? })
}

fn ready(info: &StackInfo, json: bool) {
    if json {
        // A reader that is gone does not need it.
        writeln!(std::io::stdout(), "{}", info.to_json()).ok();
    }
    tracing::info!(control = info.control_url, "ready");
}

/// Prints an error and its causes, one a line.
fn complain(error: &dyn std::error::Error) -> ExitCode {
    let mut text = format!("local-cloud: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("\n  because: {error}"));
        cause = error.source();
    }
    // Without standard error there is nobody to tell; the exit code remains.
    writeln!(std::io::stderr(), "{text}").ok();
    ExitCode::FAILURE
}
