//! The servers of the stack and the processes they are made of, tested with the real ones: PostgreSQL, Redis
//! or Valkey, and children of the operating system.

mod children;
mod data_api;
mod http;
mod postgres;
mod redis;
mod shared;
mod support;
