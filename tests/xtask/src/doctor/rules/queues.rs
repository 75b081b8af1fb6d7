//! Queues: visibility against timeouts, dead letters, retention.

use super::within;
use crate::doctor::finding::Finding;
use crate::doctor::stage::Stage;

/// AWS advises a visibility timeout of this many times the function's: throttled retries stay within it.
const VISIBILITY_FACTOR: u64 = 6;
/// AWS advises at least this many receives before a message is dead: throttling costs receives as well.
const RECEIVES_MIN: u64 = 5;

/// A message stays hidden until its invocation is certainly over: deployed, six times the timeout and the window; here,
/// the timeout and the window, below which a message is worked on twice at a time.
pub fn visibility_outlives_the_function(stage: &Stage) -> Vec<Finding> {
    let factor = if stage.is_deployed() { VISIBILITY_FACTOR } else { 1 };
    let consumed = stage.consumers().filter_map(|(name, function, source)| {
        Some((name, function.timeout_s, source, stage.queues.get(&source.queue)?.visibility_timeout_s))
    });
    let short = consumed.filter_map(|(name, timeout_s, source, visibility_s)| {
        let least_s = factor * timeout_s + source.window_s;
        (visibility_s < least_s).then(|| {
            let path = format!("queues.{}.visibility_timeout_s", source.queue);
            let why = format!("{factor} × the {timeout_s} s timeout of {name} and its window");
            Finding::error(path, format!("{visibility_s} s is too short: set at least {least_s}, {why}"))
        })
    });
    short.collect()
}

/// A queue that a function consumes has a dead-letter queue, which exists, is another one, and has none itself.
pub fn dead_letters_have_a_queue(stage: &Stage) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, queue) in &stage.queues {
        let path = format!("queues.{name}.dead_letter_queue");
        let consumed = stage.consumers().any(|(_, _, source)| source.queue == *name);
        let sentence = match &queue.dead_letter_queue {
            None if consumed => "is missing: name a queue for what no receive can finish".to_owned(),
            None => continue,
            Some(dead) if dead == name => "names the queue itself: name another one".to_owned(),
            Some(dead) => match stage.queues.get(dead) {
                None => format!("names {dead}, which does not exist: add it under `queues`"),
                Some(queue) if queue.dead_letter_queue.is_some() => {
                    format!("names {dead}, which has a dead-letter queue itself: remove that one")
                }
                Some(_) => continue,
            },
        };
        findings.push(Finding::error(path, sentence));
    }
    findings
}

/// A dead letter keeps the time of its first enqueue, so an equal retention could delete it on arrival.
pub fn dead_letters_outlive_their_source(stage: &Stage) -> Vec<Finding> {
    let pairs = stage.queues.iter().filter_map(|(name, queue)| {
        let dead = queue.dead_letter_queue.as_ref()?;
        Some((name, queue.message_retention_s, dead, stage.queues.get(dead)?.message_retention_s))
    });
    let early = pairs.filter(|(name, source_s, dead, dead_s)| dead_s <= source_s && name != dead);
    early
        .map(|(name, source_s, dead, dead_s)| {
            let path = format!("queues.{dead}.message_retention_s");
            Finding::error(
                path,
                format!("{dead_s} s must exceed the {source_s} s of {name}, whose dead letters it keeps"),
            )
        })
        .collect()
}

/// Receives before a message is dead: within SQS's limits, and deployed at least five.
pub fn receives_are_enough(stage: &Stage) -> Vec<Finding> {
    let least = if stage.is_deployed() { RECEIVES_MIN } else { 1 };
    let mut findings = Vec::new();
    for (name, queue) in &stage.queues {
        let path = format!("queues.{name}.max_receive_count");
        match (queue.max_receive_count, &queue.dead_letter_queue) {
            (Some(count), Some(_)) => {
                findings.extend(within(path, count, least..=1_000, "SQS (and AWS's advice of 5 or more)"));
            }
            (None, Some(_)) => {
                findings
                    .push(Finding::error(path, "is missing: say after how many receives a message is dead"));
            }
            (Some(_), None) => {
                findings.push(Finding::error(path, "has no effect without a dead_letter_queue: name one"));
            }
            (None, None) => {}
        }
    }
    findings
}

/// SQS's own limits.
pub fn limits(stage: &Stage) -> Vec<Finding> {
    let queues = stage.queues.iter();
    queues
        .flat_map(|(name, queue)| {
            let path = |field: &str| format!("queues.{name}.{field}");
            [
                within(path("visibility_timeout_s"), queue.visibility_timeout_s, 0..=43_200, "SQS"),
                within(path("message_retention_s"), queue.message_retention_s, 60..=1_209_600, "SQS"),
            ]
        })
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{
        dead_letters_have_a_queue, dead_letters_outlive_their_source, limits, receives_are_enough,
        visibility_outlives_the_function,
    };
    use crate::doctor::stage::tests::check;
    use serde_json::json;

    #[test]
    fn visibility_is_six_timeouts_where_aws_runs_it() {
        let (rule, path) = (visibility_outlives_the_function as _, "/queues/payments/visibility_timeout_s");
        let place = "queues.payments.visibility_timeout_s";
        check(rule, "prod", (path, json!(179)), place);
        check(rule, "prod", (path, json!(180)), "");
        check(rule, "local", (path, json!(30)), "");
        check(rule, "local", (path, json!(29)), place);
        check(rule, "dev", ("/functions/settle-payments/timeout_s", json!(31)), place);
        let window = "/functions/settle-payments/event_source/maximum_batching_window_s";
        check(rule, "dev", (window, json!(1)), place);
    }

    #[test]
    fn dead_letters_go_to_a_queue_of_their_own() {
        let (rule, path) = (dead_letters_have_a_queue as _, "/queues/orders/dead_letter_queue");
        let place = "queues.orders.dead_letter_queue";
        check(rule, "prod", (path, json!("nowhere")), place);
        check(rule, "prod", (path, json!("orders")), place);
        check(rule, "prod", (path, json!("payments")), place);
        let source = "/functions/process-orders/event_source/queue";
        check(rule, "prod", (source, json!("quarantine")), "queues.quarantine.dead_letter_queue");
    }

    #[test]
    fn dead_letters_are_kept_longer_than_what_may_become_one() {
        let rule = dead_letters_outlive_their_source as _;
        let path = "/queues/orders-dlq/message_retention_s";
        check(rule, "test", (path, json!(345_600)), "queues.orders-dlq.message_retention_s");
        check(rule, "test", (path, json!(345_601)), "");
    }

    #[test]
    fn five_receives_are_the_least() {
        let (rule, path) = (receives_are_enough as _, "/queues/orders/max_receive_count");
        check(rule, "prod", (path, json!(4)), "queues.orders.max_receive_count");
        check(rule, "test", (path, json!(4)), "");
        check(rule, "test", (path, json!(1_001)), "queues.orders.max_receive_count");
        check(
            rule,
            "prod",
            ("/queues/quarantine/max_receive_count", json!(9)),
            "queues.quarantine.max_receive_count",
        );
        let dead = "/queues/quarantine/dead_letter_queue";
        check(rule, "prod", (dead, json!("orders-dlq")), "queues.quarantine.max_receive_count");
    }

    #[test]
    fn sqs_has_limits() {
        let rule = limits as _;
        check(
            rule,
            "dev",
            ("/queues/orders/visibility_timeout_s", json!(43_201)),
            "queues.orders.visibility_timeout_s",
        );
        check(
            rule,
            "dev",
            ("/queues/orders/message_retention_s", json!(59)),
            "queues.orders.message_retention_s",
        );
    }
}
