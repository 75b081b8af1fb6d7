//! `cost --measure`: a demo of a fixed size, and what it counted, in the file that the cost model reads.

use crate::report::{Report, verdict};
use crate::{Error, demo};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::thread::available_parallelism;
use xtask::{cli, cost, out, workspace};

/// The run that is measured; large enough that what happens once (migrations, cold starts) is little of it.
const LOAD: cli::Load = cli::Load { orders: 5_000, rate: 200, seed: 7 };

/// Runs the demo and writes [`cost::MEASURED`].
///
/// # Errors
/// [`Error::Found`] when the run was not sound: its counts mean nothing then. [`Error::File`] for the file; what stops a
/// demo.
pub async fn run() -> Result<(), Error> {
    let servers = cli::Servers::default();
    let options = cli::Demo { load: LOAD, json: true, keep: false, wait_s: 60, servers, plant: None };
    let (report, judgement) = demo::result(&options).await?;
    if !judgement.passed() {
        out::note(&verdict(&judgement));
        return Err(Error::Found);
    }
    let path = workspace::root().join(cost::MEASURED);
    let text = format!("{:#}\n", measured(&report));
    std::fs::write(&path, text).map_err(|source| Error::File { path: path.clone(), source })?;
    out::line(&format!("Wrote {}; `cargo xtask cost` reads it.", workspace::shown(&path)));
    Ok(())
}

fn measured(report: &Report) -> Value {
    let cli::Load { orders, rate, seed } = LOAD;
    json!({
        "$comment": "Counts of one demo, written by `cargo xtask cost --measure`; a test compares them with today's.",
        "command": format!("cargo xtask demo --orders {orders} --rate {rate} --seed {seed} --json"),
        "commit": commit(),
        "machine": machine(),
        "measured_on": demo::now().strftime("%Y-%m-%d").to_string(),
        "orders": report.sent,
        "lines": report.lines,
        "database_bytes": report.database_bytes,
        "functions": report.usage,
    })
}

/// The commit, with a plus where something is not committed; recorded results of load tests do not count.
pub(crate) fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).current_dir(workspace::root()).output().ok();
        output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
    };
    let changed = if git(&["status", "--porcelain", "--", ".", ":(exclude)loadtests/results"]).is_empty() {
        ""
    } else {
        "+"
    };
    format!("{}{changed}", git(&["rev-parse", "--short=12", "HEAD"]))
}

/// Cores, processor, system.
pub(crate) fn machine() -> String {
    let cores = available_parallelism().map_or(0, usize::from);
    let model = cpu_model(Path::new("/proc/cpuinfo"));
    format!("{cores} cores{model}, {} {}", std::env::consts::OS, std::env::consts::ARCH)
}

/// The processor's name, where the system tells it.
fn cpu_model(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(':'))
        .map_or(String::new(), |(_, name)| format!(" of {}", name.trim()))
}

#[cfg(test)]
mod tests {
    use super::{cpu_model, measured};
    use crate::report::{Report, Usage};
    use std::path::Path;

    #[test]
    fn the_cost_model_reads_what_is_written() {
        let usage = Usage { invocations: 2, messages: 8, data_api_calls: 3, sqs_calls: 5, log_bytes: 900 };
        let usage = [("process-orders".to_owned(), usage)].into();
        let report = Report { sent: 9, lines: 20, database_bytes: 4096, usage, ..Report::default() };
        let read = xtask::cost::sources::Measured::read(&measured(&report)).unwrap();
        assert_eq!((read.orders, read.lines, read.database_bytes), (9.0, 20.0, 4096.0));
        assert_eq!((read.of("process-orders").sqs_calls, read.of("nobody").invocations), (5.0, 0.0));
    }

    #[test]
    fn a_machine_that_tells_no_model_has_none() {
        assert_eq!(cpu_model(Path::new("/nowhere")), "");
    }
}
