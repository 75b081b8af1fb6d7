//! `infra-check`: everything that can be said about the CDK app without an AWS account, and about the monitoring without a
//! running stack.
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

/// The same for `infra/monitoring`, which asks promtool and amtool.
const MONITORING: [(&str, &[&str]); 3] = [
    ("installing what the lock file names", &["ci", "--no-audit", "--no-fund"]),
    ("types", &["run", "typecheck"]),
    ("generated files, names both ways, rules, routes, runbooks, dashboards", &["test"]),
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

/// Runs every check of `infra/cdk` and `infra/monitoring`.
///
/// # Errors
/// The first check that failed; [`Error::Start`] where npm is not installed.
pub fn check() -> Result<(), Error> {
    // The rules of `infra/monitoring` are held against the alarms of `infra/cdk`, which come first.
    for (folder, steps) in [("infra/cdk", &STEPS[..]), ("infra/monitoring", &MONITORING[..])] {
        for (name, arguments) in steps {
            out::heading(&format!("{folder}: {name}"));
            run(Command::new("npm").args(*arguments).current_dir(root().join(folder)))?;
        }
    }
    Ok(())
}
