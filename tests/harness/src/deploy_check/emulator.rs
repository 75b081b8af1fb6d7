//! The emulator: ministack, from a Python wheel, started for one run, on loopback, and ended with it.
//!
//! It runs the deployed functions as child processes with its own environment beneath theirs, so that the endpoints of
//! what it lacks reach them as variables that every AWS SDK knows, and no template names them.

use crate::children::{self, Address, guarded};
use crate::stack::{Info, poll_until};
use crate::{Error, http};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use xtask::{python, workspace};

/// Longest time until it answers; it takes half a second.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// Longest time for a question to one of its services.
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// The questions that can be asked of it.
const FACTS: &str = "tests/harness/src/deploy_check/facts.py";

/// The account that everything belongs to there.
pub(super) const ACCOUNT_ID: &str = "000000000000";

/// A running emulator.
#[derive(Debug)]
pub(super) struct Emulator {
    /// Its endpoint for all services.
    pub(super) url: String,
    region: String,
    python: PathBuf,
    child: Child,
}

impl Emulator {
    /// Installs it when it is not there yet, starts it beside `info`'s stack, and waits until it answers.
    pub(super) async fn start(address: &Address, info: &Info, state: &Path) -> Result<Self, Error> {
        let requirements = workspace::root().join("tests/harness/src/deploy_check/requirements.txt");
        let python = python::environment("ministack", &requirements).map_err(Error::Task)?;
        let programs = prepare(state)?;
        let log = state.join("ministack.log");
        let output =
            std::fs::File::create(&log).map_err(|source| Error::File { path: log.clone(), source })?;
        let errors = output.try_clone().map_err(|source| Error::File { path: log.clone(), source })?;
        let mut command = guarded(&python.with_file_name("ministack"));
        command.env_clear().envs(environment(&programs)).envs([
            ("GATEWAY_PORT", address.port.to_string().as_str()),
            ("BIND_HOST", "127.0.0.1"),
            ("MINISTACK_HOST", "127.0.0.1"),
            ("MINISTACK_REGION", info.region.as_str()),
            ("MINISTACK_ACCOUNT_ID", ACCOUNT_ID),
            ("AWS_ENDPOINT_URL", address.url.as_str()),
            ("AWS_ENDPOINT_URL_RDS_DATA", info.data_api_url.as_str()),
            ("REDIS_HOST", "127.0.0.1"),
            ("REDIS_PORT", port(&info.redis_url)),
        ]);
        command.current_dir(state).stdin(Stdio::null()).stdout(output).stderr(errors).kill_on_drop(true);
        let program = python.with_file_name("ministack");
        let child = command.spawn().map_err(|source| Error::File { path: program, source })?;
        let mut emulator = Self { url: address.url.clone(), region: info.region.clone(), python, child };
        emulator.ready(&log).await?;
        Ok(emulator)
    }

    async fn ready(&mut self, log: &Path) -> Result<(), Error> {
        let health = format!("{}/_ministack/health", self.url);
        poll_until("an answer of ministack", READY_LIMIT, async || {
            if self.child.try_wait().is_ok_and(|status| status.is_some()) {
                return Err(Error::NotReady { last_words: format!("see {}", workspace::shown(log)) });
            }
            Ok(http::call("GET", &health, &Value::Null).await.is_ok())
        })
        .await
    }

    /// Asks it something; `input` is what the question reads, where it reads anything.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        question: &[impl AsRef<OsStr>],
        input: &str,
    ) -> Result<T, Error> {
        let mut command = Command::new(&self.python);
        command.arg(workspace::root().join(FACTS)).args([&self.url, &self.region]).args(question);
        command.env("PYTHONDONTWRITEBYTECODE", "1").kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let failed = |source| Error::File { path: FACTS.into(), source };
        let mut child = command.spawn().map_err(failed)?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes()).await.map_err(failed)?;
        }
        let output = tokio::time::timeout(ANSWER_LIMIT, child.wait_with_output()).await;
        let output = output.map_err(|_late| never("an answer of facts.py", ANSWER_LIMIT))?.map_err(failed)?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).trim().lines().last().map(str::to_owned);
            return Err(Error::Tool { tool: "facts.py", last_words: words.unwrap_or_default() });
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|source| Error::Unreadable { what: "the answer of facts.py".to_owned(), source })
    }

    /// Asks it to end, its functions with it; kills it when it takes too long.
    pub(super) async fn end(mut self) {
        children::end(&mut self.child).await;
    }
}

/// The port at the end of a URL.
fn port(url: &str) -> &str {
    url.trim_end_matches('/').rsplit(':').next().unwrap_or_default()
}

/// Where the emulator unpacks functions: below a folder whose `node_modules` is that of `infra/cdk`, because Lambda's
/// Node.js brings the SDK along and the emulator's does not.
fn prepare(state: &Path) -> Result<PathBuf, Error> {
    let programs = state.join("unpacked");
    let modules = state.join("node_modules");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::File { path, source }
    };
    std::fs::create_dir_all(&programs).map_err(failed(&programs))?;
    symlink(workspace::root().join("infra/cdk/node_modules"), &modules).map_err(failed(&modules))?;
    Ok(programs)
}

/// What of our environment a child may see, with throw-away credentials.
pub(super) fn environment(temporary: &Path) -> Vec<(&'static str, OsString)> {
    let kept = ["PATH", "HOME", "LANG"].into_iter();
    let kept = kept.filter_map(|name| Some((name, std::env::var_os(name)?)));
    let own = [
        ("TMPDIR", temporary.as_os_str().to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".into()),
        ("AWS_SECRET_ACCESS_KEY", "test".into()),
    ];
    kept.chain(own).collect()
}

/// What took longer than it may.
pub(super) fn never(what: &str, limit: Duration) -> Error {
    Error::Never { what: what.to_owned(), limit_ms: limit.as_millis() }
}

#[cfg(test)]
mod tests {
    use super::port;

    #[test]
    fn a_port_is_the_end_of_a_url() {
        assert_eq!(port("redis://127.0.0.1:6381"), "6381");
        assert_eq!(port("redis://127.0.0.1:6381/"), "6381");
    }
}
