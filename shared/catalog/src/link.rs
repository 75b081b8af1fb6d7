//! The connection to Redis: one, multiplexed, dropped at the first doubt, and reopened without anybody waiting.
//!
//! A command that fails on the wire or takes too long closes the connection. Redis is then skipped for a cool-down
//! (250 ms, doubling to 2 s, on the monotonic clock); after it, one look-up tries to connect while all others go on
//! skipping. So a dead Redis costs a process one short timeout per cool-down, and a socket that died while the
//! sandbox was frozen costs one. A late answer cannot reach a later command: its connection is gone.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_api::{Clock, Deadline};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind};
use telemetry::fields;
use thiserror::Error;

use crate::settings::RedisSettings;

/// The first cool-down: long enough that a burst pays one timeout, short enough that a blip is over by then.
const COOL_DOWN_MIN: Duration = Duration::from_millis(250);

/// The longest cool-down: how late the return of Redis may be noticed.
const COOL_DOWN_MAX: Duration = Duration::from_secs(2);

/// How long init waits for the first connection. Longer than a look-up would: nobody waits for an answer yet, and a
/// TLS handshake on a cold, small sandbox is slow.
const WARM_UP_TIMEOUT: Duration = Duration::from_millis(500);

/// A sick Redis is told once in ten seconds, not at every look-up.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// Why Redis gave no answer. Carries no key, value, address or text of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Fault {
    /// Redis was not asked: it failed a moment ago, or no time was left.
    #[error("Redis was not asked; it failed a moment ago, or the time was up")]
    Skipped,
    /// The command, or the connection, took longer than it may.
    #[error("Redis took too long; look at its load and at the network")]
    TimedOut,
    /// No connection, or it broke, or what came back is not Redis.
    #[error("the connection to Redis failed; check that it runs and that the URL names it")]
    Lost,
    /// The server answered with an error (wrong password, loading, out of memory, not permitted …).
    #[error("Redis refused; check its memory, its role, and the user's password and permissions")]
    Refused,
    /// The server is a replica now. The connection is dropped, because the name may point to a new primary.
    #[error("Redis is read-only; if this lasts, check that the URL names the primary")]
    ReadOnly,
}

impl Fault {
    /// Names what happened, without its text: a server's error may quote what it was sent.
    fn of(error: &RedisError) -> Self {
        match error.kind() {
            ErrorKind::Server(ServerErrorKind::ReadOnly) => Self::ReadOnly,
            ErrorKind::Server(_) | ErrorKind::Extension | ErrorKind::AuthenticationFailed => Self::Refused,
            _ if error.is_timeout() => Self::TimedOut,
            _ => Self::Lost,
        }
    }

    /// Whether the connection is still good: the server understood the command and answered it.
    fn leaves_the_connection_usable(self) -> bool {
        match self {
            Self::Skipped | Self::Refused => true,
            Self::TimedOut | Self::Lost | Self::ReadOnly => false,
        }
    }
}

/// The one connection of a process, and when to try for another.
pub(crate) struct Link<C> {
    redis: RedisSettings,
    clock: C,
    state: Mutex<State>,
}

struct State {
    connection: Connection,
    /// Counts connections, so that a failure of an old one does not close a newer one.
    generation: u64,
    /// Failures since the last answer: how long the next cool-down is.
    failures: u32,
    /// When the last warning was logged.
    warned: Option<Duration>,
}

impl State {
    fn is_open(&self) -> bool {
        matches!(self.connection, Connection::Open(_))
    }
}

enum Connection {
    Open(MultiplexedConnection),
    /// One look-up is connecting; the others skip Redis meanwhile.
    Opening,
    /// Nobody tries before this moment of the monotonic clock.
    Closed {
        until: Duration,
    },
}

impl<C: Clock> Link<C> {
    /// A link that connects when it is first used.
    pub(crate) fn new(redis: RedisSettings, clock: C) -> Self {
        let connection = Connection::Closed { until: Duration::ZERO };
        let state = State { connection, generation: 0, failures: 0, warned: None };
        Self { redis, clock, state: Mutex::new(state) }
    }

    /// Opens the connection and asks for one answer, with more patience than a look-up has.
    pub(crate) async fn warm_up(&self) -> Result<(), Fault> {
        let (generation, mut connection) = self.connection(|_| WARM_UP_TIMEOUT).await?;
        connection.set_response_timeout(WARM_UP_TIMEOUT);
        self.send::<String>(generation, connection, &redis::cmd("PING")).await.map(drop)
    }

