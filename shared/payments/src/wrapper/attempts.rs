//! One call with its attempts: wait for the permit's place, attempt, and again where the table and the gate allow it.

use std::time::Duration;

use backoff::{Clock, Deadline};
use order::ProviderRef;

use super::Wrapper;
use super::pause::before_retry;
use super::reports::Ticket;
use crate::decision::{End, Ruling, rule};
use crate::{Answer, Endpoint, Gate, Grant, Later, ListCharges, Permit, Provider, Request, Signal, Verdict};

/// What is asked of the provider.
#[derive(Debug, Clone, Copy)]
pub(super) enum Call<'a> {
    /// Something changes.
    Change {
        request: &'a Request,
        key: &'a str,
        /// From then on the key is too old to be sent, Unix milliseconds.
        key_expires_ms: u64,
    },
    /// One charge.
    Read(&'a ProviderRef),
    /// A page of charges.
    List(&'a ListCharges),
}

/// The last attempt of a call.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) answer: Answer,
    pub(super) ruling: Ruling,
    /// Whether an attempt before it may have been executed.
    pub(super) doubtful: bool,
}

impl Call<'_> {
    const fn endpoint(&self) -> Endpoint {
        match self {
            Self::Change { request, .. } => request.endpoint(),
            Self::Read(_) | Self::List(_) => Endpoint::LookUp,
        }
    }

    const fn key_is_too_old(&self, now_ms: u64) -> bool {
        match self {
            Self::Change { key_expires_ms, .. } => now_ms >= *key_expires_ms,
            Self::Read(_) | Self::List(_) => false,
        }
    }
}

impl Sent {
    pub(super) const fn is_missing(&self) -> bool {
        matches!(self.ruling.end, End::Missing)
    }

    /// Why a look-up has no answer now.
    pub(super) const fn later(&self) -> Later {
        match self.ruling.end {
            End::Later(why) => why,
            _ => Later::NoAnswer,
        }
    }
}

impl<G: Gate, P: Provider, C: Clock> Wrapper<G, P, C> {
    /// Makes a call, and makes it again as long as that is allowed and worth it.
    ///
    /// # Errors
    /// Why nothing was sent at all.
    pub(super) async fn make(&self, call: Call<'_>, grant: Grant, deadline: Deadline) -> Result<Sent, Later> {
        let mut sent = self.attempt(call, grant, deadline, 0).await?;
        let mut retry = 0;
        while !grant.probe
            && let Some(again) = self.attempt_again(call, &sent, retry, deadline).await
        {
            let doubtful = sent.doubtful || !sent.ruling.end.never_executed();
            sent = Sent { doubtful, ..again };
            retry += 1;
        }
        Ok(sent)
    }

    /// The next attempt after `sent`, or nothing where it is not worth it, not allowed, or too late.
    async fn attempt_again(
        &self,
        call: Call<'_>,
        sent: &Sent,
        retry: u32,
        deadline: Deadline,
    ) -> Option<Sent> {
        let pause = before_retry(&self.random, sent.ruling.again, sent.answer.retry_after, retry)?;
        if !self.wait(pause, deadline).await {
            return None;
        }
        match self.gate.retry_permit(call.endpoint(), deadline).await {
            Permit::Go(grant) => self.attempt(call, grant, deadline, retry + 1).await.ok(),
            Permit::Denied { .. } => None,
        }
    }

    /// One attempt in its place, `retry` being how many there were before.
    async fn attempt(
        &self,
        call: Call<'_>,
        grant: Grant,
        deadline: Deadline,
        retry: u32,
    ) -> Result<Sent, Later> {
        let endpoint = call.endpoint();
        let ticket = Ticket::new(&self.reports, endpoint, grant);
        if !self.wait(grant.after, deadline).await {
            return Err(Later::NoTime);
        }
        let timeout = self.timeout(endpoint, grant, deadline).ok_or(Later::NoTime)?;
        if call.key_is_too_old(self.clock.now_ms()) {
            return Err(Later::KeyTooOld);
        }
        let started = self.clock.monotonic();
        let answer = match call {
            Call::Change { request, key, .. } => self.provider.attempt(request, key, timeout).await,
            Call::Read(payment_id) => self.provider.read(payment_id, timeout).await,
            Call::List(query) => self.provider.list(query, timeout).await,
        };
        let took = self.clock.monotonic().saturating_sub(started);
        let ruling = rule(endpoint, answer.signal).told(answer.should_retry);
        ticket.spend(said(&answer, ruling.verdict), took);
        self.count(|counts| counts.attempt(&answer, took, retry > 0));
        log(call, &answer, took);
        Ok(Sent { answer, ruling, doubtful: false })
    }

    /// Waits, if that leaves time for an attempt; `false` where it does not.
    async fn wait(&self, pause: Duration, deadline: Deadline) -> bool {
        if !deadline.allows(&self.clock, pause.saturating_add(self.timeouts.least)) {
            return false;
        }
        if !pause.is_zero() {
            self.clock.sleep(pause).await;
        }
        true
    }

    /// How long an attempt that starts now may take; `None` where the deadline leaves too little.
    fn timeout(&self, endpoint: Endpoint, grant: Grant, deadline: Deadline) -> Option<Duration> {
        let usual = match endpoint {
            Endpoint::Authorize | Endpoint::Capture | Endpoint::Cancel | Endpoint::Refund => {
                self.timeouts.change
            }
            Endpoint::LookUp => self.timeouts.look_up,
        };
        let most = if grant.probe { usual.min(self.timeouts.probe) } else { usual };
        let remaining = deadline.remaining(&self.clock);
        (remaining >= self.timeouts.least).then(|| most.min(remaining))
    }
}

/// What an attempt says about the provider. A failure that it has saved says how it was then, not how it is now: whoever
/// asks about many old doubts at once must not open the breaker of a provider that is well again.
fn said(answer: &Answer, verdict: Verdict) -> Verdict {
    if answer.replayed && verdict == Verdict::ProviderFault { Verdict::Neutral } else { verdict }
}

/// One line an attempt, for whoever looks for one order; ids and names only.
fn log(call: Call<'_>, answer: &Answer, took: Duration) {
    let payment = match call {
        Call::Change { request, .. } => Some(request.payment()),
        Call::Read(_) | Call::List(_) => None,
    };
    tracing::debug!(
        { telemetry::fields::ORDER_ID } = payment.map(|payment| payment.order_id.as_str()),
        payment.attempt_no = payment.map(|payment| payment.attempt_no),
        provider.endpoint = call.endpoint().as_str(),
        provider.signal = answer.signal.as_str(),
        provider.request_id = answer.request_id.as_deref(),
        provider.replayed = answer.replayed,
        provider.ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "the provider was called"
    );
    if matches!(answer.signal, Signal::CertificateInvalid | Signal::NotTheProvider) {
        tracing::error!(
            { telemetry::fields::REASON } = answer.signal.as_str(),
            "somebody else answers for the provider; look at its URL, its certificate and what stands in between"
        );
    }
}
