//! Where things are: the checkout, its private folder, its built programs; and how to run cargo there.

use crate::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// The profile that `up`, `demo` and `test` share; its folder below `target/` has the same name.
pub const PROFILE: &str = "local";

/// The root of the checkout that this program was built from.
pub fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// The private folder of the checkout: running stacks, their data, the Python environment. Never committed.
pub fn private() -> PathBuf {
    root().join(".orderflow")
}

/// The folder of the stack that `up` starts and that `status`, `send`, `order`, `dlq` and `down` talk to.
pub fn up_state() -> PathBuf {
    private().join("up")
}

/// A path as people type it: from the root of the checkout, where it lies within.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

/// A program of ours, as the `local` profile builds it.
pub fn program(name: &str) -> PathBuf {
    program_of(PROFILE, name)
}

/// A program of ours, as another profile builds it.
pub fn program_of(profile: &str, name: &str) -> PathBuf {
    root().join("target").join(profile).join(name)
}

/// `cargo` with arguments, in the root of the checkout.
///
/// Without what `cargo run` told this program about itself: build scripts of dependencies look at it, so that a build
/// from here and one by hand would each undo the other.
pub fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new("cargo");
    command.args(arguments).current_dir(root());
    for (name, _) in std::env::vars_os() {
        let told = ["CARGO_PKG_", "CARGO_MANIFEST_"];
        if told.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command to its end, with our standard streams; an end other than success is an error.
pub fn run(command: &mut Command) -> Result<(), Error> {
    let status = command.status().map_err(|source| Error::Start { program: name(command), source })?;
    succeeded(command, status)
}

/// Success, or an error that names the whole command line.
pub fn succeeded(command: &Command, status: ExitStatus) -> Result<(), Error> {
    if status.success() { Ok(()) } else { Err(Error::Failed { program: line(command), status }) }
}

/// The program alone, for a message about its absence.
pub fn name(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

fn line(command: &Command) -> String {
    command.get_args().fold(name(command), |text, argument| format!("{text} {}", argument.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::{cargo, private, root, run, shown};
    use std::process::Command;

    #[test]
    fn the_root_holds_the_workspace_manifest() {
        assert!(root().join("Cargo.toml").exists());
        assert!(root().join("infra/settings.json").exists());
    }

    #[test]
    fn paths_within_the_checkout_are_shown_from_its_root() {
        assert_eq!(shown(&private().join("up")), ".orderflow/up");
        assert_eq!(shown("/elsewhere/x".as_ref()), "/elsewhere/x");
    }

    #[test]
    fn cargo_runs_in_the_root() {
        assert_eq!(cargo(["metadata"]).get_current_dir(), Some(root()));
    }

    #[test]
    fn a_failing_program_is_named_with_its_arguments() {
        let error = run(Command::new("false").arg("--loud")).unwrap_err();
        assert!(error.to_string().starts_with("`false --loud` ended with exit status: 1"), "{error}");
    }

    #[test]
    fn a_missing_program_says_so() {
        let error = run(&mut Command::new("no-such-program")).unwrap_err();
        assert_eq!(error.to_string(), "cannot start `no-such-program`: is it installed and on PATH?");
    }
}
