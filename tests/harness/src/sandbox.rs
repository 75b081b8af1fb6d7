//! The payment sandbox's control endpoints: its ledger, its figures, and levers to break it.
//!
//! The ledger is append-only and written by the sandbox alone, so it is what money is judged by: no function of ours
//! can make it look better than it is.

use crate::figures::Percentiles;
use crate::stack::Info;
use crate::{Error, http};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What the provider has of one order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Charges {
    /// Taken from the customer, in minor units, over all charges of the order.
    pub captured_minor: i64,
    /// How often money was taken.
    pub captures: u64,
    /// Charges whose money is held.
    pub holds: u64,
    /// ISO 4217, in whatever case the wire uses.
    pub currency: String,
    /// Every charge that names the order.
    pub payment_ids: Vec<String>,
}

/// What the provider has of all orders.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// By order.
    pub orders: BTreeMap<String, Charges>,
    /// Orders from which money was taken more than once.
    pub double_captures: Vec<String>,
    /// Charges whose money is still held, neither taken nor released.
    pub orphan_holds: Vec<String>,
}

/// What the provider has counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// Calls by endpoint, then by status class.
    pub calls: BTreeMap<String, BTreeMap<String, u64>>,
    /// Calls that arrived, answered or not.
    pub calls_total: u64,
    /// Calls beyond the quota.
    pub answered_429: u64,
    /// Calls that met a fault, by kind.
    pub refused_by_fault: BTreeMap<String, u64>,
    /// Most calls in any sliding second: accepted ones by endpoint and `global`, and `offered`, refused ones included.
    pub peak_per_s: BTreeMap<String, u64>,
    /// How long the provider took.
    pub provider_ms: Percentiles,
    /// When it first succeeded after its last fault was cleared, in Unix milliseconds.
    pub first_success_ms: Option<u64>,
}

/// A defect to be planted into the ledger, in the sandbox's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Defect {
    /// An order's money is taken once more.
    DoubleCapture,
    /// An order's money is held once more.
    OrphanHold,
    /// An order's money is not what it agreed to pay.
    Mismatch,
}

/// The ledger as it stands.
///
/// # Errors
/// As [`http::call`]; [`Error::Unreadable`] when it does not have the agreed form.
pub async fn ledger(info: &Info) -> Result<Ledger, Error> {
    let answer = control(info, "GET", "ledger", &Value::Null).await?;
    serde_json::from_value(answer)
        .map_err(|source| Error::Unreadable { what: "the sandbox's ledger".to_owned(), source })
}

/// The figures as they stand.
///
/// # Errors
/// As [`ledger`].
pub async fn figures(info: &Info) -> Result<Figures, Error> {
    let answer = control(info, "GET", "figures", &Value::Null).await?;
    serde_json::from_value(answer)
        .map_err(|source| Error::Unreadable { what: "the sandbox's figures".to_owned(), source })
}

/// Replaces all faults by these, drawn from this seed; none clears them.
///
/// # Errors
/// As [`http::call`].
pub async fn set_faults(info: &Info, seed: u64, faults: &[Value]) -> Result<(), Error> {
    control(info, "PUT", "faults", &json!({"seed": seed, "faults": faults})).await.map(drop)
}

/// A fault of all calls to `endpoint` (`*` for every one), with this probability.
pub fn fault(kind: &str, endpoint: &str, probability: f64) -> Value {
    json!({"kind": kind, "endpoint": endpoint, "probability": probability, "times": null, "latency_ms": null})
}

/// The next `times` calls to `endpoint` fail in this way.
pub fn fault_times(kind: &str, endpoint: &str, times: u64) -> Value {
    json!({"kind": kind, "endpoint": endpoint, "probability": 1.0, "times": times, "latency_ms": null})
}

/// Sets the provider's quota: so many calls a second to each endpoint, and four times that to all.
///
/// # Errors
/// As [`http::call`].
pub async fn set_quota(info: &Info, rate_per_s: u32) -> Result<(), Error> {
    let limits =
        json!({"rate_per_s": rate_per_s, "global_rate_per_s": rate_per_s.saturating_mul(4), "burst": 0});
    control(info, "PUT", "limits", &limits).await.map(drop)
}

/// Moves the provider's clock forward, as if so many seconds had passed there.
///
/// # Errors
/// As [`http::call`].
pub async fn advance_clock(info: &Info, seconds: u64) -> Result<(), Error> {
    control(info, "PUT", "clock", &json!({"advance_s": seconds})).await.map(drop)
}

/// Plants a defect into the ledger.
///
/// # Errors
/// As [`http::call`].
pub async fn plant(info: &Info, defect: Defect, order_id: &str) -> Result<(), Error> {
    let kind = match defect {
        Defect::DoubleCapture => "double_capture",
        Defect::OrphanHold => "orphan_hold",
        Defect::Mismatch => "mismatch",
    };
    control(info, "POST", "plant", &json!({"kind": kind, "order_id": order_id})).await.map(drop)
}

async fn control(info: &Info, method: &'static str, what: &str, body: &Value) -> Result<Value, Error> {
    http::call(method, &format!("{}/_sandbox/{what}", info.sandbox_url), body).await
}
