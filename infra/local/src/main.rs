//! The AWS side of orderflow on one machine: queues, event sources, functions, Data API, PostgreSQL, Redis.

fn main() {}
