//! A text that is never printed.

use std::fmt;

/// A password, or a URL that holds one. It has no `Display`, no `Serialize`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the client that needs it. Do not store or format what this returns.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn debug_shows_nothing_of_a_secret_not_even_its_length() {
        let secret = Secret::new("rediss://app:hunter2@cache:6379");
        assert_eq!(format!("{secret:?} {:#?}", Some(Secret::new(""))), "Secret(…) Some(\n    Secret(…),\n)");
        assert_eq!(secret.expose(), "rediss://app:hunter2@cache:6379");
    }
}
