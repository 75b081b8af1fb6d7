//! One function: claims or starts an instance for each invocation, holds it to its deadline, and counts.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use rustix::process::Signal;
use serde_json::json;
use tokio::sync::Notify;

use super::{
    Answer, Failure, Faults, FunctionFigures, FunctionSpec, Nudge, Refusal, Surroundings,
    figures::{Now, Tally},
    instance::{Delivery, Instance, Memory, Reply},
    life::{self, INIT_LIMIT},
    logs::Log,
    pool::{Claim, Handed, Pool},
};
use crate::{children::Spawner, clock, sqs::ACCOUNT_ID};

/// How long a caller waits for an instance that has just answered, before another is started.
const RETURN_GRACE: Duration = Duration::from_millis(20);
/// How long an instance may take to end by itself when the host stops.
const STOP_GRACE: Duration = Duration::from_millis(500);

/// One function and its instances.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) spec: FunctionSpec,
    pub(super) surroundings: Surroundings,
    pub(super) spawner: Spawner,
    pub(super) log: Log,
    /// What a waiting caller gets when no instance comes up is the error as JSON.
    pool: Mutex<Pool<Instance, Bytes>>,
    tally: Mutex<Tally>,
    faults: Mutex<Faults>,
    stopping: Mutex<bool>,
    /// Told when an instance is gone.
    one_gone: Notify,
}

impl Function {
    pub(super) fn start(
        spec: FunctionSpec,
        log: Log,
        surroundings: Surroundings,
        spawner: Spawner,
    ) -> Arc<Self> {
        let function = Arc::new(Self {
            pool: Mutex::new(Pool::new(spec.cap)),
            tally: Mutex::new(Tally::new()),
            faults: Mutex::default(),
            stopping: Mutex::default(),
            one_gone: Notify::new(),
            spec,
            surroundings,
            spawner,
            log,
        });
        if let Some(idle_limit) = function.spec.idle_limit {
            tokio::spawn(life::reap(Arc::downgrade(&function), idle_limit));
        }
        function
    }

    /// One invocation from claim to answer.
    pub(super) async fn invoke(self: Arc<Self>, payload: Bytes) -> Result<Answer, Refusal> {
        let request_id = uuid::Uuid::new_v4().to_string();
        if lock(&self.faults).throttle || *lock(&self.stopping) {
            return self.throttled();
        }
        let instance = match self.claim().await {
            Some(Ok(instance)) => instance,
            Some(Err(init_error)) => return Ok(self.init_failed(request_id, init_error)),
            None => return self.throttled(),
        };
        let started = clock::now();
        let reply = instance.deliver(Delivery {
            request_id: request_id.clone(),
            payload,
            deadline_ms: clock::now_ms() + clock::whole_ms(self.spec.timeout),
            function_arn: self.arn(),
        });
        let reply = tokio::time::timeout(self.spec.timeout, reply).await;
        let duration = started.elapsed();
        let (payload, failure) = match reply {
            Ok(Ok(reply)) => self.answered(&instance, &request_id, reply).await,
            // The process ended between becoming idle and getting the event.
            Ok(Err(_)) => {
                self.answered(&instance, &request_id, Reply::Exited("exited while idle".to_owned())).await
            }
            Err(_) => self.timed_out(&instance, &request_id).await,
        };
        self.count(&instance, duration, failure);
        Ok(Answer { request_id, payload, failure, log_tail: instance.tail.read() })
    }

    /// The process of the reserved `instance` runs; it is about to be served.
    pub(super) fn started(&self, instance: &Arc<Instance>) {
        lock(&self.pool).started(instance.id, Arc::clone(instance));
    }

    /// The instance asks for an event.
    pub(super) fn ready(&self, id: u64) {
        lock(&self.pool).ready(id);
    }

    /// The instance came up, `duration` after it was spawned.
    pub(super) fn came_up(&self, duration: Duration) {
        lock(&self.tally).record_init(duration);
    }

    /// The instance ended by itself, while coming up or while working.
    pub(super) fn crashed(&self) {
        lock(&self.tally).crashes += 1;
    }

    /// The instance is gone, with the error as JSON if it never came up; answers the id of one to start for
    /// somebody who waits.
    pub(super) fn forget(&self, id: u64, failure: Option<Bytes>) -> Option<u64> {
        let next = lock(&self.pool).gone(id, failure);
        self.one_gone.notify_waiters();
        next.filter(|_| !*lock(&self.stopping))
    }

    /// Takes the instances that have been idle since before `since` out of use, to be ended.
    pub(super) fn retire_idle(&self, since: clock::Instant) -> Vec<Arc<Instance>> {
        lock(&self.pool).retire(|instance| instance.parked_before(since))
    }

    pub(super) fn faults(&self) -> Faults {
        *lock(&self.faults)
    }

    pub(super) fn is_stopping(&self) -> bool {
        *lock(&self.stopping)
    }

    pub(super) fn figures(&self) -> FunctionFigures {
        let (all, (instances, busy)) = {
            let pool = lock(&self.pool);
            (pool.all(), pool.counts())
        };
        let memories: Vec<Memory> = all.iter().filter_map(|instance| instance.memory()).collect();
        let memory_kb = memories.iter().map(|memory| memory.now_kb).max().unwrap_or_default();
        let open_handles =
            all.iter().filter_map(|instance| instance.open_handles()).max().unwrap_or_default();
        let mut tally = lock(&self.tally);
        tally.record_memory(memories.iter().map(|memory| memory.max_kb).max());
        tally.figures(Now { instances, busy, memory_kb, open_handles })
    }

