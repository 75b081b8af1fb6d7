//! The result of a load test: every figure with where it was measured, the goals, and a table for people.

use super::cache::Cache;
use super::k6::{EnqueueMs, Stage, Summary};
use super::knee::{Knee, P99_LIMIT_MS, knee};
use super::leg::{Leg, Settled};
use super::machine::LoadAverage;
use super::measured::{self, Distribution, Rung, Window};
use super::reconcile::{Found, Verdict, compare};
use super::watch::Sample;
use crate::figures::Percentiles;
use crate::report::{float, hundredths, times};
use crate::{demo, measure};
use serde::Serialize;
use std::collections::BTreeMap;
use xtask::cli::{LoadTest, Shape};
use xtask::out::table;

mod soak;

/// What p50 of accepted orders must not exceed, in milliseconds.
const P50_LIMIT_MS: f64 = 40.0;

/// How soon the orders queue must be empty after the load, in seconds.
const DRAIN_LIMIT_S: f64 = 10.0;

/// The surge's top, in orders a second; the knee must lie above it.
const KNEE_LEAST_PER_S: f64 = 400.0;

/// What the slowest look-ups with the cache must stay below, in milliseconds.
const LOOK_UP_LIMIT_MS: f64 = 10.0;

/// The share of catalog reads that the cache must spare the database.
const SPARED_LEAST: f64 = 0.6;

/// Where it was measured, and what else went on there.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Machine {
    commit: String,
    machine: String,
    recorded_on: String,
    load_average_before: LoadAverage,
    load_average_after: LoadAverage,
    /// Which share of all cores was busy before the first process was started.
    busy_before: Option<f64>,
}

impl Machine {
    pub(super) fn new((before, after): (LoadAverage, LoadAverage), busy: Option<f64>) -> Self {
        Self {
            commit: measure::commit(),
            machine: measure::machine(),
            recorded_on: demo::now().strftime("%Y-%m-%d").to_string(),
            load_average_before: before,
            load_average_after: after,
            busy_before: busy.map(hundredths),
        }
    }
}

/// A goal, what was found, and whether it was met.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Goal {
    /// What it is about, and what must hold.
    pub(super) goal: String,
    /// What was found; none when it never came to that.
    pub(super) found: Option<f64>,
    /// Whether it was met.
    pub(super) met: bool,
}

/// The generator.
#[derive(Debug, Clone, Serialize)]
struct Generator {
    program: &'static str,
    /// Seconds of one core that it used.
    cpu_s: Option<f64>,
    /// How long the queue took for a message.
    enqueue_ms: EnqueueMs,
    /// Messages that it could not send at their time.
    dropped: u64,
    /// The most it could put on a queue that nobody reads, where that was tried.
    own_limit_per_s: Option<f64>,
}

/// One look at the stack.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Look {
    pub(super) at_s: f64,
    pub(super) offered_per_s: f64,
    pub(super) processed_per_s: f64,
    pub(super) backlog: u64,
    pub(super) oldest_age_ms: u64,
    pub(super) instances: u64,
    pub(super) to_pay: u64,
    memory_kb: u64,
    memory_kb_max: u64,
    open_handles: u64,
}

