//! Pure order rules: events, money, pricing, validation, fingerprint, states and reasons; no I/O, no clock.
//!
//! The way of a message: [`event::parse`] turns a body into an [`Event`] or says in one word why it cannot be
//! trusted ([`Unreadable`]); a placed order comes out as [`Placed`], already judged; [`price`] holds a valid
//! [`OrderRequest`] beside the catalog. What this crate promises:
//!
//! - It never panics and never overflows, whatever the bytes are. Casts, floats and unchecked arithmetic are denied.
//! - Nothing it returns as an error or prints contains a part of a message.
//! - The same input gives the same output: no clock, no random number, no environment, no hash map.

#![deny(clippy::as_conversions, clippy::float_arithmetic, clippy::arithmetic_side_effects)]

pub mod event;
mod placed;
mod pricing;

mod currency;
mod error;
mod fingerprint;
mod ids;
mod money;
mod reasons;
mod states;
mod validate;
mod words;

mod cards;

pub use currency::Currency;
pub use error::ParseError;
pub use event::{
    Envelope, Event, EventData, MAX_BODY_BYTES, OutEvent, PaymentRequested, Product, StockAdjusted,
    Unreadable, stored_event_json,
};
pub use fingerprint::Fingerprint;
pub use ids::{CustomerId, EventId, OrderId, ProviderRef, RefundId, Sku};
pub use money::{MAX_AMOUNT_MINOR, Minor};
pub use placed::{Adjustment, AdjustmentKind, Line, OrderRequest, PaymentRefs, Placed};
pub use pricing::{Doubt, DoubtKind, Known, PricedOrder, ProductView, price};
pub use reasons::{QuarantineReason, RejectReason};
pub use states::{OrderStatus, PaymentStatus};
pub use validate::{MAX_ADJUSTMENTS, MAX_LINES, MAX_QUANTITY};
