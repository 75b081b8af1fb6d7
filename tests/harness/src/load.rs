//! `load`: k6 offers orders in a named shape, and both sides of the queue are measured.
//!
//! k6 decides whether the load was offered as planned; here is decided how fast orders were accepted, how soon the queue
//! was empty, and whether every order came to the one end that is right for it. Payments go on meanwhile at the pace that
//! the provider allows, and are reported apart: a surge is accepted at once and paid as the quota lets it.

mod cache;
mod k6;
mod knee;
mod leg;
mod machine;
mod measured;
mod pictures;
mod reconcile;
mod record;
mod result;
mod watch;

use crate::{Error, measure};
use leg::Settings;
use machine::LoadAverage;
use xtask::cli::{LoadTest, Shape, Without};
use xtask::out;

pub use result::LoadResult;

/// A machine that is busier than this measures its other work.
const BUSY_MAX: f64 = 0.2;

/// Runs the load test; an `Ok` means that every goal was met.
///
/// # Errors
/// [`Error::Busy`] and [`Error::Uncommitted`] when a result that is to be recorded could not be trusted or repeated; [`Error::Found`] when a goal was missed and
/// has been printed; whatever stops the run before that.
pub async fn run(options: &LoadTest) -> Result<(), Error> {
    let result = result(options).await?;
    let folder = record::write(&result, options.record)?;
    if options.json {
        out::line(&record::json(&result)?);
    } else {
        out::line(&result.table());
    }
    let show = if options.json { out::note } else { out::line };
    show(&format!("Result and pictures: {}", xtask::workspace::shown(&folder)));
    show(&result.verdict());
    if result.met() { Ok(()) } else { Err(Error::Found) }
}

/// Runs the load test and says what was measured.
///
/// # Errors
/// As [`run`], without [`Error::Found`].
pub async fn result(options: &LoadTest) -> Result<LoadResult, Error> {
    let commit = measure::commit();
    if options.record && commit.ends_with('+') {
        return Err(Error::Uncommitted { commit });
    }
    let program = k6::program()?;
    let busy = machine::busy().await;
    if options.record && busy.is_some_and(|busy| busy > BUSY_MAX) {
        return Err(Error::Busy { percent: percent(busy.unwrap_or_default()) });
    }
    let before = LoadAverage::now();
    let leg = async |without| leg::run(&Settings { options, program: &program, without }).await;
    // The same load twice, first without: what is compared is what the second one spared.
    let bare = if options.shape == Shape::CacheAb { Some(leg(Some(Without::Cache)).await?) } else { None };
    let leg = leg(options.without).await?;
    let machine = result::Machine::new((before, LoadAverage::now()), busy);
    Ok(LoadResult::new(options, machine, &leg, bare.as_ref()))
}

fn percent(share: f64) -> u32 {
    let whole = (0..=100_u32).take_while(|percent| f64::from(*percent) <= share * 100.0);
    whole.last().unwrap_or_default()
}
