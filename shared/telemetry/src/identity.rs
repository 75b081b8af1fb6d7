//! Who a process is, as its lines say it.

use std::sync::OnceLock;

static CURRENT: OnceLock<Identity> = OnceLock::new();

/// Whoever `init` has named; nobody in a process that has no function.
pub(crate) fn current() -> &'static Identity {
    CURRENT.get_or_init(|| Identity::new("none", None))
}

/// Names this process, once.
pub(crate) fn set(identity: Identity) {
    CURRENT.get_or_init(|| identity);
}

/// The name of the function, and what it is called where it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    function: &'static str,
    faas_name: String,
}

impl Identity {
    /// `function` is the folder and binary, for example `process-orders`; `faas_name` the name of the Lambda function,
    /// which the platform tells in `AWS_LAMBDA_FUNCTION_NAME` and which names the stage as well. Without one it is the
    /// function's.
    pub(crate) fn new(function: &'static str, faas_name: Option<String>) -> Self {
        Self { function, faas_name: faas_name.unwrap_or_else(|| function.to_owned()) }
    }

    /// The function: folder, package and binary.
    pub(crate) const fn function(&self) -> &'static str {
        self.function
    }

    /// The Lambda function.
    pub(crate) fn faas_name(&self) -> &str {
        &self.faas_name
    }
}
