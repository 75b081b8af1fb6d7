//! k6: installed by hash into the checkout, run with one of the scripts in `loadtests/`, and what it says afterwards.

use crate::Error;
use crate::kits::{Kit, Shelf};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::process::{Child, Command};
use xtask::{python, workspace};

/// The exit code of a run in which a threshold was crossed; its summary is complete.
const THRESHOLD_CROSSED: i32 = 99;

/// The step before the first rung of a ladder.
pub(super) const WARM_UP: &str = "warm_up";

/// What k6 says of a run; see `loadtests/lib/run.js`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    /// What was offered, one after the other.
    pub(super) steps: Vec<Step>,
    /// Messages that the queue took, by kind.
    pub(super) sent: BTreeMap<String, u64>,
    /// The sum of all orders that must be accepted.
    pub(super) payable_minor: i64,
    /// Messages that could not be sent at their time.
    pub(super) dropped: u64,
    /// Messages that the queue did not take.
    pub(super) refused: u64,
    /// Milliseconds that the queue took for a message.
    pub(super) enqueue_ms: EnqueueMs,
    /// What k6 decided.
    pub(super) thresholds: Vec<Threshold>,
}

/// One step of a shape.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Step {
    /// Its name; [`WARM_UP`] is not measured.
    pub(super) name: String,
    /// Its rates, one after the other.
    pub(super) stages: Vec<Stage>,
    /// When it began, in Unix milliseconds.
    pub(super) started_at_ms: u64,
    /// Messages.
    pub(super) messages: u64,
    /// Messages that could not be sent at their time.
    pub(super) dropped: u64,
}

/// A part of a step, in which the rate is one or changes evenly.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
#[serde(rename_all(deserialize = "camelCase"))]
pub(super) struct Stage {
    /// Messages a second in the beginning.
    pub(super) from_per_s: f64,
    /// Messages a second in the end.
    pub(super) to_per_s: f64,
    /// How long it takes.
    pub(super) seconds: f64,
}

impl Step {
    /// How long it takes, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.stages.iter().map(|stage| stage.seconds).sum()
    }
}

/// How long the queue took for a message, in milliseconds.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize)]
pub(super) struct EnqueueMs {
    p50: f64,
    p95: f64,
    p99: f64,
}

/// One threshold.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Threshold {
    /// Metric and condition, in k6's words.
    pub(super) rule: String,
    /// Whether it held.
    pub(super) met: bool,
}

/// Where and what to send.
#[derive(Debug, Clone)]
pub(super) struct Run<'a> {
    /// The program.
    pub(super) program: &'a Path,
    /// The script, by name.
    pub(super) script: &'a str,
    /// A folder for what k6 needs and leaves.
    pub(super) folder: &'a Path,
    /// Variables of the script, `NAME=VALUE`.
    pub(super) variables: Vec<String>,
}

/// Installs k6 where it is missing, and says where it is.
pub(super) fn program() -> Result<PathBuf, Error> {
    let requirements = workspace::root().join("loadtests/requirements.txt");
    let python = python::environment("k6", &requirements).map_err(Error::Task)?;
    Ok(python.with_file_name("k6"))
}

/// Writes the kits for the scripts, and returns the variable that names the file.
///
/// Kits of which a few are left are kept out: who gets the last one is luck, and a load test must know what is right.
pub(super) fn catalog(folder: &Path, kits: &[Kit]) -> Result<String, Error> {
    let shelf = |kit: &Kit| match kit.shelf {
        Shelf::Steady | Shelf::Repriced { .. } => Some("on_sale"),
        Shelf::SoldOut => Some("sold_out"),
        Shelf::Inactive => Some("inactive"),
        Shelf::Scarce => None,
    };
    let kits = kits
        .iter()
        .filter_map(|kit| Some(json!({"sku": kit.sku, "priceMinor": kit.price_minor, "shelf": shelf(kit)?})));
    let path = folder.join("catalog.json");
    std::fs::write(&path, Value::from_iter(kits).to_string()).map_err(failed(&path))?;
    Ok(format!("CATALOG={}", path.display()))
}

/// Lets the scripts check themselves; see `loadtests/check.js`.
pub(super) async fn check(program: &Path, folder: &Path, catalog: &str) -> Result<(), Error> {
    let run = Run { program, script: "check", folder, variables: vec![catalog.to_owned()] };
    let status = run.start()?.wait().await.map_err(failed(program))?;
    if status.success() {
        return Ok(());
    }
    let command = format!("k6 run -e {catalog} loadtests/check.js");
    Err(Error::Tool {
        tool: "k6",
        last_words: format!("a check of the scripts does not hold: `{command}` says which"),
    })
}

impl Run<'_> {
    /// Starts it; it ends with the value that is returned.
    pub(super) fn start(&self) -> Result<Child, Error> {
        let mut command = Command::new(self.program);
        // Variables of this process are none of the scripts': what changes a shape has to be said.
        command.args([
            "run",
            "--quiet",
            "--no-usage-report",
            "--no-color",
            "--include-system-env-vars=false",
        ]);
        command.args(["--address", ""]);
        let summary = format!("SUMMARY={}", self.summary().display());
        for variable in self.variables.iter().chain([&summary]) {
            command.args(["-e", variable]);
        }
        command.arg(workspace::root().join(format!("loadtests/{}.js", self.script)));
        let log = File::create(self.log()).map_err(failed(&self.log()))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
        command.spawn().map_err(failed(self.program))
    }

    /// Waits for its end, and reads what it says.
    pub(super) async fn end(&self, mut child: Child) -> Result<Summary, Error> {
        let status = child.wait().await.map_err(failed(self.program))?;
        if !status.success() && status.code() != Some(THRESHOLD_CROSSED) {
            let said = std::fs::read_to_string(self.log()).unwrap_or_default();
            let last_words = said.lines().last().unwrap_or("nothing").to_owned();
            return Err(Error::Tool { tool: "k6", last_words });
        }
        let path = self.summary();
        let text = std::fs::read_to_string(&path).map_err(failed(&path))?;
        serde_json::from_str(&text)
            .map_err(|source| Error::Unreadable { what: path.display().to_string(), source })
    }

    fn summary(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.script))
    }

    fn log(&self) -> PathBuf {
        self.folder.join(format!("{}.k6.log", self.script))
    }
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::File { path, source }
}
