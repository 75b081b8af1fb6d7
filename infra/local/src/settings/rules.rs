//! What AWS would refuse when the settings are deployed, and what it would accept to our cost.

use std::{ops::RangeInclusive, time::Duration};

use super::{EventSource, Function, Provider, Queue, Settings};

/// An event source that batches more than this must name a window. SQS hands out ten at a time.
const BATCH_SIZE_WITHOUT_WINDOW: u64 = 10;
/// Batch sizes of a standard queue.
const BATCH_SIZES: RangeInclusive<u64> = 1..=10_000;
/// `ScalingConfig.MaximumConcurrency` of an event source mapping.
const MAXIMUM_CONCURRENCIES: RangeInclusive<u64> = 2..=1_000;
/// `MaximumBatchingWindowInSeconds`.
const WINDOWS_S: RangeInclusive<u64> = 0..=300;
/// `maxReceiveCount` of a redrive policy.
const RECEIVE_COUNTS: RangeInclusive<u64> = 1..=1_000;
/// A function's timeout.
const TIMEOUTS_S: RangeInclusive<u64> = 1..=900;
/// A function's memory.
const MEMORIES_MB: RangeInclusive<u64> = 128..=10_240;
/// A queue's visibility timeout.
const VISIBILITIES_S: RangeInclusive<u64> = 0..=43_200;
/// `ReservedConcurrentExecutions` of a function that works at all.
const RESERVED_CONCURRENCIES: RangeInclusive<u64> = 1..=1_000;
/// What a schedule can be: EventBridge Scheduler knows whole minutes only, the stages of this machine seconds.
const SCHEDULES_S: RangeInclusive<u64> = 1..=86_400;
/// The stages that are deployed.
const DEPLOYED: [&str; 2] = ["dev", "prod"];
/// A queue's retention.
const RETENTIONS_S: RangeInclusive<u64> = 60..=1_209_600;

/// Every rule that the settings break, each beginning with the JSON path.
pub(super) fn broken(settings: &Settings) -> Vec<String> {
    let mut problems = Problems(Vec::new());
    for (name, function) in &settings.functions {
        check_function(&mut problems, settings, name, function);
    }
    for (name, queue) in &settings.queues {
        check_queue(&mut problems, settings, name, queue);
    }
    check_provider(&mut problems, &settings.provider);
    problems.within("local.function_instances", settings.local.function_instances, 1..=1_000);
    problems.0
}

fn check_provider(problems: &mut Problems, provider: &Provider) {
    problems.within("provider.rate_per_s", provider.rate_per_s, 1..=1_000_000);
    problems.within("provider.global_rate_per_s", provider.global_rate_per_s, 1..=1_000_000);
    problems.within("provider.used_percent", provider.used_percent, 1..=100);
    if provider.global_rate_per_s < provider.rate_per_s {
        problems.add("provider.global_rate_per_s: is less than the rate of one endpoint".to_owned());
    }
    let times = [
        ("connect_timeout_ms", provider.connect_timeout, "look_up_timeout_ms", provider.look_up_timeout),
        ("look_up_timeout_ms", provider.look_up_timeout, "attempt_timeout_ms", provider.attempt_timeout),
        ("attempt_floor_ms", provider.attempt_floor, "attempt_timeout_ms", provider.attempt_timeout),
    ];
    for (shorter, short, longer, long) in times {
        if short > long {
            problems.add(format!("provider.{shorter}: is longer than {longer}"));
        }
    }
}

/// What a function needs that calls the provider, and what one needs that the clock invokes.
fn check_payer(problems: &mut Problems, settings: &Settings, path: &str, function: &Function) {
    let Provider { attempt_floor, reserve, .. } = &settings.provider;
    if function.calls_provider() && function.timeout < *attempt_floor + *reserve {
        problems.add(format!(
            "{path}.timeout_s: leaves no time for an attempt; provider.attempt_floor_ms and reserve_ms need {} ms",
            (*attempt_floor + *reserve).as_millis()
        ));
    }
    if let Some(concurrency) = function.reserved_concurrency {
        problems.within(&format!("{path}.reserved_concurrency"), concurrency, RESERVED_CONCURRENCIES);
    }
    let Some(every) = function.schedule else { return };
    let path = format!("{path}.schedule.every_s");
    problems.within(&path, every.as_secs(), SCHEDULES_S);
    if DEPLOYED.contains(&settings.stage.as_str()) && every.as_secs() % 60 != 0 {
        problems.add(format!("{path}: {} is not a whole number of minutes", every.as_secs()));
    }
}

fn check_function(problems: &mut Problems, settings: &Settings, name: &str, function: &Function) {
    let path = format!("functions.{name}");
    problems.within(&format!("{path}.timeout_s"), function.timeout.as_secs(), TIMEOUTS_S);
    problems.within(&format!("{path}.memory_mb"), function.memory_mb, MEMORIES_MB);
    check_payer(problems, settings, &path, function);
    let Some(source) = &function.event_source else { return };
    let path = format!("{path}.event_source");
    check_event_source(problems, &path, source);
    match settings.queues.get(&source.queue) {
        None => problems.add(format!("{path}.queue: there is no queue {}", source.queue)),
        Some(queue) if function.timeout > queue.visibility_timeout => problems.add(format!(
            "queues.{}.visibility_timeout_s: {} s is less than the timeout of {name}, {} s: a message would \
             return while it is worked on",
            source.queue,
            queue.visibility_timeout.as_secs(),
            function.timeout.as_secs()
        )),
        Some(_) => {}
    }
}

