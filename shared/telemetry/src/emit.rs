//! Writes one JSON object as one line, in one call.

use std::io::{self, Write};

use serde::Serialize;

use crate::Counter;

/// Lines that could not be serialized or written. In Lambda, stdout is a socket of the runtime: a loss means that the
/// sandbox is going away.
pub static LOST_LINES: Counter = Counter::new();

/// Writes `line` to stdout as one line of JSON: the metrics or the summary of a batch. Never fails its caller; see
/// [`LOST_LINES`].
pub fn emit_line(line: &impl Serialize) {
    write_line(&mut io::stdout().lock(), line);
}

pub(crate) fn write_line(to: &mut impl Write, line: &impl Serialize) {
    let written = serde_json::to_vec(line).map_err(io::Error::from).and_then(|mut bytes| {
        bytes.push(b'\n');
        to.write_all(&bytes)?;
        to.flush()
    });
    if written.is_err() {
        LOST_LINES.increment();
    }
}

#[cfg(test)]
mod tests {
    use super::{LOST_LINES, write_line};
    use std::io::{self, Write};

    /// Remembers each write, or refuses them all.
    struct Writes {
        seen: Vec<String>,
        broken: bool,
    }

    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.broken {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.seen.push(String::from_utf8(bytes.to_vec()).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_write_and_line_breaks_inside_are_escaped() {
        let mut writes = Writes { seen: Vec::new(), broken: false };
        write_line(&mut writes, &serde_json::json!({"message": "two\nlines"}));
        assert_eq!(writes.seen, ["{\"message\":\"two\\nlines\"}\n"]);
    }

    #[test]
    fn a_lost_line_is_counted() {
        let before = LOST_LINES.value();
        write_line(&mut Writes { seen: Vec::new(), broken: true }, &"x");
        write_line(&mut io::sink(), &std::collections::BTreeMap::from([(vec![1_u8], 2)]));
        assert_eq!(LOST_LINES.value(), before + 2);
    }
}