/// The result of a load test.
#[derive(Debug, Clone, Serialize)]
pub struct LoadResult {
    /// The shape, with what was taken away.
    pub(super) scenario: String,
    command: String,
    #[serde(flatten)]
    pub(super) machine: Machine,
    /// Of all cores, while the load was offered.
    busy_during: Option<f64>,
    generator: Generator,
    /// What the local Data API adds to every call.
    data_api_rtt_ms: u64,
    /// What was done to the stack meanwhile: seconds from the beginning of the load, and what.
    pub(super) moments: Vec<(f64, &'static str)>,
    /// What was offered: the parts of each step, in messages a second.
    steps: Vec<Vec<Stage>>,
    /// Messages that the queue took, by kind.
    sent: BTreeMap<String, u64>,
    found: Found,
    verdict: Verdict,
    /// How long the load lasted.
    pub(super) load_s: f64,
    /// From the end of the load until the orders queue was empty.
    pub(super) drained_s: Option<f64>,
    accepted_ms: Percentiles,
    /// All orders, those of warm instances, those of the first batches of new instances.
    pub(super) distributions: [Distribution; 3],
    windows: Vec<Window>,
    cold_starts: u64,
    /// The steps of a ladder.
    pub(super) rungs: Vec<Rung>,
    pub(super) knee: Option<Knee>,
    pub(super) cache: Option<Cache>,
    settled: Option<Settled>,
    goals: Vec<Goal>,
    pub(super) looks: Vec<Look>,
}

impl LoadResult {
    pub(super) fn new(options: &LoadTest, machine: Machine, leg: &Leg, bare: Option<&Leg>) -> Self {
        let began_ms = measured::began_ms(&leg.summary);
        let ladder = options.shape == Shape::Ladder;
        let rungs = if ladder { measured::rungs(&leg.summary.steps, &leg.batches) } else { Vec::new() };
        let windows = measured::windows(&leg.batches, (began_ms, leg.ended_at_ms));
        let function = leg.status.functions.get("process-orders").cloned().unwrap_or_default();
        let mut result = Self {
            scenario: scenario(options),
            command: command(options),
            machine,
            busy_during: leg.busy.map(hundredths),
            generator: Generator {
                program: "k6 1.1.0",
                cpu_s: leg.generator_cpu_s.map(hundredths),
                enqueue_ms: leg.summary.enqueue_ms,
                dropped: leg.summary.dropped,
                own_limit_per_s: leg.own_limit_per_s.map(f64::round),
            },
            data_api_rtt_ms: leg.data_api_rtt_ms,
            moments: leg
                .moments
                .iter()
                .map(|moment| (since_s(moment.at_ms, began_ms), moment.what))
                .collect(),
            steps: leg.summary.steps.iter().map(|step| step.stages.clone()).collect(),
            sent: leg.summary.sent.clone(),
            found: leg.found.clone(),
            verdict: compare(&leg.summary.sent, leg.summary.payable_minor, &leg.found),
            load_s: since_s(leg.ended_at_ms, began_ms),
            drained_s: leg.drained_s.map(hundredths),
            accepted_ms: measured::accepted_ms(&leg.batches),
            distributions: measured::distributions(&leg.batches),
            windows,
            cold_starts: function.cold_starts,
            knee: knee(&rungs),
            rungs,
            cache: bare.map(|bare| Cache::new(bare, leg)),
            settled: leg.settled.clone(),
            goals: Vec::new(),
            looks: looks(&leg.samples, began_ms),
        };
        result.goals = goals(options, leg, &result);
        result.goals.extend(bare.map(bare_goal));
        result
    }

    /// Whether every goal was met.
    pub fn met(&self) -> bool {
        self.goals.iter().all(|goal| goal.met)
    }

    /// What the generator could do by itself, where that was tried.
    pub(super) fn own_limit_per_s(&self) -> Option<f64> {
        self.generator.own_limit_per_s
    }

    /// The run by ten seconds.
    pub(super) fn windows(&self) -> &[Window] {
        &self.windows
    }

    /// The circumstances in one line, for pictures.
    pub(super) fn circumstances(&self) -> String {
        let Machine { commit, machine, recorded_on, .. } = &self.machine;
        format!(
            "{recorded_on}, commit {commit}, {machine}; local stack, {} ms injected Data API time, not AWS",
            self.data_api_rtt_ms
        )
    }

    /// One sentence: every goal met, or which were missed.
    pub fn verdict(&self) -> String {
        let missed = self.goals.iter().filter(|goal| !goal.met).map(|goal| {
            let found = goal.found.map_or("nothing".to_owned(), |found| hundredths(found).to_string());
            format!("{} (found {found})", goal.goal)
        });
        match missed.collect::<Vec<_>>().as_slice() {
            [] => "Verdict: every goal met.".to_owned(),
            missed => format!("Verdict: FAILED. Missed: {}.", missed.join("; ")),
        }
    }

