//! The payment provider: its quota, how many instances use it up, how long an attempt may take, how long a key lives.

use super::within;
use crate::doctor::finding::Finding;
use crate::doctor::stage::Stage;

/// `MaximumConcurrency` goes no lower.
const INSTANCES_MIN: u64 = 2;
/// The endpoints among which an instance without Redis divides its share of the whole quota.
const ENDPOINTS: u64 = 5;

/// Rates are positive, the account's covers that of one endpoint, and a share of it is used.
pub fn quota(stage: &Stage) -> Vec<Finding> {
    let rate = stage.number("provider.rate_per_s");
    let global = stage.number("provider.global_rate_per_s");
    let used = stage.number("provider.used_percent");
    let mut findings = Vec::new();
    findings.extend(within("provider.rate_per_s".to_owned(), rate, 1..=1_000_000, "a quota"));
    findings.extend(within("provider.used_percent".to_owned(), used, 1..=100, "a share of the quota"));
    if global < rate {
        let sentence = format!("{global} is less than the {rate} of one endpoint: set at least that");
        findings.push(Finding::error("provider.global_rate_per_s", sentence));
    }
    findings
}

/// Opening a connection is shorter than a read, a read than a change; and no attempt starts that cannot finish.
pub fn timeouts_are_in_order(stage: &Stage) -> Vec<Finding> {
    let ordered = [
        ("connect_timeout_ms", "look_up_timeout_ms"),
        ("connect_timeout_ms", "attempt_floor_ms"),
        ("look_up_timeout_ms", "attempt_timeout_ms"),
        ("attempt_floor_ms", "attempt_timeout_ms"),
    ];
    let ms = |name: &str| stage.number(&format!("provider.{name}"));
    ordered
        .into_iter()
        .filter(|(shorter, longer)| ms(shorter) > ms(longer))
        .map(|(shorter, longer)| {
            let sentence = format!(
                "{} ms is longer than {longer}: set at most {}, or lengthen that one",
                ms(shorter),
                ms(longer)
            );
            Finding::error(format!("provider.{shorter}"), sentence)
        })
        .collect()
}

/// A function that pays lives longer than an attempt and what follows it. Here, where timeouts are short, longer than
/// the shortest attempt: with less, none would ever start.
pub fn attempts_fit_into_the_function(stage: &Stage) -> Vec<Finding> {
    let attempt = if stage.is_deployed() { "attempt_timeout_ms" } else { "attempt_floor_ms" };
    let needed_ms = stage.number(&format!("provider.{attempt}")) + stage.number("provider.reserve_ms");
    let short = stage.payers().filter(|(_, function)| function.timeout_s * 1_000 <= needed_ms);
    short
        .map(|(name, function)| {
            let sentence = format!(
                "{} s leaves no time for an attempt: set more than {needed_ms} ms, the sum of provider.{attempt} and reserve_ms",
                function.timeout_s
            );
            Finding::error(format!("functions.{name}.timeout_s"), sentence)
        })
        .collect()
}

/// How many instances use a quota up, by Little's law: payments a second × seconds a batch ÷ payments a batch, rounded
/// up, and never fewer than Lambda allows. More would only wait for permits, and be billed for it.
///
/// `rate_per_s` is the quota of one endpoint, because a payment calls each endpoint once.
pub fn instances_for(rate_per_s: u64, used_percent: u64, batch_size: u64, batch_ms: u64) -> u64 {
    let payments = rate_per_s.saturating_mul(used_percent).saturating_mul(batch_ms);
    payments.div_ceil(100 * 1_000 * batch_size.max(1)).max(INSTANCES_MIN)
}

/// The concurrency of an event source whose function pays is derived from the provider's quota: deployed, exactly;
/// here, where one machine is the limit, as an upper bound.
pub fn instances_follow_the_quota(stage: &Stage) -> Vec<Finding> {
    let rate = stage.number("provider.rate_per_s");
    let used = stage.number("provider.used_percent");
    let batch_ms = stage.number("provider.settled_batch_ms");
    let sources = stage.payers().filter_map(|(name, function)| Some((name, function.event_source.as_ref()?)));
    let mut findings = Vec::new();
    for (name, source) in sources {
        let path = format!("functions.{name}.event_source.maximum_concurrency");
        let derived = instances_for(rate, used, source.batch_size, batch_ms);
        let law = format!(
            "{used} % of {rate}/s, in batches of {} that take {batch_ms} ms, keep {derived} instances busy",
            source.batch_size
        );
        let sentence = match source.maximum_concurrency {
            None => format!("pollers cannot be bounded by the provider's quota: set {derived} ({law})"),
            Some(maximum) if maximum > derived => {
                format!("{maximum} is more than the quota feeds: set {derived} ({law})")
            }
            Some(maximum) if maximum < derived && stage.is_deployed() => {
                format!("{maximum} leaves quota unused: set {derived} ({law})")
            }
            Some(_) => continue,
        };
        findings.push(Finding::error(path, sentence));
    }
    findings
}

