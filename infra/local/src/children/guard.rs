//! The guard: a moment of our own executable between this process and a child.
//!
//! `guard --parent PID --signal KILL|QUIT [--uid N --gid N] -- PROGRAM [ARGS…]` must run in a process with a
//! single thread, before any runtime starts. Between fork and exec nothing safe could do its work, and
//! `unsafe` is forbidden here; after exec of our own binary everything is an ordinary function.
//!
//! The order matters. Changing the user clears the parent-death signal, so the user comes first; a parent
//! that died before the signal was set sends none, so the parent is checked after.

use std::{
    ffi::OsString,
    io::Write as _,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use rustix::{
    process::{Gid, Signal, Uid},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

use super::{DeathSignal, User};

/// The exit code when the parent is gone already.
const PARENT_GONE: u8 = 124;
/// The exit code for a wrong command line or a refused step.
const FAILED: u8 = 125;
/// The exit code when the program cannot be executed, as shells use it.
const CANNOT_EXECUTE: u8 = 126;

/// Becomes the program, or exits saying why not. `args` are those behind the word `guard`.
#[must_use]
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let (code, message) = match parse(args) {
        Ok(order) => obey(order),
        Err(problem) => (FAILED, problem),
    };
    // There is nobody to tell when standard error is gone too; the exit code remains.
    drop(writeln!(std::io::stderr(), "guard: {message}"));
    ExitCode::from(code)
}

/// A parsed command line.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    parent: i32,
    death_signal: DeathSignal,
    user: Option<User>,
    program: OsString,
    args: Vec<OsString>,
}

/// Returns only when something failed: the exit code and what to print.
fn obey(order: Order) -> (u8, String) {
    if let Some(user) = order.user
        && let Err(errno) = become_user(user)
    {
        return (FAILED, format!("cannot become user {}: {errno}", user.uid));
    }
    let signal = match order.death_signal {
        DeathSignal::Kill => Signal::KILL,
        DeathSignal::Quit => Signal::QUIT,
    };
    if let Err(errno) = rustix::process::set_parent_process_death_signal(Some(signal)) {
        return (FAILED, format!("cannot set the parent-death signal: {errno}"));
    }
    if rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get()) != Some(order.parent) {
        return (PARENT_GONE, "the parent is gone".to_owned());
    }
    let error = Command::new(&order.program).args(&order.args).exec();
    (CANNOT_EXECUTE, format!("cannot execute {}: {error}", order.program.display()))
}

/// Groups before the user: afterwards there is no right to change them.
fn become_user(user: User) -> rustix::io::Result<()> {
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    set_thread_groups(&[gid])?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Order, String> {
    let mut args = args.into_iter();
    let (mut parent, mut death_signal, mut uid, mut gid) = (None, None, None, None);
    while let Some(name) = args.next() {
        if name == "--" {
            break;
        }
        let value = args.next().unwrap_or_default();
        let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
        match &*name {
            "--parent" => parent = value.parse().ok(),
            "--signal" => death_signal = DeathSignal::parse(&value),
            "--uid" => uid = value.parse().ok(),
            "--gid" => gid = value.parse().ok(),
            _ => return Err(format!("unknown option {name}")),
        }
    }
    let user = match (uid, gid) {
        (Some(uid), Some(gid)) => Some(User { uid, gid }),
        (None, None) => None,
        _ => return Err("--uid and --gid go together".to_owned()),
    };
    Ok(Order {
        parent: parent.ok_or("--parent needs a process id")?,
        death_signal: death_signal.ok_or("--signal needs KILL or QUIT")?,
        user,
        program: args.next().ok_or("a program is missing behind --")?,
        args: args.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Result<(i32, DeathSignal, Option<User>, &str, usize), &str>) {
        let parsed = parse(line.split_whitespace().map(OsString::from));
        let parsed = parsed.as_ref().map(|order| {
            let program = order.program.to_str().unwrap();
            (order.parent, order.death_signal, order.user, program, order.args.len())
        });
        assert_eq!(parsed.map_err(String::as_str), expected);
    }

    #[test]
    fn a_command_line_is_understood() {
        check("--parent 7 --signal KILL -- /bin/true", Ok((7, DeathSignal::Kill, None, "/bin/true", 0)));
        check(
            "--parent 7 --signal QUIT --uid 65534 --gid 1 -- p --uid 3",
            Ok((7, DeathSignal::Quit, Some(User { uid: 65534, gid: 1 }), "p", 2)),
        );
    }

    #[test]
    fn a_wrong_command_line_is_refused() {
        check("--signal KILL -- p", Err("--parent needs a process id"));
        check("--parent x --signal KILL -- p", Err("--parent needs a process id"));
        check("--parent 7 --signal HUP -- p", Err("--signal needs KILL or QUIT"));
        check("--parent 7 --signal KILL --uid 1 -- p", Err("--uid and --gid go together"));
        check("--parent 7 --signal KILL --", Err("a program is missing behind --"));
        check("--parent 7 --signal KILL", Err("a program is missing behind --"));
        check("--verbose yes", Err("unknown option --verbose"));
    }
}
