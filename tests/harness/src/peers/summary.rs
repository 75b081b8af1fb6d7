//! From turns to figures, ratios and goals.
//!
//! A figure is the median over the rounds; a ratio is taken within each round, and is the median of those with the
//! least and the largest beside it. Every ratio says how many times better ours is, whichever way better lies.

use super::contender::{Contender, OURS};
use super::turn::Turn;
use super::{float, supply};
use crate::figures::Percentiles;
use crate::{Error, counts};
use serde::Serialize;
use xtask::cost::sources::Prices;

/// What is to be reached, by contender: so many times its orders per second, a fraction of its time to the first
/// answer, and of its memory.
const WANTED: [(&str, [(&str, f64); 3]); 2] = [
    ("accept-orders-python", [("orders_per_s", 10.0), ("first_answer_ms", 5.0), ("memory_peak_mb", 4.0)]),
    ("accept-orders-typescript", [("orders_per_s", 5.0), ("first_answer_ms", 5.0), ("memory_peak_mb", 4.0)]),
];

/// The most CPU that a batch of process-orders should use.
const OWN_CPU_MS_MAX: f64 = 1.0;

/// Where, when and how a run was measured.
#[derive(Debug, Serialize)]
pub(super) struct Provenance {
    pub(super) command: String,
    pub(super) commit: String,
    pub(super) machine: String,
    pub(super) measured_on: String,
    /// Before and after.
    pub(super) load_average: [String; 2],
    /// The cargo profile of the programs in Rust.
    pub(super) profile: &'static str,
    pub(super) data_api_rtt_ms: u32,
}

/// What a run came to.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) rounds: usize,
    pub(super) batches: usize,
    pub(super) orders_per_batch: usize,
    pub(super) warm_up_batches: usize,
    /// The memory that the cost model gives everyone.
    pub(super) priced_memory_gb: f64,
    pub(super) contenders: Vec<Figures>,
    pub(super) ratios: Vec<Ratios>,
    pub(super) own_cpu: Option<OwnCpu>,
    pub(super) goals: Vec<Goal>,
}

/// One contender's figures.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    pub(super) name: &'static str,
    pub(super) versions: String,
    pub(super) orders_per_s: f64,
    pub(super) first_answer_ms: f64,
    /// From invoking until the answer, which every order of the batch waits for; over all rounds.
    pub(super) accepted_ms: Percentiles,
    pub(super) cpu_ms_per_order: f64,
    pub(super) memory_peak_mb: f64,
    pub(super) data_api_calls_per_order: f64,
    pub(super) sqs_calls_per_order: f64,
    pub(super) usd_per_million_orders: Usd,
    pub(super) turns: Vec<Turn>,
}

/// What a million orders cost by use, by the prices and the memory of `cargo xtask cost`, in USD.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Usd {
    pub(super) lambda_requests: f64,
    pub(super) lambda_duration: f64,
    pub(super) data_api: f64,
    pub(super) sqs: f64,
    pub(super) logs: f64,
    pub(super) total: f64,
}

/// How many times better ours is than one other contender.
#[derive(Debug, Serialize)]
pub(super) struct Ratios {
    pub(super) name: &'static str,
    pub(super) of: Vec<Ratio>,
}

/// A ratio over the rounds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Ratio {
    pub(super) figure: &'static str,
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) largest: f64,
}

/// CPU of process-orders over many warm batches.
#[derive(Debug, Serialize)]
pub(super) struct OwnCpu {
    pub(super) batches: usize,
    pub(super) cpu_ms_per_batch: f64,
    /// How much of it was spent in the kernel.
    pub(super) system_percent: Option<f64>,
    pub(super) data_api_calls_per_batch: f64,
    /// What `cargo xtask counts` has counted for a batch, and for which build.
    pub(super) instructions_per_batch: Option<(String, f64)>,
}

/// Something to be reached.
#[derive(Debug, Serialize)]
pub(super) struct Goal {
    pub(super) name: String,
    pub(super) wanted: f64,
    pub(super) found: f64,
    pub(super) met: bool,
}

