//! A place in the settings file that knows its path, its stage, and where to report what is wrong.
//!
//! A reader asks for what it needs and always gets a value; what was missing or wrong is in the list of
//! problems, so that one run names them all.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Where a number says why it is what it is.
const REASON: &str = "reason";
/// Where a number holds for every stage that names no other.
const VALUE: &str = "value";

/// A JSON object on the way through the file.
pub(super) struct Node<'a> {
    value: Option<&'a Map<String, Value>>,
    path: String,
    stage: &'a str,
    problems: &'a mut Vec<String>,
}

impl<'a> Node<'a> {
    /// The whole file.
    pub(super) fn root(value: &'a Value, stage: &'a str, problems: &'a mut Vec<String>) -> Self {
        if !value.is_object() {
            problems.push("the file: expected an object".to_owned());
        }
        Self { value: value.as_object(), path: String::new(), stage, problems }
    }

    /// Whether there is a field of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// An object below this one that must be there. One that is missing is one problem, and read as if it were
    /// empty, whose fields are no problems of their own.
    pub(super) fn section<T>(&mut self, name: &str, read: fn(&mut Node<'_>) -> T) -> T {
        if let Some(section) = self.child(name, read) {
            return section;
        }
        let (path, mut ignored) = (self.path_of(name), Vec::new());
        read(&mut Node { value: None, path, stage: self.stage, problems: &mut ignored })
    }

    /// An object below this one that may be absent.
    pub(super) fn optional<T>(&mut self, name: &str, read: fn(&mut Node<'_>) -> T) -> Option<T> {
        if self.has(name) { self.child(name, read) } else { None }
    }

    /// A staged number that may be absent.
    pub(super) fn optional_number(&mut self, name: &str) -> Option<u64> {
        self.optional(name, read_staged)
    }

    /// A string; empty when missing.
    pub(super) fn text(&mut self, name: &str) -> String {
        let text = self.require(name).and_then(|value| self.expect(name, value.as_str(), "a string"));
        text.unwrap_or_default().to_owned()
    }

    /// `true` or `false`; false when missing.
    pub(super) fn flag(&mut self, name: &str) -> bool {
        let flag = self.require(name).and_then(|value| self.expect(name, value.as_bool(), "true or false"));
        flag.unwrap_or_default()
    }

    /// A staged number: the stage's own value, else `value`; zero when missing.
    pub(super) fn number(&mut self, name: &str) -> u64 {
        self.child(name, read_staged).unwrap_or_default()
    }

    /// An object of strings.
    pub(super) fn texts(&mut self, name: &str) -> BTreeMap<String, String> {
        self.child(name, |node| node.keys().into_iter().map(|key| (key.to_owned(), node.text(key))).collect())
            .unwrap_or_default()
    }

    /// An object whose fields are all read by `read`.
    pub(super) fn entries<T>(&mut self, name: &str, read: fn(&mut Node<'_>) -> T) -> BTreeMap<String, T> {
        self.child(name, |node| {
            node.keys().into_iter().filter_map(|key| Some((key.to_owned(), node.child(key, read)?))).collect()
        })
        .unwrap_or_default()
    }

    /// An object below this one; `None` when it is missing or no object.
    pub(super) fn child<T>(&mut self, name: &str, read: impl FnOnce(&mut Node<'_>) -> T) -> Option<T> {
        let value = self.require(name)?;
        let value = self.expect(name, value.as_object(), "an object")?;
        let path = self.path_of(name);
        Some(read(&mut Node { value: Some(value), path, stage: self.stage, problems: self.problems }))
    }

    fn keys(&self) -> Vec<&'a str> {
        self.value.into_iter().flat_map(Map::keys).map(String::as_str).collect()
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.value.and_then(|object| object.get(name))
    }

    fn require(&mut self, name: &str) -> Option<&'a Value> {
        let value = self.get(name);
        if value.is_none() {
            self.problem(name, "missing");
        }
        value
    }

    fn expect<T>(&mut self, name: &str, found: Option<T>, wanted: &str) -> Option<T> {
        if found.is_none() {
            self.problem(name, &format!("expected {wanted}"));
        }
        found
    }

    fn problem(&mut self, name: &str, what: &str) {
        let path = self.path_of(name);
        self.problems.push(format!("{path}: {what}"));
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

/// `{"value": …, "<stage>": …, "reason": …}`; a key that is none of these is a typing error.
fn read_staged(node: &mut Node<'_>) -> u64 {
    for key in node.keys() {
        if ![VALUE, REASON].contains(&key) && !super::STAGES.contains(&key) {
            node.problem(key, "unknown; a number has value, reason and stages");
        }
    }
    if node.text(REASON).is_empty() {
        node.problem(REASON, "say why the number is what it is");
    }
    let stage = node.stage;
    let name = if node.has(stage) { stage } else { VALUE };
    let number = node.require(name).and_then(|value| node.expect(name, value.as_u64(), "a whole number"));
    number.unwrap_or_default()
}
