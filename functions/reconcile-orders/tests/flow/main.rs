//! The flow at its door, over twins of its doors that keep the rules of the real ones and fail when told: what servers
//! cannot easily be made to do. What it does with real ones is tested in `tests/flow` of the workspace.
#![cfg(test)]

mod bank;
mod post;
mod rows;
mod world;

mod bounds;
mod compare;
mod events;
mod faults;
mod properties;
mod pump;
mod sweeps;
mod twice;
mod unknown;
