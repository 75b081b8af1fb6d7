//! What a function is made of: the crates it needs, and the size of its program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use xtask::workspace;

use crate::Error;
use crate::stack::programs;

/// All functions, by the folders that hold them.
pub(super) fn functions() -> Result<Vec<String>, Error> {
    packages("functions")
}

/// The packages in a folder of the workspace.
pub(super) fn packages(folder: &str) -> Result<Vec<String>, Error> {
    let folder = workspace::root().join(folder);
    let failed = |source| Error::File { path: folder.clone(), source };
    let entries =
        std::fs::read_dir(&folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
    let crates = entries.iter().filter(|entry| entry.path().join("Cargo.toml").exists());
    Ok(crates.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// Crates and stripped bytes of a function.
pub(super) fn of(function: &str) -> Result<BTreeMap<String, f64>, Error> {
    let arguments = ["tree", "--package", function, "--edges", "normal", "--prefix", "none", "--locked"];
    let tree = said(&mut workspace::cargo(arguments))?;
    // `name version (where)`, and `(*)` behind what was shown before.
    let crates: BTreeSet<String> =
        tree.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    let bytes = stripped(&programs().join(function))?;
    let crates = u32::try_from(crates.len()).unwrap_or(u32::MAX);
    Ok(BTreeMap::from([("crates".to_owned(), f64::from(crates)), ("program_bytes".to_owned(), bytes)]))
}

/// `rustc 1.95.0`.
pub(super) fn compiler() -> Result<String, Error> {
    let version = said(Command::new("rustc").arg("--version"))?;
    Ok(version.split(' ').take(2).collect::<Vec<_>>().join(" "))
}

/// The size without symbols and debugging information.
fn stripped(program: &Path) -> Result<f64, Error> {
    let folder = workspace::private();
    std::fs::create_dir_all(&folder).map_err(|source| Error::File { path: folder.clone(), source })?;
    let copy = folder.join(format!("stripped-{}", std::process::id()));
    said(Command::new("strip").arg("-o").arg(&copy).arg(program))?;
    let size = std::fs::metadata(&copy).map(|file| file.len());
    std::fs::remove_file(&copy).ok();
    let bytes = size.map_err(|source| Error::File { path: copy, source })?;
    Ok(f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)))
}

/// What a command printed.
fn said(command: &mut Command) -> Result<String, Error> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|source| Error::File { path: name.clone().into(), source })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::NotCounted { what: format!("{name} failed: {words}") })
}