/// Without Redis each instance that pays has its part of the quota, which must be a permit a second at least.
pub fn every_instance_has_a_share(stage: &Stage) -> Vec<Finding> {
    let unbounded = stage.payers().filter(|(_, function)| function.concurrency().is_none());
    let mut findings: Vec<Finding> = unbounded
        .map(|(name, _)| {
            let sentence = "is missing: a function that pays has a bound, which the quota is divided by";
            Finding::error(format!("functions.{name}.reserved_concurrency"), sentence)
        })
        .collect();
    let instances: u64 = stage.payers().filter_map(|(_, function)| function.concurrency()).sum();
    let rate = stage.number("provider.rate_per_s");
    let permits = rate.min(stage.number("provider.global_rate_per_s") / ENDPOINTS);
    if instances > permits {
        let sentence = format!(
            "{rate}/s, of which an endpoint has {permits} without Redis, are too few for {instances} instances that pay: lower their concurrency to {permits} in all, or raise the quota"
        );
        findings.push(Finding::error("provider.rate_per_s", sentence));
    }
    findings
}

/// A key is never sent when the provider may have forgotten it; whatever waits with a key is decided before the key
/// ends; and a request is kept for as long as it can be paid.
pub fn keys_are_younger_than_the_provider_remembers(stage: &Stage) -> Vec<Finding> {
    let life_s = stage.number("provider.key_life_s");
    let retention_s = stage.number("provider.key_retention_s");
    let quarantine_s = stage.number("reconcile.unknown_quarantine_s");
    let mut findings = Vec::new();
    let slowest_s = stage.payers().map(|(_, function)| function.timeout_s).max().unwrap_or_default();
    if life_s + slowest_s >= retention_s {
        let sentence = format!(
            "{life_s} s and a last invocation of {slowest_s} s outlive the provider's memory of {retention_s} s, and would charge anew: shorten it"
        );
        findings.push(Finding::error("provider.key_life_s", sentence));
    }
    if quarantine_s >= life_s {
        let sentence = format!(
            "{quarantine_s} s outlasts the key that answers the doubt: set less than the {life_s} s of provider.key_life_s"
        );
        findings.push(Finding::error("reconcile.unknown_quarantine_s", sentence));
    }
    let paid = stage.payers().filter_map(|(_, function)| function.event_source.as_ref());
    let paid =
        paid.filter_map(|source| Some((&source.queue, stage.queues.get(&source.queue)?.message_retention_s)));
    findings.extend(paid.filter(|(_, kept_s)| *kept_s < life_s).map(|(queue, kept_s)| {
        let sentence = format!(
            "{kept_s} s lets requests expire that can still be paid: set at least the {life_s} s of provider.key_life_s"
        );
        Finding::error(format!("queues.{queue}.message_retention_s"), sentence)
    }));
    findings
}

