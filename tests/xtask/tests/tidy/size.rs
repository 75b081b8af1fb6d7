//! Size: files of at most 500 lines, functions of at most 70, in every language.

use crate::tree::Tree;

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Endings of what people write and read as code.
const CODE: [&str; 9] = ["rs", "py", "sh", "run", "ts", "js", "mjs", "sql", "md"];

pub(crate) fn files(tree: &Tree) -> Vec<String> {
    tree.ending(&CODE)
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(path, lines)| format!("{path}: {lines} lines; split it, {FILE_LINES_MAX} at most"))
        .collect()
}

/// Functions by indentation: formatters put the end of a function where its beginning is, in every language here.
pub(crate) fn functions(tree: &Tree) -> Vec<String> {
    let mut complaints = Vec::new();
    for (path, text) in tree.ending(&["rs", "py", "sh", "run", "ts", "js", "mjs"]) {
        let lines: Vec<&str> = text.lines().collect();
        let python = path.ends_with(".py");
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| opens_function(line)) {
            let length = if python { indented_length(&lines[at..]) } else { braced_length(&lines[at..]) };
            if length > FUNCTION_LINES_MAX {
                let name = line.trim();
                let place = at + 1;
                complaints.push(format!(
                    "{path}:{place}: {length} lines in `{name}`; {FUNCTION_LINES_MAX} at most"
                ));
            }
        }
    }
    complaints
}

fn opens_function(line: &str) -> bool {
    let words = line.trim_start();
    let rust =
        words.split(['(', '<', '"']).next().is_some_and(|head| head.split(' ').any(|word| word == "fn"));
    let python = words.starts_with("def ") || words.starts_with("async def ");
    let script = words.contains("function ") && words.ends_with('{');
    let shell = words.ends_with("() {");
    let comment = words.starts_with("//") || words.starts_with('#') || words.starts_with('*');
    !comment && (rust || python || script || shell)
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Lines up to the first closing brace at the beginning's indentation; a signature that ends at once is 1.
fn braced_length(lines: &[&str]) -> usize {
    let first = lines[0];
    if first.ends_with(';') || first.ends_with('}') {
        return 1;
    }
    let ends = |line: &&str| indent(line) == indent(first) && line.trim_start().starts_with('}');
    lines.iter().skip(1).position(ends).map_or(1, |at| at + 2)
}

/// Lines up to the last one that is indented deeper than the beginning.
fn indented_length(lines: &[&str]) -> usize {
    let inside = |line: &&&str| {
        line.trim().is_empty() || indent(line) > indent(lines[0]) || line.trim_start().starts_with(')')
    };
    let body: Vec<_> = lines.iter().skip(1).take_while(inside).collect();
    1 + body.len() - body.iter().rev().take_while(|line| line.trim().is_empty()).count()
}

#[cfg(test)]
mod tests {
    use super::{files, functions};
    use crate::tree::Tree;

    #[track_caller]
    fn check(path: &str, text: &str, expected: &str) {
        let complaints = functions(&Tree::of(path, text));
        assert_eq!(complaints.first().map_or("", String::as_str), expected);
    }

    #[test]
    fn a_long_file_is_found() {
        assert!(files(&Tree::of("a.rs", &"\n".repeat(500))).is_empty());
        let complaints = files(&Tree::of("a.rs", &"\n".repeat(501)));
        assert_eq!(complaints, ["a.rs: 501 lines; split it, 500 at most"]);
    }

    #[test]
    fn a_long_function_is_found_in_every_language() {
        let body = "    x\n".repeat(69);
        check("a.rs", &format!("fn long() {{\n{body}}}\n"), "a.rs:1: 71 lines in `fn long() {`; 70 at most");
        check("a.rs", &format!("fn fits() {{\n{}}}\n", "    x\n".repeat(68)), "");
        check("a.rs", &format!("trait T {{\n    fn short();\n{body}}}\n"), "");
        check(
            "a.py",
            &format!("def long():\n{body}    x\n\n\nx = 1\n"),
            "a.py:1: 71 lines in `def long():`; 70 at most",
        );
        check("a.sh", &format!("long() {{\n{body}}}\n"), "a.sh:1: 71 lines in `long() {`; 70 at most");
        check(
            "a.ts",
            &format!("export function long() {{\n{body}}}\n"),
            "a.ts:1: 71 lines in `export function long() {`; 70 at most",
        );
    }
}
