//! Children end with their parent, whatever ends the parent.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use local_cloud::children::{self, ChildSpec, Output, Signal, User};
use tokio::{io::AsyncReadExt as _, process::Child};

use crate::support::{GUARD_EXE, is_running, spawner, wait_for, wait_until};

/// A program that ends only by a signal, and soon enough if a test forgets it.
fn sleeper() -> ChildSpec {
    ChildSpec::new("/bin/sleep").args(["100"])
}

async fn output_of(mut child: Child) -> (String, Option<i32>) {
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).await.unwrap();
    child.stderr.take().unwrap().read_to_string(&mut text).await.unwrap();
    (text, child.wait().await.unwrap().code())
}

#[test]
fn a_child_ends_when_its_parent_is_killed() {
    // The parent is a shell, since the parent of this test's own children could not be killed.
    let script = format!("{GUARD_EXE} guard --parent $$ --signal KILL -- /bin/sleep 100 & echo $!; wait");
    let mut parent = Command::new("/bin/sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(parent.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let child: u32 = line.trim().parse().unwrap();
    wait_until("the child runs the program", || {
        std::fs::read_to_string(format!("/proc/{child}/cmdline"))
            .is_ok_and(|line| line.starts_with("/bin/sleep"))
    });
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_until("the child is gone", || !is_running(child));
}

#[test]
fn a_child_whose_parent_is_gone_never_starts() {
    let guard = Command::new(GUARD_EXE)
        .args(["guard", "--parent", "1", "--signal", "KILL", "--", "/bin/echo", "started"])
        .output()
        .unwrap();
    assert_eq!((guard.status.code(), guard.stdout.as_slice()), (Some(124), &b""[..]));
}

#[test]
fn a_child_outlives_the_thread_that_asked_for_it() {
    let spawner = spawner();
    let worker = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let asking = spawner.clone();
    let child = std::thread::scope(|scope| {
        scope.spawn(|| worker.block_on(asking.spawn(sleeper())).unwrap()).join().unwrap()
    });
    let pid = child.id().unwrap();
    wait_until("the child runs the program", || {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.starts_with("/bin/sleep"))
    });
    // A death signal would have come with the end of the asking thread, before the program was seen.
    assert!(is_running(pid));
    drop((spawner, asking));
    wait_until("the child ends with the last spawner", || !is_running(pid));
}

#[tokio::test]
async fn a_dropped_child_is_killed() {
    let spawner = spawner();
    let child = spawner.spawn(sleeper()).await.unwrap();
    let pid = child.id().unwrap();
    drop(child);
    wait_for("the child is gone", async || !is_running(pid)).await;
}

#[tokio::test]
async fn a_child_has_exactly_its_environment() {
    let spec = ChildSpec { output: Output::Piped, ..ChildSpec::new("/usr/bin/env").env("ONE", "1") };
    let (text, code) = output_of(spawner().spawn(spec).await.unwrap()).await;
    assert_eq!((text.as_str(), code), ("ONE=1\n", Some(0)));
}

#[tokio::test]
async fn a_child_can_be_another_user_and_still_ends_with_its_parent() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let user = Some(User { uid: 65534, gid: 65534 });
    let spec = ChildSpec { user, output: Output::Piped, ..ChildSpec::new("/usr/bin/id").args(["-G"]) };
    let (text, _) = output_of(spawner().spawn(spec).await.unwrap()).await;
    assert_eq!(text, "65534\n", "no group of root is left");

    let spawner = spawner();
    let child = spawner.spawn(ChildSpec { user, ..sleeper() }).await.unwrap();
    let pid = child.id().unwrap();
    wait_for("the child is the other user", async || {
        std::fs::read_to_string(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.starts_with("/bin/sleep"))
    })
    .await;
    drop(spawner);
    wait_for("the child is gone", async || !is_running(pid)).await;
}

#[tokio::test]
async fn a_program_that_is_missing_is_named() {
    let spec = ChildSpec { output: Output::Piped, ..ChildSpec::new("/nonexistent/program") };
    let (text, code) = output_of(spawner().spawn(spec).await.unwrap()).await;
    assert!(text.contains("cannot execute /nonexistent/program"), "{text}");
    assert_eq!(code, Some(126));
}

#[tokio::test]
async fn stopping_ends_a_child_that_ignores_the_first_signal() {
    let script = "trap '' INT; echo ready; while :; do sleep 1; done";
    let spec = ChildSpec { output: Output::Piped, ..ChildSpec::new("/bin/sh").args(["-c", script]) }
        .env("PATH", "/usr/bin:/bin");
    let spawner = spawner();
    let mut child = spawner.spawn(spec).await.unwrap();
    let mut ready = [0; 5];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).await.unwrap();
    let status = children::stop(&mut child, Signal::INT, Duration::from_millis(50)).await.unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9));
    children::signal(&child, Signal::INT).unwrap();
}
