//! Commands: what a README or ARCHITECTURE.md quotes can be typed.
//!
//! Looked at: the lines of `sh` blocks, and inline code that starts with `cargo xtask`. Every `cargo xtask …` must
//! parse; every path of ours that a command names must exist.

use crate::tree::Tree;
use clap::Parser as _;

/// Where a path of ours begins.
const FOLDERS: [&str; 8] =
    ["functions/", "shared/", "infra/", "loadtests/", "tests/", ".ci/", "./", ".cargo/"];

pub(crate) fn quoted(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in tree.ending(&["md"]) {
        for (line, command) in commands(text) {
            if let Some(complaint) = parse(&command) {
                complaints.push(format!("{path}:{line}: `{command}` cannot be typed: {complaint}"));
            }
            for missing in missing_paths(tree, &command) {
                complaints.push(format!("{path}:{line}: `{command}` names {missing}, which does not exist"));
            }
        }
    }
    complaints
}

/// Line numbers and commands: all lines of `sh` blocks, and inline code that is a command of ours.
fn commands(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut block: Option<&str> = None;
    for (at, line) in text.lines().enumerate() {
        let number = at + 1;
        match (line.trim().strip_prefix("```"), block) {
            (Some(_), Some(_)) => block = None,
            (Some(language), None) => block = Some(language),
            (None, Some("sh")) => found.push((number, uncommented(line))),
            (None, Some(_)) => {}
            (None, None) => found.extend(inline(line).map(|code| (number, code))),
        }
    }
    found.retain(|(_, command)| !command.is_empty());
    found
}

fn inline(line: &str) -> impl Iterator<Item = String> {
    line.split('`').skip(1).step_by(2).filter(|code| code.starts_with("cargo xtask")).map(str::to_owned)
}

/// A line without its prompt and its comment.
fn uncommented(line: &str) -> String {
    let line = line.trim().trim_start_matches("$ ");
    let end = line.find(" #").unwrap_or(line.len());
    let text = if line.starts_with('#') { "" } else { line.get(..end).unwrap_or(line) };
    text.trim().to_owned()
}

/// Why `cargo xtask …` does not parse, or nothing. `…` and `[…]` stand for whatever may follow.
fn parse(command: &str) -> Option<String> {
    let words = command.split_whitespace().skip_while(|word| word.contains('='));
    let words: Vec<&str> = words.take_while(|word| !["|", ">", "&&", "&", "…", "<"].contains(word)).collect();
    let ["cargo", "xtask", rest @ ..] = words.as_slice() else { return None };
    if rest.is_empty() {
        return None;
    }
    let alternatives = rest.iter().map(|word| word.split('|').next().unwrap_or(word));
    let error = xtask::cli::Cli::try_parse_from(["xtask"].into_iter().chain(alternatives)).err()?;
    let help = error.kind() == clap::error::ErrorKind::DisplayHelp;
    (!help).then(|| error.to_string().lines().next().unwrap_or_default().to_owned())
}

fn missing_paths(tree: &Tree, command: &str) -> Vec<String> {
    let words = command.split([' ', '=', '@', '\'', '"']);
    let ours = words.filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)));
    let paths = ours
        .map(|word| word.trim_start_matches("./").trim_end_matches('/'))
        .filter(|path| !path.contains(['*', '$', '<']));
    paths.filter(|path| !path.is_empty() && !tree.paths.contains(*path)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{commands, quoted};
    use crate::tree::Tree;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let complaints = quoted(&Tree::of("README.md", text));
        match expected {
            Some(text) => assert!(complaints.iter().any(|c| c.contains(text)), "{complaints:?}"),
            None => assert!(complaints.is_empty(), "{complaints:?}"),
        }
    }

    #[test]
    fn a_command_that_does_not_exist_is_found() {
        check("```sh\ncargo xtask demo --orders 10   # a comment\n```\n", None);
        check(
            "```sh\n$ cargo xtask deploy\n```\n",
            Some("README.md:2: `cargo xtask deploy` cannot be typed"),
        );
        check("Run `cargo xtask demo --faster` now.", Some("README.md:1"));
        check("Run `cargo xtask dlq list|show` and `cargo xtask order ID`.", None);
        check("```text\ncargo xtask deploy\n```\n", None);
    }

    #[test]
    fn a_script_that_does_not_exist_is_found() {
        check("```sh\n.ci/run\n```\n", Some("names .ci/run, which does not exist"));
        check(
            "```sh\ncargo lambda invoke --data-file tests/fixtures/none.json x\n```\n",
            Some("tests/fixtures/none.json"),
        );
    }

    #[test]
    fn commands_are_taken_from_shell_blocks_and_inline_code() {
        let text =
            "`cargo xtask up`\n```sh\n# a comment\nFOO=1 cargo xtask down\n```\n```json\n{}\n```\n`ls`\n";
        let expected = [(1, "cargo xtask up".to_owned()), (4, "FOO=1 cargo xtask down".to_owned())];
        assert_eq!(commands(text), expected);
    }
}
