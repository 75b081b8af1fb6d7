//! `cargo xtask`: parses the command line, does what is light, hands over what is heavy.

use clap::Parser as _;
use std::process::ExitCode;
use xtask::cli::{Cli, Command};
use xtask::{Error, check, cost, doctor, heavy, infra, out, test};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Test(options) => test::run(&options),
        Command::Check => check::run(),
        Command::Doctor(options) => doctor::run(&options),
        Command::InfraCheck => infra::check(),
        Command::Cost(options) if !options.measure => cost::run(&options),
        Command::Fmt => check::format(),
        Command::Down => heavy::hand_over_without_build(),
        Command::Up(_)
        | Command::Status(_)
        | Command::Send(_)
        | Command::Order(_)
        | Command::Dlq(_)
        | Command::Outage(_)
        | Command::Counts(_)
        | Command::RedisOutage(_)
        | Command::Campaign(_)
        | Command::DeployCheck(_)
        | Command::Load(_)
        | Command::Monitor(_)
        | Command::Cost(_)
        | Command::Peers(_)
        | Command::Demo(_) => heavy::build_and_hand_over(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Reported) => ExitCode::FAILURE,
        Err(error) => {
            out::note(&out::chain("cargo xtask", &error));
            ExitCode::FAILURE
        }
    }
}