    pub(super) fn change_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut lock(&self.faults));
    }

    pub(super) fn nudge(&self, nudge: Nudge) -> Option<u32> {
        let instance = lock(&self.pool).busy_or_any()?;
        instance.signal(match nudge {
            Nudge::Kill => Signal::KILL,
            Nudge::Freeze => Signal::STOP,
            Nudge::Thaw => Signal::CONT,
        });
        Some(instance.pid)
    }

    /// Ends all instances: politely, and after a moment by force. No new ones start.
    pub(super) fn stop(self: &Arc<Self>) {
        *lock(&self.stopping) = true;
        let signal_all = |function: &Self, signal| {
            for instance in lock(&function.pool).all() {
                instance.signal(signal);
            }
        };
        signal_all(self, Signal::TERM);
        let function = Arc::clone(self);
        tokio::spawn(async move {
            clock::sleep(STOP_GRACE).await;
            signal_all(&function, Signal::KILL);
        });
    }

    /// Returns when no instance is left; after [`Function::stop`] that is soon.
    pub(super) async fn gone(&self) {
        loop {
            let one_gone = self.one_gone.notified();
            if lock(&self.pool).counts().0 == 0 {
                return;
            }
            one_gone.await;
        }
    }

    /// An instance to work on an invocation, or what kept one from coming up; none at the cap.
    async fn claim(self: &Arc<Self>) -> Option<Handed<Instance, Bytes>> {
        let claim = lock(&self.pool).claim();
        let (mut handed, start) = match claim {
            Claim::Ready(instance) => return Some(Ok(instance)),
            Claim::Wait { handed, start } => (handed, start),
            Claim::Full => return None,
        };
        life::start(self, start);
        if let Ok(handed) = tokio::time::timeout(RETURN_GRACE, &mut handed).await {
            return handed.ok();
        }
        let more = lock(&self.pool).start_more();
        life::start(self, more);
        // Whatever is starting comes up or fails within the init limit, so this limit is never the first.
        let limit = INIT_LIMIT + self.faults().cold_start_delay + STOP_GRACE;
        tokio::time::timeout(limit, handed).await.ok()?.ok()
    }

    async fn answered(
        &self,
        instance: &Instance,
        request_id: &str,
        reply: Reply,
    ) -> (Bytes, Option<Failure>) {
        lock(&self.pool).answered(instance.id);
        match reply {
            Reply::Response(payload) => (payload, None),
            Reply::Error(payload) => (payload, Some(Failure::Handled)),
            Reply::TooLarge => {
                let message = "the answer is longer than the 6 MiB that Lambda allows";
                (error_json("Function.ResponseSizeTooLarge", message), Some(Failure::Handled))
            }
            Reply::Exited(how) => {
                self.forgotten(instance.id).await;
                let message = format!("RequestId: {request_id} Error: Runtime exited with error: {how}");
                (error_json("Runtime.ExitError", &message), Some(Failure::Exit))
            }
        }
    }

    /// Kills the instance, whose next invocation would otherwise begin in the middle of this one.
    async fn timed_out(&self, instance: &Instance, request_id: &str) -> (Bytes, Option<Failure>) {
        instance.signal(Signal::KILL);
        self.forgotten(instance.id).await;
        let timeout_s = self.spec.timeout.as_secs_f64();
        let message = format!("RequestId: {request_id} Error: Task timed out after {timeout_s:.2} seconds");
        (error_json("Sandbox.Timedout", &message), Some(Failure::Timeout))
    }

    fn init_failed(&self, request_id: String, error: Bytes) -> Answer {
        let mut tally = lock(&self.tally);
        tally.invocations += 1;
        tally.errors += 1;
        Answer { request_id, payload: error, failure: Some(Failure::Init), log_tail: Vec::new() }
    }

    fn throttled(&self) -> Result<Answer, Refusal> {
        lock(&self.tally).throttles += 1;
        Err(Refusal::Throttled)
    }

    fn count(&self, instance: &Instance, duration: Duration, failure: Option<Failure>) {
        let mut tally = lock(&self.tally);
        tally.invocations += 1;
        tally.errors += u64::from(failure.is_some());
        tally.timeouts += u64::from(failure == Some(Failure::Timeout));
        tally.record_duration(duration);
        if tally.memory_is_due() {
            tally.record_memory(instance.memory().map(|memory| memory.max_kb));
        }
    }

    /// Waits until a killed or exited instance no longer counts against the cap.
    async fn forgotten(&self, id: u64) {
        loop {
            let one_gone = self.one_gone.notified();
            if !lock(&self.pool).contains(id) {
                return;
            }
            if tokio::time::timeout(STOP_GRACE, one_gone).await.is_err() {
                return;
            }
        }
    }

    fn arn(&self) -> String {
        format!("arn:aws:lambda:{}:{ACCOUNT_ID}:function:{}", self.surroundings.region, self.spec.name)
    }
}

/// An error as Lambda's runtimes and Lambda itself write it.
pub(super) fn error_json(error_type: &str, message: &str) -> Bytes {
    Bytes::from(json!({ "errorType": error_type, "errorMessage": message }).to_string())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