    /// Sends one command and returns the server's answer; opens a connection if there is none. It takes at most the
    /// connect timeout plus the command timeout, and is not begun if the deadline does not allow the latter.
    /// An answer of another shape than `T` is not Redis, and closes the connection. `calls` counts commands sent.
    pub(crate) async fn call<T: FromRedisValue>(
        &self,
        command: &Cmd,
        deadline: Deadline,
        calls: &mut u64,
    ) -> Result<T, Fault> {
        if !deadline.allows(&self.clock, self.redis.command_timeout) {
            return Err(Fault::Skipped);
        }
        let (generation, connection) = self.connection(|failures| self.connect_timeout(failures)).await?;
        *calls += 1;
        self.send(generation, connection, command).await
    }

    async fn send<T: FromRedisValue>(
        &self,
        generation: u64,
        mut connection: MultiplexedConnection,
        command: &Cmd,
    ) -> Result<T, Fault> {
        match command.query_async::<T>(&mut connection).await {
            Ok(value) => {
                self.lock().failures = 0;
                Ok(value)
            }
            Err(error) => {
                let fault = Fault::of(&error);
                let mut state = self.lock();
                self.warn(&mut state, fault);
                if state.generation == generation && state.is_open() && !fault.leaves_the_connection_usable()
                {
                    self.cool_down(&mut state);
                }
                Err(fault)
            }
        }
    }

    /// The time for opening a connection. A second attempt gets twice that, or a process whose handshakes take a
    /// little too long would never be back.
    fn connect_timeout(&self, failures: u32) -> Duration {
        self.redis.connect_timeout.saturating_mul(if failures == 0 { 1 } else { 2 })
    }

    /// The open connection, or a new one if the cool-down is over and nobody else is connecting. `timeout` tells from
    /// the failures so far how long opening may take.
    async fn connection(
        &self,
        timeout: impl Fn(u32) -> Duration,
    ) -> Result<(u64, MultiplexedConnection), Fault> {
        let (opening, timeout) = {
            let mut state = self.lock();
            match &state.connection {
                Connection::Open(connection) => return Ok((state.generation, connection.clone())),
                Connection::Opening => return Err(Fault::Skipped),
                Connection::Closed { until } => {
                    if self.clock.monotonic() < *until {
                        return Err(Fault::Skipped);
                    }
                }
            }
            state.connection = Connection::Opening;
            (Opening { link: self }, timeout(state.failures))
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(self.redis.command_timeout));
        let connected = self.redis.client.get_multiplexed_async_connection_with_config(&config).await;
        opening.finish(connected)
    }

    /// Closes the connection for the time that the failures so far deserve.
    fn cool_down(&self, state: &mut State) {
        let pause = cool_down(state.failures);
        state.failures = state.failures.saturating_add(1);
        state.connection = Connection::Closed { until: self.clock.monotonic().saturating_add(pause) };
    }

    /// Says what ails Redis, but not at every look-up.
    fn warn(&self, state: &mut State, fault: Fault) {
        let now = self.clock.monotonic();
        if state.warned.is_none_or(|warned| now.saturating_sub(warned) >= WARN_EVERY) {
            state.warned = Some(now);
            tracing::warn!({ fields::ERROR_MESSAGE } = %fault, "products come from the database, past Redis");
        }
    }

    /// The state is whole after every critical section, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pause after the given number of earlier failures.
fn cool_down(failures: u32) -> Duration {
    COOL_DOWN_MIN.saturating_mul(2_u32.saturating_pow(failures)).min(COOL_DOWN_MAX)
}

/// The right to connect. Dropped without an outcome (the look-up was cancelled), it lets the next look-up try.
struct Opening<'a, C: Clock> {
    link: &'a Link<C>,
}

impl<C: Clock> Opening<'_, C> {
    fn finish(
        self,
        connected: Result<MultiplexedConnection, RedisError>,
    ) -> Result<(u64, MultiplexedConnection), Fault> {
        let mut state = self.link.lock();
        match connected {
            Ok(connection) => {
                state.generation = state.generation.saturating_add(1);
                state.connection = Connection::Open(connection.clone());
                Ok((state.generation, connection))
            }
            Err(error) => {
                let fault = Fault::of(&error);
                self.link.warn(&mut state, fault);
                self.link.cool_down(&mut state);
                Err(fault)
            }
        }
    }
}

impl<C: Clock> Drop for Opening<'_, C> {
    fn drop(&mut self) {
        let mut state = self.link.lock();
        if matches!(state.connection, Connection::Opening) {
            state.connection = Connection::Closed { until: Duration::ZERO };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{COOL_DOWN_MAX, cool_down};
    use std::time::Duration;

    #[test]
    fn cool_downs_double_from_a_quarter_second_to_two_seconds() {
        let pauses: Vec<u128> = (0..5).map(|failures| cool_down(failures).as_millis()).collect();
        assert_eq!(pauses, [250, 500, 1_000, 2_000, 2_000]);
        assert_eq!(cool_down(u32::MAX), COOL_DOWN_MAX);
        assert_eq!(cool_down(0), Duration::from_millis(250));
    }
}
