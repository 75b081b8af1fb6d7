//! Where the servers' programs come from: the machine, or the wheels of a private folder.

use std::{
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Which programs to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// The machine's if it has them, else the wheels.
    #[default]
    Auto,
    /// The machine's only.
    Machine,
    /// The wheels only.
    Wheels,
}

impl Origin {
    const ALL: [(Self, &'static str); 3] =
        [(Self::Auto, "auto"), (Self::Machine, "machine"), (Self::Wheels, "wheels")];
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(origin, _)| origin == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

/// Not one of the origins.
#[derive(Debug, thiserror::Error)]
#[error("expected auto, machine or wheels")]
pub struct UnknownOrigin;

impl FromStr for Origin {
    type Err = UnknownOrigin;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(origin, _)| *origin).ok_or(UnknownOrigin)
    }
}

/// Where to look. The environment is read by the caller and passed in.
#[derive(Debug, Clone)]
pub struct Places {
    /// The value of `PATH`.
    pub path: OsString,
    /// The value of `PG_BIN`: a folder that holds `postgres` and `initdb`, preferred to any other.
    pub pg_bin: Option<PathBuf>,
    /// The folder into which wheels are installed; it is made when needed.
    pub wheels: PathBuf,
}

impl Places {
    /// The first program of `PATH` that has one of `names`, tried in that order.
    #[must_use]
    pub fn on_path(&self, names: &[&str]) -> Option<PathBuf> {
        names.iter().find_map(|name| {
            std::env::split_paths(&self.path)
                .map(|folder| folder.join(name))
                .find(|program| is_program(program))
        })
    }

    /// A folder of the machine with PostgreSQL's server programs: `PG_BIN`, then the newest of
    /// `/usr/lib/postgresql`, then `PATH`, whose `postgres` may be a link into the folder meant.
    #[must_use]
    pub fn postgres_bin(&self) -> Option<PathBuf> {
        let on_path = self
            .on_path(&["postgres"])
            .and_then(|program| program.canonicalize().ok())
            .and_then(|program| program.parent().map(Path::to_owned));
        self.pg_bin.iter().cloned().chain(debian_bins()).chain(on_path).find(|bin| has_postgres(bin))
    }
}

/// Whether a folder holds what running a server needs.
pub(crate) fn has_postgres(bin: &Path) -> bool {
    ["postgres", "initdb"].iter().all(|name| is_program(&bin.join(name)))
}

/// Where Debian and Ubuntu put PostgreSQL, newest major version first.
fn debian_bins() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir("/usr/lib/postgresql") else { return Vec::new() };
    let mut versions: Vec<(u32, PathBuf)> = entries
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, bin)| bin).collect()
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(path: &str) -> Places {
        Places { path: path.into(), pg_bin: None, wheels: PathBuf::new() }
    }

    #[test]
    fn an_origin_is_named_as_on_the_command_line() {
        for (origin, name) in Origin::ALL {
            assert_eq!((name.parse::<Origin>().ok(), origin.to_string()), (Some(origin), name.to_owned()));
        }
        assert_eq!("docker".parse::<Origin>().unwrap_err().to_string(), "expected auto, machine or wheels");
    }

    #[test]
    fn a_program_is_found_by_the_first_name_in_any_folder() {
        let found = |path: &str, names: &[&str]| places(path).on_path(names);
        assert_eq!(found("/nonexistent:/bin", &["no-such-program", "sh"]), Some("/bin/sh".into()));
        assert_eq!(found("/nonexistent:/etc", &["passwd", "sh"]), None, "passwd is no program");
    }

    #[test]
    fn a_folder_without_initdb_is_not_postgres() {
        let with_wrong_bin = Places { pg_bin: Some("/bin".into()), ..places("") };
        assert_ne!(with_wrong_bin.postgres_bin(), Some("/bin".into()));
    }
}