fn check_event_source(problems: &mut Problems, path: &str, source: &EventSource) {
    problems.within(&format!("{path}.batch_size"), source.batch_size, BATCH_SIZES);
    problems.within(&format!("{path}.maximum_batching_window_s"), source.window.as_secs(), WINDOWS_S);
    let concurrency = format!("{path}.maximum_concurrency");
    problems.within(&concurrency, source.maximum_concurrency, MAXIMUM_CONCURRENCIES);
    if source.batch_size > BATCH_SIZE_WITHOUT_WINDOW && source.window < Duration::from_secs(1) {
        problems.add(format!(
            "{path}.batch_size: above {BATCH_SIZE_WITHOUT_WINDOW} needs a maximum_batching_window_s of at least 1"
        ));
    }
}

fn check_queue(problems: &mut Problems, settings: &Settings, name: &str, queue: &Queue) {
    let path = format!("queues.{name}");
    let visibility_s = queue.visibility_timeout.as_secs();
    problems.within(&format!("{path}.visibility_timeout_s"), visibility_s, VISIBILITIES_S);
    problems.within(&format!("{path}.message_retention_s"), queue.retention.as_secs(), RETENTIONS_S);
    let Some(redrive) = &queue.redrive else { return };
    problems.within(&format!("{path}.max_receive_count"), redrive.max_receive_count, RECEIVE_COUNTS);
    match settings.queues.get(&redrive.dead_letter_queue) {
        None => {
            problems
                .add(format!("{path}.dead_letter_queue: there is no queue {}", redrive.dead_letter_queue));
        }
        // A moved message keeps its first enqueue time, so an equal retention could delete it on arrival.
        Some(dead) if dead.retention <= queue.retention => problems.add(format!(
            "queues.{}.message_retention_s: must be longer than that of {name}, whose dead letters it keeps",
            redrive.dead_letter_queue
        )),
        Some(_) => {}
    }
}

struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, problem: String) {
        self.0.push(problem);
    }

    fn within(&mut self, path: &str, value: u64, allowed: RangeInclusive<u64>) {
        if !allowed.contains(&value) {
            self.add(format!("{path}: {value} is not within {} to {}", allowed.start(), allowed.end()));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::error::Error;

    #[track_caller]
    fn check(path: &str, value: u64, expected: Option<&str>) {
        let mut file: Value = serde_json::from_str(include_str!("../../../settings.json")).unwrap();
        *file.pointer_mut(path).unwrap() = json!({ "value": value, "reason": "a test" });
        match (Settings::from_json(&file, "dev"), expected) {
            (Ok(_), None) => {}
            (Err(Error::Settings { problems }), Some(expected)) => {
                assert!(
                    problems.iter().any(|problem| problem.contains(expected)),
                    "{problems:?} lacks {expected}"
                );
            }
            (found, _) => panic!("{path} = {value}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn a_function_may_not_outlive_the_visibility_of_its_messages() {
        check("/queues/orders/visibility_timeout_s", 10, None);
        check(
            "/queues/orders/visibility_timeout_s",
            9,
            Some("queues.orders.visibility_timeout_s: 9 s is less"),
        );
    }

    #[test]
    fn a_batch_above_ten_needs_a_window() {
        check("/functions/process-orders/event_source/batch_size", 11, Some("batch_size: above 10 needs"));
        check("/functions/process-orders/event_source/batch_size", 0, Some("batch_size: 0 is not within"));
    }

    #[test]
    fn concurrency_stays_within_what_lambda_allows() {
        let path = "/functions/process-orders/event_source/maximum_concurrency";
        check(path, 1, Some("maximum_concurrency: 1 is not within 2 to 1000"));
        check(path, 2, None);
        check(path, 1_000, None);
        check(path, 1_001, Some("maximum_concurrency: 1001"));
    }

    #[test]
    fn a_dead_letter_queue_keeps_longer_than_its_source() {
        check("/queues/orders-dlq/message_retention_s", 345_600, Some("whose dead letters it keeps"));
        check("/queues/orders/max_receive_count", 0, Some("queues.orders.max_receive_count: 0"));
        check("/queues/orders/max_receive_count", 1_001, Some("queues.orders.max_receive_count: 1001"));
    }

    #[test]
    fn a_quota_and_its_times_fit_together() {
        check(
            "/provider/global_rate_per_s",
            24,
            Some("provider.global_rate_per_s: is less than the rate of"),
        );
        check("/provider/used_percent", 101, Some("provider.used_percent: 101 is not within 1 to 100"));
        check(
            "/provider/connect_timeout_ms",
            2_001,
            Some("connect_timeout_ms: is longer than look_up_timeout"),
        );
        check(
            "/provider/look_up_timeout_ms",
            5_001,
            Some("look_up_timeout_ms: is longer than attempt_timeout"),
        );
        check(
            "/provider/attempt_floor_ms",
            5_001,
            Some("attempt_floor_ms: is longer than attempt_timeout_ms"),
        );
    }

    #[test]
    fn every_queue_that_is_named_exists() {
        let mut file: Value = serde_json::from_str(include_str!("../../../settings.json")).unwrap();
        file["queues"]["orders"]["dead_letter_queue"] = json!("nowhere");
        file["functions"]["process-orders"]["event_source"]["queue"] = json!("nothing");
        let error = Settings::from_json(&file, "dev").unwrap_err().to_string();
        assert!(error.contains("queues.orders.dead_letter_queue: there is no queue nowhere"), "{error}");
        assert!(error.contains("event_source.queue: there is no queue nothing"), "{error}");
    }
}
