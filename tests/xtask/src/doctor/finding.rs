//! What the doctor says: one sentence about one place, and how bad it is.

use serde_json::{Value, json};
use std::fmt;

/// Whether something has to be mended before orders flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something will not work, or will lose or delay orders.
    Error,
    /// Something optional is missing.
    Warning,
}

impl Level {
    /// The word in the output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One thing that is wrong, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The path of the setting (`queues.payments.visibility_timeout_s`), or `machine.` and the part of it.
    pub place: String,
    /// The stages in which it is so; none where no stage matters.
    pub stages: Vec<String>,
    /// One sentence that says what to do.
    pub sentence: String,
}

impl Finding {
    /// Something that has to be mended.
    pub fn error(place: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { level: Level::Error, place: place.into(), stages: Vec::new(), sentence: sentence.into() }
    }

    /// Something that can stay as it is.
    pub fn warning(place: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { level: Level::Warning, ..Self::error(place, sentence) }
    }

    /// As one JSON object.
    pub fn to_json(&self) -> Value {
        json!({
            "level": self.level.as_str(),
            "place": self.place,
            "stages": self.stages,
            "sentence": self.sentence,
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.level.as_str(), self.place)?;
        if !self.stages.is_empty() {
            write!(f, " ({})", self.stages.join(", "))?;
        }
        write!(f, ": {}", self.sentence)
    }
}

/// Joins what is the same in several stages, in the order in which it was found first.
pub fn merged(found: impl IntoIterator<Item = (&'static str, Vec<Finding>)>) -> Vec<Finding> {
    let mut merged: Vec<Finding> = Vec::new();
    for (stage, findings) in found {
        for finding in findings {
            let same =
                |other: &&mut Finding| (&other.place, &other.sentence) == (&finding.place, &finding.sentence);
            match merged.iter_mut().find(same) {
                Some(known) => known.stages.push(stage.to_owned()),
                None => merged.push(Finding { stages: vec![stage.to_owned()], ..finding }),
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::{Finding, merged};

    #[test]
    fn the_same_finding_of_several_stages_is_said_once() {
        let long = || Finding::error("queues.a.x_s", "make it longer");
        let other = Finding::warning("queues.b.x_s", "make it shorter");
        let merged = merged([("dev", vec![long()]), ("prod", vec![other, long()])]);
        let lines: Vec<String> = merged.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "error: queues.a.x_s (dev, prod): make it longer",
                "warning: queues.b.x_s (prod): make it shorter"
            ]
        );
    }
}
