//! The one printer: results to standard output, everything else to standard error.

use std::error::Error;
use std::io::Write as _;

/// Prints a result line to standard output.
///
/// A reader that has gone away (`| head`) is not an error: there is nobody left to tell.
pub fn line(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// Prints a line for people to standard error: progress, hints, errors.
pub fn note(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// Prints a heading to standard error, so that the steps of a long task are easy to find.
pub fn heading(text: &str) {
    note(&format!("\n== {text}"));
}

/// One error with all its causes, each on its own line.
pub fn chain(who: &str, error: &dyn Error) -> String {
    let mut text = format!("{who}: {error}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!("\n  because: {error}");
        cause = error.source();
    }
    text
}

/// Rows as text columns: the first column to the left, figures in the others to the right.
///
/// A column counts as figures when there are digits below its heading and nothing else but `-`, `.` and `,`.
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let cell = |row: &Vec<String>, at: usize| row.get(at).cloned().unwrap_or_default();
    let columns: Vec<(usize, bool)> = heading
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let width = rows.iter().map(|row| cell(row, at).chars().count()).max().unwrap_or(0);
            let digits = |row: &Vec<String>| cell(row, at).contains(|c: char| c.is_ascii_digit());
            let figures =
                at > 0 && rows.iter().any(digits) && rows.iter().all(|row| is_figure(&cell(row, at)));
            (width.max(name.chars().count()), figures)
        })
        .collect();
    let print = |cells: Vec<String>| {
        let line = cells.iter().zip(&columns).fold(String::new(), |line, (cell, &(width, figures))| {
            if figures { line + &format!("  {cell:>width$}") } else { line + &format!("  {cell:<width$}") }
        });
        line.trim_end().to_owned()
    };
    let mut lines = vec![print(heading.iter().map(|name| (*name).to_owned()).collect())];
    lines.extend(rows.iter().map(|row| print((0..heading.len()).map(|at| cell(row, at)).collect())));
    lines.join("\n")
}

fn is_figure(cell: &str) -> bool {
    cell.chars().all(|c| c.is_ascii_digit() || "-.,".contains(c))
}

#[cfg(test)]
mod tests {
    use super::{chain, table};

    #[test]
    fn figures_align_to_the_right_and_words_to_the_left() {
        let rows = vec![
            vec!["orders".to_owned(), "7".to_owned(), "accepts".to_owned()],
            vec!["orders-dlq".to_owned(), "1200".to_owned(), "keeps".to_owned()],
        ];
        let expected =
            "  queue       visible  purpose\n  orders            7  accepts\n  orders-dlq     1200  keeps";
        assert_eq!(table(&["queue", "visible", "purpose"], &rows), expected);
    }

    #[test]
    fn words_that_start_with_a_digit_are_words() {
        let rows = vec![vec!["a".to_owned(), "97a9".to_owned()], vec!["b".to_owned(), "9".to_owned()]];
        assert_eq!(table(&["x", "id"], &rows), "  x  id\n  a  97a9\n  b  9");
    }

    #[test]
    fn a_short_row_prints_empty_cells() {
        assert_eq!(table(&["a", "b"], &[vec!["x".to_owned()]]), "  a  b\n  x");
    }

    #[test]
    fn an_error_prints_with_its_causes() {
        let source = std::io::Error::other("no such file");
        let error = crate::Error::Start { program: "cargo".to_owned(), source };
        let text = chain("cargo xtask", &error);
        assert_eq!(
            text,
            "cargo xtask: cannot start `cargo`: is it installed and on PATH?\n  because: no such file"
        );
    }
}
