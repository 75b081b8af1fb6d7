//! What became of one record: the only thing a function says about it.

/// The end of one record's processing in this invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its effects are committed and what had to be published is published: it may be deleted.
    Done,
    /// It can never succeed and names no order that could tell its sender: a person must look.
    Quarantine {
        /// The reason's wire name, for example `not_json`.
        reason: &'static str,
        /// Where and how, without any content of the message.
        detail: String,
        /// Whether the body may be kept.
        body: Body,
    },
    /// It may succeed later; nothing is lost by running it again.
    Retry {
        /// Why, for the log: a short name such as `database_resuming`.
        why: &'static str,
        /// How long the queue should hold it back.
        wait: Wait,
    },
}

/// Whether the body of a quarantined message may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Kept as received; the quarantine queue is encrypted and its readers are named.
    Kept,
    /// Replaced by its SHA-256: it may hold card data.
    Hashed,
}

/// How long a message that is to be retried stays invisible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Full jitter that grows with the receive count, up to 300 s.
    Backoff,
    /// This many seconds.
    Seconds(u32),
    /// Not at all: it was never started, so another instance may have it now.
    None,
}
