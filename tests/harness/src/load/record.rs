//! Where results go: a folder for each scenario with the figures and the pictures; and, for recorded ones, the table that
//! lists them all.

use super::pictures::pictures;
use super::result::LoadResult;
use crate::Error;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use xtask::workspace;

/// The folder of recorded results, in the checkout.
const RECORDED: &str = "loadtests/results";

/// Writes result and pictures, and returns their folder; a recorded result is to be committed.
pub(super) fn write(result: &LoadResult, record: bool) -> Result<PathBuf, Error> {
    let recorded = workspace::root().join(RECORDED);
    let home = if record { recorded.clone() } else { workspace::private().join("load") };
    let folder = home.join(&result.scenario);
    std::fs::create_dir_all(&folder).map_err(failed(&folder))?;
    let mut files = vec![("result.json", by_line(result)?)];
    files.extend(pictures(result));
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(failed(&path))?;
    }
    if record {
        let path = recorded.join("README.md");
        std::fs::write(&path, overview(&all(&recorded)?)).map_err(failed(&path))?;
    }
    Ok(folder)
}

/// The result as one JSON object.
pub(super) fn json(result: &LoadResult) -> Result<String, Error> {
    serde_json::to_string(result).map_err(unreadable)
}

/// The same with one member a line: a review sees which one differs, and a long run stays short.
fn by_line(result: &LoadResult) -> Result<String, Error> {
    let value = serde_json::to_value(result).map_err(unreadable)?;
    let members = value.as_object().into_iter().flatten();
    let lines: Vec<String> =
        members.map(|(name, value)| format!("  {}: {value}", Value::from(name.as_str()))).collect();
    Ok(format!("{{\n{}\n}}\n", lines.join(",\n")))
}

/// All recorded results by scenario.
fn all(recorded: &Path) -> Result<BTreeMap<String, Value>, Error> {
    let mut results = BTreeMap::new();
    for entry in std::fs::read_dir(recorded).map_err(failed(recorded))?.flatten() {
        let path = entry.path().join("result.json");
        if let Ok(text) = std::fs::read_to_string(&path) {
            let value = serde_json::from_str(&text)
                .map_err(|source| Error::Unreadable { what: path.display().to_string(), source })?;
            results.insert(entry.file_name().to_string_lossy().into_owned(), value);
        }
    }
    Ok(results)
}

const HEADING: &str = "<!-- Written by `cargo xtask load surge --record` and its like: the recorded load tests at a glance. -->
# Recorded load tests

Each row is the last recorded run of a scenario, with the figures that decide; `result.json` beside the pictures has all
of them, and what the machine did meanwhile. They are figures of one machine that ran everything, generator included:
upper bounds for this code, and nothing about AWS.

| scenario | accepted p50, p99, ms | worst 10 s p99, ms | queue empty after, s | lost | goals | recorded | pictures |
|---|---|---|---|---|---|---|---|
";

/// The table of all recorded results.
fn overview(results: &BTreeMap<String, Value>) -> String {
    let mut text = HEADING.to_owned();
    for (scenario, result) in results {
        let worst =
            result["windows"].as_array().into_iter().flatten().filter_map(|window| window["p99"].as_f64());
        let worst = worst.max_by(f64::total_cmp).map_or("-".to_owned(), |ms| ms.to_string());
        let goals = result["goals"].as_array().into_iter().flatten();
        let missed = goals.filter(|goal| goal["met"] == false).count();
        let goals = if missed == 0 { "met".to_owned() } else { format!("{missed} missed") };
        let names = ["timeline", "distribution", "ladder", "cache"];
        let of_this = |name: &&str| match *name {
            "ladder" => result["rungs"].as_array().is_some_and(|rungs| !rungs.is_empty()),
            "cache" => !result["cache"].is_null(),
            _ => true,
        };
        let pictures: Vec<String> = names
            .into_iter()
            .filter(of_this)
            .map(|name| format!("[{name}]({scenario}/{name}.svg)"))
            .collect();
        // Writing to a String cannot fail.
        writeln!(
            text,
            "| [{scenario}]({scenario}/result.json) | {}, {} | {worst} | {} | {} | {goals} | {}, {} | {} |",
            plain(result, "/accepted_ms/p50"),
            plain(result, "/accepted_ms/p99"),
            plain(result, "/drained_s"),
            plain(result, "/verdict/lost"),
            plain(result, "/recorded_on"),
            plain(result, "/commit"),
            pictures.join(", "),
        )
        .ok();
    }
    let hardware: std::collections::BTreeSet<String> =
        results.values().map(|result| plain(result, "/machine")).collect();
    text + &format!("\nMachine: {}.\n", hardware.into_iter().collect::<Vec<_>>().join("; "))
}

/// A member as it is read: text without quotes, a dash for nothing.
fn plain(result: &Value, place: &str) -> String {
    match result.pointer(place) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn unreadable(source: serde_json::Error) -> Error {
    Error::Unreadable { what: "the result".to_owned(), source }
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::{all, overview};
    use serde_json::json;

    #[test]
    fn the_overview_has_a_row_for_every_recorded_scenario() {
        let surge = json!({
            "accepted_ms": {"p50": 31.0, "p99": 78.0}, "windows": [{"p99": 70.0}, {"p99": 91.0}], "drained_s": 0.4,
            "verdict": {"lost": 0}, "goals": [{"met": true}], "recorded_on": "2026-11-30", "commit": "abc",
            "machine": "2 cores", "rungs": [], "cache": null,
        });
        let missed = json!({"goals": [{"met": false}, {"met": true}], "machine": "2 cores"});
        let results = [("surge".to_owned(), surge), ("surge-without-cache".to_owned(), missed)].into();
        let text = overview(&results);
        let row = "| [surge](surge/result.json) | 31.0, 78.0 | 91 | 0.4 | 0 | met | 2026-11-30, abc | [timeline](surge/timeline.svg), [distribution](surge/distribution.svg) |\n";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("| 1 missed |"), "{text}");
        assert!(text.ends_with("\nMachine: 2 cores.\n"), "{text}");
    }
    #[test]
    fn every_folder_with_a_result_is_listed() {
        let recorded = std::env::temp_dir().join(format!("orderflow-results-{}", std::process::id()));
        for scenario in ["surge", "nothing-yet"] {
            std::fs::create_dir_all(recorded.join(scenario)).unwrap();
        }
        std::fs::write(recorded.join("surge/result.json"), "{}").unwrap();
        let results = all(&recorded).unwrap();
        assert_eq!(results.into_keys().collect::<Vec<_>>(), ["surge"]);
        std::fs::write(recorded.join("surge/result.json"), "{").unwrap();
        assert!(all(&recorded).unwrap_err().to_string().contains("surge/result.json"));
        std::fs::remove_dir_all(recorded).unwrap();
    }
}
