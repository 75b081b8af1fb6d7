//! The result of `peers`: as the JSON object that scripts read, as a table for people, and as Markdown.

use super::contender::Contender;
use super::summary::{Figures, Goal, Provenance, Ratios, Summary};
use super::turn::Turn;
use crate::figures::Percentiles;
use serde_json::{Value, json};
use xtask::out;

/// Everything, each turn included.
pub(super) fn json(provenance: &Provenance, summary: &Summary) -> Value {
    let mut result = json!(provenance);
    if let (Some(all), Value::Object(summary)) = (result.as_object_mut(), json!(summary)) {
        all.extend(summary);
    }
    rounded(result)
}

/// One turn in a few words, as soon as it is over.
pub(super) fn brief(contender: &Contender, turn: &Turn) -> String {
    let total_s = turn.batch_ms.iter().sum::<f64>() / 1000.0;
    let Percentiles { p50, p99, .. } = Percentiles::of(turn.batch_ms.clone());
    format!(
        "{}: first answer after {:.0} ms, {:.0} orders/s, batches of {:.1} ms (p99 {:.1}), {:.2} ms CPU and {:.2} Data API calls an order, {:.0} MB.",
        contender.name,
        turn.first_answer_ms,
        turn.orders / total_s.max(f64::EPSILON),
        p50.unwrap_or_default(),
        p99.unwrap_or_default(),
        turn.cpu_ms / turn.orders.max(1.0),
        turn.data_api_calls / turn.orders.max(1.0),
        turn.memory_peak_mb,
    )
}

/// Tables of figures and ratios, and the goals.
pub(super) fn text(provenance: &Provenance, summary: &Summary) -> String {
    let mut heading = vec![""];
    heading.extend(summary.contenders.iter().map(|figures| figures.name));
    let figures = out::table(&heading, &figure_rows(summary));
    let ratios = out::table(&RATIO_HEADING, &ratio_rows(summary));
    let goals: Vec<String> = own_cpu(summary).into_iter().chain(summary.goals.iter().map(goal)).collect();
    format!(
        "\n{}\n\n{figures}\n\nHow many times better than each process-orders is, medians over the rounds:\n\n{ratios}\n\n{}",
        title(provenance, summary),
        goals.join("\n")
    )
}

/// The same, to be kept beside the JSON.
pub(super) fn markdown(provenance: &Provenance, summary: &Summary) -> String {
    let Provenance { command, commit, machine, measured_on, load_average: [before, after], .. } = provenance;
    let mut heading = vec![""];
    heading.extend(summary.contenders.iter().map(|figures| figures.name));
    let built = summary.contenders.iter().map(|figures| format!("- {}: {}", figures.name, figures.versions));
    let goals =
        own_cpu(summary).into_iter().chain(summary.goals.iter().map(goal)).map(|line| format!("- {line}"));
    format!(
        "<!-- Written by `{command}`: the contenders of loadtests/peers side by side. Run it again, do not edit. -->\n# Peers\n\n\
         {}\n\n`{command}` of commit {commit}, {measured_on}, on {machine}; load average {before} before, {after} after. \
         Nothing here was measured on AWS.\n\n{}\n\n## How many times better process-orders is\n\nMedians over the rounds, \
         with the least and the largest.\n\n{}\n\n## Goals\n\n{}\n\n## Built on\n\n{}\n",
        title(provenance, summary),
        markdown_table(&heading, &figure_rows(summary)),
        markdown_table(&RATIO_HEADING, &ratio_rows(summary)),
        goals.collect::<Vec<_>>().join("\n"),
        built.collect::<Vec<_>>().join("\n"),
    )
}

fn title(provenance: &Provenance, summary: &Summary) -> String {
    format!(
        "{} round(s) of {} warm batches of {} orders, one instance each, a round trip of {} ms to the Data API, \
         Rust built with profile {}.",
        summary.rounds,
        summary.batches,
        summary.orders_per_batch,
        provenance.data_api_rtt_ms,
        provenance.profile
    )
}

