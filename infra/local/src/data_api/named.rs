//! Named parameters, `:name`, as the Data API reads them, turned into PostgreSQL's `$1`.
//!
//! A colon inside a text, a quoted name, a comment or a dollar-quoted body is no parameter, and `::` is a
//! cast. What PostgreSQL's own lexer would take as one token is skipped as one; what is never closed reaches
//! to the end, and PostgreSQL says so.

/// A statement with its parameters numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// The statement with `$1`, `$2`, … in place of names.
    pub(super) sql: String,
    /// The names in order of their numbers; a name used twice has one number.
    pub(super) names: Vec<String>,
    /// What the statement does, by its first word.
    pub(super) kind: Kind,
}

/// What a statement does to the connection it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Returns rows, changes nothing but by what it calls.
    Query,
    /// Changes rows.
    Write,
    /// Changes the session or works with something that lives in it (settings, cursors, savepoints).
    Session,
    /// Anything else, such as changes of the schema: prepared statements may no longer fit.
    Schema,
}

/// Numbers the parameters of a statement.
pub(super) fn rewrite(sql: &str) -> Named {
    let mut named = Named { sql: String::with_capacity(sql.len()), names: Vec::new(), kind: Kind::Schema };
    let mut first_word = None;
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        if let Some(name) = parameter(rest) {
            let number = number_of(&mut named.names, name);
            named.sql.push_str(&format!("${number}"));
            rest = rest.get(1 + name.len()..).unwrap_or_default();
            continue;
        }
        let (token, behind) = rest.split_at_checked(token_length(c, rest)).unwrap_or((rest, ""));
        if first_word.is_none() && c.is_ascii_alphabetic() {
            first_word = Some(token);
        }
        named.sql.push_str(token);
        rest = behind;
    }
    named.kind = kind(first_word.unwrap_or_default());
    named
}

fn kind(first_word: &str) -> Kind {
    match first_word.to_ascii_uppercase().as_str() {
        "SELECT" | "WITH" | "VALUES" | "TABLE" | "SHOW" => Kind::Query,
        "INSERT" | "UPDATE" | "DELETE" | "MERGE" => Kind::Write,
        "DECLARE" | "FETCH" | "MOVE" | "CLOSE" | "SET" | "RESET" | "SAVEPOINT" | "RELEASE" | "ROLLBACK"
        | "BEGIN" | "START" | "COMMIT" | "LOCK" | "EXPLAIN" | "LISTEN" | "NOTIFY" | "DISCARD" => {
            Kind::Session
        }
        _ => Kind::Schema,
    }
}

/// The number of a name, its first use or a new one.
fn number_of(names: &mut Vec<String>, name: &str) -> usize {
    if let Some(index) = names.iter().position(|known| known == name) {
        return index + 1;
    }
    names.push(name.to_owned());
    names.len()
}

/// The name, if `rest` begins with a parameter.
fn parameter(rest: &str) -> Option<&str> {
    let name = rest.strip_prefix(':')?;
    if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return None;
    }
    let end = name.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(name.len());
    name.get(..end)
}

