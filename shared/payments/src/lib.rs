//! The payment provider behind one door.
//!
//! A caller hands the wrapper ([`Payments`]) a batch of [`Request`]s and gets back one [`Outcome`] each: what stands
//! at the provider, what it refused, or that nobody knows yet. What happens in between is this crate's business: the
//! gate gives permits for the whole batch, each request is attempted with one idempotency key, every signal of an
//! attempt has one row in the decision table, and only what that row allows is tried again.
//!
//! From the inside out: an adapter ([`Stripe`], behind [`Provider`]) makes one attempt and says which [`Signal`] came of
//! it; [`decision`] says what that means; the [`Gate`] gives permits and hears reports; the [`Wrapper`] joins the three.
//!
//! Promises:
//! - A caller never sees a bare HTTP error, and no outcome means "failed" unless the provider said so.
//! - Amount, currency and metadata of every charge are compared with the request before it is called done.
//! - A key is the row's: the same request has the same key, whoever sends it and however often ([`key`]).
//! - Nothing is attempted without a permit, past the deadline, or with a key that the provider may have forgotten.
//! - What was perhaps executed is never said to be unsent.
//! - No secret, no card data and no name is in any outcome, error or log line.

pub mod decision;
mod door;
mod gate;
mod outcome;
mod permits;
mod provider;
mod request;
mod signal;

mod compare;
#[cfg(test)]
mod configured;
mod counts;
mod key;
mod stripe;
mod wrapper;

pub use counts::Counts;
pub use door::{LookUps, Payments};
pub use gate::{GateSettings, RedisGate};
pub use key::{KEY_LIFE, key};
pub use outcome::{Charge, ChargeStatus, Later, ListPage, Outcome, Unclear};
pub use permits::{Denial, Gate, Grant, Permit, Report, Throttle, Verdict};
pub use provider::{Answer, Found, Provider, RefundMade};
pub use request::{Authorize, Cancel, Capture, Endpoint, ListCharges, Payment, Refund, Request};
pub use signal::Signal;
pub use stripe::{Stripe, StripeError, StripeSettings};
pub use wrapper::{Timeouts, Wrapper};
