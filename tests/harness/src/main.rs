//! The heavy half of `cargo xtask`: the commands that talk to a stack.

use clap::Parser as _;
use harness::commands::{dlq, order, send, status, up};
use harness::{
    Error, campaign, counts, demo, deploy_check, load, measure, monitor, outage, peers, redis_outage,
};
use std::process::ExitCode;
use xtask::cli::{Cli, Command};
use xtask::out;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo(options) => demo::run(&options).await,
        Command::Outage(options) => outage::run(&options).await,
        Command::RedisOutage(options) => redis_outage::run(&options).await,
        Command::Campaign(options) => campaign::run(&options).await,
        Command::Counts(options) => counts::run(&options).await,
        Command::DeployCheck(options) => deploy_check::run(&options).await,
        Command::Load(options) => load::run(&options).await,
        Command::Monitor(options) => monitor::run(&options).await,
        Command::Cost(options) if options.measure => measure::run().await,
        Command::Peers(options) => peers::run(&options).await,
        Command::Up(options) => up::up(&options).await,
        Command::Down => up::down().await,
        Command::Status(options) => status::run(&options).await,
        Command::Send(options) => send::run(&options).await,
        Command::Order(options) => order::run(&options).await,
        Command::Dlq(options) => dlq::run(&options.action).await,
        Command::Test(_)
        | Command::Check
        | Command::Doctor(_)
        | Command::InfraCheck
        | Command::Cost(_)
        | Command::Fmt => Err(Error::Light),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Error::Found) => ExitCode::FAILURE,
        Err(error) => {
            out::note(&out::chain("cargo xtask", &error));
            ExitCode::FAILURE
        }
    }
}
