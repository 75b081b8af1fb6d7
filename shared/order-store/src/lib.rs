//! The SQL of orderflow: its migrations, and the one call that accepts a batch of orders.
//!
//! The crate promises:
//!
//! - **One call per batch**, one transaction: [`OrderStore::accept`].
//! - **One bad record never affects its neighbours**: it is refused alone.
//! - **Every record may come again**: the same order is known, another order under the same id is told apart.
//! - **Stock is never oversold**, and `available = adjusted - reserved - sold` in every snapshot (the view
//!   `stock_equation`).
//! - **Concurrent calls never deadlock**: all lock stock in SKU order, then insert orders in the order of their ids.

mod accept;
mod accepted;
mod migrations;
mod store;

pub use accept::{AcceptItem, AcceptOrder, AcceptPayment};
pub use accepted::{Accepted, Verdict};
pub use migrations::{Migration, ROLES, SCHEMA_MIGRATIONS, migrations, statements};
pub use store::{Aurora, OrderStore};
