//! The HTTP client, and the age of its sockets.
//!
//! A Lambda sandbox is frozen between invocations, and its monotonic clock may stand still meanwhile, so that a pool
//! which counts by that clock alone would hand out sockets that the provider has closed long ago. Here no socket is
//! used that was idle for more than [`IDLE_MAX`] by the wall clock: the pool drops those idle for half of it by the
//! monotonic clock, and the client is replaced, with its pool, once half of it was lost to freezes, or once nothing at
//! all was sent for that long.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use backoff::Clock;
use reqwest::{Client, redirect, retry};
use rustls::ClientConfig;

use super::{StripeError, tls};

/// Proxies and load balancers on the way close idle connections after 30 s and more.
const IDLE_MAX: Duration = Duration::from_secs(20);

/// Opening a connection takes 5 ms in a region and 100 ms across an ocean, TLS included twice that.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// Hands out the client.
pub(super) struct Sockets<C> {
    clock: C,
    tls: ClientConfig,
    open: Mutex<Open>,
}

/// A client with its pool, and when it was built and last used.
struct Open {
    client: Client,
    built_ms: u64,
    built: Duration,
    used_ms: u64,
}

impl<C: Clock> Sockets<C> {
    /// Reads the machine's trusted certificates where they are needed.
    pub(super) fn new(clock: C, speaks_tls: bool) -> Result<Self, StripeError> {
        let tls = tls::configuration(tls::roots(speaks_tls)?)?;
        let open = Open::build(&clock, &tls)?;
        Ok(Self { clock, tls, open: Mutex::new(open) })
    }

    /// A client whose idle sockets are young enough.
    pub(super) fn client(&self) -> Result<Client, StripeError> {
        // An `Open` is replaced whole, so a panic elsewhere does not spoil it.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.is_stale(&self.clock) {
            *open = Open::build(&self.clock, &self.tls)?;
        }
        open.used_ms = self.clock.now_ms();
        Ok(open.client.clone())
    }
}

/// A client with an empty pool.
pub(super) fn client(tls: &ClientConfig) -> Result<Client, StripeError> {
    let client = Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .http1_only()
        .tcp_nodelay(true)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_MAX / 2)
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        // It would read the environment, which is not ours to read here.
        .no_proxy();
    client.build().map_err(|_its_own_settings| StripeError::Client)
}

impl Open {
    fn build(clock: &impl Clock, tls: &ClientConfig) -> Result<Self, StripeError> {
        let client = client(tls)?;
        let now_ms = clock.now_ms();
        Ok(Self { client, built_ms: now_ms, built: clock.monotonic(), used_ms: now_ms })
    }

    fn is_stale(&self, clock: &impl Clock) -> bool {
        let now_ms = clock.now_ms();
        let since = |then_ms: u64| Duration::from_millis(now_ms.saturating_sub(then_ms));
        let frozen = since(self.built_ms).saturating_sub(clock.monotonic().saturating_sub(self.built));
        since(self.used_ms) > IDLE_MAX || frozen > IDLE_MAX / 2
    }
}

impl<C> fmt::Debug for Sockets<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sockets").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::CONNECT_TIMEOUT;
    use crate::configured::millis;

    #[test]
    fn connections_open_within_the_time_of_the_settings() {
        assert_eq!(CONNECT_TIMEOUT, millis("/provider/connect_timeout_ms"));
    }
}
