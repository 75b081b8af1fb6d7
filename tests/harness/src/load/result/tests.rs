//! Which goals a shape has, and that each can be missed.

use super::{LoadResult, Machine};
use crate::figures::Batch;
use crate::load::k6::{Stage, Step, Summary, Threshold};
use crate::load::leg::{Leg, Settled};
use crate::load::reconcile::Found;
use crate::load::watch::Sample;
use xtask::cli::{Cli, Command, LoadTest};

fn options(line: &str) -> LoadTest {
    use clap::Parser as _;
    let words = ["xtask", "load"].into_iter().chain(line.split(' '));
    match Cli::parse_from(words).command {
        Command::Load(options) => options,
        other => panic!("{other:?}"),
    }
}

/// A run of ten seconds in which everything was as it should be.
fn good() -> Leg {
    let stages = vec![Stage { from_per_s: 500.0, to_per_s: 500.0, seconds: 10.0 }];
    let summary = Summary {
        steps: vec![Step { stages, started_at_ms: 100_000, messages: 5_000, ..Step::default() }],
        sent: [("plain".to_owned(), 100)].into(),
        payable_minor: 900,
        thresholds: vec![Threshold { rule: "dropped_iterations count==0".into(), met: true }],
        ..Summary::default()
    };
    let found = Found {
        orders: 100,
        accepted: 100,
        accepted_minor: 900,
        with_payment: 100,
        told: 100,
        ..Found::default()
    };
    let batch = Batch { at_ms: 101_000, accepted_ms: vec![30.0; 100], size: 100, ..Batch::default() };
    Leg { summary, found, batches: vec![batch], ended_at_ms: 110_000, drained_s: Some(0.3), ..Leg::default() }
}

/// The goals that a run misses, shortened to their first words.
#[track_caller]
fn check(line: &str, spoil: impl FnOnce(&mut Leg), missed: &[&str]) {
    let mut leg = good();
    spoil(&mut leg);
    let result = LoadResult::new(&options(line), Machine::default(), &leg, None);
    let found: Vec<&str> =
        result.goals.iter().filter(|goal| !goal.met).map(|goal| goal.goal.as_str()).collect();
    assert_eq!(found.len(), missed.len(), "{found:?}");
    for (found, missed) in found.iter().zip(missed) {
        assert!(found.starts_with(missed), "{found}");
    }
    assert_eq!(result.met(), missed.is_empty());
}

#[test]
fn each_goal_can_be_missed() {
    check("surge", |_| (), &[]);
    check("surge", |leg| leg.summary.thresholds[0].met = false, &["k6: dropped_iterations"]);
    check("surge", |leg| leg.found.dead_lettered = 1, &["dead letters"]);
    check("surge", |leg| leg.found.told = 101, &["orders accepted or quarantined twice"]);
    check("surge", |leg| leg.found.accepted_minor = 1, &["orders, sums or stock"]);
    check("surge", |leg| leg.drained_s = None, &["orders queue empty"]);
    check("surge", |leg| leg.drained_s = Some(10.1), &["orders queue empty"]);
    let lose = |leg: &mut Leg| {
        (leg.found.orders, leg.found.accepted, leg.found.with_payment, leg.found.told) = (99, 99, 99, 99);
    };
    check("surge", lose, &["orders lost"]);
}

#[test]
fn one_slow_window_is_enough() {
    let slow = |leg: &mut Leg| {
        leg.ended_at_ms = 120_000;
        leg.batches.push(Batch { at_ms: 112_000, accepted_ms: vec![99.0; 98], ..Batch::default() });
        leg.batches.push(Batch { at_ms: 113_000, accepted_ms: vec![150.0; 2], ..Batch::default() });
    };
    check("surge", slow, &["accepted, p50 of the worst", "accepted, p99 of the worst"]);
    check("spike", slow, &[]);
}

/// A soak of 40 looks, and what an instance has in its last quarter instead of 10,000 KiB and 12 handles.
fn soak(memory_kb: u64, open_handles: u64, took_ms: f64) -> impl FnOnce(&mut Leg) {
    move |leg| {
        let look = |nth: u64| Sample {
            at_ms: 100_000 + nth * 250,
            memory_kb: if nth >= 30 { memory_kb } else { 10_000 },
            memory_kb_max: 20_000,
            open_handles: if nth >= 30 { open_handles } else { 12 - nth % 2 },
            ..Sample::default()
        };
        leg.samples = (0..40).map(look).collect();
        let batch = |at_ms, ms| Batch { at_ms, accepted_ms: vec![ms; 20], ..Batch::default() };
        leg.batches.extend([batch(103_000, 30.0), batch(108_000, took_ms)]);
    }
}

