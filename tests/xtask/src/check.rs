//! `check` and `fmt`: what has to hold before a change is done.

use crate::workspace::{self, PROFILE, cargo};
use crate::{Error, cli, out, test};

/// One static check: its name, its cargo arguments, and what to do when it fails.
struct Step {
    name: &'static str,
    arguments: &'static [&'static str],
    remedy: &'static str,
}

/// In order of time taken, so that the cheapest complaint comes first.
const STEPS: [Step; 4] = [
    Step { name: "formatting", arguments: &["fmt", "--all", "--check"], remedy: "run `cargo xtask fmt`" },
    Step {
        name: "tidiness",
        arguments: &["test", "--quiet", "--workspace", "--profile", PROFILE, "--test", "tidy"],
        remedy: "each message says which file to edit",
    },
    Step {
        name: "lints",
        arguments: &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--profile",
            PROFILE,
            "--",
            "--deny",
            "warnings",
        ],
        remedy: "mend it, or `#[expect(lint, reason = …)]` with a reason that convinces",
    },
    Step {
        name: "documentation",
        // With the examples, because they share the lints' features, and so their build.
        arguments: &[
            "doc",
            "--workspace",
            "--no-deps",
            "--lib",
            "--bins",
            "--examples",
            "--profile",
            PROFILE,
        ],
        remedy: "mend the doc comment that rustdoc names",
    },
];

/// Runs every static check, so that one run tells all; then the tests, if all of them passed.
pub fn run() -> Result<(), Error> {
    let failed: Vec<&Step> = STEPS.iter().filter(|step| !passes(step)).collect();
    if failed.is_empty() {
        return test::run(&cli::Test::default());
    }
    out::heading("checks that failed");
    failed.iter().for_each(|step| out::note(&format!("{}: {}", step.name, step.remedy)));
    Err(Error::Reported)
}

/// Formats every crate.
pub fn format() -> Result<(), Error> {
    workspace::run(&mut cargo(["fmt", "--all"]))
}

fn passes(step: &Step) -> bool {
    out::heading(step.name);
    let mut command = cargo(step.arguments.iter().copied());
    command.env("RUSTDOCFLAGS", "--deny warnings");
    match workspace::run(&mut command) {
        Ok(()) => true,
        Err(error) => {
            out::note(&out::chain("cargo xtask check", &error));
            false
        }
    }
}
