//! `cost`: what a month of orders costs on AWS, beside the design that most people would write first.
//!
//! Four files and nothing else: `infra/prices.json` has the prices, `infra/measured.json` the calls that a demo made
//! and counted, `infra/settings.json` the sizes, `infra/monitoring/metrics.json` the metrics. The [model] multiplies; what it assumes beyond them it prints. No
//! duration in it was measured on AWS.

use crate::workspace::root;
use crate::{Error, cli, out};
use serde_json::Value;

pub mod model;
pub mod print;
pub mod sources;

use sources::{Measured, Prices, Sizes};

/// The files, from the root of the checkout.
const PRICES: &str = "infra/prices.json";
/// What `cost --measure` writes.
pub const MEASURED: &str = "infra/measured.json";
const SETTINGS: &str = "infra/settings.json";
const METRICS: &str = "infra/monitoring/metrics.json";

/// Prints the model.
///
/// # Errors
/// [`Error::File`], [`Error::NotJson`] or [`Error::NoNumber`] for one of its files.
pub fn run(options: &cli::Cost) -> Result<(), Error> {
    let stage = options.stage.as_str();
    let (prices, sizes) = sources(stage)?;
    let measured = Measured::read(&json(MEASURED)?)?;
    let bill = model::bill(&prices, &measured, &sizes, options)?;
    if options.json {
        out::line(&print::json(&bill, &prices, options).to_string());
    } else {
        out::line(&print::text(&bill, &prices, &measured, options));
    }
    Ok(())
}

/// The prices, and the sizes of `stage`.
///
/// # Errors
/// As [`run`].
pub fn sources(stage: &str) -> Result<(Prices, Sizes), Error> {
    let snapshot = text(&format!("infra/cdk/test/snapshots/{stage}.txt"))?;
    Ok((Prices::read(&json(PRICES)?)?, Sizes::read(&json(SETTINGS)?, &snapshot, &json(METRICS)?, stage)?))
}

fn text(file: &str) -> Result<String, Error> {
    let path = root().join(file);
    std::fs::read_to_string(&path).map_err(|source| Error::File { path, source })
}

fn json(file: &str) -> Result<Value, Error> {
    serde_json::from_str(&text(file)?).map_err(|source| Error::NotJson { path: root().join(file), source })
}
