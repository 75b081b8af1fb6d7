//! Payments in Aurora, through the Data API: one call each for `begin` and `record`.

use std::time::Duration;

use backoff::Clock;
use data_api::{Deadline, Error, Statement};
use order::{Currency, OrderId, OrderStatus, ParseError, PaymentStatus, ProviderRef};
use serde::{Deserialize, Serialize};

use super::{BeginPayment, Begun, Frozen, Move, Moved, Next, OutboxEvent, PaymentStore, Step};
use crate::Aurora;
use crate::store::json;

const BEGIN: &str = "SELECT * FROM begin_payments_v1(CAST(:batch AS jsonb), CAST(:sent AS jsonb))";

const RECORD: &str = "SELECT * FROM record_payments_v1(CAST(:batch AS jsonb), CAST(:sent AS jsonb))";

/// No payment is parked for longer. Whoever wanted to park it for ever meant this.
const PARKED_MAX: Duration = Duration::from_hours(24);

impl<C: Clock> PaymentStore for Aurora<C> {
    async fn begin(
        &self,
        batch: &[BeginPayment],
        sent: &[String],
        deadline: Deadline,
    ) -> Result<Vec<Begun>, Error> {
        if batch.is_empty() && sent.is_empty() {
            return Ok(Vec::new());
        }
        // Idempotent: beginning again marks what is marked, and finds the row as it is.
        let statement =
            Statement::new(BEGIN).text("batch", json(batch)).text("sent", json(sent)).idempotent();
        let rows: Vec<BegunRow> = self.data_api.query(statement, deadline).await?;
        Ok(rows.into_iter().filter_map(|row| row.into_begun(batch)).collect())
    }

    async fn record(&self, batch: &[Move], sent: &[String], deadline: Deadline) -> Result<Vec<Moved>, Error> {
        if batch.is_empty() && sent.is_empty() {
            return Ok(Vec::new());
        }
        let elements: Vec<MoveElement<'_>> = batch.iter().map(MoveElement::new).collect();
        // Idempotent: a move that was made is found made.
        let statement =
            Statement::new(RECORD).text("batch", json(&elements)).text("sent", json(sent)).idempotent();
        self.data_api.query(statement, deadline).await
    }
}

/// An element of the batch of `record_payments_v1`.
#[derive(Serialize)]
pub(crate) struct MoveElement<'a> {
    record_no: usize,
    order_id: &'a OrderId,
    attempt_no: i32,
    step: &'static str,
    payment_id: Option<&'a ProviderRef>,
    why: Option<&'a str>,
    again: bool,
    wait_ms: Option<u64>,
}

impl<'a> MoveElement<'a> {
    /// The element for a move.
    pub(crate) fn new(made: &'a Move) -> Self {
        let Move { record_no, order_id, attempt_no, step } = made;
        let bare = |step| Self {
            record_no: *record_no,
            order_id,
            attempt_no: *attempt_no,
            step,
            payment_id: None,
            why: None,
            again: false,
            wait_ms: None,
        };
        match step {
            Step::Authorized { payment_id } => Self { payment_id: Some(payment_id), ..bare("authorized") },
            Step::Captured { payment_id } => Self { payment_id: Some(payment_id), ..bare("captured") },
            Step::Canceled { payment_id } => Self { payment_id: Some(payment_id), ..bare("canceled") },
            Step::Declined { code, soft } => Self { why: Some(code), again: *soft, ..bare("declined") },
            Step::AwaitsCustomer => bare("awaiting_customer"),
            Step::AwaitsProvider => bare("awaiting_provider"),
            Step::Unknown { why } => Self { why: Some(why), ..bare("unknown") },
            Step::Parked { wait, why } => {
                let wait_ms = u64::try_from((*wait).min(PARKED_MAX).as_millis()).ok();
                Self { why: Some(why), wait_ms, ..bare("parked") }
            }
            Step::Review { why } => Self { why: Some(why), ..bare("review") },
        }
    }
}

/// The columns of a frozen request.
#[derive(Deserialize)]
pub(crate) struct FrozenColumns {
    amount_minor: i64,
    currency: Currency,
    customer_ref: ProviderRef,
    method_ref: ProviderRef,
    params_hash: String,
    key_age_ms: u64,
}

impl From<FrozenColumns> for Frozen {
    fn from(columns: FrozenColumns) -> Self {
        let FrozenColumns { amount_minor, currency, customer_ref, method_ref, params_hash, key_age_ms } =
            columns;
        let key_age = Duration::from_millis(key_age_ms);
        Self { amount_minor, currency, customer_ref, method_ref, params_hash, key_age }
    }
}

