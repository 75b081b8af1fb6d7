//! The AWS side of orderflow on one machine: queues, event sources, functions, Data API, PostgreSQL, Redis.

use std::process::ExitCode;

use local_cloud::children::guard;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    // Before anything starts a thread: the guard must be alone in its process.
    if args.next().is_some_and(|word| word == "guard") {
        return guard::main(args);
    }
    ExitCode::SUCCESS
}