    /// Goals and figures, for people.
    pub fn table(&self) -> String {
        let goal = |goal: &Goal| {
            let found = goal.found.map_or("-".to_owned(), |found| hundredths(found).to_string());
            vec![goal.goal.clone(), found, if goal.met { "met" } else { "MISSED" }.to_owned()]
        };
        let goals = table(&["goal", "found", ""], &self.goals.iter().map(goal).collect::<Vec<_>>());
        let mut rows = vec![
            row("messages the queue took", self.sent.values().sum::<u64>().to_string()),
            row("orders accepted", self.found.accepted.to_string()),
            row("orders rejected, as sent", self.found.rejected.values().sum::<u64>().to_string()),
            row("accepted within, ms", times(self.accepted_ms)),
            row("cold starts", self.cold_starts.to_string()),
            row(
                "cores busy before, during",
                format!("{} {}", share(self.machine.busy_before), share(self.busy_during)),
            ),
            row("of it k6, s of one core", self.generator.cpu_s.map_or("-".to_owned(), |s| s.to_string())),
        ];
        rows.extend(self.rungs.iter().map(|rung| {
            let dropped =
                if rung.dropped > 0 { format!("   {} dropped", rung.dropped) } else { String::new() };
            row(
                &format!("  at {} a second, ms", rung.offered_per_s),
                format!("{}   {} orders a second{dropped}", times(rung.accepted_ms), rung.accepted_per_s),
            )
        }));
        rows.extend(self.cache.iter().flat_map(|cache| {
            [("without Redis", &cache.without), ("with Redis", &cache.with)].into_iter().flat_map(
                |(name, half)| {
                    let reads = format!("{} reads for {} messages", half.reads, half.messages);
                    [
                        row(&format!("  {name}"), format!("{reads}, ms {}", times(half.accepted_ms))),
                        row("    a look-up, ms", times(half.look_up_ms)),
                    ]
                },
            )
        }));
        rows.extend(self.settled.iter().map(|settled| {
            let Settled { confirmed, seconds, .. } = settled;
            row("paid, at the provider's pace", format!("{confirmed} within {seconds:.0} s after the load"))
        }));
        format!("\n{goals}\n\n{}\n", table(&["measured", ""], &rows))
    }
}

fn row(name: &str, value: String) -> Vec<String> {
    vec![name.to_owned(), value]
}

fn share(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.0} %", share * 100.0))
}

/// The name of the result: the shape, and what was taken away.
fn scenario(options: &LoadTest) -> String {
    let without = options.without.map_or(String::new(), |without| format!("-without-{}", without.as_str()));
    format!("{}{without}", options.shape.as_str())
}

/// The command that measures this again.
fn command(options: &LoadTest) -> String {
    let mut command = format!("cargo xtask load {}", options.shape.as_str());
    command.extend(options.without.map(|without| format!(" --without {}", without.as_str())));
    command.extend(options.settle.then_some(" --settle".to_owned()));
    command.extend(options.set.iter().map(|variable| format!(" -e {variable}")));
    if options.seed != 1 {
        command += &format!(" --seed {}", options.seed);
    }
    command
}

/// Seconds from the beginning of the load; 0 for what was a little before.
fn since_s(at_ms: u64, began_ms: u64) -> f64 {
    hundredths(float(at_ms.saturating_sub(began_ms)) / 1_000.0)
}

fn looks(samples: &[Sample], began_ms: u64) -> Vec<Look> {
    let pairs = samples.iter().zip(samples.iter().skip(1));
    let look = |(before, sample): (&Sample, &Sample)| {
        let (offered_per_s, processed_per_s) = sample.rates_since(before);
        Look {
            at_s: since_s(sample.at_ms, began_ms),
            offered_per_s: hundredths(offered_per_s),
            processed_per_s: hundredths(processed_per_s),
            backlog: sample.backlog,
            oldest_age_ms: sample.oldest_age_ms,
            instances: sample.instances,
            to_pay: sample.to_pay,
            memory_kb: sample.memory_kb,
            memory_kb_max: sample.memory_kb_max,
            open_handles: sample.open_handles,
        }
    };
    pairs.map(look).collect()
}

