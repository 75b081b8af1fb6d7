//! Failures on demand: what is rare on AWS happens here to the next calls that match.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::exception::Exception;

/// A failure that the next matching calls get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// To how many calls it still happens.
    #[serde(default = "once")]
    pub times: u64,
    /// Only to calls whose SQL contains this; without it to any call, also of a transaction's begin and end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql_contains: Option<String>,
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The work is done, then the connection is closed without an answer.
    DropAfterCommit,
    /// The connection is closed, nothing is done.
    DropBefore,
    /// `ThrottlingException`, nothing is done.
    Throttle,
    /// `DatabaseResumingException`, nothing is done.
    Resuming,
    /// `DatabaseUnavailableException`, nothing is done.
    Unavailable,
    /// `InternalServerErrorException`, nothing is done.
    Internal,
    /// Nothing is done and nothing answered until the client gives up.
    Hang,
}

impl FaultKind {
    /// The error it is answered with, if it is one.
    pub(super) fn exception(self) -> Option<Exception> {
        Some(match self {
            Self::DropAfterCommit | Self::DropBefore | Self::Hang => return None,
            Self::Throttle => Exception::throttling("Rate exceeded"),
            Self::Resuming => Exception::resuming(
                "The Aurora DB instance is resuming after being auto-paused. Please wait a few seconds and try again.",
            ),
            Self::Unavailable => {
                Exception::unavailable("The writer instance in the DB cluster isn't available")
            }
            Self::Internal => Exception::internal("An internal error occurred"),
        })
    }
}

fn once() -> u64 {
    1
}

/// The failures that are still to come.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    pub(super) fn replace(&self, faults: Vec<Fault>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    pub(super) fn remaining(&self) -> Vec<Fault> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes one time of the first fault that matches.
    pub(super) fn take(&self, sql: Option<&str>) -> Option<FaultKind> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        faults.retain(|fault| fault.times > 0);
        let matching = faults.iter_mut().find(|fault| match &fault.sql_contains {
            Some(part) => sql.is_some_and(|sql| sql.contains(part)),
            None => true,
        })?;
        matching.times -= 1;
        let kind = matching.kind;
        faults.retain(|fault| fault.times > 0);
        Some(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(json: &str) -> Faults {
        let faults = Faults::default();
        faults.replace(serde_json::from_str(json).unwrap());
        faults
    }

    #[test]
    fn a_fault_happens_as_often_as_it_says() {
        let faults =
            faults(r#"[{"kind":"throttle","times":2},{"kind":"hang"},{"kind":"internal","times":0}]"#);
        let taken: Vec<_> = (0..4).map(|_| faults.take(None)).collect();
        let throttle = Some(FaultKind::Throttle);
        assert_eq!(taken, [throttle, throttle, Some(FaultKind::Hang), None]);
        assert!(faults.remaining().is_empty());
    }

    #[test]
    fn a_fault_may_wait_for_its_statement() {
        let faults = faults(r#"[{"kind":"resuming","sql_contains":"accept"}]"#);
        assert_eq!(faults.take(Some("SELECT 1")), None);
        assert_eq!(faults.take(None), None);
        assert_eq!(faults.take(Some("SELECT accept()")), Some(FaultKind::Resuming));
        assert_eq!(faults.take(Some("SELECT accept()")), None);
    }

    #[test]
    fn an_unknown_kind_or_key_is_refused() {
        for json in [r#"[{"kind":"explode"}]"#, r#"[{"kind":"hang","time":1}]"#] {
            assert!(serde_json::from_str::<Vec<Fault>>(json).is_err(), "{json}");
        }
    }
}
