//! `infra-check`: everything that can be said about the CDK app without an AWS account.
//!
//! It installs what the lock file names, then types, tests and lints; nothing leaves the checkout.

use crate::workspace::{root, run};
use crate::{Error, out};
use std::process::Command;

/// What is run, in order: the first that fails ends it, because the later ones would fail for the same reason.
const STEPS: [(&str, &[&str]); 4] = [
    ("installing what the lock file names", &["ci", "--no-audit", "--no-fund"]),
    ("types", &["run", "typecheck"]),
    ("assertions, rules and their planted mistakes, cdk-nag, snapshots", &["test"]),
    ("cfn-lint and checkov", &["run", "lint"]),
];

/// Runs every check of `infra/cdk`.
///
/// # Errors
/// The first check that failed; [`Error::Start`] where npm is not installed.
pub fn check() -> Result<(), Error> {
    for (name, arguments) in STEPS {
        out::heading(name);
        run(Command::new("npm").args(arguments).current_dir(root().join("infra/cdk")))?;
    }
    Ok(())
}
