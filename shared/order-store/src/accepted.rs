//! What the call answers: one verdict per record.

use order::{OrderId, OrderStatus, ParseError, RejectReason};
use serde::Deserialize;

/// The database's answer for one record. Whatever it says is committed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Row")]
pub struct Accepted {
    /// The record's number, as it was given.
    pub record_no: usize,
    /// The record's order.
    pub order_id: OrderId,
    /// What this call did, or found.
    pub verdict: Verdict,
    /// What the order is now; `None` if there is no row of it, because it was refused.
    pub order_status: Option<OrderStatus>,
    /// The order's latest attempt to pay, from 1; `None` if there is none.
    pub attempt_no: Option<i32>,
    /// Whether the payment request of that attempt must be published, for the first time or again: the order is
    /// accepted and settle has not received the request yet.
    pub publish_payment: bool,
}

/// What became of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// This record made the order accepted: rows written, stock reserved.
    Accepted,
    /// An earlier record has decided; `order_status` tells how.
    Known,
    /// The id belongs to an order with other business fields. Nothing was changed.
    IdReused,
    /// This record made the order rejected, and the shop hears of it.
    Rejected(RejectReason),
    /// The order was canceled, perhaps before it came.
    Canceled,
    /// The database cannot hold this record (SQLSTATE class 22 or 23). Nothing was written.
    Refused {
        /// Five characters.
        sqlstate: String,
    },
}

/// The columns of `accept_orders_v1`.
#[derive(Deserialize)]
struct Row {
    record_no: usize,
    order_id: OrderId,
    verdict: String,
    reason: Option<String>,
    order_status: Option<String>,
    attempt_no: Option<i32>,
    publish_payment: bool,
}

impl TryFrom<Row> for Accepted {
    type Error = ParseError;

    fn try_from(row: Row) -> Result<Self, ParseError> {
        let reason = row.reason.unwrap_or_default();
        let verdict = match row.verdict.as_str() {
            "accepted" => Verdict::Accepted,
            "known" => Verdict::Known,
            "id_reused" => Verdict::IdReused,
            "rejected" => Verdict::Rejected(RejectReason::parse(&reason)?),
            "canceled" => Verdict::Canceled,
            "refused" => Verdict::Refused { sqlstate: reason },
            _ => return Err(ParseError::Word { what: "verdict of accept_orders_v1" }),
        };
        Ok(Self {
            record_no: row.record_no,
            order_id: row.order_id,
            verdict,
            order_status: row.order_status.as_deref().map(OrderStatus::parse).transpose()?,
            attempt_no: row.attempt_no,
            publish_payment: row.publish_payment,
        })
    }
}

#[cfg(test)]
mod tests {
    use order::RejectReason;
    use serde_json::{Value, json};

    use super::{Accepted, Verdict};

    fn row(verdict: &str, reason: Value) -> Value {
        json!({"record_no": 3, "order_id": "ord_1", "verdict": verdict, "reason": reason, "order_status": null,
               "attempt_no": null, "publish_payment": false})
    }

    #[track_caller]
    fn check(row: Value, expected: Option<Verdict>) {
        let verdict = serde_json::from_value::<Accepted>(row).ok().map(|answer| answer.verdict);
        assert_eq!(verdict, expected);
    }

    #[test]
    fn every_verdict_of_the_call_is_read_and_no_other() {
        check(row("accepted", Value::Null), Some(Verdict::Accepted));
        check(row("known", Value::Null), Some(Verdict::Known));
        check(row("known", json!("out_of_stock")), Some(Verdict::Known));
        check(row("id_reused", Value::Null), Some(Verdict::IdReused));
        check(row("canceled", Value::Null), Some(Verdict::Canceled));
        check(row("refused", json!("22003")), Some(Verdict::Refused { sqlstate: "22003".to_owned() }));
        for reason in RejectReason::ALL {
            check(row("rejected", json!(reason.as_str())), Some(Verdict::Rejected(*reason)));
        }
        check(row("rejected", Value::Null), None);
        check(row("rejected", json!("mood")), None);
        check(row("postponed", Value::Null), None);
        check(json!({"record_no": 3}), None);
    }
}
