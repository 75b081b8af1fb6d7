//! A call from arrival to answer: authorized, counted against the limits, met by a fault or not, matched with its
//! key, executed, answered.
//!
//! The work runs in a task of its own: a client that hangs up stops nothing, as at the real provider.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    Server, State,
    endpoints::Operation,
    faults::{FaultKind, Hit},
    form::Form,
    keys::{Begin, Fingerprint, Saved},
    limiter::Reason,
    problem::Problem,
    word::Word,
};
use crate::clock::{self, Instant};

/// A call whose head has been read.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) operation: Operation,
    pub(super) path: String,
    /// `Idempotency-Key` of a call that writes.
    pub(super) key: Option<String>,
    pub(super) arrived: Instant,
    pub(super) arrived_ms: u64,
}

/// What the limits and the faults make of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Admitted {
    pub(super) hit: Option<Hit>,
    /// How long the provider takes.
    time: Duration,
}

/// What goes over the wire.
#[derive(Debug)]
pub(super) enum Outcome {
    Whole(Reply),
    Half(Reply),
    Reset,
    Never,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Bytes,
    pub(super) request_id: Word,
    /// The call whose result this is, if it is not this one.
    pub(super) replays: Option<Word>,
    pub(super) key: Option<String>,
    pub(super) should_retry: Option<bool>,
    pub(super) limited: Option<Reason>,
}

/// Counts a call against the limits and draws its fault and its time.
pub(super) fn admit(server: &Server, call: &Call) -> Result<Admitted, Reply> {
    let mut state = server.lock();
    let endpoint = call.operation.endpoint();
    if let Err(reason) = state.limiter.admit(endpoint, call.arrived) {
        state.tally.limited();
        return Err(state.refuse(call, &Problem::limited(reason)));
    }
    let hit = state.draw(call);
    let State { latency, random, .. } = &mut *state;
    Ok(Admitted { hit, time: latency.sample(random) })
}

/// What happens to an admitted call with these parameters.
pub(super) async fn proceed(
    server: &Arc<Server>,
    call: Call,
    form: Result<Form, Problem>,
    admitted: Admitted,
) -> Outcome {
    let Some(hit) = admitted.hit else {
        return Outcome::Whole(performed(server, call, form, admitted).await);
    };
    if hit.kind != FaultKind::BrownOut || hit.refuses {
        pause(hit.delay).await;
    }
    let refusal = match hit.kind {
        FaultKind::Hang | FaultKind::Blackhole => {
            server.lock().unanswered(&call);
            return Outcome::Never;
        }
        FaultKind::ResetBefore => {
            server.lock().unanswered(&call);
            return Outcome::Reset;
        }
        FaultKind::Error429 => Problem::limited(Reason::Endpoint),
        FaultKind::Error503 => Problem::unavailable(),
        FaultKind::BrownOut if hit.refuses => Problem::unavailable(),
        FaultKind::ResetAfter => {
            performed(server, call, form, admitted).await;
            return Outcome::Reset;
        }
        FaultKind::HalfBody => return Outcome::Half(performed(server, call, form, admitted).await),
        FaultKind::BrownOut | FaultKind::Error500 | FaultKind::Error500WithEffect => {
            return Outcome::Whole(performed(server, call, form, admitted).await);
        }
    };
    Outcome::Whole(server.lock().refuse(&call, &refusal))
}

/// Performs in a task that outlives the connection.
async fn performed(
    server: &Arc<Server>,
    call: Call,
    form: Result<Form, Problem>,
    admitted: Admitted,
) -> Reply {
    let (server, beside) = (Arc::clone(server), Arc::clone(server));
    let task = tokio::spawn(async move { perform(&server, call, form, admitted).await });
    // The task neither panics nor is it cancelled, except when the process ends.
    task.await.unwrap_or_else(|_| beside.lock().reply(&Problem::internal()))
}

async fn perform(server: &Server, call: Call, form: Result<Form, Problem>, admitted: Admitted) -> Reply {
    let form = match form {
        Ok(form) => form,
        Err(problem) => return server.lock().refuse(&call, &problem),
    };
    let begun = server.lock().begin(&call, &form);
    let slower =
        admitted.hit.filter(|hit| hit.kind == FaultKind::BrownOut).map_or(Duration::ZERO, |hit| hit.delay);
    let time = admitted.time + slower;
    let (before, request_id) = match begun {
        Err(problem) => return server.lock().refuse(&call, &problem),
        Ok(Begin::Replay(saved)) => {
            pause(time).await;
            return server.lock().replay(&call, saved, admitted);
        }
        // Half of the time passes before the money moves and half after it: a client that gives up may have
        // been too early or too late.
        Ok(Begin::Execute) => (time / 2, server.lock().request_id()),
    };
    pause(before).await;
    let executed = server.lock().execute(&call, &form, admitted.hit);
    pause(time.saturating_sub(before)).await;
    server.lock().finish(&call, executed, request_id, admitted)
}

