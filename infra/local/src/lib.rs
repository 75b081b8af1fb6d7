//! The AWS side of orderflow on one machine: queues, event sources, functions, Data API, PostgreSQL, Redis.
//!
//! [`stack`] starts every part from `infra/settings.json` and ends it again; the parts know nothing of each
//! other but what they are handed. The functions run unmodified: they meet the same wire protocols, the same
//! environment and the same failures as on AWS.

pub mod caller;
pub mod children;
pub mod clock;
pub mod control;
pub mod data_api;
pub mod error;
pub mod event_source;
pub mod lambda_host;
pub mod metrics;
mod once;
pub mod postgres;
pub mod programs;
pub mod redis;
pub mod sandbox;
pub mod scheduler;
pub mod settings;
pub mod sqs;
pub mod stack;
pub mod wheels;
