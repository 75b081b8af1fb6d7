//! The connection to Redis: one, multiplexed, dropped at the first doubt, and reopened without anybody waiting.
//!
//! A command that fails on the wire or takes too long closes the connection. Redis is then skipped for a cool-down
//! (250 ms, doubling to 2 s, on the monotonic clock); after it, one caller tries to connect while all others go on
//! skipping. So a dead Redis costs a process one short timeout per cool-down, and a socket that died while the
//! sandbox was frozen costs one. A late answer cannot reach a later command: its connection is gone.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backoff::{Clock, Deadline};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, ServerErrorKind,
};
use telemetry::fields;

use crate::fault::Fault;
use crate::script::ScriptCall;
use crate::settings::RedisSettings;

/// The first cool-down: long enough that a burst pays one timeout, short enough that a blip is over by then.
const COOL_DOWN_MIN: Duration = Duration::from_millis(250);

/// The longest cool-down: how late the return of Redis may be noticed.
const COOL_DOWN_MAX: Duration = Duration::from_secs(2);

/// How long init waits for the first connection. Longer than a command would: nobody waits for an answer yet, and a
/// TLS handshake on a cold, small sandbox is slow.
const WARM_UP_TIMEOUT: Duration = Duration::from_millis(500);

/// A sick Redis is told once in ten seconds, not at every command.
const WARN_EVERY: Duration = Duration::from_secs(10);

/// The one connection of a process, and when to try for another.
pub struct Link<C> {
    redis: RedisSettings,
    clock: C,
    /// What the warning says that happens without Redis.
    instead: &'static str,
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
    /// One caller is connecting; the others skip Redis meanwhile.
    Opening,
    /// Nobody tries before this moment of the monotonic clock.
    Closed {
        until: Duration,
    },
}

impl<C: Clock> Link<C> {
    /// A link that connects when it is first used. `instead` is the text of its one warning: what the process does
    /// without Redis.
    pub fn new(redis: RedisSettings, clock: C, instead: &'static str) -> Self {
        let connection = Connection::Closed { until: Duration::ZERO };
        let state = State { connection, generation: 0, failures: 0, warned: None };
        Self { redis, clock, instead, state: Mutex::new(state) }
    }

    /// Opens the connection and asks for one answer, with more patience than a command has.
    ///
    /// # Errors
    /// Why Redis gave no answer. Nothing needs to be done about it: a later command connects.
    pub async fn warm_up(&self) -> Result<(), Fault> {
        let (generation, mut connection) = self.connection(|_| WARM_UP_TIMEOUT).await?;
        connection.set_response_timeout(WARM_UP_TIMEOUT);
        let pong = redis::cmd("PING").query_async::<String>(&mut connection).await;
        self.settle(generation, pong).map(drop)
    }

    /// Sends one command and returns the server's answer; opens a connection if there is none. It takes at most the
    /// connect timeout plus the command timeout, and is not begun if the deadline does not allow the latter.
    /// An answer of another shape than `T` is not Redis, and closes the connection. `calls` counts commands sent.
    ///
    /// # Errors
    /// Why there is no answer. The server may have executed the command all the same.
    pub async fn call<T: FromRedisValue>(
        &self,
        command: &Cmd,
        deadline: Deadline,
        calls: &mut u64,
    ) -> Result<T, Fault> {
        let (generation, mut connection) = self.begin(deadline).await?;
        *calls += 1;
        self.settle(generation, command.query_async(&mut connection).await)
    }

    /// Sends several commands in one round trip, as [`Link::call`] sends one. `T` is a tuple or list of their answers.
    ///
    /// # Errors
    /// As for [`Link::call`]; also if one of the commands was refused.
    pub async fn call_all<T: FromRedisValue>(
        &self,
        commands: &Pipeline,
        deadline: Deadline,
        calls: &mut u64,
    ) -> Result<T, Fault> {
        let (generation, mut connection) = self.begin(deadline).await?;
        *calls += 1;
        self.settle(generation, commands.query_async(&mut connection).await)
    }

    /// Runs a script, as [`Link::call`] sends a command: by its hash, and once more by its text if the server does not
    /// know it (it was restarted, or its scripts were flushed).
    ///
    /// # Errors
    /// As for [`Link::call`].
    pub async fn run<T: FromRedisValue>(
        &self,
        script: &ScriptCall<'_>,
        deadline: Deadline,
        calls: &mut u64,
    ) -> Result<T, Fault> {
        let (generation, mut connection) = self.begin(deadline).await?;
        *calls += 1;
        let answer = script.by_hash().query_async(&mut connection).await;
        if !is_unknown_script(&answer) {
            return self.settle(generation, answer);
        }
        if !deadline.allows(&self.clock, self.redis.command_timeout) {
            return Err(Fault::Skipped);
        }
        *calls += 1;
        self.settle(generation, script.by_text().query_async(&mut connection).await)
    }

    /// A connection, if the deadline leaves time for a command.
    async fn begin(&self, deadline: Deadline) -> Result<(u64, MultiplexedConnection), Fault> {
        if !deadline.allows(&self.clock, self.redis.command_timeout) {
            return Err(Fault::Skipped);
        }
        self.connection(|failures| self.connect_timeout(failures)).await
    }

    /// Closes the connection if the answer leaves a doubt about it.
    fn settle<T>(&self, generation: u64, answer: RedisResult<T>) -> Result<T, Fault> {
        let mut state = self.lock();
        match answer {
            Ok(value) => {
                state.failures = 0;
                Ok(value)
            }
            Err(error) => {
                let fault = Fault::of(&error);
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

    /// Says what ails Redis, but not at every command.
    fn warn(&self, state: &mut State, fault: Fault) {
        let now = self.clock.monotonic();
        if state.warned.is_none_or(|warned| now.saturating_sub(warned) >= WARN_EVERY) {
            state.warned = Some(now);
            tracing::warn!({ fields::ERROR_MESSAGE } = %fault, "{}", self.instead);
        }
    }

    /// The state is whole after every critical section, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the server has no script of this hash.
fn is_unknown_script<T>(answer: &RedisResult<T>) -> bool {
    answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript))
}

/// The pause after the given number of earlier failures.
fn cool_down(failures: u32) -> Duration {
    COOL_DOWN_MIN.saturating_mul(2_u32.saturating_pow(failures)).min(COOL_DOWN_MAX)
}

/// The right to connect. Dropped without an outcome (the caller was cancelled), it lets the next caller try.
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

impl<C> fmt::Debug for Link<C> {
    /// Shows no URL and no connection.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("redis", &self.redis).finish_non_exhaustive()
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
