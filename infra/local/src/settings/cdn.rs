//! How long the catalog is cached on its way to a browser, as the function that shows it is told.

use std::time::Duration;

use super::node::Node;

/// The times that the function writes into its answers.
#[derive(Debug, Clone)]
pub struct Cdn {
    /// In the browser.
    pub max_age: Duration,
    /// In the CDN.
    pub shared_max_age: Duration,
    /// After that, once more, while a fresh page is fetched.
    pub stale_while_revalidate: Duration,
    /// After that, while the function answers with errors.
    pub stale_if_error: Duration,
    /// How long it is remembered that there is nothing.
    pub not_found_max_age: Duration,
}

impl Cdn {
    pub(super) fn read(node: &mut Node<'_>) -> Self {
        let mut seconds = |name: &str| Duration::from_secs(node.number(name));
        Self {
            max_age: seconds("max_age_s"),
            shared_max_age: seconds("shared_max_age_s"),
            stale_while_revalidate: seconds("stale_while_revalidate_s"),
            stale_if_error: seconds("stale_if_error_s"),
            not_found_max_age: seconds("not_found_max_age_s"),
        }
    }

    /// The time that a setting's name stands for.
    pub(crate) fn time(&self, name: &str) -> Option<Duration> {
        match name {
            "max_age_s" => Some(self.max_age),
            "shared_max_age_s" => Some(self.shared_max_age),
            "stale_while_revalidate_s" => Some(self.stale_while_revalidate),
            "stale_if_error_s" => Some(self.stale_if_error),
            "not_found_max_age_s" => Some(self.not_found_max_age),
            _ => None,
        }
    }
}
