//! Event sources: what starts a function when messages wait, and how far it scales.

use super::within;
use crate::doctor::finding::Finding;
use crate::doctor::stage::{EventSource, Stage};

/// A larger batch needs a window: SQS hands out ten messages at a time.
const BATCH_SIZE_WITHOUT_WINDOW: u64 = 10;
/// Below this AWS advises against reserving concurrency for a function that a queue invokes: it is throttled at once.
const RESERVED_MIN: u64 = 5;
/// More pollers than these `aws-cdk-lib` does not pass on, though Lambda takes 10,000.
const POLLERS_MAX: u64 = 2_000;
/// Who allows the limits below.
const LAMBDA: &str = "an SQS event source of Lambda";

/// Every event source names a queue that exists.
pub fn queue_exists(stage: &Stage) -> Vec<Finding> {
    each(stage, |path, source| {
        let sentence = format!("names {}, which does not exist: add it under `queues`", source.queue);
        let known = stage.queues.contains_key(&source.queue);
        if known { Vec::new() } else { vec![Finding::error(format!("{path}.queue"), sentence)] }
    })
}

/// Lambda's limits of batch and window, and the window that a large batch needs.
pub fn batch_and_window(stage: &Stage) -> Vec<Finding> {
    each(stage, |path, source| {
        let window = format!("{path}.maximum_batching_window_s");
        let mut findings: Vec<Finding> =
            within(format!("{path}.batch_size"), source.batch_size, 1..=10_000, LAMBDA).into_iter().collect();
        if source.batch_size > BATCH_SIZE_WITHOUT_WINDOW && source.window_s == 0 {
            let size = source.batch_size;
            let sentence = format!(
                "a batch of {size} needs a window: set at least 1, or at most {BATCH_SIZE_WITHOUT_WINDOW} as batch_size"
            );
            findings.push(Finding::error(window.clone(), sentence));
        }
        findings.extend(within(window, source.window_s, 0..=300, LAMBDA));
        findings
    })
}

/// Either `MaximumConcurrency` or provisioned pollers, each within its limits: Lambda refuses both together, and without
/// either nothing bounds what reaches the database. A 0 turns one of them off for a stage.
pub fn one_way_to_scale(stage: &Stage) -> Vec<Finding> {
    each(stage, |path, source| {
        let concurrency = format!("{path}.maximum_concurrency");
        let pollers = format!("{path}.provisioned_pollers");
        match (source.maximum_concurrency, source.provisioned_pollers) {
            (Some(_), Some(_)) => vec![Finding::error(
                pollers,
                "Lambda refuses it beside maximum_concurrency: set one of them to 0 in this stage",
            )],
            (None, None) => vec![Finding::error(
                concurrency,
                "nothing bounds this event source: set maximum_concurrency or provisioned_pollers",
            )],
            (Some(maximum), None) => within(concurrency, maximum, 2..=1_000, LAMBDA).into_iter().collect(),
            (None, Some((least, most))) => {
                let mut findings: Vec<Finding> = [
                    within(format!("{pollers}.minimum"), least, 2..=200, LAMBDA),
                    within(format!("{pollers}.maximum"), most, 2..=POLLERS_MAX, "aws-cdk-lib"),
                ]
                .into_iter()
                .flatten()
                .collect();
                if least > most {
                    let sentence = format!("{least} exceeds the maximum of {most}: set at most that");
                    findings.push(Finding::error(format!("{pollers}.minimum"), sentence));
                }
                findings
            }
        }
    })
}

/// Without partial responses one bad message sends its whole batch back, and Lambda slows down on every failure.
pub fn failures_are_reported_one_by_one(stage: &Stage) -> Vec<Finding> {
    each(stage, |path, source| {
        let place = format!("{path}.report_batch_item_failures");
        let sentence = "set it to true: otherwise one bad message fails its whole batch";
        if source.reports_item_failures { Vec::new() } else { vec![Finding::error(place, sentence)] }
    })
}

/// What is reserved for a function covers what its event source may start; less means throttles, and every throttle
/// costs a receive.
pub fn reserved_covers_maximum(stage: &Stage) -> Vec<Finding> {
    let reserved = stage
        .consumers()
        .filter_map(|(name, function, source)| Some((name, function.reserved_concurrency?, source)));
    let short = reserved.filter_map(|(name, reserved, source)| {
        let least = source.maximum_concurrency.unwrap_or_default().max(RESERVED_MIN);
        let sentence = format!(
            "{reserved} is less than its event source may start: reserve at least {least}, or lower maximum_concurrency"
        );
        (reserved < least).then(|| Finding::error(format!("functions.{name}.reserved_concurrency"), sentence))
    });
    short.collect()
}

