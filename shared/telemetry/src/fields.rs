//! The names of log fields: one thing has one name in code, logs, dashboards and alarms.
//!
//! `tracing` takes them in braces: `tracing::warn!({ fields::ORDER_ID } = id, "…")`; a field written by hand must use
//! the same spelling.

/// The order that a line is about. Opaque, never personal.
pub const ORDER_ID: &str = "order.id";
/// The queue's id of the message that a line is about.
pub const MESSAGE_ID: &str = "message.id";
/// How often that message was received, this time included.
pub const MESSAGE_RECEIVE_COUNT: &str = "message.receive_count";
/// W3C trace context of the message that a line is about.
pub const TRACEPARENT: &str = "traceparent";
/// Why something was rejected, quarantined or handed back: one snake-case word of a fixed list.
pub const REASON: &str = "reason";
/// An error's text; never holds values of parameters or rows.
pub const ERROR_MESSAGE: &str = "error.message";

/// Records in the batch.
pub const BATCH_SIZE: &str = "batch.size";
/// From the start of the invocation to its answer.
pub const DURATION_MS: &str = "duration_ms";
/// Whether the invocation was the first of its instance.
pub const COLD_START: &str = "cold_start";
/// The PostgreSQL error class and code, five characters.
pub const SQLSTATE: &str = "sqlstate";

#[cfg(test)]
mod tests {
    /// Names that `line.rs` writes into every line itself.
    const RESERVED: [&str; 4] = ["timestamp", "level", "message", "function"];

    #[test]
    fn names_are_dotted_lower_case_and_none_shadows_what_every_line_has() {
        let names = include_str!("fields.rs").lines().filter_map(|line| line.strip_prefix("pub const "));
        let names: Vec<&str> = names.map(|line| line.split('"').nth(1).unwrap()).collect();
        assert!(names.len() >= 10);
        for name in names {
            assert!(!RESERVED.contains(&name), "{name}");
            assert!(name.chars().all(|c| matches!(c, 'a'..='z' | '_' | '.')), "{name}");
        }
    }
}
