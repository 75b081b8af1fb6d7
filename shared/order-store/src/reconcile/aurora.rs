//! The reconciler's questions in Aurora, through the Data API: one call each.

use std::collections::BTreeMap;
use std::time::Duration;

use backoff::Clock;
use data_api::{Deadline, Error, Statement};
use order::OrderId;
use serde::{Deserialize, Serialize};

use super::{
    Backlog, Difference, Due, DuePayment, GiveUp, ReconcileStore, SeenCharge, Sweep, UnknownPayment,
};
use crate::Aurora;
use crate::payments::{FrozenColumns, Moved, OutboxEvent};
use crate::store::json;

const TAKE_DUE: &str = "SELECT * FROM take_due_v1(:at_most)";
const BACKLOG: &str = "SELECT * FROM payment_backlog_v1()";
const UNSENT_EVENTS: &str = "SELECT * FROM unsent_events_v1(:at_most, :age_ms)";
const MARK_SENT: &str = "SELECT mark_events_sent_v1(CAST(:sent AS jsonb))";
const TRACES: &str = "SELECT * FROM order_traces_v1(CAST(:order_ids AS jsonb))";
const TAKE_UNKNOWN: &str = "SELECT * FROM take_unknown_v1(:at_most)";
const GIVE_UP: &str = "SELECT * FROM give_up_v1(CAST(:batch AS jsonb), :next_attempt)";
const EXPIRE: &str = "SELECT * FROM expire_orders_v1(:at_most, :age_ms)";
const TAKE_SWEEPS: &str = "SELECT * FROM take_sweeps_v1(:at_most, :every_ms)";
const COMPARE: &str = "SELECT * FROM compare_charges_v1(CAST(:charges AS jsonb))";
const COMPARED_UNTIL: &str = "SELECT CAST(floor(extract(epoch FROM compared_until)) AS bigint) AS until_s FROM reconcile_cursors WHERE name = 'charges'";
/// The table's trigger keeps the later of two moments.
const SET_COMPARED_UNTIL: &str =
    "INSERT INTO reconcile_cursors (name, compared_until) VALUES ('charges', to_timestamp(:until_s))
     ON CONFLICT (name) DO UPDATE SET compared_until = excluded.compared_until";

/// Every statement here is marked as idempotent: what a lost call has taken is taken again when its lease is over, and
/// what it has changed is found changed.
impl<C: Clock> ReconcileStore for Aurora<C> {
    async fn take_due(&self, limit: u32, deadline: Deadline) -> Result<Due, Error> {
        let statement = Statement::new(TAKE_DUE).long("at_most", limit.into()).idempotent();
        let rows: Vec<DueRow> = self.data_api.query(statement, deadline).await?;
        Ok(rows.into_iter().fold(Due::default(), DueRow::add_to))
    }

