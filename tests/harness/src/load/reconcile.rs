//! Whether every order that was sent came to its one end: what k6 counted against the rows, the payments, the events, the
//! stock and the queues.
//!
//! k6 counts what it sent by kind and knows which end is right for a kind; none of the functions' code is asked.

use crate::stack::Info;
use crate::{Error, database};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio_postgres::Client;

/// What became of the orders of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Found {
    /// Orders with a row.
    pub(super) orders: u64,
    /// Accepted ones, whatever became of their payment.
    pub(super) accepted: u64,
    /// The sum of the totals of those, in minor units.
    pub(super) accepted_minor: i64,
    /// Rejected ones by reason, those whose payment failed left out.
    pub(super) rejected: BTreeMap<String, u64>,
    /// Accepted orders with a payment.
    pub(super) with_payment: u64,
    /// Events that tell of an acceptance.
    pub(super) told: u64,
    /// Kits whose stock is not what was put there without what orders hold.
    pub(super) wrong_stock: u64,
    /// Paid orders.
    pub(super) confirmed: u64,
    /// Orders whose payment failed for good.
    pub(super) declined: u64,
    /// Messages in the quarantine.
    pub(super) quarantined: u64,
    /// Messages in the dead-letter queue of the orders.
    pub(super) dead_lettered: u64,
}

/// The differences.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Verdict {
    /// Sent, and neither a row nor in the quarantine.
    pub(super) lost: u64,
    /// Accepted or quarantined more often than sent.
    pub(super) twice: u64,
    /// Ended otherwise than is right for their kind; and sums, payments and stock that do not fit the orders.
    pub(super) mismatched: u64,
    /// In the dead-letter queue.
    pub(super) dead_lettered: u64,
}

/// Counts what became of the orders whose ids begin with this run's name.
pub(super) async fn found(info: &Info, sql: &Client, run: &str) -> Result<Found, Error> {
    let prefix = format!("ord_{run}_");
    let rows: Vec<Found> = database::rows(sql, "count the orders of the run", COUNTS, &[&prefix]).await?;
    let status = info.status().await?;
    let (quarantined, dead_lettered) =
        (status.depth("quarantine").total(), status.depth("orders-dlq").total());
    Ok(Found { quarantined, dead_lettered, ..rows.into_iter().next().unwrap_or_default() })
}

/// Stock is compared over all orders: a run has its stack for itself.
const COUNTS: &str = "
WITH mine AS (SELECT * FROM orders WHERE starts_with(order_id, CAST($1 AS text))),
accepted AS (SELECT * FROM mine WHERE status <> 'rejected' OR reason LIKE 'payment%'),
held AS (SELECT sku, sum(quantity) AS pieces FROM order_items JOIN orders USING (order_id)
         WHERE status NOT IN ('rejected', 'canceled') GROUP BY sku),
put AS (SELECT sku, sum(delta) AS pieces FROM stock_adjustments GROUP BY sku)
SELECT CAST(jsonb_build_object(
  'orders', (SELECT count(*) FROM mine),
  'accepted', (SELECT count(*) FROM accepted),
  'accepted_minor', (SELECT coalesce(sum(total_minor), 0) FROM accepted),
  'rejected', (SELECT coalesce(jsonb_object_agg(reason, orders), '{}') FROM
    (SELECT CAST(reason AS text) AS reason, count(*) AS orders FROM mine
     WHERE status = 'rejected' AND reason NOT LIKE 'payment%' GROUP BY 1) AS by_reason),
  'with_payment', (SELECT count(DISTINCT order_id) FROM payments JOIN accepted USING (order_id)),
  'told', (SELECT count(*) FROM outbox JOIN mine USING (order_id) WHERE type = 'order.accepted.v1'),
  'confirmed', (SELECT count(*) FROM mine WHERE status = 'confirmed'),
  'declined', (SELECT count(*) FROM mine WHERE status = 'rejected' AND reason LIKE 'payment%'),
  'wrong_stock', (SELECT count(*) FROM stock LEFT JOIN put USING (sku) LEFT JOIN held USING (sku)
    WHERE available <> coalesce(put.pieces, 0) - coalesce(held.pieces, 0))) AS text)";