/// What process-orders used over its many warm batches.
fn own_cpu(summary: &Summary) -> Option<String> {
    let own = summary.own_cpu.as_ref()?;
    let system = own
        .system_percent
        .map_or_else(String::new, |percent| format!(", {percent:.0} % of it in the kernel"));
    let beside = own.instructions_per_batch.as_ref().map_or_else(String::new, |(built_with, n)| {
        format!("; {:.2} million instructions by `cargo xtask counts` ({built_with})", n / 1e6)
    });
    Some(format!(
        "process-orders over {} warm batches: {:.2} ms of CPU{system} and {:.2} Data API calls a batch{beside}",
        own.batches, own.cpu_ms_per_batch, own.data_api_calls_per_batch
    ))
}

fn goal(goal: &Goal) -> String {
    let word = if goal.met { "met" } else { "MISSED" };
    format!("{}: wanted {}, found {:.2}: {word}", goal.name, goal.wanted, goal.found)
}

/// A figure's name, how to read it, and how many decimals it is worth.
type Row = (&'static str, fn(&Figures) -> f64, usize);

const FIGURES: [Row; 9] = [
    ("orders/s per instance", |figures| figures.orders_per_s, 1),
    ("CPU per order, ms", |figures| figures.cpu_ms_per_order, 3),
    ("peak memory, MB", |figures| figures.memory_peak_mb, 1),
    ("spawn to first batch answered, ms", |figures| figures.first_answer_ms, 1),
    ("accepted p50, ms", |figures| figures.accepted_ms.p50.unwrap_or_default(), 1),
    ("accepted p99, ms", |figures| figures.accepted_ms.p99.unwrap_or_default(), 1),
    ("Data API calls per order", |figures| figures.data_api_calls_per_order, 2),
    ("SQS calls per order", |figures| figures.sqs_calls_per_order, 2),
    ("USD per million orders, modelled", |figures| figures.usd_per_million_orders.total, 2),
];

fn figure_rows(summary: &Summary) -> Vec<Vec<String>> {
    let row = |(name, of, decimals): &Row| {
        let values = summary.contenders.iter().map(|figures| format!("{:.decimals$}", of(figures)));
        std::iter::once((*name).to_owned()).chain(values).collect()
    };
    FIGURES.iter().map(row).collect()
}

const RATIO_HEADING: [&str; 5] =
    ["", "orders_per_s", "first_answer_ms", "cpu_ms_per_order", "memory_peak_mb"];

fn ratio_rows(summary: &Summary) -> Vec<Vec<String>> {
    let row = |ratios: &Ratios| {
        let values = RATIO_HEADING.iter().skip(1).map(|figure| {
            let ratio = ratios.of.iter().find(|ratio| ratio.figure == *figure);
            ratio.map_or_else(String::new, |ratio| {
                format!("{:.1} ({:.1} to {:.1})", ratio.median, ratio.least, ratio.largest)
            })
        });
        std::iter::once(ratios.name.to_owned()).chain(values).collect()
    };
    summary.ratios.iter().map(row).collect()
}

fn markdown_table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<&str>| format!("| {} |", cells.join(" | "));
    let rule = format!("|{}", "---|".repeat(heading.len()));
    let rows = rows.iter().map(|row| line(row.iter().map(String::as_str).collect()));
    [line(heading.to_vec()), rule].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

/// Numbers with four decimals at most: what is beyond was not measured.
fn rounded(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            json!(number.as_f64().map(|number| (number * 10_000.0).round() / 10_000.0))
        }
        Value::Array(values) => values.into_iter().map(rounded).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, rounded(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{markdown_table, rounded};
    use serde_json::json;

    #[test]
    fn markdown_has_a_row_for_each_line() {
        let table = markdown_table(&["", "a"], &[vec!["x".to_owned(), "1".to_owned()]]);
        assert_eq!(table, "|  | a |\n|---|---|\n| x | 1 |");
    }

    #[test]
    fn numbers_are_kept_as_precisely_as_they_were_measured() {
        assert_eq!(rounded(json!({"a": [1.234_56, 7], "b": null})), json!({"a": [1.2346, 7], "b": null}));
    }
}
