//! The course of an outage: what happens when, and what was counted at each of its moments.

use crate::sandbox::Figures;
use crate::stack::Info;
use crate::{Error, database, sandbox};
use backoff::{Clock as _, SystemClock};
use std::cell::Cell;
use std::time::Duration;
use tokio_postgres::Client;
use xtask::cli::{Outage, OutageKind};
use xtask::out;

/// Everything is warm and steady after so long.
const BEFORE: Duration = Duration::from_secs(10);

/// How long noticing the outage may take; what is called until then is counted apart.
const DETECTION: Duration = Duration::from_secs(2);

/// How long the load goes on after the backlog is gone, to see it stay away.
const AFTER: Duration = Duration::from_secs(5);

/// How often the backlog is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// A backlog that takes longer than so many times the bound, and this, is not waited for.
const PATIENCE: f64 = 3.0;
const PATIENCE_LEAST_S: f64 = 60.0;

/// The share of the quota that is used on purpose.
const SHARE: f64 = 0.9;

/// What was counted when.
#[derive(Debug, Clone, Default)]
pub(super) struct Moments {
    /// The outage begins: Unix milliseconds, and the provider's figures.
    pub(super) begun: (u64, Figures),
    /// It must have been noticed.
    pub(super) noticed: (u64, Figures),
    /// It is over.
    pub(super) cleared: (u64, Figures),
    /// Accepted orders that waited for their payment when it was over.
    pub(super) backlog: u64,
    /// Seconds until no more of them waited than before the outage; none when that was not waited for.
    pub(super) drain_s: Option<f64>,
}

/// Calls per second that are left for a backlog while orders keep arriving, at each endpoint: an order needs one call
/// of two of them.
pub(super) fn spare_per_s(options: &Outage) -> f64 {
    SHARE * f64::from(options.quota) - f64::from(options.rate)
}

/// The shortest time in which this backlog can be gone, in seconds.
pub(super) fn bound_s(options: &Outage, backlog: u64) -> f64 {
    crate::report::float(backlog) / spare_per_s(options)
}

/// Orders that are enough for the longest run.
pub(super) fn orders_at_most(options: &Outage) -> usize {
    let backlog = u64::from(options.rate) * u64::from(options.seconds);
    let longest = BEFORE.as_secs() + u64::from(options.seconds) + limit(options, backlog).as_secs() + 60;
    usize::try_from(u64::from(options.rate) * longest).unwrap_or(usize::MAX)
}

fn limit(options: &Outage, backlog: u64) -> Duration {
    Duration::from_secs_f64(PATIENCE * bound_s(options, backlog) + PATIENCE_LEAST_S)
}

/// Lets the provider fail in the middle of the load, and says `enough` when its effects are over.
pub(super) async fn outage(
    info: &Info,
    sql: &Client,
    options: &Outage,
    enough: &Cell<bool>,
) -> Result<Moments, Error> {
    let moments = course(info, sql, options).await;
    // Also when something failed: the sender must not go on for ever.
    enough.set(true);
    moments
}

async fn course(info: &Info, sql: &Client, options: &Outage) -> Result<Moments, Error> {
    SystemClock.sleep(BEFORE).await;
    let usual = waiting(sql).await?.max(u64::from(options.rate));
    let begun = moment(info).await?;
    sandbox::set_faults(info, options.seed, &[sandbox::fault(kind(options.kind), "*", 1.0)]).await?;
    out::note(&format!("The provider fails ({}) for {} s.", options.kind.as_str(), options.seconds));
    SystemClock.sleep(DETECTION).await;
    let noticed = moment(info).await?;
    SystemClock.sleep(Duration::from_secs(options.seconds.into()).saturating_sub(DETECTION)).await;
    let backlog = waiting(sql).await?;
    let cleared = moment(info).await?;
    sandbox::set_faults(info, options.seed, &[]).await?;
    let bound_s = bound_s(options, backlog);
    out::note(&format!("The provider is back. {backlog} orders wait; {bound_s:.0} s would be perfect."));
    let drain_s = drained(sql, usual, limit(options, backlog)).await?;
    SystemClock.sleep(AFTER).await;
    Ok(Moments { begun, noticed, cleared, backlog, drain_s })
}

/// Waits until no more than `usual` orders wait for their payment.
async fn drained(sql: &Client, usual: u64, limit: Duration) -> Result<Option<f64>, Error> {
    let start = SystemClock.monotonic();
    loop {
        let waiting = waiting(sql).await?;
        let elapsed = SystemClock.monotonic().saturating_sub(start);
        if waiting <= usual {
            return Ok(Some(elapsed.as_secs_f64()));
        }
        if elapsed > limit {
            return Ok(None);
        }
        SystemClock.sleep(LOOK).await;
    }
}

async fn moment(info: &Info) -> Result<(u64, Figures), Error> {
    Ok((SystemClock.now_ms(), sandbox::figures(info).await?))
}

/// Accepted orders that wait for their payment.
async fn waiting(sql: &Client) -> Result<u64, Error> {
    let statement = "SELECT CAST(count(*) AS text) FROM orders WHERE status = 'accepted'";
    let counts: Vec<u64> = database::rows(sql, "count what waits", statement, &[]).await?;
    Ok(counts.into_iter().next().unwrap_or_default())
}

/// The fault in the sandbox's words.
fn kind(kind: OutageKind) -> &'static str {
    match kind {
        OutageKind::Unavailable => "error_503",
        OutageKind::Hang => "hang",
        OutageKind::Reset => "reset_before",
        OutageKind::Blackhole => "blackhole",
    }
}