async fn pause(duration: Duration) {
    if !duration.is_zero() {
        clock::sleep(duration).await;
    }
}

impl State {
    /// The fault that this call meets.
    fn draw(&mut self, call: &Call) -> Option<Hit> {
        if self.faults.is_empty() {
            return None;
        }
        let hit = self.faults.draw(call.operation.endpoint())?;
        self.tally.hit(hit.kind);
        if self.faults.is_empty() {
            self.tally.faults_used_up(clock::now_ms());
        }
        Some(hit)
    }

    fn begin(&mut self, call: &Call, form: &Form) -> Result<Begin, Problem> {
        let Some(key) = &call.key else { return Ok(Begin::Execute) };
        let now_s = self.now_ms() / 1_000;
        self.keys.begin(key, &Fingerprint::of(&call.path, form), now_s)
    }

    fn execute(&mut self, call: &Call, form: &Form, hit: Option<Hit>) -> Result<String, Problem> {
        let now_ms = self.now_ms();
        match hit.map(|hit| hit.kind) {
            Some(FaultKind::Error500) => Err(Problem::internal()),
            Some(FaultKind::Error500WithEffect) => {
                let executed = self.account.execute(&call.operation, form, now_ms);
                // What is refused before it is executed has no effect that could be lost.
                executed.and_then(|_| Err(Problem::internal()))
            }
            _ => self.account.execute(&call.operation, form, now_ms),
        }
    }

    /// Keeps the result under its key, counts the call, and makes the answer.
    fn finish(
        &mut self,
        call: &Call,
        executed: Result<String, Problem>,
        request_id: Word,
        admitted: Admitted,
    ) -> Reply {
        let keeps = executed.as_ref().err().is_none_or(|problem| problem.executed);
        let mut reply = match executed {
            Ok(json) => Reply::new(200, json.into(), request_id),
            Err(problem) => self.reply_as(&problem, request_id),
        };
        if let Some(key) = &call.key {
            reply.key = Some(key.clone());
            if keeps {
                let Reply { status, body, request_id, .. } = &reply;
                let (status, body, request_id) = (*status, body.clone(), request_id.clone());
                self.keys.finish(key, Saved { status, body, request_id });
            } else {
                self.keys.release(key);
            }
        }
        self.count(call, reply.status, admitted);
        reply
    }

    fn replay(&mut self, call: &Call, saved: Saved, admitted: Admitted) -> Reply {
        self.tally.replayed();
        self.count(call, saved.status, admitted);
        let should_retry = (400..409).contains(&saved.status).then_some(false);
        let reply = Reply::new(saved.status, saved.body, self.request_id());
        Reply { replays: Some(saved.request_id), key: call.key.clone(), should_retry, ..reply }
    }

    fn count(&mut self, call: &Call, status: u16, admitted: Admitted) {
        let endpoint = call.operation.endpoint();
        let lost =
            admitted.hit.is_some_and(|hit| matches!(hit.kind, FaultKind::ResetAfter | FaultKind::HalfBody));
        self.tally.answered(endpoint, if lost { 0 } else { status });
        if admitted.hit.is_none() {
            self.tally.took(call.arrived.elapsed());
        }
        if status == 200 && endpoint.writes() {
            self.tally.succeeded(call.arrived_ms, clock::now_ms());
        }
    }

    /// Counts a call that gets no answer.
    pub(super) fn unanswered(&mut self, call: &Call) {
        self.tally.answered(call.operation.endpoint(), 0);
    }

    /// Counts a call that is not executed, and makes the answer.
    pub(super) fn refuse(&mut self, call: &Call, problem: &Problem) -> Reply {
        self.tally.answered(call.operation.endpoint(), problem.status);
        Reply { key: call.key.clone(), ..self.reply(problem) }
    }

    pub(super) fn reply(&mut self, problem: &Problem) -> Reply {
        let request_id = self.request_id();
        self.reply_as(problem, request_id)
    }

    fn reply_as(&self, problem: &Problem, request_id: Word) -> Reply {
        let reply = Reply::new(problem.status, problem.to_json().into(), request_id);
        Reply { should_retry: problem.should_retry, limited: problem.limited, ..reply }
    }
}

impl Reply {
    fn new(status: u16, body: Bytes, request_id: Word) -> Self {
        Self { status, body, request_id, replays: None, key: None, should_retry: None, limited: None }
    }
}
