//! The two scripts that hold the shared state: how they are called, and what they answer.

use std::collections::BTreeMap;
use std::time::Duration;

use redis_link::{Script, ScriptCall};

use super::limits::{Limits, RESERVED_MAX, TOLERANCE};
use super::{Ask, index_of};
use crate::{Denial, Endpoint, Grant, Permit, Report, Throttle, Verdict};

/// The one key: one slot, and no id in it.
const KEYS: [&str; 1] = ["{pay}:v1:gate"];

/// What the ages of attempts are rounded up to in reports, so that those of a batch are few kinds.
const AGE: Duration = Duration::from_millis(250);

/// How many numbers stand before the waits in an answer.
const HEAD: usize = 7;

/// The scripts, hashed once.
#[derive(Debug)]
pub(super) struct Scripts {
    permits: Script,
    report: Script,
}

/// What a process knows of the shared state from its last answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    /// When the shared state began; 0 if it was never seen.
    pub(super) born: i64,
    /// Whether the process was without Redis for a second or longer.
    pub(super) away: bool,
    /// How far ahead the endpoint was reserved.
    pub(super) ahead: Duration,
}

/// The shared state's answer to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// Why the permits beyond `waits` are denied, and when to ask again; `None` if all are given.
    pub(super) denial: Option<(Denial, Duration)>,
    /// Whether the one permit is a probe.
    pub(super) probe: bool,
    /// Whether every process must keep to its local share as well.
    pub(super) mixed: bool,
    /// How far ahead the endpoint is reserved.
    pub(super) ahead: Duration,
    /// When the shared state began.
    pub(super) born: i64,
    /// Permits a second that the endpoint's limit has left.
    pub(super) spare_per_s: u32,
    /// One wait for each permit given.
    pub(super) waits: Vec<Duration>,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let state = include_str!("state.lua");
        Self::of(state)
    }

    /// Scripts over another beginning: tests hand in the time.
    pub(super) fn of(state: &str) -> Self {
        Self {
            permits: Script::new(&format!("{state}\n{}", include_str!("permits.lua"))),
            report: Script::new(&format!("{state}\n{}", include_str!("report.lua"))),
        }
    }

    /// Asks for permits. `random` is below 1001.
    pub(super) fn permits(&self, ask: &Ask, limits: &Limits, known: Known, random: u64) -> ScriptCall<'_> {
        let arguments = vec![
            position(ask.endpoint),
            ask.wanted.to_string(),
            micros(ask.most_wait.min(RESERVED_MAX)),
            micros(limits.interval()),
            limits.window(ask.endpoint).to_string(),
            micros(TOLERANCE),
            random.to_string(),
            flag(ask.retry),
            known.born.to_string(),
            flag(known.away),
            micros(known.ahead),
        ];
        self.permits.call(&KEYS, arguments)
    }

    /// Reports what became of permits. `random` is below 1001.
    pub(super) fn report(&self, endpoint: Endpoint, reports: &[Report], random: u64) -> ScriptCall<'_> {
        let mut kinds: BTreeMap<(&str, bool, u128), usize> = BTreeMap::new();
        for report in reports {
            let ages = report.took.as_micros().div_ceil(AGE.as_micros());
            *kinds.entry((verdict(report.verdict), report.probe, ages * AGE.as_micros())).or_default() += 1;
        }
        let mut arguments = vec![position(endpoint), random.to_string(), kinds.len().to_string()];
        for ((verdict, probe, took_us), count) in kinds {
            arguments.extend([verdict.to_owned(), flag(probe), took_us.to_string(), count.to_string()]);
        }
        self.report.call(&KEYS, arguments)
    }
}

impl Answer {
    /// Reads what `permits.lua` returns; `None` if it is nothing of the kind.
    pub(super) fn read(numbers: &[i64]) -> Option<Self> {
        let (head, waits) = numbers.split_at_checked(HEAD)?;
        let [denial, retry_after, probe, mixed, ahead, born, spare] = *head else { return None };
        let denial = match denial {
            0 => None,
            1 => Some(Denial::RateLimited),
            2 => Some(Denial::BreakerOpen),
            3 => Some(Denial::NoRetryBudget),
            _ => return None,
        };
        Some(Self {
            denial: denial.map(|why| (why, from_micros(retry_after))),
            probe: probe == 1,
            mixed: mixed == 1,
            ahead: from_micros(ahead),
            born,
            spare_per_s: u32::try_from(spare).unwrap_or(0),
            waits: waits.iter().copied().map(from_micros).collect(),
        })
    }

    /// One permit for each that was wanted.
    pub(super) fn permits(&self, wanted: usize) -> Vec<Permit> {
        let go = |after: &Duration| Permit::Go(Grant { after: *after, probe: self.probe });
        let mut permits: Vec<Permit> = self.waits.iter().take(wanted).map(go).collect();
        let (why, retry_after) = self.denial.unwrap_or((Denial::RateLimited, RESERVED_MAX));
        permits.resize(wanted, Permit::Denied { why, retry_after });
        permits
    }
}

/// Lua counts from 1.
fn position(endpoint: Endpoint) -> String {
    (index_of(endpoint) + 1).to_string()
}

fn flag(is_so: bool) -> String {
    u8::from(is_so).to_string()
}

/// The number of a verdict, as `report.lua` has it.
const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Success => "1",
        Verdict::ProviderFault => "2",
        Verdict::Throttled(Throttle::GlobalRate) => "3",
        Verdict::Throttled(Throttle::EndpointRate) => "4",
        Verdict::Throttled(Throttle::GlobalConcurrency | Throttle::EndpointConcurrency) => "5",
        Verdict::Neutral | Verdict::Throttled(Throttle::ResourceSpecific) => "0",
    }
}

fn micros(duration: Duration) -> String {
    duration.as_micros().to_string()
}

fn from_micros(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}