/// Compares what was sent, by kind, and what all payable orders add up to, with what was found.
pub(super) fn compare(sent: &BTreeMap<String, u64>, payable_minor: i64, found: &Found) -> Verdict {
    let of = |kind: &str| sent.get(kind).copied().unwrap_or_default();
    let accepted = of("plain") + of("declined");
    let no_reason = ["plain", "declined", "repeat", "malformed"];
    let rejected: BTreeMap<&str, u64> = sent
        .iter()
        .map(|(kind, count)| (kind.as_str(), *count))
        .filter(|(kind, count)| !no_reason.contains(kind) && *count > 0)
        .collect();
    let orders = accepted + rejected.values().sum::<u64>();
    let found_rejected: BTreeMap<&str, u64> =
        found.rejected.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
    // A lost order is one difference, not two.
    let lost_orders = orders.saturating_sub(found.orders);
    let reasons = rejected.keys().chain(found_rejected.keys()).collect::<std::collections::BTreeSet<_>>();
    let beyond = |expected: u64, found: u64| found.saturating_sub(expected);
    let otherwise = beyond(accepted, found.accepted)
        + reasons
            .into_iter()
            .map(|reason| {
                let count = |counts: &BTreeMap<&str, u64>| counts.get(reason).copied().unwrap_or_default();
                beyond(count(&rejected), count(&found_rejected))
            })
            .sum::<u64>();
    let sum_differs = u64::from(lost_orders == 0 && found.accepted_minor != payable_minor);
    let unpaid = found.accepted.abs_diff(found.with_payment);
    let untold = found.accepted.saturating_sub(found.told);
    Verdict {
        lost: lost_orders + of("malformed").saturating_sub(found.quarantined),
        twice: beyond(found.accepted, found.told)
            + beyond(orders, found.orders)
            + beyond(of("malformed"), found.quarantined),
        mismatched: otherwise + sum_differs + unpaid + untold + found.wrong_stock,
        dead_lettered: found.dead_lettered,
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, Verdict, compare};

    #[track_caller]
    fn check(spoil: impl FnOnce(&mut Found), expected: Verdict) {
        let kinds = [("plain", 90), ("declined", 2), ("repeat", 3), ("malformed", 1), ("out_of_stock", 4)];
        let sent = kinds.map(|(kind, count)| (kind.to_owned(), count)).into();
        let mut found = Found {
            orders: 96,
            accepted: 92,
            accepted_minor: 500,
            rejected: [("out_of_stock".to_owned(), 4)].into(),
            with_payment: 92,
            told: 92,
            quarantined: 1,
            ..Found::default()
        };
        spoil(&mut found);
        assert_eq!(compare(&sent, 500, &found), expected);
    }

    #[test]
    fn every_order_at_its_end_is_no_difference() {
        check(|_| (), Verdict::default());
    }

    #[test]
    fn what_is_nowhere_is_lost() {
        let lose = |found: &mut Found| {
            (found.orders, found.accepted, found.with_payment, found.told) = (95, 91, 91, 91);
        };
        check(lose, Verdict { lost: 1, ..Verdict::default() });
        check(|found| found.quarantined = 0, Verdict { lost: 1, ..Verdict::default() });
    }

    #[test]
    fn what_happened_twice_is_found() {
        check(|found| found.told = 93, Verdict { twice: 1, ..Verdict::default() });
        check(|found| found.quarantined = 3, Verdict { twice: 2, ..Verdict::default() });
    }

    #[test]
    fn another_end_than_is_right_is_a_mismatch() {
        let reason = |found: &mut Found| {
            found.rejected = [("out_of_stock".to_owned(), 3), ("price_changed".to_owned(), 1)].into();
        };
        check(reason, Verdict { mismatched: 1, ..Verdict::default() });
        check(|found| found.accepted_minor = 499, Verdict { mismatched: 1, ..Verdict::default() });
        check(|found| found.with_payment = 91, Verdict { mismatched: 1, ..Verdict::default() });
        check(|found| found.told = 91, Verdict { mismatched: 1, ..Verdict::default() });
        check(|found| found.wrong_stock = 2, Verdict { mismatched: 2, ..Verdict::default() });
        check(|found| found.dead_lettered = 1, Verdict { dead_lettered: 1, ..Verdict::default() });
    }
}