/// The columns of `begin_payments_v1`; those of the request are NULL where there is none.
#[derive(Deserialize)]
#[serde(try_from = "BegunColumns")]
pub(crate) struct BegunRow {
    record_no: usize,
    next: Next,
    frozen: Option<Frozen>,
}

impl BegunRow {
    /// The answer to the record of this number, if there was one.
    pub(crate) fn into_begun(self, batch: &[BeginPayment]) -> Option<Begun> {
        let Self { record_no, next, frozen } = self;
        let asked = batch.iter().find(|asked| asked.record_no == record_no)?;
        let (order_id, attempt_no) = (asked.order_id.clone(), asked.attempt_no);
        Some(Begun { record_no, order_id, attempt_no, next, frozen })
    }
}

#[derive(Deserialize)]
struct BegunColumns {
    record_no: usize,
    next: String,
    payment_id: Option<ProviderRef>,
    amount_minor: Option<i64>,
    currency: Option<Currency>,
    customer_ref: Option<ProviderRef>,
    method_ref: Option<ProviderRef>,
    params_hash: Option<String>,
    key_age_ms: Option<u64>,
}

impl TryFrom<BegunColumns> for BegunRow {
    type Error = ParseError;

    fn try_from(columns: BegunColumns) -> Result<Self, ParseError> {
        let next = next(&columns.next, columns.payment_id.clone())?;
        let record_no = columns.record_no;
        let frozen = columns.frozen();
        if frozen.is_none() && next != Next::Missing {
            return Err(ParseError::Word { what: "frozen request" });
        }
        Ok(Self { record_no, next, frozen })
    }
}

impl BegunColumns {
    fn frozen(self) -> Option<Frozen> {
        Some(Frozen {
            amount_minor: self.amount_minor?,
            currency: self.currency?,
            customer_ref: self.customer_ref?,
            method_ref: self.method_ref?,
            params_hash: self.params_hash?,
            key_age: Duration::from_millis(self.key_age_ms.unwrap_or_default()),
        })
    }
}

/// The columns of `payment_moved_v1`.
#[derive(Deserialize)]
pub(super) struct MovedColumns {
    record_no: usize,
    order_id: OrderId,
    attempt_no: i32,
    changed: bool,
    order_status: OrderStatus,
    payment_status: PaymentStatus,
    next: String,
    payment_id: Option<ProviderRef>,
    event_id: Option<String>,
    event_type: Option<String>,
    event_payload: Option<String>,
    event_created_ms: Option<u64>,
}

impl TryFrom<MovedColumns> for Moved {
    type Error = ParseError;

    fn try_from(columns: MovedColumns) -> Result<Self, ParseError> {
        let next = next(&columns.next, columns.payment_id.clone())?;
        let event = columns.event();
        let MovedColumns { record_no, order_id, attempt_no, changed, order_status, payment_status, .. } =
            columns;
        Ok(Self { record_no, order_id, attempt_no, changed, order_status, payment_status, next, event })
    }
}

impl MovedColumns {
    fn event(&self) -> Option<OutboxEvent> {
        Some(OutboxEvent {
            id: self.event_id.clone()?,
            order_id: self.order_id.clone(),
            event_type: self.event_type.clone()?,
            payload: self.event_payload.clone()?,
            created_ms: self.event_created_ms?,
        })
    }
}

