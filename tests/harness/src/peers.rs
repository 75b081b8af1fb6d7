//! `peers`: the same kind of orders, accepted by `process-orders` and by what its users would write instead.
//!
//! All contenders live on one stack: the same Lambda host, PostgreSQL, Redis, SQS and Data API with its injected round
//! trip. Each round gives every one a turn with a fresh instance, in an order that rotates, so that what else the
//! machine does hits all alike; what is compared are the ratios within a round. Before the first, all must decide the same
//! orders alike, and after each turn the rows must show that
//! every order was accepted, whole and once: a contender that skips work would be fast.

mod alike;
mod contender;
mod cpu;
mod print;
mod rows;
mod summary;
mod supply;
mod turn;

use crate::measure::{commit, machine};
use crate::stack::{Info, Stack, StackOptions};
use crate::{Error, database, demo, kits};
use contender::{Contender, OURS};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use summary::{Provenance, Summary};
use supply::{Supply, WARM_UP};
use tokio_postgres::Client;
use turn::Turn;
use xtask::cli;
use xtask::{cost, out, workspace};

/// Where the results go, from the root of the checkout.
const RESULTS: &str = "loadtests/results";

/// The stage whose memory and prices the model counts.
const PRICED_STAGE: &str = "prod";

/// Runs the comparison; an `Ok` means that every contender accepted every order, whatever the figures.
///
/// # Errors
/// [`Error::Contender`] for one that did not; whatever stops the run before its end.
pub async fn run(options: &cli::Peers) -> Result<(), Error> {
    let commit = commit();
    if options.record && commit.ends_with('+') {
        return Err(Error::Uncommitted { commit });
    }
    let contenders = contender::install(&options.only, options.profile)?;
    let before = load_average();
    out::note("Starting PostgreSQL, Redis, the queues and the functions …");
    let stack = Stack::start(StackOptions {
        stage: "local",
        state: workspace::private().join(format!("peers-{}", std::process::id())),
        servers: options.servers.from.as_str(),
        ..StackOptions::default()
    })
    .await?;
    let result = tokio::select! {
        result = Box::pin(on(&stack.info, options, &contenders)) => result,
        () = demo::interrupted() => Err(Error::Interrupted),
    };
    if matches!(result, Err(Error::Contender { .. })) {
        // Its logs are wanted; the next run sweeps them.
        drop(stack);
    } else {
        stack.end_or_say().await;
    }
    let (turns, own_cpu, data_api_rtt_ms) = result?;
    let (prices, sizes) = cost::sources(PRICED_STAGE).map_err(Error::Task)?;
    let provenance = Provenance {
        command: std::env::args().skip(1).fold("cargo xtask".to_owned(), |line, word| line + " " + &word),
        commit,
        machine: machine(),
        measured_on: demo::now().strftime("%Y-%m-%d").to_string(),
        load_average: [before, load_average()],
        profile: options.profile.as_str(),
        data_api_rtt_ms,
    };
    let summary = Summary::new(&contenders, &turns, (&prices, sizes.memory_gb(OURS)), own_cpu)?;
    report(options, &provenance, &summary)
}

/// Prints the result, and keeps it if that is wanted.
fn report(options: &cli::Peers, provenance: &Provenance, summary: &Summary) -> Result<(), Error> {
    let json = print::json(provenance, summary);
    if options.record {
        let folder = workspace::root().join(RESULTS);
        write(&folder, "peers.json", &format!("{json:#}\n"))?;
        write(&folder, "peers.md", &print::markdown(provenance, summary))?;
        out::note(&format!("Wrote {RESULTS}/peers.json and peers.md."));
    }
    out::line(&if options.json { json.to_string() } else { print::text(provenance, summary) });
    Ok(())
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = folder.join(name);
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, text));
    written.map_err(|source| Error::File { path, source })
}

