//! `infra-check`: everything that can be said about the CDK app without an AWS account, and about the monitoring without a
//! running stack.
//!
//! It installs what the lock file names, then types, tests and lints; nothing leaves the checkout.

use crate::workspace::{root, run};
use crate::{Error, out};
use std::process::Command;

/// Both folders, each with a lock file of its own. The dashboard of the second shows the panels of the first, so its
/// TypeScript needs the packages of both.
const FOLDERS: [&str; 2] = ["infra/monitoring", "infra/cdk"];

/// What installs the packages of a folder.
const INSTALL: [&str; 3] = ["ci", "--no-audit", "--no-fund"];

/// What is run, in order: the first that fails ends it, because the later ones would fail for the same reason. The rules of
/// `infra/monitoring` are held against the alarms of `infra/cdk`, which come first.
const STEPS: [(&str, &str, &[&str]); 5] = [
    ("infra/cdk", "types", &["run", "typecheck"]),
    ("infra/cdk", "assertions, rules and their planted mistakes, cdk-nag, snapshots", &["test"]),
    ("infra/cdk", "cfn-lint and checkov", &["run", "lint"]),
    ("infra/monitoring", "types", &["run", "typecheck"]),
    ("infra/monitoring", "generated files, names both ways, rules, routes, runbooks, dashboards", &["test"]),
];

/// Installs what the lock files name, unless that has been done since they changed.
///
/// # Errors
/// [`Error::Failed`] when a package cannot be installed; [`Error::Start`] where npm is not installed.
pub fn install() -> Result<(), Error> {
    for folder in FOLDERS {
        let place = root().join(folder);
        let changed = |file: &str| std::fs::metadata(place.join(file)).and_then(|file| file.modified()).ok();
        // npm writes the second one whenever it has installed.
        let (wanted, installed) = (changed("package-lock.json"), changed("node_modules/.package-lock.json"));
        if installed.is_some() && installed >= wanted {
            continue;
        }
        out::note(&format!("{folder}: installing what the lock file names …"));
        // Its report would be in the way of a result on standard output.
        run(Command::new("npm").args(INSTALL).arg("--silent").current_dir(place))?;
    }
    Ok(())
}

/// Runs every check of `infra/cdk` and `infra/monitoring`.
///
/// # Errors
/// The first check that failed; [`Error::Start`] where npm is not installed.
pub fn check() -> Result<(), Error> {
    for folder in FOLDERS {
        out::heading(&format!("{folder}: installing what the lock file names"));
        run(Command::new("npm").args(INSTALL).current_dir(root().join(folder)))?;
    }
    for (folder, name, arguments) in STEPS {
        out::heading(&format!("{folder}: {name}"));
        run(Command::new("npm").args(arguments).current_dir(root().join(folder)))?;
    }
    Ok(())
}
