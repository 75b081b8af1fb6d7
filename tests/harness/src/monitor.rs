//! `monitor`: Prometheus and Alertmanager beside the running stack, with the committed configuration; with `--check`, a
//! load, and then every query of every panel and every rule must have said something.

mod panels;
mod prometheus;
mod servers;

use crate::demo::interrupted;
use crate::stack::{Info, poll_until};
use crate::{Error, commands, http};
use backoff::{Clock as _, SystemClock};
use hyper::HeaderMap;
use panels::Panel;
use prometheus::{Prometheus, Rules};
use serde_json::json;
use servers::{Places, Servers};
use std::time::Duration;
use xtask::cli::{self, Load};
use xtask::{out, workspace};

/// Orders a second of the load of a check: enough for every panel, and little for a busy machine.
const LOAD_RATE: u32 = 20;

/// How long a check loads the stack where `--for` does not say.
const LOAD_S: u32 = 60;

/// How long after the load a query may still get its first value: some rules are evaluated once a minute.
const LATE: Duration = Duration::from_secs(90);

/// How often a check looks at the shop's catalog, as a browser does.
const BROWSE: Duration = Duration::from_millis(500);

/// Starts both servers, and stays until Ctrl-C, until `--for` is over, or until the check is done.
///
/// # Errors
/// [`Error::NoStack`]; [`Error::NotInstalled`] without the two programs; [`Error::Found`] when a check finds a panel or
/// a rule without data, which has been printed then.
pub async fn run(options: &cli::Monitor) -> Result<(), Error> {
    let info = Info::find(&workspace::up_state())?;
    out::note("Starting Prometheus and Alertmanager …");
    let mut servers = Servers::start(&info).await?;
    let places = servers.places.clone();
    show(&places, options.json);
    let result = tokio::select! {
        result = work(&info, &places, options) => result,
        () = interrupted() => stopped(options),
        () = servers.ended() => Err(servers::failed(&places.folder)),
    };
    out::note("Stopping …");
    let ended = servers.end().await;
    result.and(ended)
}

/// Ctrl-C ends a look, but not a check: that has no result then.
fn stopped(options: &cli::Monitor) -> Result<(), Error> {
    if !options.check {
        return Ok(());
    }
    out::note("Interrupted before anything was checked.");
    Err(Error::Found)
}

fn show(places: &Places, json: bool) {
    let row = |what: &str, place: &str| vec![what.to_owned(), place.to_owned()];
    let folder = workspace::shown(&places.folder);
    let rows = [
        row("Prometheus", &places.prometheus.url),
        row("alerts", &format!("{}/alerts", places.prometheus.url)),
        row("Alertmanager", &places.alertmanager.url),
        row("configuration", &folder),
    ];
    let show = if json { out::note } else { out::line };
    show(&out::table(&["ready", ""], &rows));
}

async fn work(info: &Info, places: &Places, options: &cli::Monitor) -> Result<(), Error> {
    if options.check {
        return check(info, places, options).await;
    }
    match options.seconds {
        Some(seconds) => SystemClock.sleep(Duration::from_secs(seconds.into())).await,
        None => {
            out::note("Ctrl-C stops both. In another terminal: `cargo xtask send --orders 2000 --rate 50`.");
            std::future::pending().await
        }
    }
    Ok(())
}

/// Loads the stack, then asks the real Prometheus everything that a dashboard asks.
async fn check(info: &Info, places: &Places, options: &cli::Monitor) -> Result<(), Error> {
    let panels =
        panels::of_dashboards(&workspace::root().join("infra/monitoring/grafana/dashboards/prometheus"))?;
    let prometheus = Prometheus::new(&places.prometheus.url);
    let seconds = options.seconds.unwrap_or(LOAD_S);
    out::note(&format!("{} queries to check. Loading the stack for {seconds} s …", panels.len()));
    let start_ms = SystemClock.now_ms();
    let load = Load { orders: LOAD_RATE.saturating_mul(seconds), rate: LOAD_RATE, seed: 1 };
    tokio::select! {
        sent = commands::send::shop(info, &load) => sent?,
        failed = browse(info) => return Err(failed),
    }
    let (mut empty, mut rules) = (Vec::new(), Rules::default());
    let late = poll_until("data for every query", LATE, async || {
        empty = without_data(&prometheus, &panels, start_ms).await?;
        rules = prometheus.rules().await?;
        Ok(empty.is_empty() && rules.failing.is_empty())
    });
    match late.await {
        Ok(()) | Err(Error::Never { .. }) => {}
        Err(error) => return Err(error),
    }
    report(&panels, &empty, &rules, options.json);
    if empty.is_empty() && rules.failing.is_empty() && rules.total > 0 { Ok(()) } else { Err(Error::Found) }
}

/// Looks at the catalog again and again; only a failure ends it.
async fn browse(info: &Info) -> Error {
    let Some(url) = info.function_urls.get("serve-catalog") else {
        return std::future::pending().await;
    };
    loop {
        if let Err(error) = http::fetch("GET", &format!("{url}/catalog"), HeaderMap::new()).await {
            return error;
        }
        SystemClock.sleep(BROWSE).await;
    }
}

async fn without_data<'a>(
    prometheus: &Prometheus,
    panels: &'a [Panel],
    start_ms: u64,
) -> Result<Vec<&'a Panel>, Error> {
    let now_ms = SystemClock.now_ms();
    let mut empty = Vec::new();
    for panel in panels {
        if !prometheus.has_data(&panel.query, (start_ms, now_ms)).await? {
            empty.push(panel);
        }
    }
    Ok(empty)
}

fn report(panels: &[Panel], empty: &[&Panel], rules: &Rules, json: bool) {
    if json {
        let empty: Vec<_> =
            empty.iter().map(|panel| json!({ "panel": panel.place, "query": panel.query })).collect();
        let result = json!({
            "queries": panels.len(),
            "empty": empty,
            "rules": rules.total,
            "failing_rules": rules.failing,
            "firing": rules.firing,
        });
        out::line(&result.to_string());
        return;
    }
    out::line(&format!("{} of {} queries returned data.", panels.len() - empty.len(), panels.len()));
    for panel in empty {
        out::line(&format!("  no data: {}: {}", panel.place, panel.query));
    }
    out::line(&format!("{} of {} rules were evaluated.", rules.total - rules.failing.len(), rules.total));
    for rule in &rules.failing {
        out::line(&format!("  failing: {rule}"));
    }
    let firing = if rules.firing.is_empty() { "none".to_owned() } else { rules.firing.join(", ") };
    out::line(&format!("Alerts that fire or are about to: {firing}."));
}
