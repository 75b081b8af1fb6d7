//! The gate in front of the provider: a rate limit, a breaker and a retry budget that the whole fleet shares in Redis.
//!
//! [`RedisGate`] asks one script for all permits of a batch and step, and hands the reports to another. It promises:
//!
//! - **No sliding second holds more permits than the provider's quota**, per endpoint and over all endpoints, whoever
//!   asks; what is reserved waits its turn for two seconds at most, and what would wait longer is denied.
//! - **One breaker for charges and one for look-ups**, opened by faults and by silence, closed by three probes, of which
//!   one at a time is under way in the whole fleet.
//! - **Redis holds no truth.** Without it the process goes on at once with its share of the quota, its own breaker and a
//!   retry budget of one token; the sum over all processes stays within the quota, also while Redis comes and goes.
//! - No id of an order, a payment or a customer is in any key, and every key expires.
//!
//! A process that lost Redis alone (one slow answer) adds its own share to the fleet's rate for a quarter of a second.

mod breaker;
mod limits;
mod local;
mod memory;
mod script;
mod window;

#[cfg(test)]
mod model;
#[cfg(test)]
mod schedule;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backoff::{Clock, Deadline, Random};
use redis_link::{Link, RedisSettings};
use telemetry::Counter;

use self::limits::{Limits, RESERVED_MAX};
use self::local::Local;
use self::memory::Memory;
use self::script::{Answer, Scripts};
use crate::{Denial, Endpoint, Gate, Grant, Permit, Report, Verdict};

/// How many endpoints there are, each with a limit.
const ENDPOINTS: usize = Endpoint::ALL.len();

/// How many breakers there are: charges, look-ups.
const BREAKERS: usize = 2;

/// What is taken for reserved where nothing is known.
const AHEAD_UNKNOWN: Duration = RESERVED_MAX;

/// The most permits that one question asks for; a batch has ten. More are denied, which keeps the script short.
const WANTED_MAX: usize = 100;

/// How long a report may still be sent after the deadline: permits that nobody reports look like calls that hang.
const REPORT_GRACE: Duration = Duration::from_millis(100);

/// What the warning says that a process does without Redis.
const WITHOUT_REDIS: &str =
    "payments are limited by this process alone, at its share of the provider's quota";

/// What the gate is to keep to.
#[derive(Debug, Clone)]
pub struct GateSettings {
    /// The provider's quota per endpoint, calls a second.
    pub rate_per_s: u32,
    /// The provider's quota over all endpoints, calls a second.
    pub global_rate_per_s: u32,
    /// Into how many parts the quotas are divided: without Redis this process may use one of them.
    pub instances_max: u32,
    /// Where the shared state is.
    pub redis: RedisSettings,
}

/// The gate of one process. Build it once; it is used by reference.
pub struct RedisGate<C> {
    limits: Limits,
    link: Link<C>,
    scripts: Scripts,
    clock: C,
    random: Random,
    memory: Mutex<Memory>,
    local: Mutex<Local>,
    redis_calls: Counter,
    redis_degraded: Counter,
}

/// One question for permits.
#[derive(Debug, Clone, Copy)]
struct Ask {
    endpoint: Endpoint,
    wanted: usize,
    most_wait: Duration,
    retry: bool,
}

impl<C: Clock> RedisGate<C> {
    /// A gate that connects when it is first used; see [`RedisGate::warm_up`]. `random` should differ in each process.
    pub fn new(settings: GateSettings, clock: C, random: Random) -> Self {
        let limits = Limits::new(&settings);
        Self {
            limits,
            link: Link::new(settings.redis, clock.clone(), WITHOUT_REDIS),
            scripts: Scripts::new(),
            clock,
            memory: Mutex::new(Memory::default()),
            local: Mutex::new(Local::new(&limits, random.clone())),
            random,
            redis_calls: Counter::new(),
            redis_degraded: Counter::new(),
        }
    }

    /// Opens the connection during init, so that no payment waits for it. Takes half a second at most, and never fails:
    /// without Redis the gate works, at a share of the rate. Returns whether Redis answered.
    pub async fn warm_up(&self) -> bool {
        self.link.warm_up().await.is_ok()
    }

    /// Commands sent to Redis so far.
    #[must_use]
    pub fn redis_calls(&self) -> u64 {
        self.redis_calls.value()
    }

    /// Questions so far that this process answered alone, because Redis did not.
    #[must_use]
    pub fn redis_degraded(&self) -> u64 {
        self.redis_degraded.value()
    }

    async fn ask(&self, ask: Ask, deadline: Deadline) -> Vec<Permit> {
        let most_wait = ask.most_wait.min(RESERVED_MAX).min(deadline.remaining(&self.clock));
        let Some(most_wait) = self.wait_for_share(ask.endpoint, most_wait).await else {
            return vec![Permit::Denied { why: Denial::RateLimited, retry_after: most_wait }; ask.wanted];
        };
        let asked = Ask { wanted: ask.wanted.min(WANTED_MAX), most_wait, ..ask };
        if let Some(left) = self.memory().open_for(self.clock.monotonic(), ask.endpoint) {
            return vec![Permit::Denied { why: Denial::BreakerOpen, retry_after: left }; ask.wanted];
        }
        let mut permits = match self.question(&asked, deadline).await {
            Some(answer) => self.granted(&asked, &answer, deadline).await,
            None => self.local().permits(self.clock.monotonic(), &asked),
        };
        permits.resize(ask.wanted, Permit::Denied { why: Denial::RateLimited, retry_after: RESERVED_MAX });
        permits
    }

