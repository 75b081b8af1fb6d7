//! The servers of the stack and the processes they are made of, tested with the real ones: PostgreSQL, Redis
//! or Valkey, and children of the operating system.

#[cfg(test)]
mod children;
#[cfg(test)]
mod data_api;
#[cfg(test)]
mod http;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod redis;
#[cfg(test)]
mod sandbox;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod support;
