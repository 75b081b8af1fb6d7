//! A fresh cluster for every start, copied from one that `initdb` made once per version of PostgreSQL.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{SUPERUSER, home::Home, program_of};
use crate::{
    children::{ChildSpec, Output, Spawner},
    error::Error,
    once,
};

/// Text is UTF-8 and sorts by bytes, the same on every machine; every connection needs a password; and what
/// a crash during `initdb` would lose is made again.
const INITDB_ARGS: [&str; 7] = [
    "--encoding=UTF8",
    "--locale=C",
    "--auth=scram-sha-256",
    "--no-sync",
    "--no-instructions",
    "--username",
    SUPERUSER,
];

/// Copies a fresh cluster to the home's data folder; returns the superuser's password in it, which every
/// copy shares until the server has set its own.
pub(super) async fn copy_fresh(
    spawner: &Spawner,
    bin: &Path,
    cache_dir: &Path,
    home: &Home,
) -> Result<String, Error> {
    let version = output_of(spawner, program_of(bin, "postgres", home.user()).args(["--version"])).await?;
    let digest = Sha256::digest(format!("{version}{INITDB_ARGS:?}"));
    let key: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let made = once::folder(cache_dir, &format!("postgres-{key}"), async |partial| {
        initialize(spawner, bin, home, partial).await
    })
    .await?;
    copy(&made.join("data"), &home.data(), &|path| home.give(path))?;
    let password = made.join("password");
    std::fs::read_to_string(&password).map_err(Error::file("read", &password))
}

/// Runs `initdb` in the home, where the server's user may write, and keeps the result in `made`.
async fn initialize(spawner: &Spawner, bin: &Path, home: &Home, made: &Path) -> Result<(), Error> {
    let (work, password) = (home.folder().join("initdb"), uuid::Uuid::new_v4().simple().to_string());
    let password_file = home.folder().join("password");
    write_private(&password_file, &password)?;
    home.give(&password_file)?;
    let initdb = program_of(bin, "initdb", home.user())
        .args(INITDB_ARGS)
        .args(["--pwfile".into(), PathBuf::from(&password_file)])
        .args(["-D".into(), work.clone()]);
    output_of(spawner, ChildSpec { cwd: Some(home.folder().to_owned()), ..initdb }).await?;
    std::fs::remove_file(&password_file).map_err(Error::file("remove", &password_file))?;
    std::fs::create_dir(made).map_err(Error::file("create the folder", made))?;
    copy(&work, &made.join("data"), &|_| Ok(()))?;
    write_private(&made.join("password"), &password)?;
    once::remove(&work)
}

/// Writes a file that only its owner reads.
fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(Error::file("write", path))
}

/// Copies a folder with permissions, and hands every copied path to `own`. A cluster has no links.
pub(super) fn copy(from: &Path, to: &Path, own: &impl Fn(&Path) -> Result<(), Error>) -> Result<(), Error> {
    std::fs::create_dir(to).map_err(Error::file("create the folder", to))?;
    let permissions = from.metadata().map_err(Error::file("read", from))?.permissions();
    std::fs::set_permissions(to, permissions).map_err(Error::file("change the permissions of", to))?;
    own(to)?;
    for entry in std::fs::read_dir(from).map_err(Error::file("read", from))? {
        let entry = entry.map_err(Error::file("read", from))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy(&source, &target, own)?;
        } else {
            std::fs::copy(&source, &target).map_err(Error::file("copy", &source))?;
            own(&target)?;
        }
    }
    Ok(())
}

/// Runs a program to its end and returns what it wrote; a failure carries the last line of its complaint.
async fn output_of(spawner: &Spawner, spec: ChildSpec) -> Result<String, Error> {
    let program = spec.program.clone();
    let child = spawner.spawn(ChildSpec { output: Output::Piped, ..spec }).await?;
    let failed = |source| Error::Spawn { program: program.clone(), source };
    let output = child.wait_with_output().await.map_err(failed)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let last = complaint.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message");
    Err(failed(std::io::Error::other(last.to_owned())))
}
