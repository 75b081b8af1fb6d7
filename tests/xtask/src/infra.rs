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

/// Installs what the lock file names, unless that has been done since the lock file changed.
///
/// # Errors
/// [`Error::Failed`] when a package cannot be installed; [`Error::Start`] where npm is not installed.
pub fn install() -> Result<(), Error> {
    let folder = root().join("infra/cdk");
    let changed = |file: &str| std::fs::metadata(folder.join(file)).and_then(|file| file.modified()).ok();
    // npm writes the second one whenever it has installed.
    let (wanted, installed) = (changed("package-lock.json"), changed("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= wanted {
        return Ok(());
    }
    let [(name, arguments), ..] = STEPS;
    out::note(&format!("infra/cdk: {name} …"));
    // Its report would be in the way of a result on standard output.
    run(Command::new("npm").args(arguments).arg("--silent").current_dir(folder))
}

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
