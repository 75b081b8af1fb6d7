//! `--watch`: `cargo lambda watch` hosts the functions that queues invoke, in another terminal.
//!
//! The stack writes the environment that the functions need into `watch.env`, prints the line to type, waits
//! until somebody answers there, and then points the event sources at it. `cargo lambda watch` compiles on
//! the first invocation, so that one may fail; its messages come again.

use std::{collections::BTreeMap, fmt::Write as _, path::Path, time::Duration};

use tokio::net::TcpStream;

use super::{Parts, StackInfo, StackOptions};
use crate::{clock, error::Error, event_source::Target, settings::Settings};

/// How often to look whether somebody answers.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Variables that the other host sets itself, differently.
const HOSTS_OWN: [&str; 4] = ["AWS_LAMBDA_FUNCTION_", "AWS_LAMBDA_LOG_", "LAMBDA_TASK_ROOT", "_HANDLER"];

/// Attaches the event sources to the other host when it answers; returns only what keeps it from trying, and
/// never without `--watch`.
pub(super) async fn attach(
    options: &StackOptions,
    settings: &Settings,
    info: &StackInfo,
    parts: &Parts,
) -> Error {
    let Some(url) = &options.watch else { return std::future::pending().await };
    let url = url.trim_end_matches('/');
    let Some(address) = address(url) else {
        return Error::Url {
            option: "--watch",
            expected: "http://host:port, where cargo lambda watch listens",
        };
    };
    let env_file = options.state_dir.join("watch.env");
    if let Err(error) = write_environment(&env_file, parts) {
        return error;
    }
    let concurrency = settings.functions.values().filter_map(|function| function.event_source.as_ref());
    let concurrency = concurrency.map(|source| source.maximum_concurrency).max().unwrap_or(1);
    let (host, port) = address;
    tracing::info!(
        "type in another terminal: cargo lambda watch -A {host} -P {port} --concurrency {concurrency} --env-file {}",
        env_file.display()
    );
    while TcpStream::connect((host, port)).await.is_err() {
        clock::sleep(LOOK_EVERY).await;
    }
    for (name, source) in &parts.sources {
        source.set_target(Target::Url(format!("{url}/2015-03-31/functions/{name}/invocations")));
        source.set_enabled(true);
    }
    tracing::info!(url, control = info.control_url, "the event sources invoke cargo lambda watch");
    std::future::pending().await
}

/// Writes the environment of the functions that queues invoke. `cargo lambda watch` has one file for all: a
/// variable that several functions have with different values is the first function's.
fn write_environment(path: &Path, parts: &Parts) -> Result<(), Error> {
    let mut environment = BTreeMap::new();
    for name in parts.sources.keys() {
        for (variable, value) in parts.host.environment(name)? {
            if !HOSTS_OWN.iter().any(|own| variable.starts_with(own)) {
                environment.entry(variable).or_insert(value);
            }
        }
    }
    let mut text = String::new();
    for (variable, value) in environment {
        // Writing to a string cannot fail.
        writeln!(text, "{variable}={value}").ok();
    }
    std::fs::write(path, text).map_err(Error::file("write", path))
}

/// Host and port of `http://host:port`.
fn address(url: &str) -> Option<(&str, u16)> {
    let (host, port) = url.strip_prefix("http://")?.rsplit_once(':')?;
    Some((host, port.parse().ok()?)).filter(|(host, _)| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: Option<(&str, u16)>) {
        assert_eq!(address(url), expected);
    }

    #[test]
    fn the_address_is_taken_from_the_url() {
        check("http://127.0.0.1:9000", Some(("127.0.0.1", 9000)));
        check("http://localhost:80", Some(("localhost", 80)));
        check("127.0.0.1:9000", None);
        check("http://127.0.0.1", None);
        check("http://:9000", None);
        check("http://127.0.0.1:9000/path", None);
    }
}