/// What is compared, with how much of it a turn had; whether more is better.
type Compared = (&'static str, fn(&Turn) -> f64, bool);

const COMPARED: [Compared; 4] = [
    ("orders_per_s", orders_per_s, true),
    ("first_answer_ms", |turn| turn.first_answer_ms, false),
    ("cpu_ms_per_order", |turn| per_order(turn, turn.cpu_ms), false),
    ("memory_peak_mb", |turn| turn.memory_peak_mb, false),
];

impl Summary {
    /// Sums up the turns of each contender, priced with `memory_gb` for everyone.
    ///
    /// # Errors
    /// [`Error::Task`] for a price that is missing.
    pub(super) fn new(
        contenders: &[Contender],
        turns: &[Vec<Turn>],
        (prices, memory_gb): (&Prices, f64),
        own_cpu: Option<Turn>,
    ) -> Result<Self, Error> {
        let figures = contenders.iter().zip(turns).map(|(contender, turns)| {
            let usd = usd(turns, prices, memory_gb).map_err(Error::Task)?;
            Ok(figures(contender, turns, usd))
        });
        let contenders: Vec<Figures> = figures.collect::<Result<_, Error>>()?;
        let ours = contenders.iter().find(|figures| figures.name == OURS);
        let others = contenders.iter().filter(|figures| figures.name != OURS);
        let ratios: Vec<Ratios> =
            ours.map(|ours| others.map(|other| ratios(ours, other)).collect()).unwrap_or_default();
        let instructions = counts::committed(OURS, "instructions")?;
        let own_cpu = own_cpu.map(|turn| {
            let batches = turn.batch_ms.len();
            let per_batch = |amount: f64| amount / float(batches.max(1));
            OwnCpu {
                batches,
                cpu_ms_per_batch: per_batch(turn.cpu_ms),
                system_percent: turn.system_percent,
                data_api_calls_per_batch: per_batch(turn.data_api_calls),
                instructions_per_batch: instructions,
            }
        });
        Ok(Self {
            rounds: turns.iter().map(Vec::len).max().unwrap_or_default(),
            batches: turns.iter().flatten().map(|turn| turn.batch_ms.len()).max().unwrap_or_default(),
            orders_per_batch: supply::BATCH_SIZE,
            warm_up_batches: supply::WARM_UP,
            priced_memory_gb: memory_gb,
            goals: goals(&ratios, own_cpu.as_ref()),
            contenders,
            ratios,
            own_cpu,
        })
    }
}

fn figures(contender: &Contender, turns: &[Turn], usd: Usd) -> Figures {
    let over = |of: fn(&Turn) -> f64| median(turns.iter().map(of).collect());
    Figures {
        name: contender.name,
        versions: contender.versions.clone(),
        orders_per_s: over(orders_per_s),
        first_answer_ms: over(|turn| turn.first_answer_ms),
        accepted_ms: Percentiles::of(turns.iter().flat_map(|turn| turn.batch_ms.clone()).collect()),
        cpu_ms_per_order: over(|turn| per_order(turn, turn.cpu_ms)),
        memory_peak_mb: over(|turn| turn.memory_peak_mb),
        data_api_calls_per_order: over(|turn| per_order(turn, turn.data_api_calls)),
        sqs_calls_per_order: over(|turn| per_order(turn, turn.sqs_calls)),
        usd_per_million_orders: usd,
        turns: turns.to_vec(),
    }
}

fn orders_per_s(turn: &Turn) -> f64 {
    let seconds = turn.batch_ms.iter().sum::<f64>() / 1000.0;
    if seconds > 0.0 { turn.orders / seconds } else { 0.0 }
}

fn per_order(turn: &Turn, amount: f64) -> f64 {
    amount / turn.orders.max(1.0)
}

/// What a million orders cost by use: warm batches of the size that was run, the shop's own sends, and the event source's
/// receive and delete for each batch.
fn usd(turns: &[Turn], prices: &Prices, memory_gb: f64) -> Result<Usd, xtask::Error> {
    let over = |of: fn(&Turn) -> f64| median(turns.iter().map(of).collect());
    let batches = 1.0 / float(supply::BATCH_SIZE);
    let seconds = over(|turn| per_order(turn, turn.batch_ms.iter().sum::<f64>() / 1000.0));
    let sqs_calls = 1.0 + 2.0 * batches + over(|turn| per_order(turn, turn.sqs_calls));
    let million = |amount: f64, price: &str| Ok(amount * 1e6 * prices.of(price)?);
    let lambda_requests = million(batches, "lambda_requests")?;
    let lambda_duration = million(seconds * memory_gb, "lambda_gb_s")?;
    let data_api = million(over(|turn| per_order(turn, turn.data_api_calls)), "data_api_calls")?;
    let sqs = million(sqs_calls, "sqs_requests")?;
    let logs = million(over(|turn| per_order(turn, turn.log_bytes)) / 1e9, "logs_gb")?;
    let total = lambda_requests + lambda_duration + data_api + sqs + logs;
    Ok(Usd { lambda_requests, lambda_duration, data_api, sqs, logs, total })
}

fn ratios(ours: &Figures, other: &Figures) -> Ratios {
    let of = COMPARED.map(|(figure, of, more_is_better)| {
        let rounds = ours.turns.iter().zip(&other.turns).map(|(ours, other)| {
            let (ours, other) = (of(ours), of(other));
            if more_is_better { ours / other } else { other / ours }
        });
        let rounds: Vec<f64> = rounds.filter(|ratio| ratio.is_finite()).collect();
        let least = rounds.iter().copied().reduce(f64::min).unwrap_or_default();
        let largest = rounds.iter().copied().reduce(f64::max).unwrap_or_default();
        Ratio { figure, median: median(rounds), least, largest }
    });
    Ratios { name: other.name, of: of.to_vec() }
}

fn goals(ratios: &[Ratios], own_cpu: Option<&OwnCpu>) -> Vec<Goal> {
    let mut goals = Vec::new();
    for (name, wanted) in WANTED {
        let Some(ratios) = ratios.iter().find(|ratios| ratios.name == name) else { continue };
        for (figure, wanted) in wanted {
            let found =
                ratios.of.iter().find(|ratio| ratio.figure == figure).map_or(0.0, |ratio| ratio.median);
            let name = format!("{figure}: times better than {name}");
            goals.push(Goal { name, wanted, found, met: found >= wanted });
        }
    }
    goals.extend(own_cpu.map(|own| Goal {
        name: format!("cpu_ms_per_batch of {OURS}, at most"),
        wanted: OWN_CPU_MS_MAX,
        found: own.cpu_ms_per_batch,
        met: own.cpu_ms_per_batch <= OWN_CPU_MS_MAX,
    }));
    goals
}

/// The middle one; the mean of the two in the middle where there are two.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => at(odd / 2),
        even => f64::midpoint(at(even / 2 - 1), at(even / 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Figures, OwnCpu, figures, goals, median, ratios, usd};
    use crate::peers::contender::Contender;
    use crate::peers::turn::Turn;
    use serde_json::json;
    use xtask::cost::sources::Prices;

    fn turn(batch_ms: f64, first_answer_ms: f64, memory_peak_mb: f64) -> Turn {
        let (cpu_ms, data_api_calls, sqs_calls) = (batch_ms / 10.0, 80.0, 10.0);
        let batch_ms = vec![batch_ms];
        Turn {
            first_answer_ms,
            batch_ms,
            cpu_ms,
            system_percent: None,
            memory_peak_mb,
            data_api_calls,
            sqs_calls,
            log_bytes: 0.0,
            orders: 10.0,
        }
    }

    fn prices() -> Prices {
        let price = |usd: f64| json!({ "price": usd, "per": 1_000_000 });
        Prices::read(&json!({ "prices": {
            "lambda_requests": price(0.2), "lambda_gb_s": { "price": 0.00001, "per": 1 }, "data_api_calls": price(0.35),
            "sqs_requests": price(0.4), "logs_gb": { "price": 0.5, "per": 1 },
        }}))
        .unwrap()
    }

    fn measured(name: &'static str, turns: &[Turn]) -> Figures {
        figures(&Contender::named(name), turns, usd(turns, &prices(), 0.5).unwrap())
    }

    #[track_caller]
    fn check_median(values: &[f64], expected: f64) {
        assert!((median(values.to_vec()) - expected).abs() < 1e-9, "{values:?}");
    }

    #[test]
    fn medians_are_in_the_middle() {
        check_median(&[], 0.0);
        check_median(&[3.0, 1.0, 2.0], 2.0);
        check_median(&[4.0, 1.0, 2.0, 3.0], 2.5);
    }

    #[test]
    fn ratios_are_taken_within_a_round_and_say_how_many_times_better_ours_is() {
        let ours = measured("process-orders", &[turn(20.0, 10.0, 10.0), turn(40.0, 20.0, 10.0)]);
        let other = measured("accept-orders-python", &[turn(400.0, 100.0, 50.0), turn(400.0, 100.0, 50.0)]);
        let ratios = ratios(&ours, &other);
        let found: Vec<(f64, f64, f64)> =
            ratios.of.iter().map(|ratio| (ratio.median, ratio.least, ratio.largest)).collect();
        assert_eq!(found, [(15.0, 10.0, 20.0), (7.5, 5.0, 10.0), (15.0, 10.0, 20.0), (5.0, 5.0, 5.0)]);
        let own = OwnCpu {
            batches: 1000,
            cpu_ms_per_batch: 1.5,
            system_percent: None,
            data_api_calls_per_batch: 1.0,
            instructions_per_batch: None,
        };
        let goals = goals(&[ratios], Some(&own));
        let met: Vec<bool> = goals.iter().map(|goal| goal.met).collect();
        assert_eq!(met, [true, true, true, false], "{goals:?}");
    }

    #[test]
    fn a_million_orders_are_priced_by_their_calls_and_their_time() {
        let found = usd(&[turn(400.0, 1.0, 1.0)], &prices(), 0.5).unwrap();
        // 0.04 s × 0.5 GB; 8 calls; 1 send, 0.2 of the event source, 1 of its own.
        let expected =
            [(found.lambda_duration, 0.2), (found.data_api, 2.8), (found.sqs, 0.88), (found.total, 3.9)];
        for (found, expected) in expected {
            assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
        }
    }
}
