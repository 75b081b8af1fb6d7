//! `test`: everything built once, every test run, one line at the end.

use crate::cli::{self, Half};
use crate::tally::Tally;
use crate::workspace::{PROFILE, cargo, name, run as run_command};
use crate::{Error, heavy, out, python};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

/// Builds everything, runs the chosen tests, and prints `N passed, N failed` as the very last line.
///
/// Documentation tests come first, so that what stands above that line is a real summary. A failing test does not
/// stop the others: one run tells all.
pub fn run(options: &cli::Test) -> Result<(), Error> {
    heavy::build_all()?;
    let mut tally = Tally::default();
    if options.only != Some(Half::Python) {
        run_command(&mut cargo(["test", "--workspace", "--profile", PROFILE, "--no-run"]))?;
        out::heading("documentation tests");
        tally += cargo_tests(&["--doc"])?;
        out::heading("unit and integration tests");
        tally += cargo_tests(&["--lib", "--bins", "--tests"])?;
    }
    if options.only != Some(Half::Rust) {
        out::heading("conformance tests: independent clients against the local stack");
        tally += python::conformance()?;
    }
    out::line("");
    out::line(&tally.to_string());
    if tally.failed == 0 { Ok(()) } else { Err(Error::Reported) }
}

fn cargo_tests(targets: &[&str]) -> Result<Tally, Error> {
    let base = ["test", "--workspace", "--profile", PROFILE, "--no-fail-fast"];
    counted(&mut cargo(base.into_iter().chain(targets.iter().copied())), out::line)
}

/// Runs a command, hands each line of its output to `show` as it comes, and counts the summaries in it.
///
/// A runner that fails without a failed test (a crash, an abort) counts as one failure: it must not pass unseen.
fn counted(command: &mut Command, show: fn(&str)) -> Result<Tally, Error> {
    let start = |source| Error::Start { program: "cargo test".to_owned(), source };
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(start)?;
    let mut tally = Tally::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(start)?;
            show(&line);
            tally += Tally::from_cargo_line(&line).unwrap_or_default();
        }
    }
    let status = child.wait().map_err(start)?;
    if !status.success() && tally.failed == 0 {
        out::note(&format!(
            "`{}` ended with {status} and no failed test: read its last lines",
            name(command)
        ));
        tally.failed += 1;
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::counted;
    use crate::tally::Tally;
    use std::process::Command;

    #[track_caller]
    fn check(script: &str, passed: u64, failed: u64) {
        let tally = counted(Command::new("sh").args(["-c", script]), |_| ()).unwrap();
        assert_eq!(tally, Tally { passed, failed }, "{script}");
    }

    #[test]
    fn summaries_of_all_binaries_are_added_up() {
        let ok = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored'";
        check(&format!("{ok}; {ok}"), 4, 0);
        check(&format!("{ok}; echo 'test result: FAILED. 1 passed; 3 failed; 0 ignored'; exit 101"), 3, 3);
    }

    #[test]
    fn a_runner_that_breaks_off_counts_as_a_failure() {
        check("echo 'test result: ok. 2 passed; 0 failed; 0 ignored'; exit 101", 2, 1);
        check("kill -SEGV $$", 0, 1);
    }
}
