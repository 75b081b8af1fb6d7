//! The two servers, as Debian packages or anybody else installs them: on loopback, with a folder of the stack's own.
//!
//! They run with the committed configuration as it is; whom to scrape and whom to tell are files beside it that Prometheus
//! looks for (`targets/`), so that nothing has to be replaced in it.

use crate::children::{self, Address, guarded};
use crate::stack::{Info, poll_until};
use crate::{Error, http};
use hyper::HeaderMap;
use serde_json::json;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Child;
use xtask::workspace;

/// Longest time until a server is ready; it takes a second.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// The names under which each program is known; Debian adds the prefix.
const PROMETHEUS: &[&str] = &["prometheus"];
const ALERTMANAGER: &[&str] = &["prometheus-alertmanager", "alertmanager"];

/// Where the servers are.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Where Prometheus answers.
    pub(super) prometheus: Address,
    /// Where Alertmanager answers.
    pub(super) alertmanager: Address,
    /// Configuration, data and logs.
    pub(super) folder: PathBuf,
}

/// Both servers.
#[derive(Debug)]
pub(super) struct Servers {
    /// Where they are.
    pub(super) places: Places,
    children: [Child; 2],
}

impl Servers {
    /// Starts both beside a stack and waits until they are ready.
    pub(super) async fn start(info: &Info) -> Result<Self, Error> {
        let (scraper, alerter) = (find(PROMETHEUS)?, find(ALERTMANAGER)?);
        // Of its own, so that two may run beside one stack.
        let folder = workspace::up_state().join(format!("monitor-{}", std::process::id()));
        let (prometheus, alertmanager) = (Address::free()?, Address::free()?);
        configure(&folder, info, &alertmanager)
            .map_err(|source| Error::File { path: folder.clone(), source })?;
        let watching = spawn(
            &scraper,
            &folder,
            &[
                "--config.file=prometheus.yml".to_owned(),
                "--storage.tsdb.path=prometheus-data".to_owned(),
                format!("--web.listen-address={}", prometheus.host()),
            ],
        )?;
        let telling = spawn(
            &alerter,
            &folder,
            &[
                "--config.file=alertmanager.yml".to_owned(),
                "--storage.path=alertmanager-data".to_owned(),
                "--cluster.listen-address=".to_owned(),
                format!("--web.listen-address={}", alertmanager.host()),
            ],
        )?;
        let places = Places { prometheus, alertmanager, folder };
        let mut servers = Self { places, children: [watching, telling] };
        servers.ready().await?;
        Ok(servers)
    }

    async fn ready(&mut self) -> Result<(), Error> {
        let Places { prometheus, alertmanager, folder } = &self.places;
        let urls = [prometheus, alertmanager].map(|address| format!("{}/-/ready", address.url));
        let children = &mut self.children;
        poll_until("Prometheus and Alertmanager being ready", READY_LIMIT, async || {
            if children.iter_mut().any(|child| child.try_wait().is_ok_and(|status| status.is_some())) {
                return Err(failed(folder));
            }
            for url in &urls {
                let answer = http::fetch("GET", url, HeaderMap::new()).await;
                if !answer.is_ok_and(|answer| answer.status().is_success()) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
        .await
    }

    /// Returns when one of them has ended by itself.
    pub(super) async fn ended(&mut self) {
        let [prometheus, alertmanager] = &mut self.children;
        tokio::select! {
            _ = prometheus.wait() => {}
            _ = alertmanager.wait() => {}
        }
    }

    /// Ends both, and removes their folder.
    ///
    /// # Errors
    /// [`Error::File`] for the folder.
    pub(super) async fn end(mut self) -> Result<(), Error> {
        for child in &mut self.children {
            children::end(child).await;
        }
        let folder = self.places.folder;
        std::fs::remove_dir_all(&folder).map_err(|source| Error::File { path: folder, source })
    }
}

/// The first of the names that is on PATH.
fn find(names: &'static [&'static str]) -> Result<PathBuf, Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let found = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    found.into_iter().find(|program| program.is_file()).ok_or(Error::NotInstalled {
        program: names.first().copied().unwrap_or_default(),
        advice: "on Debian or Ubuntu `apt install prometheus prometheus-alertmanager`; elsewhere put both on PATH",
    })
}

/// A folder with the committed configuration, and with this stack's addresses.
fn configure(folder: &Path, info: &Info, alertmanager: &Address) -> std::io::Result<()> {
    std::fs::create_dir_all(folder.join("targets"))?;
    let committed = workspace::root().join("infra/monitoring");
    symlink(committed.join("prometheus/prometheus.yml"), folder.join("prometheus.yml"))?;
    symlink(committed.join("prometheus/rules"), folder.join("rules"))?;
    symlink(committed.join("alertmanager/alertmanager.yml"), folder.join("alertmanager.yml"))?;
    let control = info.control_url.trim_start_matches("http://");
    let target = |host: &str| json!([{ "targets": [host] }]).to_string();
    std::fs::write(folder.join("targets/orderflow.json"), target(control))?;
    std::fs::write(folder.join("targets/alertmanager.json"), target(&alertmanager.host()))
}

fn spawn(program: &Path, folder: &Path, arguments: &[String]) -> Result<Child, Error> {
    let failed = |source| Error::File { path: program.to_owned(), source };
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let log = File::create(folder.join(format!("{name}.log"))).map_err(failed)?;
    let errors = log.try_clone().map_err(failed)?;
    let mut command = guarded(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).stdout(log).stderr(errors);
    command.spawn().map_err(failed)
}

/// One of them has ended by itself: what it said last of an error.
pub(super) fn failed(folder: &Path) -> Error {
    Error::Tool { tool: "Prometheus or Alertmanager", last_words: last_words(folder) }
}

/// The last line of whichever said something, which is why it ended.
fn last_words(folder: &Path) -> String {
    let names = PROMETHEUS.iter().chain(ALERTMANAGER);
    let logs = names.filter_map(|name| std::fs::read_to_string(folder.join(format!("{name}.log"))).ok());
    let mut errors = logs.filter_map(|log| log.lines().rfind(|line| line.contains("err")).map(str::to_owned));
    errors.next_back().unwrap_or_else(|| format!("see {}", workspace::shown(folder)))
}
