//! The result of an outage: as the JSON object that scripts read, and as a table for people.

use super::measured::{Goal, Measured};
use serde_json::{Value, json};
use xtask::cli::Outage;
use xtask::out;

/// Ours, and the naive peer's if it ran.
type Both<'a> = (&'a Measured, Option<&'a Measured>);

pub(super) fn json(options: &Outage, (ours, naive): Both<'_>, goals: &[Goal]) -> String {
    let result = json!({
        "kind": options.kind.as_str(), "seconds": options.seconds, "rate": options.rate, "quota": options.quota,
        "seed": options.seed, "orderflow": ours, "naive": naive, "ratio": naive.map(|naive| ratios(ours, naive)),
        "goals": goals, "missed": missed(goals),
    });
    result.to_string()
}

pub(super) fn table(options: &Outage, (ours, naive): Both<'_>, goals: &[Goal]) -> String {
    let heading: Vec<&str> = match naive {
        Some(naive) => vec!["", ours.adapter, naive.adapter, "times", "goal"],
        None => vec!["", ours.adapter, "goal"],
    };
    let theirs = naive.map(figures);
    let rows = figures(ours).into_iter().enumerate().map(|(at, (name, value))| {
        let mut row = vec![name.clone(), number(value)];
        if let Some((_, other)) = theirs.as_ref().and_then(|theirs| theirs.get(at)) {
            row.extend([number(*other), times(value, *other)]);
        }
        row.push(goals.iter().find(|goal| goal.name == name).map(wanted).unwrap_or_default());
        row
    });
    let rows: Vec<Vec<String>> = rows.collect();
    let title = format!(
        "The provider failed ({}) for {} s at {} orders per second; its quota is {} calls per second and endpoint.",
        options.kind.as_str(),
        options.seconds,
        options.rate,
        options.quota
    );
    let missed = missed(goals);
    let verdict = match missed.as_slice() {
        [] => "Verdict: every goal met.".to_owned(),
        missed => format!("Verdict: FAILED. Missed: {}.", missed.join(", ")),
    };
    format!("\n{title}\n\n{}\n\n{verdict}", out::table(&heading, &rows))
}

/// The figures of one run in one line, as soon as it is over: the other one may take minutes more.
pub(super) fn brief(found: &Measured) -> String {
    let figures = figures(found).into_iter().map(|(name, value)| format!("{name} {}", number(value)));
    format!("{}: {}.", found.adapter, figures.collect::<Vec<_>>().join(", "))
}

fn missed(goals: &[Goal]) -> Vec<&str> {
    goals.iter().filter(|goal| !goal.met).map(|goal| goal.name.as_str()).collect()
}

/// Every figure under the name that it has in the JSON, in one order for ours and the peer's.
fn figures(found: &Measured) -> Vec<(String, Option<f64>)> {
    let Ok(Value::Object(fields)) = serde_json::to_value(found) else { return Vec::new() };
    let peaks = ["authorize", "capture", "offered"].map(|endpoint| {
        let peak = found.peak_per_s.get(endpoint).copied().map(crate::report::float);
        (format!("peak_per_s.{endpoint}"), peak)
    });
    let plain = fields.into_iter().filter(|(_, value)| value.is_number() || value.is_null());
    let calls = ["authorize", "capture", "look_up"].map(|endpoint| {
        let calls = found.calls_by_endpoint.get(endpoint).copied().map(crate::report::float);
        (format!("calls_in_outage.{endpoint}"), calls.or(Some(0.0)))
    });
    plain.map(|(name, value)| (name, value.as_f64())).chain(calls).chain(peaks).collect()
}

/// How many times ours the peer's figures are, by name.
fn ratios(ours: &Measured, naive: &Measured) -> Value {
    let pairs = figures(ours).into_iter().zip(figures(naive));
    let ratio = |((name, ours), (_, naive)): ((String, Option<f64>), (String, Option<f64>))| {
        let ours = ours.filter(|ours| *ours != 0.0)?;
        Some((name, json!(crate::report::hundredths(naive? / ours))))
    };
    Value::Object(pairs.filter_map(ratio).collect())
}

fn times(ours: Option<f64>, naive: Option<f64>) -> String {
    match (ours, naive) {
        (Some(ours), Some(naive)) if ours != 0.0 => format!("{:.1}", naive / ours),
        _ => String::new(),
    }
}

fn number(value: Option<f64>) -> String {
    match value {
        None => "never".to_owned(),
        Some(value) if value.fract() == 0.0 => format!("{value:.0}"),
        Some(value) => format!("{value:.3}"),
    }
}

fn wanted(goal: &Goal) -> String {
    let kept = if goal.met { "" } else { ", missed" };
    format!("≤ {}{kept}", number(Some(goal.at_most)))
}

#[cfg(test)]
mod tests {
    use super::{json, table};
    use crate::outage::measured::{Measured, goals};
    use clap::Parser as _;
    use serde_json::Value;
    use xtask::cli::{Cli, Command, Outage};

    fn options() -> Outage {
        let Command::Outage(options) = Cli::parse_from(["xtask", "outage"]).command else {
            panic!("not `outage`")
        };
        options
    }

    fn found(adapter: &'static str, calls_per_order: f64) -> Measured {
        Measured {
            adapter,
            calls_per_order,
            calls_per_order_after_detection: calls_per_order,
            peak_per_s: [("authorize".to_owned(), 91)].into(),
            drain_s: Some(200.0),
            drain_bound_s: 190.0,
            first_success_s: Some(1.5),
            ..Measured::default()
        }
    }

    #[test]
    fn the_table_sets_both_beside_each_other_and_names_what_was_missed() {
        let (ours, naive) = (found("settle-payments", 0.06), found("naive-settle", 3.0));
        let text = table(&options(), (&ours, Some(&naive)), &goals(&options(), &ours));
        assert!(text.contains("settle-payments  naive-settle"), "{text}");
        assert!(text.contains("Missed: calls_per_order_after_detection."), "{text}");
        let line = text.lines().find(|line| line.contains("calls_per_order_after")).unwrap();
        assert!(
            line.contains("0.060") && line.contains("50.0") && line.ends_with("≤ 0.050, missed"),
            "{line}"
        );
    }

    #[test]
    fn the_json_holds_figures_goals_and_ratios() {
        let (ours, naive) = (found("settle-payments", 0.03), found("naive-settle", 3.0));
        let text = json(&options(), (&ours, Some(&naive)), &goals(&options(), &ours));
        let result: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(result["ratio"]["calls_per_order"], 100.0);
        assert_eq!(result["orderflow"]["drain_s"], 200.0);
        assert_eq!(result["missed"], serde_json::json!([]));
        assert_eq!(result["kind"], "503");
    }
}
