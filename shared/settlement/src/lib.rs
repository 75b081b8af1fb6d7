//! From a payment's row to what the provider is asked, and from what came of it to the row's next step: what the
//! functions that settle and that reconcile must do alike.
//!
//! Promises:
//! - Only what was committed is sent: a request whose parameters do not have the row's hash is never made ([`request`]).
//! - One place decides what an outcome means: done, parked, review, unknown, or later ([`decide`]).
//! - Nothing is concluded from silence. A payment that nobody knows of is resolved by asking with the same key, then by
//!   reading what stands, and is given up only once its quarantine is over ([`resolve`]).
//! - It holds no queue, no clock of its own and no state: the same answers give the same decisions.

mod request;

mod decide;

mod resolve;

mod charges;

pub use charges::{Search, cancellations, charges_of};
pub use decide::{Decision, PARKED_FROM_RECEIVE, Tries, decide};
pub use request::{ParamsDiffer, request};
pub use resolve::{Ladder, Resolution, resolve};
