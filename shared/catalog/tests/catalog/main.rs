//! The catalog against a real Redis (or Valkey): what it answers, what that costs, and what happens when Redis is
//! down, frozen, slow, full, read-only or full of garbage.
//!
//! Time in the catalog is a manual clock, so that ages and cool-downs pass without waiting; the socket timeouts are
//! real, and so is the server.

#![cfg(test)]

mod faults;
mod flights;
mod garbage;
mod layers;
mod listing;
mod logs;
mod races;
mod support;
