//! One step of a batch: permits for all of it in one call, then every request on its own, then one report.

use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;

use backoff::{Clock, Deadline};
use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;

use super::Wrapper;
use super::attempts::Call;
use super::conclude::denied;
use crate::key::{KEY_LIFE, key};
use crate::{Authorize, Gate, Grant, Later, Outcome, Permit, Provider, Request};

/// Reports wait this long for the rest of their step: while some attempts hang, the breaker must hear of the others.
const FLUSH_AFTER: Duration = Duration::from_millis(250);

type Paying<'a> = Pin<Box<dyn Future<Output = (usize, Outcome)> + Send + 'a>>;

/// A step on its way. Everything happens while [`Step::next`] is polled; nothing is spawned.
pub(super) struct Step<'a, G, P, C> {
    wrapper: &'a Wrapper<G, P, C>,
    requests: &'a [Request],
    deadline: Deadline,
    begun: bool,
    /// What was not sent.
    kept: Vec<(usize, Outcome)>,
    running: FuturesUnordered<Paying<'a>>,
    /// When reports were last handed over, on the monotonic clock.
    flushed: Duration,
}

impl<'a, G: Gate, P: Provider, C: Clock> Step<'a, G, P, C> {
    pub(super) fn new(wrapper: &'a Wrapper<G, P, C>, requests: &'a [Request], deadline: Deadline) -> Self {
        Self {
            wrapper,
            requests,
            deadline,
            begun: false,
            kept: Vec::new(),
            running: FuturesUnordered::new(),
            flushed: Duration::ZERO,
        }
    }

    /// The next request that has ended; `None` once all have. The step's report is handed over before the last one, so
    /// that it is not lost on a caller that counts.
    pub(super) async fn next(&mut self) -> Option<(usize, Outcome)> {
        if !self.begun {
            self.begin().await;
            self.begun = true;
        }
        let ended = match self.kept.pop() {
            Some(kept) => Some(kept),
            None => self.ended().await,
        };
        if self.running.is_empty() && !self.wrapper.reports.is_empty() {
            self.wrapper.flush(self.deadline).await;
        }
        if let Some((_, outcome)) = &ended {
            self.wrapper.count(|counts| counts.outcome(outcome));
        }
        ended
    }

    /// Sorts out what cannot be sent, asks for permits for the rest, and starts what has one.
    async fn begin(&mut self) {
        let requests = self.requests;
        let mut sendable = Vec::with_capacity(requests.len());
        for (at, request) in requests.iter().enumerate() {
            if key_age(request) >= KEY_LIFE {
                self.keep(at, Later::KeyTooOld, None);
            } else {
                sendable.push((at, request));
            }
        }
        let Some((_, first)) = sendable.first() else { return };
        let Some(most_wait) = self.wrapper.most_wait(self.deadline) else {
            sendable.iter().for_each(|(at, _)| self.keep(*at, Later::NoTime, None));
            return;
        };
        let gate = &self.wrapper.gate;
        let permits = gate.permits(first.endpoint(), sendable.len(), most_wait, self.deadline).await;
        self.flushed = self.wrapper.clock.monotonic();
        let missing = Permit::Denied { why: crate::Denial::RateLimited, retry_after: Duration::ZERO };
        for ((at, request), permit) in
            sendable.into_iter().zip(permits.into_iter().chain(std::iter::repeat(missing)))
        {
            match permit {
                Permit::Go(grant) => self.running.push(self.pay(at, request, grant)),
                Permit::Denied { why, retry_after } => self.keep(at, denied(why), Some(retry_after)),
            }
        }
    }

    fn keep(&mut self, at: usize, why: Later, not_before: Option<Duration>) {
        self.kept.push((at, Outcome::Later { why, not_before }));
    }

    /// Waits for one of the running requests, and hands reports over that have waited for too long.
    async fn ended(&mut self) -> Option<(usize, Outcome)> {
        let clock = &self.wrapper.clock;
        while !self.running.is_empty() {
            let waited = clock.monotonic().saturating_sub(self.flushed);
            let due = pin!(clock.sleep(FLUSH_AFTER.saturating_sub(waited)));
            match select(self.running.next(), due).await {
                Either::Left((ended, _)) => return ended,
                Either::Right(_) => {
                    self.wrapper.flush(self.deadline).await;
                    self.flushed = clock.monotonic();
                }
            }
        }
        None
    }

    fn pay(&self, at: usize, request: &'a Request, grant: Grant) -> Paying<'a> {
        let (wrapper, deadline) = (self.wrapper, self.deadline);
        let key = key(&wrapper.stage, request);
        let left = KEY_LIFE.saturating_sub(key_age(request));
        let key_expires_ms = Deadline::after(&wrapper.clock, left).at_ms;
        Box::pin(async move {
            let call = Call::Change { request, key: &key, key_expires_ms };
            let outcome = match wrapper.make(call, grant, deadline).await {
                Ok(sent) => wrapper.conclude(request, sent, deadline).await,
                Err(why) => Outcome::Later { why, not_before: None },
            };
            (at, wrapper.afresh(call, outcome, deadline).await)
        })
    }
}

/// How long ago the request's key may first have been sent, as far as that matters: what is sent again after the
/// provider has forgotten the key of a capture or a cancellation is refused by the charge's own state.
const fn key_age(request: &Request) -> Duration {
    match request {
        Request::Authorize(Authorize { key_age, .. }) => *key_age,
        Request::Capture(_) | Request::Cancel(_) | Request::Refund(_) => Duration::ZERO,
    }
}
