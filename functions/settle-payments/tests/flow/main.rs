//! The flow over doors that answer as told, in virtual time: what servers cannot easily be made to do (fail half a batch,
//! take exactly three seconds, panic). What it does with real ones is tested in `tests/flow` of the workspace.
#![cfg(test)]

mod provider;
mod rows;
mod shop;

mod events;
mod faults;
mod groups;
mod outcomes;
mod property;
mod repeats;
