//! The SQL of orderflow: its migrations, and the calls that accept orders, settle payments, reconcile both, and keep the
//! catalog.
//!
//! The crate promises:
//!
//! - **One call per batch**, one transaction: [`OrderStore::accept`]; one per step and batch of payments:
//!   [`PaymentStore`]; one per question of the reconciler: [`ReconcileStore`]; one per batch of changes to products and
//!   stock: [`CatalogStore`].
//! - **One bad record never affects its neighbours**: it is refused alone.
//! - **Every record may come again**: the same order is known, another order under the same id is told apart.
//! - **Changes of the catalog may come in any order**, each any number of times: the same rows are left.
//! - **Stock is never oversold**, and `available = adjusted - reserved - sold` in every snapshot (the view
//!   `stock_equation`).
//! - **Every move of a payment is a compare-and-set** that says where the row stands, whoever moved it.
//! - **What waits is never forgotten**: a payment that is not settled says when it is due again.
//! - **Concurrent calls never deadlock**: all lock stock in SKU order, then orders and their payments in the order of
//!   their ids.

mod accept;
mod accepted;
mod migrations;
mod payments;
mod reconcile;
mod refresh;
mod sent;
mod store;

pub use accept::{AcceptItem, AcceptOrder, AcceptPayment};
pub use accepted::{Accepted, Verdict};
pub use migrations::{Migration, ROLES, SCHEMA_MIGRATIONS, migrations, statements};
pub use payments::{BeginPayment, Begun, Frozen, Move, Moved, Next, OutboxEvent, PaymentStore, Step};
pub use reconcile::{
    Backlog, Difference, Due, DuePayment, GiveUp, ReconcileStore, SeenCharge, Sweep, UnknownPayment,
};
pub use refresh::{CatalogChange, CatalogStore, Change, Refreshed, Refreshing};
pub use sent::SentEvents;
pub use store::{Aurora, OrderStore};