/// How many bytes of `rest`, which begins with `c` and with no parameter, belong together.
fn token_length(c: char, rest: &str) -> usize {
    match c {
        ':' if rest.starts_with("::") => 2,
        '\'' => quoted(rest, Escapes::Doubling),
        '"' => closed(rest, 1, "\""),
        '-' if rest.starts_with("--") => rest.find('\n').map_or(rest.len(), |end| end + 1),
        '/' if rest.starts_with("/*") => comment(rest),
        '$' => dollar_quoted(rest),
        _ if is_word(c) => word(rest),
        _ => c.len_utf8(),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A word; `E` right before a text makes the text part of it, because then a backslash escapes.
fn word(rest: &str) -> usize {
    let end = rest.find(|c: char| !(is_word(c) || c == '$')).unwrap_or(rest.len());
    let (word, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
    if word.eq_ignore_ascii_case("e") && behind.starts_with('\'') {
        return end + quoted(behind, Escapes::Backslash);
    }
    end
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    /// `''` only, which may as well be read as two texts side by side.
    Doubling,
    /// `''` and `\'`.
    Backslash,
}

fn quoted(rest: &str, escapes: Escapes) -> usize {
    let mut escaped = false;
    for (index, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if escapes == Escapes::Backslash => escaped = true,
            '\'' => {
                // A doubled quote must not end a text in which backslashes escape.
                let end = index + 1;
                let again = rest.get(end..).is_some_and(|behind| behind.starts_with('\''));
                if !(again && escapes == Escapes::Backslash) {
                    return end;
                }
                escaped = true;
            }
            _ => {}
        }
    }
    rest.len()
}

/// Up to and with the first `end` behind the `opening` bytes.
fn closed(rest: &str, opening: usize, end: &str) -> usize {
    let inside = rest.get(opening..).unwrap_or_default();
    inside.find(end).map_or(rest.len(), |at| opening + at + end.len())
}

/// A block comment, which may contain others.
fn comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(inside) = rest.get(at..).filter(|inside| !inside.is_empty()) {
        if inside.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if inside.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += inside.chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// `$tag$ … $tag$`, or a lone dollar sign.
fn dollar_quoted(rest: &str) -> usize {
    let inside = rest.get(1..).unwrap_or_default();
    let tag_end = inside.find(|c: char| !is_word(c)).unwrap_or(inside.len());
    let is_tag = !inside.starts_with(|c: char| c.is_ascii_digit())
        && inside.get(tag_end..).is_some_and(|behind| behind.starts_with('$'));
    match rest.get(..tag_end + 2) {
        Some(tag) if is_tag => closed(rest, tag.len(), tag),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(sql: &str, expected: &str, names: &[&str]) {
        let named = rewrite(sql);
        assert_eq!((named.sql.as_str(), named.names.as_slice()), (expected, names.map_strings().as_slice()));
    }

    /// For one-line cases.
    trait MapStrings {
        fn map_strings(&self) -> Vec<String>;
    }

    impl MapStrings for [&str] {
        fn map_strings(&self) -> Vec<String> {
            self.iter().map(|name| (*name).to_owned()).collect()
        }
    }

    #[track_caller]
    fn check_untouched(sql: &str) {
        check(sql, sql, &[]);
    }

    #[test]
    fn names_become_numbers() {
        check("SELECT :a", "SELECT $1", &["a"]);
        check("SELECT :a, :b, :a", "SELECT $1, $2, $1", &["a", "b"]);
        check("x=:a_1+:A", "x=$1+$2", &["a_1", "A"]);
        check("SELECT f(:a)::text", "SELECT f($1)::text", &["a"]);
        check("SELECT :a::jsonb", "SELECT $1::jsonb", &["a"]);
        check("SELECT :a:", "SELECT $1:", &["a"]);
        check("", "", &[]);
    }

    #[test]
    fn a_colon_that_is_no_parameter_stays() {
        check_untouched("SELECT 'a'::text");
        check_untouched("SELECT x[1:2], y := 3, a :5 : b");
    }

    #[test]
    fn texts_and_names_are_skipped() {
        check_untouched("SELECT 'it''s :a'");
        check_untouched(r#"SELECT '\', ":b""" '"#);
        check_untouched(r"SELECT E'\':a', e'x'':b\\'");
        check("SELECT E'\\\\', :a", "SELECT E'\\\\', $1", &["a"]);
        check(r"SELECT '\', :a", r"SELECT '\', $1", &["a"]);
        check("SELECT somee':a' :b", "SELECT somee':a' $1", &["b"]);
        check("SELECT ':a", "SELECT ':a", &[]);
    }

    #[test]
    fn comments_are_skipped() {
        check("-- :a\n:b", "-- :a\n$1", &["b"]);
        check("/* :a /* :b */ :c */ :d", "/* :a /* :b */ :c */ $1", &["d"]);
        check_untouched("SELECT 1 - -1 / 2 -- :a");
        check_untouched("/* :a /* */");
    }

    #[test]
    fn dollar_quoted_bodies_are_skipped() {
        check("$$ :a $$ :b", "$$ :a $$ $1", &["b"]);
        check("$x$ :a $y$ $$ :b $x$ :c", "$x$ :a $y$ $$ :b $x$ $1", &["c"]);
        check("a$b :c", "a$b $1", &["c"]);
        check("$1 :a", "$1 $1", &["a"]);
        check_untouched("$$ :a");
    }

    #[track_caller]
    fn check_kind(sql: &str, expected: Kind) {
        assert_eq!(rewrite(sql).kind, expected, "{sql}");
    }

    #[test]
    fn the_first_word_tells_the_kind() {
        check_kind("-- insert\n (select 1)", Kind::Query);
        check_kind("With x as (select 1) select * from x", Kind::Query);
        check_kind("insert into t values (1)", Kind::Write);
        check_kind("DECLARE c CURSOR FOR SELECT 1", Kind::Session);
        check_kind("CREATE TABLE t ()", Kind::Schema);
        check_kind("", Kind::Schema);
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(sql in ".*") {
            let named = rewrite(&sql);
            prop_assert!(named.names.is_empty() == (named.sql == sql));
        }

        #[test]
        fn a_quoted_parameter_is_never_bound(inside in "[a-z :'$/*-]*") {
            let quoted = inside.replace('\'', "''");
            let named = rewrite(&format!("SELECT '{quoted}' || :outside"));
            prop_assert_eq!(named.names, ["outside"]);
        }
    }
}
