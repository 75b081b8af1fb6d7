//! The result of a check: what was live, what became of the orders, what the update did, what was left, and what the
//! emulator cannot follow.

use super::adapted::LIMITS;
use crate::report;
use crate::verdict::Judgement;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use xtask::cli;
use xtask::out::table;

/// What was seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcome {
    /// Types that the list takes out and the emulator takes, or the other way round.
    pub(super) outdated: Vec<String>,
    /// What is live, counted.
    pub(super) live: String,
    /// What is live and not as the settings ask for.
    pub(super) differences: Vec<String>,
    /// What became of the orders.
    pub(super) judgement: Judgement,
    /// Orders rejected because the provider failed in all their attempts.
    pub(super) given_up: u64,
    /// Calls that met a fault of the provider, by kind.
    pub(super) faults: BTreeMap<String, u64>,
    /// Runs of the reconciler that the schedule started.
    pub(super) scheduled_runs: u64,
    /// Calls to Redis of the function whose batches are counted.
    pub(super) redis_calls: u64,
    /// Before and after the update.
    pub(super) update: Update,
    /// What of the stacks was still there after they were deleted.
    pub(super) left: Vec<String>,
}

/// An update of the batch size of one event source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Update {
    /// The size before, by the API.
    pub(super) size_before: u64,
    /// The largest batch before, by the function's log.
    pub(super) largest_before: u64,
    /// The size after, by the API.
    pub(super) size_after: u64,
    /// The largest batch after, by the function's log.
    pub(super) largest_after: u64,
    /// The size that was deployed.
    pub(super) wanted: u64,
}

impl Update {
    /// Batches were larger than the new size before, fill it now, and are never larger.
    fn took_effect(self) -> bool {
        let before = self.largest_before > self.wanted && self.largest_before <= self.size_before;
        before && self.size_after == self.wanted && self.largest_after == self.wanted
    }
}

impl Outcome {
    pub(super) fn passed(&self) -> bool {
        self.findings().is_empty()
    }

    /// Everything that makes the check fail.
    fn findings(&self) -> Vec<String> {
        let mut findings = self.outdated.clone();
        findings.extend(self.differences.iter().cloned());
        if !self.judgement.passed() {
            findings.push("the verdict on the orders did not pass".to_owned());
        }
        let faults: u64 = self.faults.values().sum();
        if faults == 0 {
            findings.push("no call to the provider failed: the orders prove too little".to_owned());
        }
        if self.scheduled_runs == 0 {
            findings.push("the schedule did not invoke reconcile-orders".to_owned());
        }
        if self.redis_calls == 0 {
            findings.push("the functions did not reach Redis".to_owned());
        }
        if !self.update.took_effect() {
            findings.push(format!("the update of the batch size took no effect: {:?}", self.update));
        }
        findings.extend(self.left.iter().map(|left| format!("left behind: {left}")));
        findings
    }

    pub(super) fn json(&self, options: &cli::DeployCheck) -> String {
        let judged = &self.judgement;
        let limits: Vec<Value> = LIMITS
            .iter()
            .map(|each| json!({"what": each.what, "instead": each.instead, "attempt": each.attempt}))
            .collect();
        let update = &self.update;
        json!({
            "orders": options.orders, "rate": options.rate, "seed": options.seed, "live": self.live,
            "sent": judged.sent, "duplicates": judged.duplicates, "accepted": judged.accepted,
            "confirmed": judged.confirmed, "rejected": judged.rejected, "given_up": self.given_up,
            "quarantined": judged.quarantined, "dead_lettered": judged.dead_lettered, "lost": judged.lost,
            "double_charged": judged.double_charged, "orphan_holds": judged.orphan_holds,
            "mismatched": judged.mismatched, "unfinished": judged.unfinished, "faults": self.faults,
            "scheduled_runs": self.scheduled_runs, "redis_calls": self.redis_calls,
            "update": {
                "batch_size_before": update.size_before, "largest_batch_before": update.largest_before,
                "batch_size_after": update.size_after, "largest_batch_after": update.largest_after,
            },
            "cannot_follow": limits, "findings": self.findings(), "passed": self.passed(),
        })
        .to_string()
    }