    /// While processes come back to Redis, waits for this process's share before the shared state is asked: what that
    /// gives is for a moment, and must be used at that moment. Returns what is left of the wait; `None` if it is too short.
    async fn wait_for_share(&self, endpoint: Endpoint, most_wait: Duration) -> Option<Duration> {
        if !self.memory().is_mixed() {
            return Some(most_wait);
        }
        let wait = self.local().wait(self.clock.monotonic(), endpoint);
        let left = most_wait.checked_sub(wait)?;
        self.clock.sleep(wait).await;
        Some(left)
    }

    /// Asks the shared state; `None` if it does not answer, and this process is on its own.
    async fn question(&self, ask: &Ask, deadline: Deadline) -> Option<Answer> {
        let known = self.memory().known(self.clock.monotonic(), ask.endpoint);
        let random = self.random.between(0, 1_000);
        let call = self.scripts.permits(ask, &self.limits, known, random);
        let mut calls = 0;
        let numbers = self.link.run::<Vec<i64>>(&call, deadline, &mut calls).await;
        self.redis_calls.add(calls);
        let answer = numbers.ok().and_then(|numbers| Answer::read(&numbers));
        let now = self.clock.monotonic();
        let mut memory = self.memory();
        let begins = match &answer {
            Some(answer) => memory.answered(now, ask.endpoint, answer),
            None => memory.left_alone(now),
        };
        let ahead = memory.ahead();
        drop(memory);
        if begins {
            self.local().begin(now, &ahead);
        }
        if answer.is_none() {
            self.redis_degraded.increment();
        }
        answer
    }

    /// The permits of an answer; while processes come back to Redis, only those that this process's share allows too.
    async fn granted(&self, ask: &Ask, answer: &Answer, deadline: Deadline) -> Vec<Permit> {
        let mut permits = answer.permits(ask.wanted);
        let now = self.clock.monotonic();
        if !self.memory().is_mixed() {
            return permits;
        }
        let mut unused = Vec::new();
        for permit in &mut permits {
            let Permit::Go(Grant { after, probe }) = *permit else { continue };
            *permit = match self.local().reserve(now, ask.endpoint, after) {
                Ok(_) => Permit::Go(Grant { after, probe }),
                Err(retry_after) => {
                    unused.push(Report { verdict: Verdict::Neutral, probe, took: Duration::ZERO });
                    Permit::Denied { why: Denial::RateLimited, retry_after }
                }
            };
        }
        if !unused.is_empty() {
            self.tell(ask.endpoint, &unused, deadline).await;
        }
        permits
    }

    /// Reports to the shared state. One that is lost is only a count that is missing.
    async fn tell(&self, endpoint: Endpoint, reports: &[Report], deadline: Deadline) {
        let random = self.random.between(0, 1_000);
        let call = self.scripts.report(endpoint, reports, random);
        let deadline = deadline.max(Deadline::after(&self.clock, REPORT_GRACE));
        let mut calls = 0;
        let told = self.link.run::<i64>(&call, deadline, &mut calls).await;
        self.redis_calls.add(calls);
        if told.is_err() {
            self.redis_degraded.increment();
        }
    }

    /// The state is whole after every critical section, so a panic elsewhere does not spoil it.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As for [`RedisGate::memory`].
    fn local(&self) -> MutexGuard<'_, Local> {
        self.local.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Clock> Gate for RedisGate<C> {
    async fn permits(
        &self,
        endpoint: Endpoint,
        wanted: usize,
        most_wait: Duration,
        deadline: Deadline,
    ) -> Vec<Permit> {
        if wanted == 0 {
            return Vec::new();
        }
        self.ask(Ask { endpoint, wanted, most_wait, retry: false }, deadline).await
    }

    async fn retry_permit(&self, endpoint: Endpoint, deadline: Deadline) -> Permit {
        let ask = Ask { endpoint, wanted: 1, most_wait: RESERVED_MAX, retry: true };
        let denied = Permit::Denied { why: Denial::RateLimited, retry_after: RESERVED_MAX };
        self.ask(ask, deadline).await.into_iter().next().unwrap_or(denied)
    }

    async fn report(&self, endpoint: Endpoint, reports: &[Report], deadline: Deadline) {
        if reports.is_empty() {
            return;
        }
        self.local().observe(self.clock.monotonic(), endpoint, reports);
        self.tell(endpoint, reports, deadline).await;
    }

    async fn spare_per_s(&self, deadline: Deadline) -> u32 {
        let ask = Ask { endpoint: Endpoint::Authorize, wanted: 0, most_wait: Duration::ZERO, retry: false };
        match self.question(&ask, deadline).await {
            Some(answer) => answer.spare_per_s,
            None => self.local().spare_per_s(self.clock.monotonic()),
        }
    }
}

impl<C> fmt::Debug for RedisGate<C> {
    /// Shows no URL and no connection.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisGate").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Where an endpoint stands in [`Endpoint::ALL`].
const fn index_of(endpoint: Endpoint) -> usize {
    match endpoint {
        Endpoint::Authorize => 0,
        Endpoint::Capture => 1,
        Endpoint::Cancel => 2,
        Endpoint::Refund => 3,
        Endpoint::LookUp => 4,
    }
}

/// Which breaker an endpoint is behind.
const fn breaker_of(endpoint: Endpoint) -> usize {
    match endpoint {
        Endpoint::Authorize | Endpoint::Capture | Endpoint::Cancel | Endpoint::Refund => 0,
        Endpoint::LookUp => 1,
    }
}
