//! Text: opening comments, words that must not stay, and who reads the environment.

use crate::tree::{Tree, ending};

/// Words that mean "not done", written so that this file does not contain them.
const UNFINISHED: [&str; 5] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("#[ig", "nore"),
    concat!("todo", "!("),
];

/// Beginnings of paths that exist on one machine only.
const MACHINE: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

/// Attributes that silence a lint without noticing when it no longer fires.
const SILENCED: &str = concat!("#[all", "ow(");

/// The one file that reads the environment.
const READER: &str = "shared/settings/src/variables.rs";

/// Ways to read the environment.
const ENVIRONMENT: [&str; 4] = ["env::var(", "env::vars(", "env::var_os(", "env::vars_os("];

pub(crate) fn openings(tree: &Tree) -> Vec<String> {
    let endings = ["rs", "toml", "sql", "py", "sh", "run", "ts", "js", "mjs", "yml", "yaml"];
    let bare = tree.ending(&endings).filter(|(path, text)| !opens_with_comment(path, text));
    bare.map(|(path, _)| {
        let mark = marks(path)[0];
        format!("{path}: open it with `{mark}`: what it is for, what it promises")
    })
    .collect()
}

fn opens_with_comment(path: &str, text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.starts_with("#!") && !line.trim().is_empty());
    let first = lines.next().unwrap_or_default();
    marks(path).iter().any(|mark| first.starts_with(mark) && first.len() > mark.len() + 2)
}

/// How a comment at the top of this kind of file begins.
fn marks(path: &str) -> &'static [&'static str] {
    match ending(path) {
        "rs" => &["//!"],
        "sql" => &["--"],
        "py" => &["\"\"\"", "# "],
        "ts" | "js" | "mjs" => &["//", "/*"],
        _ => &["#"],
    }
}

pub(crate) fn words(tree: &Tree) -> Vec<String> {
    let endings = ["rs", "toml", "sql", "md", "py", "sh", "run", "ts", "js", "mjs", "yml", "yaml"];
    let mut complaints = Vec::new();
    for (path, text) in tree.ending(&endings) {
        for (at, line) in text.lines().enumerate() {
            let place = at + 1;
            for word in UNFINISHED.iter().filter(|word| stands_alone(line, word)) {
                complaints.push(format!("{path}:{place}: `{word}`: finish it, or say what holds today"));
            }
            for prefix in MACHINE.iter().filter(|prefix| line.contains(*prefix)) {
                complaints.push(format!("{path}:{place}: `{prefix}…` exists on one machine only"));
            }
            if line.contains(SILENCED) {
                complaints
                    .push(format!("{path}:{place}: use `#[expect(lint, reason = …)]`, which ends by itself"));
            }
        }
    }
    complaints
}

/// Whether the word stands in the line and is not part of a longer one.
fn stands_alone(line: &str, word: &str) -> bool {
    let letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let bounded = |at: usize| {
        let after = line.get(at + word.len()..).and_then(|rest| rest.chars().next());
        !letter(line.get(..at).and_then(|start| start.chars().next_back()))
            && !letter(after.filter(|_| letter(word.chars().last())))
    };
    line.match_indices(word).any(|(at, _)| bounded(at))
}

/// What is deployed reads its environment in one place. Programs that run here and tests may look for themselves.
pub(crate) fn environment(tree: &Tree) -> Vec<String> {
    let deployed = |path: &str| {
        (path.starts_with("functions/") || path.starts_with("shared/")) && path.contains("/src/")
    };
    let elsewhere = |path: &str| deployed(path) && path != READER;
    let mut complaints = Vec::new();
    for (path, text) in tree.ending(&["rs"]).filter(|(path, _)| elsewhere(path)) {
        for (at, line) in text.lines().enumerate() {
            if ENVIRONMENT.iter().any(|call| line.contains(call)) {
                let place = at + 1;
                complaints.push(format!(
                    "{path}:{place}: only `settings::Variables` reads the environment; take a value from Settings"
                ));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::{environment, openings, words};
    use crate::tree::Tree;

    #[track_caller]
    fn check(complaints: &[String], expected: Option<&str>) {
        match expected {
            Some(text) => assert!(complaints.iter().any(|c| c.contains(text)), "{complaints:?}"),
            None => assert!(complaints.is_empty(), "{complaints:?}"),
        }
    }

    #[test]
    fn a_file_without_an_opening_comment_is_found() {
        check(&openings(&Tree::of("a.rs", "use x;\n")), Some("a.rs: open it with `//!`"));
        check(&openings(&Tree::of("a.rs", "// Not for rustdoc.\n")), Some("a.rs: open it with `//!`"));
        check(&openings(&Tree::of("a.rs", "//! What it is for.\n")), None);
        check(&openings(&Tree::of("a.sql", "SELECT 1;\n")), Some("a.sql: open it with `--`"));
        check(&openings(&Tree::of("a.py", "#!/usr/bin/env python3\n\"\"\"What it is for.\"\"\"\n")), None);
        check(&openings(&Tree::of("a.py", "import os\n")), Some("a.py"));
        check(&openings(&Tree::of("a.sh", "#!/bin/sh\nset -e\n")), Some("a.sh: open it with `#`"));
        check(&openings(&Tree::of("Cargo.toml", "[package]\n")), Some("Cargo.toml"));
        check(&openings(&Tree::of("a.ts", "import x;\n")), Some("a.ts: open it with `//`"));
    }

    #[test]
    fn unfinished_work_and_machine_paths_are_found() {
        let todo = concat!("TO", "DO");
        check(&words(&Tree::of("a.rs", &format!("// {todo}: later\n"))), Some("a.rs:1: "));
        check(&words(&Tree::of("a.rs", &format!("// {todo}S are a list\n"))), None);
        check(&words(&Tree::of("a.rs", concat!("#[ig", "nore = \"slow\"]"))), Some("finish it"));
        check(&words(&Tree::of("a.md", concat!("see /wo", "rk/main"))), Some("exists on one machine only"));
        check(&words(&Tree::of("a.rs", concat!("#[all", "ow(dead_code)]"))), Some("use `#[expect("));
    }

    #[test]
    fn an_environment_variable_that_is_read_elsewhere_is_found() {
        let text = "let x = std::env::var(\"X\");";
        check(&environment(&Tree::of("shared/a/src/lib.rs", text)), Some("shared/a/src/lib.rs:1"));
        check(
            &environment(&Tree::of("functions/a/src/lib.rs", "env::var_os(\"X\")")),
            Some("functions/a/src/lib.rs:1"),
        );
        check(
            &environment(&Tree::of("functions/a/src/settings.rs", text)),
            Some("functions/a/src/settings.rs:1"),
        );
        check(&environment(&Tree::of("shared/settings/src/variables.rs", text)), None);
        check(&environment(&Tree::of("infra/local/src/main.rs", text)), None);
    }
}
