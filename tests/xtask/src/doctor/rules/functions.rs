//! Functions: Lambda's limits, the clock that invokes one, and what each waits for.

use super::within;
use crate::doctor::finding::Finding;
use crate::doctor::stage::Stage;

/// A new account has 1,000 concurrent executions, of which 100 cannot be reserved.
const RESERVABLE: u64 = 900;
/// The Data API stops a call after this.
const DATA_API_CALL_MS: u64 = 45_000;
/// The reference by which a function gets the secret of the functions' database user, to which the limits apply.
const APP_SECRET: &str = "${secrets.app.arn}";
/// A Redis that answers later than this is away: an order is accepted within 100 ms without it.
const REDIS_MS_MAX: u64 = 50;

/// Lambda's own limits.
pub fn limits(stage: &Stage) -> Vec<Finding> {
    let functions = stage.functions.iter();
    functions
        .flat_map(|(name, function)| {
            let path = |field: &str| format!("functions.{name}.{field}");
            [
                within(path("timeout_s"), function.timeout_s, 1..=900, "Lambda"),
                within(path("memory_mb"), function.memory_mb, 128..=10_240, "Lambda"),
            ]
        })
        .flatten()
        .collect()
}

/// All reservations together leave what Lambda insists on for the others.
pub fn account_keeps_a_reserve(stage: &Stage) -> Vec<Finding> {
    let reserved =
        stage.functions.iter().filter_map(|(name, function)| Some((name, function.reserved_concurrency?)));
    let sum: u64 = reserved.clone().map(|(_, concurrency)| concurrency).sum();
    let largest = reserved.max_by_key(|(_, concurrency)| *concurrency);
    let sentence =
        format!("all reservations are {sum} together: keep them within {RESERVABLE}, or raise the quota");
    let place = |name: &String| format!("functions.{name}.reserved_concurrency");
    largest
        .filter(|_| sum > RESERVABLE)
        .map(|(name, _)| Finding::error(place(name), sentence))
        .into_iter()
        .collect()
}

/// Deployed, a run ends before the next one begins, and the clock goes by whole minutes. Here the clock may go by
/// seconds and runs may overlap, which shows that they can.
pub fn runs_end_before_the_next_begins(stage: &Stage) -> Vec<Finding> {
    let scheduled =
        stage.functions.iter().filter_map(|(name, function)| Some((name, function, function.every_s?)));
    let mut findings = Vec::new();
    for (name, function, every_s) in scheduled {
        let path = format!("functions.{name}.schedule.every_s");
        if every_s == 0 {
            findings.push(Finding::error(path, "0 s is no period: set at least 1, and 60 where AWS runs it"));
        } else if stage.is_deployed() && every_s % 60 != 0 {
            let sentence = format!("{every_s} s is no whole number of minutes: the scheduler knows no other");
            findings.push(Finding::error(path, sentence));
        } else if stage.is_deployed() && function.timeout_s >= every_s {
            let sentence = format!(
                "{} s lets a run last into the next one: set less than the {every_s} s of its schedule",
                function.timeout_s
            );
            findings.push(Finding::error(format!("functions.{name}.timeout_s"), sentence));
        }
    }
    findings
}

/// A lock is given up before its statement, a statement before the Data API's call and before the function.
pub fn database_answers_within_the_timeout(stage: &Stage) -> Vec<Finding> {
    let lock_ms = stage.number("database.lock_timeout_ms");
    let statement_ms = stage.number("database.statement_timeout_ms");
    let mut findings = Vec::new();
    if lock_ms >= statement_ms {
        let sentence =
            format!("{lock_ms} ms must be less than the {statement_ms} ms of statement_timeout_ms");
        findings.push(Finding::error("database.lock_timeout_ms", sentence));
    }
    if statement_ms >= DATA_API_CALL_MS {
        let sentence =
            format!("{statement_ms} ms must be less than {DATA_API_CALL_MS}, when the Data API gives up");
        findings.push(Finding::error("database.statement_timeout_ms", sentence));
    }
    let users = stage.functions.iter().filter(|(_, function)| {
        stage.is_deployed() && function.environment.values().any(|value| value == APP_SECRET)
    });
    for (name, function) in users.filter(|(_, function)| 2 * statement_ms >= function.timeout_s * 1_000) {
        let sentence = format!(
            "{} s is too short for a statement and its retry: set more than 2 × the {statement_ms} ms of database.statement_timeout_ms",
            function.timeout_s
        );
        findings.push(Finding::error(format!("functions.{name}.timeout_s"), sentence));
    }
    findings
}

/// Redis is asked before orders are accepted, so its silence must cost little of the 100 ms that accepting may take.
pub fn redis_answers_in_time(stage: &Stage) -> Vec<Finding> {
    ["redis_client.command_timeout_ms", "redis_client.connect_timeout_ms"]
        .into_iter()
        .filter_map(|path| {
            within(path.to_owned(), stage.number(path), 1..=REDIS_MS_MAX, "accepting an order within 100 ms")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{
        account_keeps_a_reserve, database_answers_within_the_timeout, limits, redis_answers_in_time,
        runs_end_before_the_next_begins,
    };
    use crate::doctor::stage::tests::check;
    use serde_json::json;

    #[test]
    fn lambda_has_limits() {
        let (timeout, memory) =
            ("/functions/migrate-schema/timeout_s", "/functions/migrate-schema/memory_mb");
        check(limits, "test", (timeout, json!(901)), "functions.migrate-schema.timeout_s");
        check(limits, "test", (timeout, json!(900)), "");
        check(limits, "prod", (memory, json!(127)), "functions.migrate-schema.memory_mb");
        check(limits, "prod", (memory, json!(10_241)), "functions.migrate-schema.memory_mb");
    }

    #[test]
    fn an_account_reserves_only_so_much() {
        let path = "/functions/process-orders/reserved_concurrency";
        check(
            account_keeps_a_reserve,
            "prod",
            (path, json!(899)),
            "functions.process-orders.reserved_concurrency",
        );
        check(account_keeps_a_reserve, "prod", (path, json!(878)), "");
    }

    #[test]
    fn a_scheduled_run_ends_before_the_next() {
        let rule = runs_end_before_the_next_begins as _;
        let (timeout, every) =
            ("/functions/reconcile-orders/timeout_s", "/functions/reconcile-orders/schedule/every_s");
        let place = "functions.reconcile-orders.schedule.every_s";
        check(rule, "prod", (timeout, json!(60)), "functions.reconcile-orders.timeout_s");
        check(rule, "local", (timeout, json!(60)), "");
        check(rule, "dev", (every, json!(90)), place);
        check(rule, "test", (every, json!(0)), place);
    }

    #[test]
    fn a_database_gives_up_before_the_function_does() {
        let rule = database_answers_within_the_timeout as _;
        let (lock, statement) = ("/database/lock_timeout_ms", "/database/statement_timeout_ms");
        check(rule, "test", (lock, json!(3_000)), "database.lock_timeout_ms");
        check(rule, "prod", (statement, json!(5_000)), "functions.process-orders.timeout_s");
        check(rule, "test", (statement, json!(45_000)), "database.statement_timeout_ms");
    }

    #[test]
    fn a_silent_redis_costs_little() {
        let (command, connect) = ("/redis_client/command_timeout_ms", "/redis_client/connect_timeout_ms");
        check(redis_answers_in_time, "prod", (command, json!(500)), "redis_client.command_timeout_ms");
        check(redis_answers_in_time, "prod", (connect, json!(0)), "redis_client.connect_timeout_ms");
        check(redis_answers_in_time, "prod", (connect, json!(50)), "");
    }
}