/// Every goal of the shape; what is taken away changes none of them.
fn goals(options: &LoadTest, leg: &Leg, result: &LoadResult) -> Vec<Goal> {
    let thresholds = leg.summary.thresholds.iter();
    let mut goals: Vec<Goal> = thresholds
        .map(|threshold| Goal {
            goal: format!("k6: {}", threshold.rule),
            found: counted(&threshold.rule, &leg.summary),
            met: threshold.met,
        })
        .collect();
    let Verdict { lost, twice, mismatched, dead_lettered } = result.verdict;
    goals.extend([
        at_most("orders lost: 0", Some(float(lost)), 0.0),
        at_most("orders accepted or quarantined twice: 0", Some(float(twice)), 0.0),
        at_most("orders, sums or stock otherwise than sent: 0", Some(float(mismatched)), 0.0),
        at_most("dead letters: 0", Some(float(dead_lettered)), 0.0),
    ]);
    // A spike and a ladder are meant to be too much; what they must not do is lose.
    if !matches!(options.shape, Shape::Spike | Shape::Ladder) {
        let worst = |figure| measured::worst(&result.windows, figure);
        goals.extend([
            at_most("accepted, p50 of all: at most 40 ms", result.accepted_ms.p50, P50_LIMIT_MS),
            below("accepted, p99 of all: below 100 ms", result.accepted_ms.p99, P99_LIMIT_MS),
            at_most("accepted, p50 of the worst 10 s: at most 40 ms", worst(|times| times.p50), P50_LIMIT_MS),
            below("accepted, p99 of the worst 10 s: below 100 ms", worst(|times| times.p99), P99_LIMIT_MS),
        ]);
    }
    if options.shape != Shape::Ladder {
        goals.push(at_most("orders queue empty within 10 s of the end", result.drained_s, DRAIN_LIMIT_S));
    } else {
        let found = result.knee.map(|knee| knee.per_s);
        goals.push(above("knee (p99 crosses 100 ms): above 400 a second", found, KNEE_LEAST_PER_S));
    }
    if let Some(cache) = &result.cache {
        goals.push(above(
            "share of catalog reads spared: at least 0.6",
            Some(cache.spared),
            SPARED_LEAST - 1e-9,
        ));
        goals.push(below(
            "look-ups with Redis, p99: below 10 ms",
            cache.with.look_up_ms.p99,
            LOOK_UP_LIMIT_MS,
        ));
    }
    if options.shape == Shape::Soak {
        goals.extend(soak::goals(leg));
    }
    if let Some(settled) = &result.settled {
        goals.push(at_most("payments unfinished: 0", Some(float(settled.unfinished)), 0.0));
        goals.push(at_most("orders charged twice: 0", Some(float(settled.double_charged)), 0.0));
        goals.push(at_most("calls beyond the provider's quota: 0", Some(float(settled.answered_429)), 0.0));
    }
    goals
}

/// What a run that is only there to compare with must be all the same: whole, and offered as planned.
fn bare_goal(bare: &Leg) -> Goal {
    let Verdict { lost, twice, mismatched, dead_lettered } =
        compare(&bare.summary.sent, bare.summary.payable_minor, &bare.found);
    let troubles = lost + twice + mismatched + dead_lettered + bare.summary.dropped + bare.summary.refused;
    at_most(
        "without Redis: orders lost, twice, otherwise than sent, or not offered: 0",
        Some(float(troubles)),
        0.0,
    )
}

/// What k6 counted for a threshold, where that is a count of troubles.
fn counted(rule: &str, summary: &Summary) -> Option<f64> {
    let counts = [("dropped_iterations ", summary.dropped), ("http_req_failed ", summary.refused)];
    counts.into_iter().find(|(metric, _)| rule.starts_with(metric)).map(|(_, count)| float(count))
}

fn at_most(goal: &str, found: Option<f64>, limit: f64) -> Goal {
    Goal { goal: goal.to_owned(), found, met: found.is_some_and(|found| found <= limit) }
}

fn below(goal: &str, found: Option<f64>, limit: f64) -> Goal {
    Goal { goal: goal.to_owned(), found, met: found.is_some_and(|found| found < limit) }
}

fn above(goal: &str, found: Option<f64>, limit: f64) -> Goal {
    Goal { goal: goal.to_owned(), found, met: found.is_some_and(|found| found > limit) }
}

#[cfg(test)]
mod tests;
