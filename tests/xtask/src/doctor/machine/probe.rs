//! Looking at the machine: programs on the path, what they say of their version, ports, space. It changes nothing.
//!
//! PostgreSQL and Redis are looked for where `local-cloud` looks for them: `PG_BIN`, Debian's folders, the path.

use super::{Machine, Server, Version};
use crate::workspace::{private, program, root};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where `cargo lambda watch` listens unless it is told otherwise.
const WATCH_PORT: u16 = 9000;

/// Prints the version and those of the modules that can be imported; a module that cannot is no error.
const ASK_PYTHON: &str = "import sys, importlib.util as u
print('.'.join(map(str, sys.version_info[:3])), *[m for m in ('venv', 'ensurepip', 'pip') if u.find_spec(m)])";

/// Sees everything that [`judge`](super::judge) judges.
pub fn look() -> Machine {
    let python = said(Command::new("python3").args(["-c", ASK_PYTHON])).unwrap_or_default();
    let lambda = private().join("cargo-lambda/bin/cargo-lambda");
    let lambda = on_path(&["cargo-lambda"]).or_else(|| Some(lambda).filter(|path| is_program(path)));
    Machine {
        rust: version(Path::new("rustc"), &["--version"]),
        cargo_lambda: lambda.and_then(|program| version(&program, &["lambda", "--version"])),
        python: Version::parse(&python),
        python_modules: python.split_whitespace().skip(1).map(str::to_owned).collect(),
        postgres: postgres_bin().map(|bin| server(bin.join("postgres"))),
        redis: on_path(&["redis-server", "valkey-server"]).map(server),
        wheels_glibc: glibc(),
        free_port: is_free(0),
        watch_port: is_free(WATCH_PORT),
        free_mb: free_mb(),
        built: program("harness").exists(),
        node: version(Path::new("node"), &["--version"]),
        npm: on_path(&["npm"]).is_some(),
    }
}

/// What a program prints to standard output, if it runs and succeeds.
fn said(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn version(program: &Path, arguments: &[&str]) -> Option<Version> {
    said(Command::new(program).args(arguments).current_dir(root())).and_then(|text| Version::parse(&text))
}

fn server(program: PathBuf) -> Server {
    let version = version(&program, &["--version"]);
    Server { program, version }
}

/// A folder with PostgreSQL's server programs.
fn postgres_bin() -> Option<PathBuf> {
    let chosen = std::env::var_os("PG_BIN").map(PathBuf::from);
    let linked = on_path(&["postgres"]).and_then(|program| program.canonicalize().ok());
    let on_path = linked.and_then(|program| program.parent().map(Path::to_owned));
    let complete = |bin: &PathBuf| ["postgres", "initdb"].iter().all(|name| is_program(&bin.join(name)));
    chosen.into_iter().chain(debian_bins()).chain(on_path).find(complete)
}

/// Where Debian and Ubuntu put PostgreSQL, newest major version first.
fn debian_bins() -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let mut majors: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    majors.sort_by(|a, b| b.cmp(a));
    majors.into_iter().map(|(_, bin)| bin).collect()
}

/// The first program of the path that has one of these names.
fn on_path(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().find_map(|name| folders.iter().map(|f| f.join(name)).find(|path| is_program(path)))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The C library's version, where there are wheels for the system and the processor.
fn glibc() -> Option<Version> {
    let platform = std::env::consts::OS == "linux" && std::env::consts::ARCH == "x86_64";
    let text = platform.then(|| said(Command::new("getconf").arg("GNU_LIBC_VERSION"))).flatten()?;
    Version::parse(&text)
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Free space of the file system that holds the checkout.
fn free_mb() -> Option<u64> {
    available_mb(&said(Command::new("df").args(["-P", "-k"]).arg(root()))?)
}

/// The fourth column of the last line of `df -Pk`, whose first may contain spaces: counted from the end.
fn available_mb(df: &str) -> Option<u64> {
    let columns: Vec<&str> = df.lines().last()?.split_whitespace().collect();
    let percent = columns.iter().position(|column| column.ends_with('%'))?;
    let available: u64 = columns.get(percent.checked_sub(1)?)?.parse().ok()?;
    Some(available / 1_000)
}

#[cfg(test)]
mod tests {
    use super::{available_mb, look, on_path, said};
    use std::process::Command;

    #[test]
    fn this_machine_is_seen() {
        let machine = look();
        assert!(machine.rust.is_some() && machine.free_port, "{machine:?}");
    }

    #[test]
    fn a_program_is_found_by_any_of_its_names() {
        assert!(on_path(&["no-such-program", "sh"]).is_some());
        assert!(on_path(&["no-such-program"]).is_none());
    }

    #[test]
    fn a_program_that_fails_or_is_missing_says_nothing() {
        assert_eq!(said(Command::new("sh").args(["-c", "echo yes"])).as_deref(), Some("yes\n"));
        assert_eq!(said(Command::new("sh").args(["-c", "echo no; exit 1"])), None);
        assert_eq!(said(&mut Command::new("no-such-program")), None);
    }

    #[test]
    fn free_space_is_read_whatever_the_device_is_called() {
        let heading = "Filesystem 1024-blocks Used Available Capacity Mounted on\n";
        let df = |line: &str| available_mb(&format!("{heading}{line}\n"));
        assert_eq!(df("/dev/vda 264212084 69392748 25893140 73% /"), Some(25_893));
        assert_eq!(df("map auto home 0 0 4096000 0% /some where"), Some(4_096));
        assert_eq!(available_mb(""), None);
    }
}