#[test]
fn a_soak_must_not_grow_nor_slow_down() {
    check("soak", soak(10_500, 12, 36.0), &[]);
    check("soak", soak(9_000, 5, 20.0), &[]);
    check("soak", soak(10_501, 12, 30.0), &["memory of an instance"]);
    check("soak", soak(10_000, 13, 30.0), &["open handles of an instance"]);
    check("soak", soak(10_000, 12, 37.0), &["accepted, p99, last quarter"]);
}

#[test]
fn a_soak_is_judged_while_there_is_load_and_not_without_looks() {
    let after = |leg: &mut Leg| {
        soak(10_000, 12, 30.0)(leg);
        leg.samples.push(Sample { at_ms: 110_000, memory_kb: 99_000, open_handles: 99, ..Sample::default() });
    };
    check("soak", after, &[]);
    let unseen = |leg: &mut Leg| {
        soak(10_000, 12, 30.0)(leg);
        leg.samples.truncate(30);
    };
    let both = ["memory of an instance", "open handles of an instance"];
    check("soak", unseen, &both);
    check("soak", soak(0, 0, 30.0), &both);
}

#[test]
fn a_run_with_the_cache_is_judged_beside_one_without() {
    let check = |spoil: fn(&mut Leg, &mut Leg), missed: &[&str]| {
        let looked_up = |leg: &mut Leg, ms, reads| {
            leg.batches[0].looked_up_ms = vec![ms; 10];
            leg.batches[0].catalog_reads = reads;
        };
        let (mut bare, mut leg) = (good(), good());
        looked_up(&mut bare, 20.0, 100);
        looked_up(&mut leg, 0.8, 1);
        spoil(&mut bare, &mut leg);
        let result = LoadResult::new(&options("cache-ab"), Machine::default(), &leg, Some(&bare));
        let found: Vec<&str> =
            result.goals.iter().filter(|goal| !goal.met).map(|goal| goal.goal.as_str()).collect();
        assert_eq!(found, missed);
    };
    check(|_, _| (), &[]);
    check(|_, leg| leg.batches[0].catalog_reads = 41, &["share of catalog reads spared: at least 0.6"]);
    check(|_, leg| leg.batches[0].looked_up_ms[9] = 10.0, &["look-ups with Redis, p99: below 10 ms"]);
    let lost = "without Redis: orders lost, twice, otherwise than sent, or not offered: 0";
    check(|bare, _| bare.found.dead_lettered = 1, &[lost]);
    check(|bare, _| bare.summary.dropped = 1, &[lost]);
}

#[test]
fn a_ladder_needs_a_knee_above_the_surge() {
    check("ladder", |_| (), &[]);
    check("ladder", |leg| leg.drained_s = Some(30.0), &[]);
    check("ladder", |leg| leg.summary.steps[0].messages = 4_000, &["knee"]);
    check("ladder", |leg| leg.batches[0].accepted_ms = vec![300.0; 100], &["knee"]);
}

#[test]
fn payments_decide_where_they_were_waited_for() {
    let settled = |settled: Settled| move |leg: &mut Leg| leg.settled = Some(settled);
    check("surge --settle", settled(Settled::default()), &[]);
    check(
        "surge --settle",
        settled(Settled { unfinished: 1, ..Settled::default() }),
        &["payments unfinished"],
    );
    check(
        "surge --settle",
        settled(Settled { double_charged: 1, ..Settled::default() }),
        &["orders charged twice"],
    );
    check("surge --settle", settled(Settled { answered_429: 1, ..Settled::default() }), &["calls beyond"]);
}

#[test]
fn the_command_measures_the_same_again() {
    let line = "surge --without cache -e SURGE_TOP_S=5 --seed 3";
    let result = LoadResult::new(&options(line), Machine::default(), &good(), None);
    assert_eq!(result.command, format!("cargo xtask load {line}"));
    assert_eq!(result.scenario, "surge-without-cache");
    assert_eq!(result.verdict(), "Verdict: every goal met.");
}
