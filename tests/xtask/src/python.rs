//! The conformance suite in `tests/conformance`: independent Python clients against the local stack.
//!
//! The stack is started for it and ended after it; the suite finds it by the variable `ORDERFLOW_STACK`. Its pinned requirements live in a virtual environment of the checkout, made on demand and again whenever they
//! change; nothing is installed anywhere else.

use crate::tally::Tally;
use crate::workspace::{name, private, program, root, run};
use crate::{Error, out};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Runs the suite against a stack of its own and counts; a suite that breaks off counts as one failure.
pub fn conformance() -> Result<Tally, Error> {
    let suite = root().join("tests/conformance");
    let python = environment("venv", &suite.join("requirements.txt"))?;
    let stack = Stack::start()?;
    let mut command = Command::new(python);
    command
        .args(["-m", "unittest", "discover", "--start-directory", ".", "--verbose"])
        .current_dir(&suite)
        .env("ORDERFLOW_STACK", stack.folder.join("stack.json"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let (output, ok) = shown(&mut command, out::note)?;
    let tally = Tally::from_unittest(&output).unwrap_or(Tally { passed: 0, failed: 1 });
    Ok(if ok || tally.failed > 0 { tally } else { Tally { failed: 1, ..tally } })
}

/// A running `local-cloud`, which ends with this value, and in any case with this process.
struct Stack {
    child: Child,
    folder: PathBuf,
}

impl Stack {
    /// Starts one in a folder of its own and waits until it says that it is ready.
    fn start() -> Result<Self, Error> {
        let folder = private().join(format!("conformance-{}", std::process::id()));
        let program = program("local-cloud");
        let mut command = Command::new(&program);
        command.args(["up", "--json", "--stage", "test", "--state-dir"]).arg(&folder);
        command.args(["--parent-pid", &std::process::id().to_string()]).stdout(Stdio::piped());
        let start = |source| Error::Start { program: program.display().to_string(), source };
        let mut stack = Self { child: command.spawn().map_err(start)?, folder };
        let mut ready = String::new();
        if let Some(stdout) = stack.child.stdout.take() {
            BufReader::new(stdout).read_line(&mut ready).map_err(start)?;
        }
        if ready.is_empty() { Err(Error::NoStack) } else { Ok(stack) }
    }
}

impl Drop for Stack {
    /// Asks it to end, so that it can clear up; killing is for the guard of its children.
    fn drop(&mut self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        if !asked.is_ok_and(|status| status.success()) {
            self.child.kill().ok();
        }
        self.child.wait().ok();
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// The interpreter of a virtual environment in the checkout's private folder that holds exactly `requirements`; made
/// on demand, and again whenever they change.
///
/// # Errors
/// [`Error::Python`] where Python cannot make one, [`Error::Failed`] when a package cannot be installed.
pub fn environment(folder: &str, requirements: &Path) -> Result<PathBuf, Error> {
    let home = private().join(folder);
    let python = home.join("bin/python");
    let wanted = read(requirements)?;
    let stamp = home.join("installed.txt");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    out::note(&format!(
        "Installing the pinned Python packages into .orderflow/{folder} (about half a minute)."
    ));
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--clear"]).arg(&home);
    run(&mut venv).map_err(|source| Error::Python { path: home.clone(), source: Box::new(source) })?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    run(pip.arg(requirements))?;
    std::fs::write(&stamp, wanted).map_err(|source| Error::File { path: stamp, source })?;
    Ok(python)
}

fn read(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })
}

/// Runs a command, hands each line of its standard error (where unittest reports) to `show`, and returns them all.
fn shown(command: &mut Command, show: fn(&str)) -> Result<(String, bool), Error> {
    let program = name(command);
    let start = |source| Error::Start { program: program.clone(), source };
    let mut child = command.stderr(Stdio::piped()).spawn().map_err(start)?;
    let mut output = String::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines() {
            let line = line.map_err(start)?;
            show(&line);
            output.push_str(&line);
            output.push('\n');
        }
    }
    Ok((output, child.wait().map_err(start)?.success()))
}

#[cfg(test)]
mod tests {
    use super::shown;
    use std::process::Command;

    #[test]
    fn standard_error_is_shown_and_kept() {
        let (output, ok) =
            shown(Command::new("sh").args(["-c", "echo one >&2; echo two >&2; exit 3"]), |_| ()).unwrap();
        assert_eq!((output.as_str(), ok), ("one\ntwo\n", false));
    }
}
