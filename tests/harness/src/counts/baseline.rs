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
    /// By compiler and optimisation level.
    #[serde(default)]
    built_with: BTreeMap<String, Counts>,
}

/// Whether compiler and optimisation level decide about the number. Another compiler than those of the committed numbers is
/// no fault of a change, so such numbers are only shown then.
fn depends_on_the_compiler(name: &str) -> bool {
    matches!(name, "instructions" | "allocations" | "allocated_bytes" | "program_bytes")
}

/// By how much a number may differ from the committed one: what runs on one busy machine differ by, several times over.
fn room(name: &str, committed: f64) -> f64 {
    match name {
        "instructions" | "allocations" | "allocated_bytes" => committed * 0.01,
        // Times are part of a line, and a slow batch has longer ones.
        "log_bytes" => committed * 0.03,
        // Buffers of connections come and go in blocks. Whatever more than one batch in five keeps is seen.
        "kept_allocations" => 0.2,
        // How often the snapshot expires depends on the machine's pace, and each expiry costs one call.
        "redis_calls" => 0.3,
        // Paths of the machine are part of the program.
        "program_bytes" => committed * 0.02,
        _ => 0.005,
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

impl Row {
    fn held(&self) -> bool {
        matches!(self.verdict, Verdict::Same | Verdict::NotJudged)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Same,
    Grew,
    Shrank,
    New,
    NotJudged,
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

    /// A number of a function, and the build that it belongs to: the best optimised of those that were counted.
    pub(super) fn number(&self, function: &str, name: &str) -> Option<(&str, f64)> {
        let (built_with, counts) = self.built_with.last_key_value()?;
        Some((built_with, *counts.get(function)?.get(name)?))
    }

    /// Notes the numbers of a build: `rustc 1.95.0, opt-level 2`.
    pub(super) fn set(&mut self, built_with: &str, counts: Counts) {
        "What a warm batch of ten costs; `cargo xtask counts` compares, `--update` writes."
            .clone_into(&mut self.comment);
        self.built_with.insert(built_with.to_owned(), counts);
    }

    pub(super) fn compare(&self, built_with: &str, counts: &Counts) -> Comparison {
        let same_build = self.built_with.get(built_with);
        let committed = same_build.or_else(|| self.built_with.values().next());
        let rows = counts.iter().flat_map(|(function, numbers)| {
            let of_function = committed.and_then(|committed| committed.get(function));
            numbers.iter().map(move |(name, counted)| {
                let committed = of_function.and_then(|numbers| numbers.get(name)).copied();
                let judged = same_build.is_some() || committed.is_none() || !depends_on_the_compiler(name);
                let verdict = if judged { verdict(name, committed, *counted) } else { Verdict::NotJudged };
                Row { function: function.clone(), name: name.clone(), committed, counted: *counted, verdict }
            })
        });
        Comparison(rows.collect())
    }
}

fn verdict(name: &str, committed: Option<f64>, counted: f64) -> Verdict {
    let Some(committed) = committed else { return Verdict::New };
    let room = room(name, committed);
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
        self.0.iter().all(Row::held)
    }

    /// For people, with what to do.
    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "{:<16} {:<16} {:>12} {:>12} {:>14}\n",
            "function", "per batch of 10", "committed", "counted", ""
        );
        for row in &self.0 {
            let committed = row.committed.map_or("-".to_owned(), |n| format!("{n:.2}"));
            let word = match row.verdict {
                Verdict::Same => "",
                Verdict::Grew => "GREW",
                Verdict::Shrank => "SHRANK",
                Verdict::New => "NEW",
                Verdict::NotJudged => "other compiler",
            };
            text += &format!(
                "{:<16} {:<16} {committed:>12} {:>12.2} {word:>14}\n",
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
                "held": row.held()})
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
        check("instructions", Some(1_000_000.0), 1_009_000.0, Verdict::Same);
        check("instructions", Some(1_000_000.0), 1_011_000.0, Verdict::Grew);
        check("redis_calls", Some(0.06), 0.3, Verdict::Same);
        check("redis_calls", Some(4.0), 5.0, Verdict::Grew);
        check("crates", Some(150.0), 151.0, Verdict::Grew);
        check("kept_allocations", Some(2.0), 2.1, Verdict::Same);
        check("kept_allocations", Some(2.0), 3.0, Verdict::Grew);
        check("allocations", None, 1.0, Verdict::New);
    }

    #[test]
    fn of_another_compiler_only_what_it_does_not_decide_is_judged() {
        let counts = |n: f64, calls: f64| {
            let numbers = [("instructions".to_owned(), n), ("data_api_calls".to_owned(), calls)];
            Counts::from([("f".to_owned(), BTreeMap::from(numbers))])
        };
        let mut baseline = Baseline::default();
        baseline.set("rustc 1", counts(100.0, 1.0));
        assert!(baseline.compare("rustc 2", &counts(200.0, 1.0)).held());
        assert!(!baseline.compare("rustc 2", &counts(100.0, 2.0)).held());
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
