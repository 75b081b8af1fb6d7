//! The committed numbers, and how today's differ from them.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::Error;

/// Numbers by function and name.
pub(super) type Counts = BTreeMap<String, BTreeMap<String, f64>>;

/// The committed numbers: of one warm batch of ten, but for what a program is made of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Baseline {
    #[serde(rename = "$comment", default)]
    comment: String,
    /// By the compiler's optimisation level: it decides about instructions and bytes.
    #[serde(default)]
    opt_levels: BTreeMap<String, Counts>,
}

/// By how much a number may differ, in percent of the committed one.
fn tolerance_percent(name: &str) -> f64 {
    match name {
        // How often a snapshot expires depends on the machine's pace; each expiry costs one look-up in Redis.
        "instructions" => 4.0,
        "allocations" | "allocated_bytes" | "log_bytes" => 3.0,
        "redis_calls" => 100.0,
        // Paths and versions of the compiler.
        "program_bytes" => 2.0,
        _ => 0.0,
    }
}

/// One number beside the committed one.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    function: String,
    name: String,
    committed: Option<f64>,
    counted: f64,
    verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Same,
    Grew,
    Shrank,
    New,
}

/// Today's numbers beside the committed ones.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Comparison(Vec<Row>);

impl Baseline {
    /// Reads the file; one that is not there is empty.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        match std::fs::read_to_string(path) {
            Ok(text) => serde_json::from_str(&text)
                .map_err(|source| Error::Unreadable { what: path.display().to_string(), source }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(Error::File { path: path.to_owned(), source }),
        }
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|source| Error::Unreadable { what: path.display().to_string(), source })?;
        std::fs::write(path, format!("{text}\n"))
            .map_err(|source| Error::File { path: path.to_owned(), source })
    }

    pub(super) fn set(&mut self, opt_level: &str, counts: Counts) {
        "What a warm batch of ten costs; `cargo xtask counts` compares, `--update` writes."
            .clone_into(&mut self.comment);
        self.opt_levels.insert(opt_level.to_owned(), counts);
    }

    pub(super) fn compare(&self, opt_level: &str, counts: &Counts) -> Comparison {
        let committed = self.opt_levels.get(opt_level);
        let rows = counts.iter().flat_map(|(function, numbers)| {
            let of_function = committed.and_then(|committed| committed.get(function));
            numbers.iter().map(move |(name, counted)| {
                let committed = of_function.and_then(|numbers| numbers.get(name)).copied();
                let verdict = verdict(name, committed, *counted);
                Row { function: function.clone(), name: name.clone(), committed, counted: *counted, verdict }
            })
        });
        Comparison(rows.collect())
    }
}

fn verdict(name: &str, committed: Option<f64>, counted: f64) -> Verdict {
    let Some(committed) = committed else { return Verdict::New };
    let room = (committed * tolerance_percent(name) / 100.0).max(0.005);
    if counted > committed + room {
        Verdict::Grew
    } else if counted < committed - room {
        Verdict::Shrank
    } else {
        Verdict::Same
    }
}

impl Comparison {
    /// Whether all numbers are the committed ones.
    pub(super) fn held(&self) -> bool {
        self.0.iter().all(|row| row.verdict == Verdict::Same)
    }

    /// For people, with what to do.
    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "{:<16} {:<16} {:>12} {:>12} {:>9}\n",
            "function", "per batch of 10", "committed", "counted", ""
        );
        for row in &self.0 {
            let committed = row.committed.map_or("-".to_owned(), |n| format!("{n:.2}"));
            let word = match row.verdict {
                Verdict::Same => "",
                Verdict::Grew => "GREW",
                Verdict::Shrank => "SHRANK",
                Verdict::New => "NEW",
            };
            text += &format!(
                "{:<16} {:<16} {committed:>12} {:>12.2} {word:>9}\n",
                row.function, row.name, row.counted
            );
        }
        text += if self.held() {
            "All as committed."
        } else {
            "Not as committed: mend what grew, or commit what `cargo xtask counts --update` writes and say why."
        };
        text
    }

    /// For scripts.
    pub(super) fn json(&self) -> Result<String, Error> {
        let rows = self.0.iter().map(|row| {
            json!({"function": row.function, "name": row.name, "committed": row.committed, "counted": row.counted,
                "held": row.verdict == Verdict::Same})
        });
        serde_json::to_string(&json!({"held": self.held(), "counts": rows.collect::<Vec<_>>()}))
            .map_err(|source| Error::Unreadable { what: "the counts".to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::{Baseline, Counts, Verdict, verdict};
    use std::collections::BTreeMap;

    #[track_caller]
    fn check(name: &str, committed: Option<f64>, counted: f64, expected: Verdict) {
        assert_eq!(verdict(name, committed, counted), expected, "{name} {committed:?} {counted}");
    }

    #[test]
    fn calls_are_exact_and_instructions_have_a_tolerance() {
        check("data_api_calls", Some(1.0), 1.0, Verdict::Same);
        check("data_api_calls", Some(1.0), 1.01, Verdict::Grew);
        check("data_api_calls", Some(3.0), 2.0, Verdict::Shrank);
        check("instructions", Some(1_000_000.0), 1_039_000.0, Verdict::Same);
        check("instructions", Some(1_000_000.0), 1_041_000.0, Verdict::Grew);
        check("crates", Some(150.0), 151.0, Verdict::Grew);
        check("allocations", None, 1.0, Verdict::New);
    }

    #[test]
    fn a_number_that_grew_or_was_never_committed_is_not_held() {
        let counts = |n: f64| Counts::from([("f".to_owned(), BTreeMap::from([("crates".to_owned(), n)]))]);
        let mut baseline = Baseline::default();
        assert!(!baseline.compare("2", &counts(3.0)).held());
        baseline.set("2", counts(3.0));
        assert!(baseline.compare("2", &counts(3.0)).held());
        assert!(!baseline.compare("2", &counts(4.0)).held());
        assert!(baseline.compare("2", &counts(4.0)).table().contains("GREW"));
    }
}
