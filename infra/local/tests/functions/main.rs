//! Queues, event sources and the Lambda host, tested with a real function in real processes over real HTTP.

mod event_source;
mod host;
mod invoke_api;
mod support;
