//! The result of a campaign: what went wrong on the way, and what came of it.

use super::trouble::KINDS;
use crate::report;
use crate::verdict::Judgement;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use xtask::cli;
use xtask::out::table;

/// Every kind of fault must have hit at least one call for so many orders, or the campaign proves little.
const ORDERS_PER_FAULT: u64 = 100;

/// What happened, and how it was judged.
#[derive(Debug, Clone, Default)]
pub(super) struct Campaign {
    pub(super) judgement: Judgement,
    /// Calls that met a fault, by kind.
    pub(super) faults: BTreeMap<String, u64>,
    /// Processes killed, by function.
    pub(super) kills: BTreeMap<String, u64>,
    /// Orders rejected because the provider failed in all their attempts.
    pub(super) given_up: u64,
    /// Orders asked for.
    pub(super) orders: u32,
}

impl Campaign {
    pub(super) fn passed(&self) -> bool {
        self.judgement.passed() && self.rare().is_empty()
    }

    /// Kinds of fault that hit too few calls.
    fn rare(&self) -> Vec<String> {
        let least = u64::from(self.orders) / ORDERS_PER_FAULT;
        let counts = KINDS.iter().map(|kind| (*kind, self.faults.get(*kind).copied().unwrap_or(0)));
        let rare = counts.filter(|(_, count)| *count < least);
        rare.map(|(kind, count)| format!("{kind} hit {count} calls, fewer than {least}")).collect()
    }

    pub(super) fn json(&self, options: &cli::Campaign) -> String {
        let judged = &self.judgement;
        let result: Value = json!({
            "orders": options.orders, "rate": options.rate, "seed": options.seed, "faults": self.faults,
            "kills": self.kills, "redis_outage": options.redis_outage, "sent": judged.sent,
            "duplicates": judged.duplicates, "accepted": judged.accepted, "confirmed": judged.confirmed,
            "rejected": judged.rejected, "given_up": self.given_up, "quarantined": judged.quarantined,
            "dead_lettered": judged.dead_lettered, "lost": judged.lost, "double_charged": judged.double_charged,
            "orphan_holds": judged.orphan_holds, "leaked": judged.leaked, "mismatched": judged.mismatched, "unfinished": judged.unfinished,
            "rare_faults": self.rare(), "passed": self.passed(),
        });
        result.to_string()
    }

    pub(super) fn table(&self) -> String {
        let rows = |counts: &BTreeMap<String, u64>| -> Vec<Vec<String>> {
            counts.iter().map(|(name, count)| vec![name.clone(), count.to_string()]).collect()
        };
        let judged = &self.judgement;
        let ends = [
            ("sent", judged.sent),
            ("confirmed", judged.confirmed),
            ("rejected", judged.rejected.values().sum()),
            ("of them given up", self.given_up),
            ("quarantined", judged.quarantined),
            ("dead-lettered", judged.dead_lettered),
            ("lost", judged.lost),
            ("double-charged", judged.double_charged),
            ("held for nothing", judged.orphan_holds),
            ("let out", judged.leaked),
            ("mismatched", judged.mismatched),
            ("unfinished", judged.unfinished),
        ];
        let ends: Vec<Vec<String>> =
            ends.iter().map(|(name, count)| vec![(*name).to_owned(), count.to_string()]).collect();
        [
            table(&["fault", "calls"], &rows(&self.faults)),
            table(&["killed", "times"], &rows(&self.kills)),
            table(&["orders", "count"], &ends),
        ]
        .map(|part| format!("\n{part}\n"))
        .concat()
    }

    pub(super) fn verdict(&self) -> String {
        let rare = self.rare();
        let rare = if rare.is_empty() {
            String::new()
        } else {
            format!("\nToo little went wrong: {}.", rare.join("; "))
        };
        format!("{}{rare}", report::verdict(&self.judgement))
    }
}

#[cfg(test)]
mod tests {
    use super::{Campaign, KINDS};
    use crate::verdict::Judgement;

    fn campaign() -> Campaign {
        let faults = KINDS.iter().map(|kind| ((*kind).to_owned(), 200)).collect();
        Campaign { faults, orders: 20_000, ..Campaign::default() }
    }

    #[test]
    fn a_campaign_in_which_too_little_went_wrong_proves_nothing() {
        assert!(campaign().passed());
        let mut tame = campaign();
        tame.faults.insert("hang".into(), 199);
        assert!(!tame.passed());
        assert!(tame.verdict().ends_with("Too little went wrong: hang hit 199 calls, fewer than 200."));
    }

    #[test]
    fn a_campaign_that_charged_twice_fails() {
        let judgement = Judgement { double_charged: 1, ..Judgement::default() };
        assert!(!Campaign { judgement, ..campaign() }.passed());
    }
}