    pub(super) fn table(&self) -> String {
        let judged = &self.judgement;
        let rejected: u64 = judged.rejected.values().sum();
        let counts = [
            ("sent", judged.sent),
            ("duplicates on top", judged.duplicates),
            ("confirmed", judged.confirmed),
            ("rejected", rejected),
            ("of them given up", self.given_up),
            ("quarantined", judged.quarantined),
            ("dead-lettered", judged.dead_lettered),
            ("lost", judged.lost),
            ("double-charged", judged.double_charged),
            ("held for nothing", judged.orphan_holds),
            ("mismatched", judged.mismatched),
            ("unfinished", judged.unfinished),
            ("calls that the provider failed", self.faults.values().sum()),
            ("runs of the schedule", self.scheduled_runs),
            ("calls to Redis", self.redis_calls),
        ];
        let row = |(name, count): (&str, u64)| vec![name.to_owned(), count.to_string()];
        let counts: Vec<Vec<String>> = counts.into_iter().map(row).collect();
        let update = &self.update;
        let sizes = [
            ("batch size", update.size_before, update.size_after),
            ("largest batch", update.largest_before, update.largest_after),
        ];
        let sizes =
            sizes.map(|(what, before, after)| vec![what.to_owned(), before.to_string(), after.to_string()]);
        let limits = LIMITS.map(|each| format!("- {}: {}\n  {}", each.what, each.instead, each.attempt));
        format!(
            "\nlive: {}\n\n{}\n\n{}\n\nWhat the emulator cannot follow:\n{}\n",
            self.live,
            table(&["orders", "count"], &counts),
            table(&["update", "before", "after"], &sizes),
            limits.join("\n")
        )
    }

    pub(super) fn verdict(&self) -> String {
        let findings = self.findings();
        let mut text = report::verdict(&self.judgement);
        if findings.is_empty() {
            text.push_str("\nDeployed, run, updated and deleted: passed.");
        } else {
            text.push_str(&format!("\nThe deployment did not pass:\n  {}", findings.join("\n  ")));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, Update};

    fn good() -> Outcome {
        let update =
            Update { size_before: 10, largest_before: 10, size_after: 5, largest_after: 5, wanted: 5 };
        Outcome {
            scheduled_runs: 2,
            redis_calls: 9,
            faults: [("hang".to_owned(), 3)].into(),
            update,
            ..Outcome::default()
        }
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Outcome), finding: &str) {
        let mut outcome = good();
        change(&mut outcome);
        assert!(!outcome.passed());
        assert!(outcome.verdict().contains(finding), "{}", outcome.verdict());
    }

    #[test]
    fn each_miss_fails_the_check() {
        assert!(good().passed(), "{:?}", good().findings());
        check(|outcome| outcome.judgement.double_charged = 1, "the verdict on the orders did not pass");
        check(|outcome| outcome.differences.push("queue orders: gone".into()), "queue orders: gone");
        check(|outcome| outcome.outdated.push("AWS::EC2::EIP: now taken".into()), "now taken");
        check(|outcome| outcome.left.push("queues: orders".into()), "left behind: queues: orders");
        check(|outcome| outcome.faults.clear(), "no call to the provider failed");
        check(|outcome| outcome.scheduled_runs = 0, "the schedule did not invoke");
        check(|outcome| outcome.redis_calls = 0, "did not reach Redis");
    }

    #[test]
    fn an_update_must_be_seen_in_the_batches() {
        check(|outcome| outcome.update.size_after = 10, "took no effect");
        check(|outcome| outcome.update.largest_after = 10, "took no effect");
        check(|outcome| outcome.update.largest_after = 4, "took no effect");
        check(|outcome| outcome.update.largest_before = 5, "took no effect");
    }
}
