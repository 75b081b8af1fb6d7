//! Failures on demand: drawn by a seeded generator, so that a run can be repeated.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::endpoints::Endpoint;

/// How long a brown-out holds its calls up when it does not say.
const BROWN_OUT: Duration = Duration::from_secs(2);

/// All faults from now on, in place of those before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// The same seed and the same calls in the same order meet the same faults.
    #[serde(default)]
    pub seed: u64,
    /// Tried in this order; a call meets the first that hits. None is an end of all faults.
    pub faults: Vec<Fault>,
}

/// A failure that hits some calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What happens.
    pub kind: FaultKind,
    /// To calls of which endpoint.
    #[serde(default)]
    pub endpoint: Target,
    /// To which part of them, above 0 and at most 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// To how many at most; without it there is no end.
    #[serde(default)]
    pub times: Option<u64>,
    /// After how much time; for a brown-out, how much slower it makes calls (without it 2 s).
    #[serde(default)]
    pub latency_ms: Option<u64>,
}

/// Which calls a fault is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// All.
    #[default]
    #[serde(rename = "*")]
    Any,
    /// Those of one endpoint.
    #[serde(untagged)]
    One(Endpoint),
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Nothing is executed, the connection is reset.
    ResetBefore,
    /// It is executed, then the connection is reset.
    ResetAfter,
    /// It is executed; headers and half of the body arrive, then the connection ends.
    HalfBody,
    /// Nothing is executed and nothing answered.
    Hang,
    /// Nothing is executed; 500, saved under the key.
    #[serde(rename = "error_500")]
    Error500,
    /// It is executed; 500, saved under the key.
    #[serde(rename = "error_500_with_effect")]
    Error500WithEffect,
    /// Nothing is executed; 429 as from the limiter.
    #[serde(rename = "error_429")]
    Error429,
    /// Nothing is executed and nothing saved; 503.
    #[serde(rename = "error_503")]
    Error503,
    /// One half is turned away with 503, the other executed, both after a while.
    BrownOut,
    /// The connection is accepted, and nothing is read from it.
    Blackhole,
}

impl FaultKind {
    /// The name in faults and figures.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ResetBefore => "reset_before",
            Self::ResetAfter => "reset_after",
            Self::HalfBody => "half_body",
            Self::Hang => "hang",
            Self::Error500 => "error_500",
            Self::Error500WithEffect => "error_500_with_effect",
            Self::Error429 => "error_429",
            Self::Error503 => "error_503",
            Self::BrownOut => "brown_out",
            Self::Blackhole => "blackhole",
        }
    }
}

const fn always() -> f64 {
    1.0
}

impl FaultPlan {
    /// What makes no sense in it, if anything does not.
    pub(super) fn problem(&self) -> Option<String> {
        let unlikely = |fault: &Fault| !(fault.probability > 0.0 && fault.probability <= 1.0);
        let at = self.faults.iter().position(unlikely)?;
        Some(format!("faults[{at}].probability: must be above 0 and at most 1"))
    }
}

/// A fault that a call has met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) kind: FaultKind,
    pub(super) delay: Duration,
    /// Whether a brown-out turns this call away.
    pub(super) refuses: bool,
}

/// The faults that are still to come.
#[derive(Debug)]
pub(super) struct Faults {
    plan: FaultPlan,
    random: fastrand::Rng,
}

impl Faults {
    pub(super) fn new(plan: FaultPlan) -> Self {
        let random = fastrand::Rng::with_seed(plan.seed);
        Self { plan, random }
    }

    /// Those that can still hit.
    pub(super) const fn remaining(&self) -> &FaultPlan {
        &self.plan
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.plan.faults.is_empty()
    }

    /// Whether every call meets a black hole, so that none need be read.
    pub(super) fn swallows_all(&self) -> bool {
        self.plan.faults.first().is_some_and(|fault| {
            let Fault { kind, endpoint, probability, times, .. } = fault;
            *kind == FaultKind::Blackhole
                && *endpoint == Target::Any
                && *probability >= 1.0
                && times.is_none()
        })
    }

    /// The fault that the next call of this endpoint meets.
    pub(super) fn draw(&mut self, endpoint: Endpoint) -> Option<Hit> {
        let Self { plan, random } = self;
        let hits = |fault: &&mut Fault| {
            let concerned = matches!(fault.endpoint, Target::Any) || fault.endpoint == Target::One(endpoint);
            concerned && random.f64() < fault.probability
        };
        let fault = plan.faults.iter_mut().find(hits)?;
        fault.times = fault.times.map(|times| times.saturating_sub(1));
        let delay = fault.latency_ms.map(Duration::from_millis);
        let (kind, delay, refuses) = match fault.kind {
            FaultKind::BrownOut => (FaultKind::BrownOut, delay.unwrap_or(BROWN_OUT), random.bool()),
            kind => (kind, delay.unwrap_or_default(), false),
        };
        plan.faults.retain(|fault| fault.times != Some(0));
        Some(Hit { kind, delay, refuses })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(json: &str) -> Faults {
        Faults::new(serde_json::from_str(json).unwrap())
    }

    #[test]
    fn a_fault_hits_its_endpoint_as_often_as_it_says() {
        let mut faults = faults(
            r#"{"seed":7,"faults":[{"kind":"error_503","endpoint":"capture","probability":1.0,"times":2,"latency_ms":5},
                {"kind":"hang","endpoint":"*"}]}"#,
        );
        let hit = |kind, ms| Some(Hit { kind, delay: Duration::from_millis(ms), refuses: false });
        assert_eq!(faults.draw(Endpoint::Capture), hit(FaultKind::Error503, 5));
        assert_eq!(faults.draw(Endpoint::Cancel), hit(FaultKind::Hang, 0));
        assert_eq!(faults.draw(Endpoint::Capture), hit(FaultKind::Error503, 5));
        assert_eq!(faults.draw(Endpoint::Capture), hit(FaultKind::Hang, 0));
        assert_eq!(faults.remaining().faults.len(), 1);
    }

    #[test]
    fn a_seed_repeats_itself_and_a_probability_is_met() {
        let drawn = |seed: u64| {
            let json = format!(r#"{{"seed":{seed},"faults":[{{"kind":"reset_before","probability":0.3}}]}}"#);
            let mut faults = faults(&json);
            (0..1_000).map(|_| faults.draw(Endpoint::Authorize).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        let hits = drawn(7).into_iter().filter(|hit| *hit).count();
        assert!((250..350).contains(&hits), "{hits}");
    }

    #[test]
    fn what_is_misspelt_is_refused() {
        for json in [
            r#"{"faults":[{"kind":"explode"}]}"#,
            r#"{"faults":[{"kind":"hang","endpoint":"charge"}]}"#,
            r#"{"faults":[{"kind":"hang","probabilty":0.1}]}"#,
            r#"{"fault":[]}"#,
        ] {
            assert!(serde_json::from_str::<FaultPlan>(json).is_err(), "{json}");
        }
        let plan: FaultPlan =
            serde_json::from_str(r#"{"faults":[{"kind":"hang","probability":1.5}]}"#).unwrap();
        assert_eq!(plan.problem().unwrap(), "faults[0].probability: must be above 0 and at most 1");
    }

    #[test]
    fn every_kind_is_written_as_it_is_counted() {
        for kind in [
            FaultKind::ResetBefore,
            FaultKind::ResetAfter,
            FaultKind::HalfBody,
            FaultKind::Hang,
            FaultKind::Error500,
            FaultKind::Error500WithEffect,
            FaultKind::Error429,
            FaultKind::Error503,
            FaultKind::BrownOut,
            FaultKind::Blackhole,
        ] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
