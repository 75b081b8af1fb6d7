//! What can be typed, and what cannot.

use super::{Cli, Command};
use clap::{CommandFactory as _, Parser as _};

#[track_caller]
fn check(line: &str, parses: bool) {
    let result = Cli::try_parse_from(line.split_whitespace());
    assert_eq!(result.is_ok(), parses, "`cargo {line}`: {result:?}");
}

#[test]
fn definitions_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_parses_as_documented() {
    check("xtask demo", true);
    check("xtask demo --orders 5000 --rate 200 --seed 7 --json", true);
    check("xtask demo --plant lost", true);
    check("xtask demo --plant double-charge", true);
    check("xtask outage --kind 503 --seconds 120", true);
    check("xtask outage --kind blackhole --seconds 60 --rate 30 --quota 50 --naive --json", true);
    check("xtask outage --kind slow", false);
    check("xtask campaign --orders 20000 --rate 150 --seed 7 --kill-every-ms 700 --json", true);
    check("xtask campaign --redis-outage", true);
    check("xtask redis-outage --seconds 30 --rate 150 --quota 100 --json", true);
    check("xtask counts --update --opt-level 3", true);
    check("xtask counts --profile --json", true);
    check("xtask counts --profile --update", false);
    check("xtask peers --rounds 5 --batches 30 --json", true);
    check("xtask peers --only python --only naive-rust --data-api-rtt-ms 5 --cpu-batches 0", true);
    check("xtask peers --profile local", true);
    check("xtask peers --profile fast", false);
    check("xtask peers --rounds 1 --record", true);
    check("xtask peers --record --only python", false);
    check("xtask peers --record --profile local", false);
    check("xtask peers --only ruby", false);
    check("xtask load surge", true);
    check("xtask load surge --without cache --settle --json", true);
    check("xtask load ladder --record --seed 3", true);
    check("xtask load cache-ab -e CACHE_S=10 -e CACHE_PER_S=50", true);
    check("xtask load surge -e SURGE_TOP_S", false);
    check("xtask load surge --record -e SURGE_TOP_S=5", false);
    check("xtask load storm", false);
    check("xtask demo --orders 0", false);
    check("xtask up --detach", true);
    check("xtask up --watch", true);
    check("xtask up --watch http://127.0.0.1:9001", true);
    check("xtask up --detach --watch", false);
    check("xtask up --servers wheels", true);
    check("xtask up --servers docker", false);
    check("xtask send --file order.json", true);
    check("xtask send --orders 10 --rate 5 --seed 3", true);
    check("xtask send --file order.json --orders 10", false);
    check("xtask order ord_1 --json", true);
    check("xtask order", false);
    check("xtask dlq show --from quarantine --limit 3 --body", true);
    check("xtask dlq redrive --from quarantine", true);
    check("xtask deploy-check --orders 500 --functions target/lambda --json", true);
    check("xtask monitor --for 30", true);
    check("xtask monitor --check --json", true);
    check("xtask monitor --json", false);
    check("xtask doctor --json", true);
    check("xtask cost --orders-per-month 3000000 --orders-per-batch 1 --stage dev --json", true);
    check("xtask cost --stage local", false);
    check("xtask test --only python", true);
    check("xtask test --only go", false);
    check("xtask deploy", false);
}

#[test]
fn watch_without_an_address_means_the_default_port_of_cargo_lambda() {
    let Command::Up(up) = Cli::parse_from(["xtask", "up", "--watch"]).command else { panic!("not `up`") };
    assert_eq!(up.watch.as_deref(), Some("http://127.0.0.1:9000"));
}

#[test]
fn every_command_and_flag_has_a_help_text() {
    fn visit(command: &clap::Command) {
        assert!(command.get_about().is_some(), "`{}` has no help", command.get_name());
        for argument in
            command.get_arguments().filter(|a| !["help", "version"].contains(&a.get_id().as_str()))
        {
            assert!(argument.get_help().is_some(), "{}: {}", command.get_name(), argument.get_id());
        }
        command.get_subcommands().for_each(visit);
    }
    visit(&Cli::command());
}
