//! The other commands: start and stop a stack, send to it, look into it.

pub mod dlq;
pub mod order;
pub mod send;
pub mod status;
pub mod up;
