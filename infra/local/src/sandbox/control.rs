//! The levers: what has happened, and what shall happen from now on. The table is in [`crate::sandbox`].

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    Latency, Limits, Server,
    account::Plant,
    faults::{FaultPlan, Faults},
    ledger,
};
use crate::clock;

/// The most calls a second that a limit can be.
const RATE_MAX: u64 = 1_000_000;
/// The longest median.
const MEDIAN_MS_MAX: u64 = 60_000;
/// With more, one call in a hundred would take a thousand times the median.
const SIGMA_MAX: f64 = 3.0;
/// How far the clock may be moved at once: a year.
const ADVANCE_S_MAX: u64 = 366 * 24 * 60 * 60;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewClock {
    advance_s: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLimits {
    rate_per_s: Option<u64>,
    global_rate_per_s: Option<u64>,
    burst: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewLatency {
    median_ms: Option<u64>,
    sigma: Option<f64>,
    seed: Option<u64>,
}

/// Status and JSON of a request to the levers.
pub(super) fn answer(server: &Server, method: &str, path: &str, body: &[u8]) -> (u16, String) {
    let answered = match (method, path) {
        ("GET", "/ledger") => {
            // Added up without the lock: payments go on meanwhile.
            let entries = server.lock().account.entries();
            return (200, shown(&ledger::summarize(&entries)));
        }
        ("GET", "/entries") => {
            let entries = server.lock().account.entries();
            return (200, shown(&entries));
        }
        ("GET", "/figures") => Ok(json!(server.lock().figures())),
        ("GET", "/faults") => Ok(json!(server.lock().faults.remaining())),
        ("PUT", "/faults") => read(body).and_then(|new| set_faults(server, new)),
        ("PUT", "/clock") => read(body).and_then(|new| advance(server, &new)),
        ("PUT", "/limits") => read(body).and_then(|new| set_limits(server, &new)),
        ("PUT", "/latency") => read(body).and_then(|new| set_latency(server, &new)),
        ("POST", "/plant") => read(body).and_then(|new| plant(server, &new)),
        _ => return (404, json!({ "error": format!("there is no {method} /_sandbox{path}") }).to_string()),
    };
    match answered {
        Ok(answer) => (200, answer.to_string()),
        Err(problem) => (400, json!({ "error": problem }).to_string()),
    }
}

type Answer = Result<Value, String>;

/// As JSON; straight to text, since a ledger may be long.
fn shown(value: &impl Serialize) -> String {
    // Strings, numbers and maps with string keys always serialize.
    serde_json::to_string(value).unwrap_or_default()
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|error| error.to_string())
}

fn set_faults(server: &Server, plan: FaultPlan) -> Answer {
    if let Some(problem) = plan.problem() {
        return Err(problem);
    }
    let mut state = server.lock();
    state.tally.faults_changed(plan.faults.is_empty(), clock::now_ms());
    state.faults = Faults::new(plan);
    Ok(json!(state.faults.remaining()))
}

fn advance(server: &Server, new: &NewClock) -> Answer {
    if new.advance_s > ADVANCE_S_MAX {
        return Err(format!("advance_s: must be at most {ADVANCE_S_MAX}, a year"));
    }
    let mut state = server.lock();
    state.ahead_ms = state.ahead_ms.saturating_add(new.advance_s.saturating_mul(1_000));
    let now_ms = state.now_ms();
    state.keys.prune(now_ms / 1_000);
    state.account.expire_holds(now_ms);
    Ok(json!({ "now_s": now_ms / 1_000 }))
}

fn set_limits(server: &Server, new: &NewLimits) -> Answer {
    let mut state = server.lock();
    let now = state.limiter.limits();
    let limits = Limits {
        rate_per_s: new.rate_per_s.unwrap_or(now.rate_per_s),
        global_rate_per_s: new.global_rate_per_s.unwrap_or(now.global_rate_per_s),
        burst: new.burst.unwrap_or(now.burst),
    };
    let rates = [("rate_per_s", limits.rate_per_s), ("global_rate_per_s", limits.global_rate_per_s)];
    if let Some((name, _)) = rates.into_iter().find(|(_, rate)| !(1..=RATE_MAX).contains(rate)) {
        return Err(format!("{name}: must be 1 to {RATE_MAX}"));
    }
    if limits.burst > RATE_MAX {
        return Err(format!("burst: must be at most {RATE_MAX}"));
    }
    state.limiter.set(limits);
    Ok(json!(limits))
}

fn set_latency(server: &Server, new: &NewLatency) -> Answer {
    let mut state = server.lock();
    let now = state.latency;
    let latency =
        Latency { median_ms: new.median_ms.unwrap_or(now.median_ms), sigma: new.sigma.unwrap_or(now.sigma) };
    if latency.median_ms > MEDIAN_MS_MAX {
        return Err(format!("median_ms: must be at most {MEDIAN_MS_MAX}"));
    }
    if !(0.0..=SIGMA_MAX).contains(&latency.sigma) {
        return Err(format!("sigma: must be 0 to {SIGMA_MAX}"));
    }
    state.latency = latency;
    if let Some(seed) = new.seed {
        state.random = fastrand::Rng::with_seed(seed);
    }
    Ok(json!(latency))
}

fn plant(server: &Server, new: &Plant) -> Answer {
    if new.order_id.is_empty() {
        return Err("order_id: must not be empty".to_owned());
    }
    let mut state = server.lock();
    let now_ms = state.now_ms();
    Ok(json!({ "payment_id": state.account.plant(new, now_ms) }))
}
