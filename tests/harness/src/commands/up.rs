//! `up` and `down`: a stack with a seeded catalog, until Ctrl-C or until told.

use crate::demo::interrupted;
use crate::stack::{Info, Life, Messages, Stack, StackOptions};
use crate::{Error, database, kits};
use std::path::PathBuf;
use xtask::{cli, out, workspace};

/// Orders that the shelves of a stack hold out for.
const ORDERS: usize = 1_000_000;

/// Starts the stack, or says that it is running already; returns when it has ended, with `--detach` when it is ready.
///
/// # Errors
/// What keeps it from starting.
pub async fn up(options: &cli::Up) -> Result<(), Error> {
    let state = workspace::up_state();
    if let Ok(running) = Info::find(&state) {
        out::line(&format!(
            "The stack is already running (process {}); `cargo xtask down` stops it.",
            running.pid
        ));
        return Ok(());
    }
    out::note("Starting PostgreSQL, Redis, the queues, the Data API and the functions …");
    let mut stack = tokio::select! {
        stack = Stack::start(stack_options(options, state)) => stack?,
        () = interrupted() => return Err(Error::Interrupted),
    };
    database::seed(&stack.sql().await?, &kits::catalog(), kits::plenty(ORDERS)).await?;
    out::line(&where_everything_is(&stack.info));
    if options.detach {
        stack.leave();
        out::line("Running in the background; `cargo xtask down` stops it.");
        return Ok(());
    }
    out::line(
        "Ctrl-C stops everything. In another terminal: `cargo xtask send --orders 100`, then `cargo xtask status`.",
    );
    tokio::select! {
        () = stack.ended() => out::note("The stack has ended."),
        () = interrupted() => {
            out::note("\nStopping …");
            stack.end().await?;
        }
    }
    Ok(())
}

/// Stops the stack that `up` started; nothing to stop is no error.
///
/// # Errors
/// [`Error::Never`] when it does not end in time.
pub async fn down() -> Result<(), Error> {
    match Info::find(&workspace::up_state()) {
        Ok(running) => {
            running.stop().await?;
            out::line("Stopped.");
        }
        Err(Error::NoStack) => out::line("No stack is running."),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// In the foreground, what `local-cloud` does is shown as it does it; with `--watch` that includes the line to type.
fn stack_options(options: &cli::Up, state: PathBuf) -> StackOptions {
    let (life, messages) =
        if options.detach { (Life::Detached, Messages::Kept) } else { (Life::Owned, Messages::Shown) };
    let servers = options.servers.from.as_str();
    let arguments = arguments(options);
    StackOptions { stage: "local", state, servers, life, messages, arguments, ..StackOptions::default() }
}

fn arguments(options: &cli::Up) -> Vec<String> {
    let watch = options.watch.iter().flat_map(|url| ["--watch".to_owned(), url.clone()]);
    let ports = options.port_base.iter().flat_map(|port| ["--port-base".to_owned(), port.to_string()]);
    watch.chain(ports).collect()
}

fn where_everything_is(info: &Info) -> String {
    let row = |what: &str, place: String| vec![what.to_owned(), place];
    let mut rows = vec![
        row("SQS", info.sqs_url.clone()),
        row("Lambda Invoke API", info.lambda_url.clone()),
        row("RDS Data API", info.data_api_url.clone()),
        row("PostgreSQL", info.postgres_url.clone()),
        row("Redis", info.redis_url.clone()),
        row("control", format!("{}/status", info.control_url)),
        row("metrics", format!("{}/metrics", info.control_url)),
        row("logs", workspace::shown(&info.log_dir)),
    ];
    rows.extend(
        info.function_urls.iter().map(|(function, url)| row(function, format!("{url}{}", path_of(function)))),
    );
    out::table(&["ready", ""], &rows)
}

/// Where there is something to see at a function's address.
fn path_of(function: &str) -> &'static str {
    if function == "serve-catalog" { "/catalog" } else { "" }
}
