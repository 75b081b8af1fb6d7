//! The reader that functions use: one call per variable, then [`Variables::finish`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::Secret;
use crate::parse;

/// The environment of a function while it is being read.
///
/// Each reader returns its value; where the variable is missing or unusable, it notes a [`Problem`] and returns an
/// empty placeholder. The values may be used only once [`finish`](Variables::finish) has said that there were no
/// problems.
///
/// ```
/// # fn main() -> Result<(), settings::Error> {
/// # let environment = [("ORDERFLOW_DATABASE", "orderflow"), ("ORDERFLOW_TIMEOUT_MS", "10000")];
/// # let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
/// let mut variables = settings::Variables::new(environment.into());
/// let database = variables.required("ORDERFLOW_DATABASE");
/// let timeout = variables.millis("ORDERFLOW_TIMEOUT_MS");
/// variables.finish()?;
/// # assert_eq!((database.as_str(), timeout.as_secs()), ("orderflow", 10));
/// # Ok(())
/// # }
/// ```
#[must_use = "values may be used only after `finish`"]
pub struct Variables {
    values: BTreeMap<String, String>,
    problems: Vec<Problem>,
}

impl Variables {
    /// Reads from `values`. A value that is empty or only spaces counts as missing: that is what an unresolved
    /// reference in a template deploys.
    pub fn new(values: BTreeMap<String, String>) -> Self {
        Self { values, problems: Vec::new() }
    }

    /// Reads from the process's environment. What is no Unicode is none of our variables, and left out.
    pub fn from_environment() -> Self {
        let text =
            |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self::new(std::env::vars_os().filter_map(text).collect())
    }

    /// Any text but an empty one, where there is any: what the platform sets, and may not.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        self.value(name).map(str::to_owned)
    }

    /// Any text but an empty one.
    pub fn required(&mut self, name: &str) -> String {
        self.read(name, "any text that is not empty", |text| Some(text.to_owned())).unwrap_or_default()
    }

    /// An `http` or `https` URL with a host and without user or password.
    pub fn url(&mut self, name: &str) -> String {
        self.read(name, "a URL such as https://host/path, without user and password", parse::http_url)
            .unwrap_or_default()
    }

    /// A `redis` or `rediss` URL, which may hold a password.
    pub fn secret_url(&mut self, name: &str) -> Secret {
        let must_be = "a URL such as redis://host:6379 or rediss://user:password@host:6379";
        Secret::new(self.read(name, must_be, parse::redis_url).unwrap_or_default())
    }

    /// An Amazon resource name.
    pub fn arn(&mut self, name: &str) -> String {
        self.read(name, "an ARN such as arn:aws:rds:eu-central-1:123456789012:cluster:orderflow", parse::arn)
            .unwrap_or_default()
    }

    /// A number of milliseconds, 1 to 900000: Lambda's longest timeout.
    pub fn millis(&mut self, name: &str) -> Duration {
        self.read(name, "a whole number of milliseconds from 1 to 900000", parse::millis).unwrap_or_default()
    }

    /// A whole number from 1 to 4294967295: what may be divided by, and waits that are none would not be.
    pub fn positive(&mut self, name: &str) -> NonZeroU32 {
        self.read(name, "a whole number from 1 to 4294967295", |text| text.parse().ok())
            .unwrap_or(NonZeroU32::MIN)
    }

    /// A whole number of seconds, at least 1.
    pub fn seconds(&mut self, name: &str) -> Duration {
        Duration::from_secs(self.positive(name).get().into())
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// One error with every problem, in the order in which the variables were read.
    pub fn finish(self) -> Result<(), Error> {
        if self.problems.is_empty() { Ok(()) } else { Err(Error { problems: self.problems }) }
    }

    fn read<T>(&mut self, name: &str, must_be: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = self.value(name);
        let (parsed, set) = (value.and_then(parse), value.is_some());
        if parsed.is_none() {
            self.problems.push(Problem { name: name.to_owned(), set, must_be: must_be.to_owned() });
        }
        parsed
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }
}

/// Names only: a value may be a secret.
impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables").field("problems", &self.problems).finish_non_exhaustive()
    }
}

/// What is wrong with one variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The variable's name.
    pub name: String,
    /// Whether it has a value that cannot be used, rather than none.
    pub set: bool,
    /// What it must hold, in a phrase.
    pub must_be: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = if self.set { "cannot be used" } else { "is not set" };
        write!(f, "{} {fault}: it must be {}", self.name, self.must_be)
    }
}

/// The environment is not what the function needs: set the variables that this names, then deploy again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("fix the function's environment: {}", joined(.problems))]
pub struct Error {
    /// At least one.
    pub problems: Vec<Problem>,
}

fn joined(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::{Error, Variables};
    use std::time::Duration;

    const SECRET: &str = "hunter2";

    fn variables(values: &[(&str, &str)]) -> Variables {
        Variables::new(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn what_is_there_and_usable_is_read_and_trimmed() {
        let mut variables = variables(&[
            ("DATABASE", " orderflow\n"),
            ("QUEUE", "https://sqs.eu-central-1.amazonaws.com/0/orders"),
            ("REDIS", "rediss://app:hunter2@cache:6379"),
            ("CLUSTER", "arn:aws:rds:eu-central-1:123456789012:cluster:orderflow"),
            ("TIMEOUT", "2500"),
            ("PARALLEL", "4"),
        ]);
        assert_eq!(variables.required("DATABASE"), "orderflow");
        assert_eq!(variables.url("QUEUE"), "https://sqs.eu-central-1.amazonaws.com/0/orders");
        assert_eq!(variables.secret_url("REDIS").expose(), "rediss://app:hunter2@cache:6379");
        assert!(variables.arn("CLUSTER").ends_with(":orderflow"));
        assert_eq!(variables.millis("TIMEOUT"), Duration::from_millis(2_500));
        assert_eq!(variables.positive("PARALLEL").get(), 4);
        assert_eq!(variables.seconds("PARALLEL"), Duration::from_secs(4));
        assert_eq!(variables.finish(), Ok(()));
    }

    #[test]
    fn every_problem_is_told_at_once_by_name_and_with_what_to_write() {
        let mut variables = variables(&[("DATABASE", "  "), ("TIMEOUT", "10 s"), ("PARALLEL", "0")]);
        variables.required("DATABASE");
        variables.url("QUEUE");
        variables.millis("TIMEOUT");
        variables.positive("PARALLEL");
        let error = variables.finish().unwrap_err();
        assert_eq!(
            error.to_string(),
            "fix the function's environment: DATABASE is not set: it must be any text that is not empty; \
             QUEUE is not set: it must be a URL such as https://host/path, without user and password; \
             TIMEOUT cannot be used: it must be a whole number of milliseconds from 1 to 900000; \
             PARALLEL cannot be used: it must be a whole number from 1 to 4294967295"
        );
    }

    fn every_reader_over(value: &str) -> (Variables, Error) {
        let read = || {
            let mut variables = variables(&[("V", value)]);
            variables.url("V");
            variables.secret_url("V");
            variables.arn("V");
            variables.millis("V");
            variables.positive("V");
            variables
        };
        (read(), read().finish().unwrap_err())
    }

    #[test]
    fn a_value_in_the_wrong_variable_is_never_repeated() {
        let (variables, error) = every_reader_over("ftp://app:hunter2@cache:6379");
        assert_eq!(error.problems.len(), 5);
        assert!(!format!("{variables:?} {error:?} {error}").contains(SECRET));
    }
}