/// Runs all rounds; answers every turn, by contender, the CPU of ours, and the round trip that was injected.
async fn on(
    info: &Info,
    options: &cli::Peers,
    contenders: &[Contender],
) -> Result<(Vec<Vec<Turn>>, Option<Turn>, u32), Error> {
    let data_api_rtt_ms = prepare(info, options, contenders).await?;
    let sql = info.sql().await?;
    let turns = usize::try_from(options.rounds).unwrap_or(usize::MAX) * contenders.len();
    let batches = usize::try_from(options.batches).unwrap_or(usize::MAX);
    let cpu_batches = usize::try_from(options.cpu_batches).unwrap_or(usize::MAX);
    let all =
        (contenders.len() + turns * (1 + WARM_UP + batches) + 1 + WARM_UP + cpu_batches) * supply::BATCH_SIZE;
    let kits = kits::catalog();
    database::seed(&sql, &kits, kits::plenty(all)).await?;
    let mut supply = Supply::new(info, &kits, all)?;
    for contender in contenders {
        alike::decided(info, &sql, contender, (&mut supply, &kits)).await?;
    }
    out::note("All decide alike: a good order, a repeat, and each reason to reject. Now the rounds …");
    let requests_before = info.status().await?.depth("payments").total();
    let mut measured: Vec<Vec<Turn>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..usize::try_from(options.rounds).unwrap_or(usize::MAX) {
        for nth in 0..contenders.len() {
            // Nobody always follows the same one.
            let at = if round % 2 == 0 { round + nth } else { round + contenders.len() - nth };
            let at = at % contenders.len();
            let (Some(contender), Some(turns)) = (contenders.get(at), measured.get_mut(at)) else { continue };
            let turn = turn::take(info, &sql, contender, supply.turn(batches)).await?;
            out::note(&format!(
                "Round {} of {}: {}",
                round + 1,
                options.rounds,
                print::brief(contender, &turn)
            ));
            turns.push(turn);
        }
    }
    let own_cpu = own_cpu(info, &sql, (contenders, &mut supply), cpu_batches).await?;
    rows::accounted(info, &sql, (&supply, requests_before)).await?;
    Ok((measured, own_cpu, data_api_rtt_ms))
}

/// What process-orders uses over many warm batches.
async fn own_cpu(
    info: &Info,
    sql: &Client,
    (contenders, supply): (&[Contender], &mut Supply),
    batches: usize,
) -> Result<Option<Turn>, Error> {
    let ours = contenders.iter().find(|contender| contender.name == OURS);
    let Some(ours) = ours.filter(|_| batches > 0) else { return Ok(None) };
    out::note(&format!("{OURS} takes {batches} batches more, for its own CPU …"));
    let turn = turn::take(info, sql, ours, supply.turn(batches)).await?;
    out::note(&print::brief(ours, &turn));
    Ok(Some(turn))
}

/// Hosts every contender, and keeps everybody else from working on what they leave behind.
async fn prepare(info: &Info, options: &cli::Peers, contenders: &[Contender]) -> Result<u32, Error> {
    info.control("PUT", "/event-sources/settle-payments", &json!({ "enabled": false })).await?;
    info.control("PUT", "/schedules/reconcile-orders", &json!({ "enabled": false })).await?;
    for contender in contenders {
        info.control("POST", "/functions", &contender.registration(info)).await?;
    }
    let new = options.data_api_rtt_ms.map_or(json!({}), |rtt_ms| json!({ "rtt_ms": rtt_ms }));
    let status = info.control("PUT", "/data-api", &new).await?;
    let rtt_ms = status.get("rtt_ms").and_then(Value::as_u64).and_then(|rtt_ms| u32::try_from(rtt_ms).ok());
    Ok(rtt_ms.unwrap_or_default())
}

/// The machine's load over one, five and fifteen minutes; empty where it does not say.
fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// A duration in milliseconds.
fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// A small count as a number to calculate with.
fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