/// Deployed, charges are compared with rows only when no invocation can still be writing them.
pub fn comparison_waits_for_the_rows(stage: &Stage) -> Vec<Finding> {
    let lag_s = stage.number("reconcile.compare_lag_s");
    let slowest_s = stage.payers().map(|(_, function)| function.timeout_s).max().unwrap_or_default();
    let sentence = format!(
        "{lag_s} s reports charges that are still on their way into a row: set more than {slowest_s} s, the longest timeout of a function that pays"
    );
    let early = stage.is_deployed() && lag_s <= slowest_s;
    early.then(|| Finding::error("reconcile.compare_lag_s", sentence)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::{
        attempts_fit_into_the_function, comparison_waits_for_the_rows, every_instance_has_a_share,
        instances_follow_the_quota, instances_for, keys_are_younger_than_the_provider_remembers, quota,
        timeouts_are_in_order,
    };
    use crate::doctor::stage::tests::{check, planted};
    use serde_json::json;

    const MAXIMUM: &str = "/functions/settle-payments/event_source/maximum_concurrency";

    #[test]
    fn a_quota_is_used_up_by_as_many_instances_as_littles_law_says() {
        assert_eq!(instances_for(25, 90, 10, 600), 2, "1.35, rounded up");
        assert_eq!(instances_for(100, 90, 10, 600), 6, "5.4, rounded up");
        assert_eq!(instances_for(1_000, 90, 10, 600), 54);
        assert_eq!(instances_for(25, 90, 1, 600), 14, "one by one takes ten times as many");
        assert_eq!(instances_for(1, 1, 10_000, 1), 2, "never fewer than Lambda allows");
        assert_eq!(instances_for(25, 90, 0, 600), 14, "no batch is empty");
    }

    #[test]
    fn concurrency_follows_the_quota() {
        let place = "functions.settle-payments.event_source.maximum_concurrency";
        let rule = instances_follow_the_quota as _;
        check(rule, "prod", (MAXIMUM, json!(2)), place);
        check(rule, "prod", (MAXIMUM, json!(4)), place);
        check(rule, "prod", ("/provider/rate_per_s", json!(100)), place);
        check(rule, "prod", ("/provider/settled_batch_ms", json!(1_500)), place);
        check(rule, "local", (MAXIMUM, json!(108)), "");
        check(rule, "local", (MAXIMUM, json!(109)), place);
        check(rule, "prod", (MAXIMUM, json!(0)), place);
    }

    #[test]
    fn a_quota_is_one() {
        check(quota, "prod", ("/provider/global_rate_per_s", json!(24)), "provider.global_rate_per_s");
        check(quota, "prod", ("/provider/used_percent", json!(101)), "provider.used_percent");
        check(quota, "test", ("/provider/rate_per_s", json!(0)), "provider.rate_per_s");
    }

    #[test]
    fn timeouts_have_an_order() {
        let rule = timeouts_are_in_order as _;
        check(rule, "prod", ("/provider/connect_timeout_ms", json!(1_001)), "provider.connect_timeout_ms");
        check(rule, "prod", ("/provider/look_up_timeout_ms", json!(5_001)), "provider.look_up_timeout_ms");
        check(rule, "test", ("/provider/attempt_floor_ms", json!(5_001)), "provider.attempt_floor_ms");
    }

    #[test]
    fn an_attempt_fits_into_its_function() {
        let rule = attempts_fit_into_the_function as _;
        let path = "/functions/settle-payments/timeout_s";
        check(rule, "prod", (path, json!(6)), "functions.settle-payments.timeout_s");
        check(rule, "prod", (path, json!(7)), "");
        check(rule, "test", (path, json!(2)), "functions.settle-payments.timeout_s");
        check(rule, "test", (path, json!(3)), "");
    }

    #[test]
    fn every_instance_gets_a_permit_a_second() {
        let rule = every_instance_has_a_share as _;
        check(rule, "prod", (MAXIMUM, json!(19)), "provider.rate_per_s");
        check(rule, "prod", (MAXIMUM, json!(18)), "");
        let mut stage = planted("prod", MAXIMUM, json!(2));
        stage.functions.get_mut("reconcile-orders").unwrap().reserved_concurrency = None;
        let place = &every_instance_has_a_share(&stage)[0].place;
        assert_eq!(place, "functions.reconcile-orders.reserved_concurrency");
    }

    #[test]
    fn a_key_ends_before_the_provider_forgets_it() {
        let rule = keys_are_younger_than_the_provider_remembers as _;
        check(rule, "prod", ("/provider/key_life_s", json!(86_345)), "provider.key_life_s");
        check(rule, "prod", ("/provider/key_retention_s", json!(82_800)), "provider.key_life_s");
        let quarantine = "/reconcile/unknown_quarantine_s";
        check(rule, "prod", (quarantine, json!(82_800)), "reconcile.unknown_quarantine_s");
        let retention = "/queues/payments/message_retention_s";
        check(rule, "prod", (retention, json!(82_799)), "queues.payments.message_retention_s");
    }

    #[test]
    fn a_comparison_waits_for_every_writer() {
        let path = "/reconcile/compare_lag_s";
        check(comparison_waits_for_the_rows, "prod", (path, json!(55)), "reconcile.compare_lag_s");
        check(comparison_waits_for_the_rows, "test", (path, json!(1)), "");
    }
}