fn next(word: &str, payment_id: Option<ProviderRef>) -> Result<Next, ParseError> {
    match (word, payment_id) {
        ("authorize", _) => Ok(Next::Authorize),
        ("capture", Some(payment_id)) => Ok(Next::Capture(payment_id)),
        ("cancel", Some(payment_id)) => Ok(Next::Cancel(payment_id)),
        ("nothing", _) => Ok(Next::Nothing),
        ("stopped", _) => Ok(Next::Stopped),
        ("missing", _) => Ok(Next::Missing),
        _ => Err(ParseError::Word { what: "next step of a payment" }),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::{BeginPayment, BegunRow, MoveElement};
    use crate::{Begun, Frozen, Move, Moved, Next, Step};

    #[track_caller]
    fn check_element(step: Step, expected: Value) {
        let made = Move { record_no: 3, order_id: "o".parse().unwrap(), attempt_no: 2, step };
        let mut element = serde_json::to_value(MoveElement::new(&made)).unwrap();
        let fields = element.as_object_mut().unwrap();
        assert_eq!(fields.remove("record_no"), Some(json!(3)));
        assert_eq!(fields.remove("order_id"), Some(json!("o")));
        assert_eq!(fields.remove("attempt_no"), Some(json!(2)));
        fields.retain(|_, value| !value.is_null() && *value != json!(false));
        assert_eq!(element, expected);
    }

    #[test]
    fn each_step_is_one_element() {
        let payment_id = || "pi_1".parse().unwrap();
        let charged = |step: &str| json!({"step": step, "payment_id": "pi_1"});
        check_element(Step::Authorized { payment_id: payment_id() }, charged("authorized"));
        check_element(Step::Captured { payment_id: payment_id() }, charged("captured"));
        check_element(Step::Canceled { payment_id: payment_id() }, charged("canceled"));
        let declined = |soft| Step::Declined { code: "lost_card".to_owned(), soft };
        check_element(declined(false), json!({"step": "declined", "why": "lost_card"}));
        check_element(declined(true), json!({"step": "declined", "why": "lost_card", "again": true}));
        check_element(Step::AwaitsCustomer, json!({"step": "awaiting_customer"}));
        check_element(Step::AwaitsProvider, json!({"step": "awaiting_provider"}));
        check_element(Step::Unknown { why: "w" }, json!({"step": "unknown", "why": "w"}));
        check_element(Step::Review { why: "w" }, json!({"step": "review", "why": "w"}));
        let parked = |wait| Step::Parked { wait, why: "w" };
        check_element(
            parked(Duration::from_millis(1_500)),
            json!({"step": "parked", "why": "w", "wait_ms": 1_500}),
        );
        check_element(parked(Duration::MAX), json!({"step": "parked", "why": "w", "wait_ms": 86_400_000}));
    }

    fn begun(next: &str, payment_id: Value, amount_minor: Value) -> Option<Begun> {
        let row = json!({
            "record_no": 7, "next": next, "payment_id": payment_id, "amount_minor": amount_minor, "currency": "EUR",
            "customer_ref": "cus_1", "method_ref": "pm_1", "params_hash": "00", "key_age_ms": 1_500,
        });
        let asked = BeginPayment { record_no: 7, order_id: "o".parse().unwrap(), attempt_no: 2 };
        serde_json::from_value::<BegunRow>(row).ok()?.into_begun(&[asked])
    }

    #[test]
    fn a_row_of_begin_is_read_and_put_to_its_record() {
        let frozen = Frozen {
            amount_minor: 5,
            currency: order::Currency::parse("EUR").unwrap(),
            customer_ref: "cus_1".parse().unwrap(),
            method_ref: "pm_1".parse().unwrap(),
            params_hash: "00".to_owned(),
            key_age: Duration::from_millis(1_500),
        };
        let check = |next: &str, payment_id: Value, expected: Next| {
            let answer = begun(next, payment_id, json!(5)).unwrap();
            assert_eq!((answer.record_no, answer.order_id.as_str(), answer.attempt_no), (7, "o", 2));
            assert_eq!((answer.next, answer.frozen), (expected, Some(frozen.clone())));
        };
        check("authorize", Value::Null, Next::Authorize);
        check("capture", json!("pi_1"), Next::Capture("pi_1".parse().unwrap()));
        check("cancel", json!("pi_1"), Next::Cancel("pi_1".parse().unwrap()));
        check("nothing", json!("pi_1"), Next::Nothing);
        check("stopped", Value::Null, Next::Stopped);
        assert_eq!(begun("missing", Value::Null, Value::Null).map(|answer| answer.next), Some(Next::Missing));
        assert_eq!(begun("authorize", Value::Null, Value::Null), None, "nothing to send");
        assert_eq!(begun("capture", Value::Null, json!(5)), None, "no charge to capture");
        assert_eq!(begun("pay", Value::Null, json!(5)), None);
    }

    #[test]
    fn a_moved_row_is_read_with_its_event_or_without() {
        let mut row = json!({
            "record_no": 0, "order_id": "o", "attempt_no": 1, "changed": true, "order_status": "confirmed",
            "payment_status": "captured", "next": "nothing", "payment_id": "pi_1", "event_id": "o:order.confirmed.v1:2",
            "event_type": "order.confirmed.v1", "event_payload": "{}", "event_created_ms": 9,
        });
        let moved: Moved = serde_json::from_value(row.clone()).unwrap();
        let event = moved.event.unwrap();
        assert_eq!((event.id.as_str(), event.created_ms), ("o:order.confirmed.v1:2", 9));
        row["event_id"] = Value::Null;
        assert_eq!(serde_json::from_value::<Moved>(row.clone()).unwrap().event, None);
        row["payment_status"] = json!("paid");
        assert!(serde_json::from_value::<Moved>(row).is_err());
    }
}
