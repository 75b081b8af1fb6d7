//! Functions under valgrind: scripts that start them so, and what valgrind said in the end.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Error;
use crate::stack::{poll_until, programs};

/// How long a function may take to end, and valgrind to write its totals.
const END_LIMIT: Duration = Duration::from_secs(20);

/// The ending of the file that valgrind's tool writes.
const OUT: &str = "out";

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    /// Executed instructions.
    Instructions,
    /// Calls of the allocator, the bytes they asked for, and how many of them were never given back.
    Allocations,
}

impl Tool {
    /// For people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Instructions => "the instructions",
            Self::Allocations => "the allocations",
        }
    }

    const fn arguments(self) -> &'static str {
        match self {
            Self::Instructions => "--tool=cachegrind --cache-sim=no --cachegrind-out-file",
            Self::Allocations => "--tool=dhat --dhat-out-file",
        }
    }

    /// The totals in valgrind's last words.
    fn read(self, words: &str) -> Option<BTreeMap<String, u64>> {
        let number = |text: &str| text.trim().replace(',', "").parse().ok();
        let after = |label: &str| words.lines().find_map(|line| Some(line.split_once(label)?.1));
        match self {
            Self::Instructions => {
                // ==1== I refs:        1,234,567
                let total = number(after("I refs:").or_else(|| after("I   refs:"))?)?;
                Some(BTreeMap::from([("instructions".to_owned(), total)]))
            }
            Self::Allocations => {
                // ==1== Total:     1,234 bytes in 56 blocks
                // ==1== At t-end:  123 bytes in 4 blocks
                let blocks = |label| {
                    let (bytes, rest) = after(label)?.split_once(" bytes in ")?;
                    Some((number(bytes)?, number(rest.split(' ').next()?)?))
                };
                let ((bytes, all), (_, kept)) = (blocks("Total:")?, blocks("At t-end:")?);
                let named = [("allocations", all), ("allocated_bytes", bytes), ("kept_allocations", kept)];
                Some(named.into_iter().map(|(name, n)| (name.to_owned(), n)).collect())
            }
        }
    }
}

/// Says what to do where valgrind is missing.
///
/// # Errors
/// [`Error::NotCounted`].
pub(super) fn found() -> Result<(), Error> {
    let version = Command::new("valgrind").arg("--version").output();
    version.map(drop).map_err(|_missing| Error::NotCounted {
        what: "valgrind is missing; install it: `apt-get install valgrind` on Debian and Ubuntu".to_owned(),
    })
}

/// Functions that run under valgrind. Their folder goes when they do.
#[derive(Debug)]
pub(super) struct Wrapped {
    tool: Tool,
    folder: PathBuf,
    functions: Vec<&'static str>,
}

impl Wrapped {
    /// Writes the scripts into `folder`.
    pub(super) fn new(tool: Tool, folder: &Path, functions: &[&'static str]) -> Result<Self, Error> {
        let failed = |source| Error::File { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let wrapped = Self { tool, folder: folder.to_owned(), functions: functions.to_vec() };
        for function in functions {
            let (program, arguments) = (programs().join(function), tool.arguments());
            let [pid, out, log] = ["pid", OUT, "log"].map(|what| wrapped.file(function, what));
            let script = format!(
                "#!/bin/sh\necho $$ >'{}'\nexec valgrind {arguments}='{}' --log-file='{}' '{}'\n",
                pid.display(),
                out.display(),
                log.display(),
                program.display()
            );
            let path = wrapped.file(function, "sh");
            std::fs::write(&path, script).map_err(failed)?;
            std::fs::set_permissions(&path, Permissions::from_mode(0o755)).map_err(failed)?;
        }
        Ok(wrapped)
    }

    pub(super) const fn tool(&self) -> Tool {
        self.tool
    }

    /// The scripts, by the function whose place they take.
    pub(super) fn programs(&self) -> Vec<(&'static str, PathBuf)> {
        self.functions.iter().map(|function| (*function, self.file(function, "sh"))).collect()
    }

    /// Ends the function's instance and reads what valgrind counted.
    pub(super) async fn end(&self, function: &str) -> Result<BTreeMap<String, u64>, Error> {
        let path = self.file(function, "pid");
        let pid = std::fs::read_to_string(&path).map_err(|source| Error::File { path, source })?;
        let asked = Command::new("kill").args(["-TERM", pid.trim()]).status();
        asked.map_err(|source| Error::File { path: PathBuf::from("kill"), source })?;
        let mut counted = None;
        poll_until("valgrind's totals", END_LIMIT, async || {
            let words = std::fs::read_to_string(self.file(function, "log")).unwrap_or_default();
            counted = self.tool.read(&words);
            Ok(counted.is_some())
        })
        .await?;
        Ok(counted.unwrap_or_default())
    }

    /// What valgrind's tool wrote of a function that has ended: it is complete before valgrind says its totals.
    pub(super) fn written(&self, function: &str) -> Result<String, Error> {
        let path = self.file(function, OUT);
        let bytes = std::fs::read(&path).map_err(|source| Error::File { path, source })?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn file(&self, function: &str, what: &str) -> PathBuf {
        self.folder.join(format!("{function}.{what}"))
    }
}

impl Drop for Wrapped {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::Tool;
    use std::collections::BTreeMap;

    #[track_caller]
    fn check(tool: Tool, words: &str, expected: Option<&[(&str, u64)]>) {
        let expected: Option<BTreeMap<String, u64>> =
            expected.map(|all| all.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect());
        assert_eq!(tool.read(words), expected, "{words}");
    }

    #[test]
    fn totals_are_read_when_they_are_there() {
        let words = "==7== Process terminating\n==7== \n==7== I refs:        1,234,567\n";
        check(Tool::Instructions, words, Some(&[("instructions", 1_234_567)]));
        check(Tool::Instructions, "==7== Process terminating\n", None);
        let words = "==7== Total:     9,876 bytes in 54 blocks\n==7== At t-gmax:  1 bytes in 1 blocks\n";
        check(Tool::Allocations, words, None);
        let words = words.to_owned() + "==7== At t-end:  1,024 bytes in 3 blocks\n";
        let expected = [("allocations", 54), ("allocated_bytes", 9_876), ("kept_allocations", 3)];
        check(Tool::Allocations, &words, Some(&expected));
    }
}