    async fn backlog(&self, deadline: Deadline) -> Result<Backlog, Error> {
        let rows = self.data_api.query(Statement::new(BACKLOG).idempotent(), deadline).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    async fn unsent_events(
        &self,
        limit: u32,
        age: Duration,
        deadline: Deadline,
    ) -> Result<Vec<OutboxEvent>, Error> {
        let statement =
            Statement::new(UNSENT_EVENTS).long("at_most", limit.into()).long("age_ms", millis(age));
        self.data_api.query(statement.idempotent(), deadline).await
    }

    async fn mark_sent(&self, ids: &[String], deadline: Deadline) -> Result<(), Error> {
        if ids.is_empty() {
            return Ok(());
        }
        let statement = Statement::new(MARK_SENT).text("sent", json(ids)).idempotent();
        self.data_api.execute(statement, deadline).await.map(drop)
    }

    async fn traces(
        &self,
        order_ids: &[&OrderId],
        deadline: Deadline,
    ) -> Result<BTreeMap<OrderId, String>, Error> {
        let statement = Statement::new(TRACES).text("order_ids", json(order_ids)).idempotent();
        let rows: Vec<TraceRow> = self.data_api.query(statement, deadline).await?;
        Ok(rows.into_iter().map(|row| (row.order_id, row.traceparent)).collect())
    }

    async fn take_unknown(&self, limit: u32, deadline: Deadline) -> Result<Vec<UnknownPayment>, Error> {
        let statement = Statement::new(TAKE_UNKNOWN).long("at_most", limit.into()).idempotent();
        let rows: Vec<UnknownRow> = self.data_api.query(statement, deadline).await?;
        Ok(rows.into_iter().map(UnknownPayment::from).collect())
    }

    async fn give_up(
        &self,
        payments: &[(OrderId, i32)],
        how: GiveUp,
        deadline: Deadline,
    ) -> Result<Vec<Moved>, Error> {
        if payments.is_empty() {
            return Ok(Vec::new());
        }
        let element = |(record_no, (order_id, attempt_no)): (usize, &'_ (OrderId, i32))| Attempt {
            record_no,
            order_id: order_id.clone(),
            attempt_no: *attempt_no,
        };
        let batch: Vec<Attempt> = payments.iter().enumerate().map(element).collect();
        let statement = Statement::new(GIVE_UP).text("batch", json(&batch));
        let statement = statement.bool("next_attempt", how == GiveUp::NextAttempt).idempotent();
        self.data_api.query(statement, deadline).await
    }

    async fn expire(&self, limit: u32, age: Duration, deadline: Deadline) -> Result<Vec<Moved>, Error> {
        let statement = Statement::new(EXPIRE).long("at_most", limit.into()).long("age_ms", millis(age));
        self.data_api.query(statement.idempotent(), deadline).await
    }

    async fn take_sweeps(
        &self,
        limit: u32,
        every: Duration,
        deadline: Deadline,
    ) -> Result<Vec<Sweep>, Error> {
        let statement =
            Statement::new(TAKE_SWEEPS).long("at_most", limit.into()).long("every_ms", millis(every));
        self.data_api.query(statement.idempotent(), deadline).await
    }

    async fn compare(&self, charges: &[SeenCharge], deadline: Deadline) -> Result<Vec<Difference>, Error> {
        if charges.is_empty() {
            return Ok(Vec::new());
        }
        let statement = Statement::new(COMPARE).text("charges", json(charges)).idempotent();
        self.data_api.query(statement, deadline).await
    }

    async fn compared_until(&self, deadline: Deadline) -> Result<Option<u64>, Error> {
        let statement = Statement::new(COMPARED_UNTIL).idempotent();
        let rows: Vec<Cursor> = self.data_api.query(statement, deadline).await?;
        Ok(rows.first().map(|row| row.until_s))
    }

    async fn set_compared_until(&self, until_s: u64, deadline: Deadline) -> Result<(), Error> {
        let until_s = i64::try_from(until_s).unwrap_or(i64::MAX).min(UNTIL_MAX_S);
        let statement = Statement::new(SET_COMPARED_UNTIL).long("until_s", until_s).idempotent();
        self.data_api.execute(statement, deadline).await.map(drop)
    }
}

/// The year 9999: beyond it PostgreSQL refuses a moment sooner or later.
const UNTIL_MAX_S: i64 = 253_402_300_799;

/// Milliseconds as the functions take them; at most a thousand years, which PostgreSQL can still subtract from now.
fn millis(span: Duration) -> i64 {
    const MAX: i64 = 1_000 * 365 * 24 * 60 * 60 * 1_000;
    i64::try_from(span.as_millis()).unwrap_or(MAX).min(MAX)
}

/// An element of the batch of `give_up_v1`.
#[derive(Serialize)]
struct Attempt {
    record_no: usize,
    order_id: OrderId,
    attempt_no: i32,
}

/// The columns of `take_due_v1`: a payment, or how many others wait.
#[derive(Deserialize)]
struct DueRow {
    order_id: Option<OrderId>,
    attempt_no: Option<i32>,
    waiting: Option<u64>,
}

impl DueRow {
    fn add_to(mut due: Due, row: Self) -> Due {
        if let (Some(order_id), Some(attempt_no)) = (row.order_id, row.attempt_no) {
            due.requests.push(DuePayment { order_id, attempt_no });
        }
        due.waiting += row.waiting.unwrap_or_default();
        due
    }
}

/// The columns of `order_traces_v1`.
#[derive(Deserialize)]
struct TraceRow {
    order_id: OrderId,
    traceparent: String,
}

/// The columns of `take_unknown_v1`.
#[derive(Deserialize)]
struct UnknownRow {
    order_id: OrderId,
    attempt_no: i32,
    #[serde(flatten)]
    frozen: FrozenColumns,
    first_sent_s: u64,
    unknown_for_ms: u64,
}

impl From<UnknownRow> for UnknownPayment {
    fn from(row: UnknownRow) -> Self {
        let UnknownRow { order_id, attempt_no, frozen, first_sent_s, unknown_for_ms } = row;
        let unknown_for = Duration::from_millis(unknown_for_ms);
        Self { order_id, attempt_no, frozen: frozen.into(), first_sent_s, unknown_for }
    }
}

#[derive(Deserialize)]
struct Cursor {
    until_s: u64,
}