/// Applies a rule to every event source, with its path.
fn each(stage: &Stage, rule: impl Fn(&str, &EventSource) -> Vec<Finding>) -> Vec<Finding> {
    let sources = stage.consumers();
    sources.flat_map(|(name, _, source)| rule(&format!("functions.{name}.event_source"), source)).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        batch_and_window, failures_are_reported_one_by_one, one_way_to_scale, queue_exists,
        reserved_covers_maximum,
    };
    use crate::doctor::stage::tests::{check, planted};
    use serde_json::json;

    const SOURCE: &str = "/functions/process-orders/event_source";

    fn pollers(minimum: u64, maximum: u64) -> serde_json::Value {
        let number = |value: u64| json!({ "value": value, "reason": "a test" });
        json!({ "minimum": number(minimum), "maximum": number(maximum) })
    }

    #[test]
    fn a_trigger_names_a_queue() {
        let planted = (&*format!("{SOURCE}/queue"), json!("order"));
        check(queue_exists, "prod", planted, "functions.process-orders.event_source.queue");
    }

    #[test]
    fn a_large_batch_has_a_window() {
        let window = "functions.process-orders.event_source.maximum_batching_window_s";
        let batch = "functions.process-orders.event_source.batch_size";
        check(batch_and_window, "test", (&format!("{SOURCE}/batch_size"), json!(11)), window);
        check(batch_and_window, "prod", (&format!("{SOURCE}/batch_size"), json!(0)), batch);
        check(batch_and_window, "prod", (&format!("{SOURCE}/maximum_batching_window_s"), json!(301)), window);
        check(batch_and_window, "prod", (&format!("{SOURCE}/maximum_batching_window_s"), json!(300)), "");
    }

    #[test]
    fn a_batch_has_a_largest_size() {
        let stage = planted("prod", &format!("{SOURCE}/batch_size"), json!(10_001));
        let findings = batch_and_window(&stage);
        assert!(findings[0].sentence.starts_with("10001 is outside"), "{findings:?}");
    }

    #[test]
    fn concurrency_and_pollers_exclude_each_other() {
        let concurrency = "functions.process-orders.event_source.maximum_concurrency";
        let both = "functions.process-orders.event_source.provisioned_pollers";
        let (maximum, provisioned) =
            (&*format!("{SOURCE}/maximum_concurrency"), &*format!("{SOURCE}/provisioned_pollers"));
        check(one_way_to_scale, "prod", (maximum, json!(1)), concurrency);
        check(one_way_to_scale, "prod", (maximum, json!(1_001)), concurrency);
        check(one_way_to_scale, "prod", (maximum, json!(0)), concurrency);
        check(one_way_to_scale, "prod", (provisioned, pollers(2, 20)), both);
        check(one_way_to_scale, "prod", (provisioned, pollers(0, 0)), "");
    }

    #[test]
    fn pollers_have_limits() {
        let mut stage = planted("prod", &format!("{SOURCE}/maximum_concurrency"), json!(0));
        let mut places = |minimum, maximum| {
            let source = stage.functions.get_mut("process-orders").unwrap().event_source.as_mut().unwrap();
            source.provisioned_pollers = Some((minimum, maximum));
            one_way_to_scale(&stage).into_iter().map(|f| f.place).collect::<Vec<_>>()
        };
        let path = |end: &str| format!("functions.process-orders.event_source.provisioned_pollers.{end}");
        assert!(places(2, 2_000).is_empty());
        assert_eq!(places(1, 20), [path("minimum")]);
        assert_eq!(places(201, 300), [path("minimum")]);
        assert_eq!(places(2, 2_001), [path("maximum")]);
        assert_eq!(places(30, 20), [path("minimum")]);
    }

    #[test]
    fn partial_responses_are_on() {
        let planted = (&*format!("{SOURCE}/report_batch_item_failures"), json!(false));
        let place = "functions.process-orders.event_source.report_batch_item_failures";
        check(failures_are_reported_one_by_one, "test", planted, place);
    }

    #[test]
    fn reserved_concurrency_covers_the_event_source() {
        let place = "functions.process-orders.reserved_concurrency";
        let path = "/functions/process-orders/reserved_concurrency";
        check(reserved_covers_maximum, "prod", (path, json!(99)), place);
        check(reserved_covers_maximum, "prod", (path, json!(100)), "");
        check(reserved_covers_maximum, "test", (path, json!(4)), place);
    }
}
