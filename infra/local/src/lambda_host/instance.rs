//! One instance: a process, its Runtime API endpoint, and the invocation it works on.
//!
//! The Runtime API handlers ([`super::runtime_api`]) move the slot; the function ([`super::function`])
//! delivers events and listens for replies. Whoever takes the reply channel out of the slot answers, so an
//! invocation has exactly one end: answer, error, exit, or the deadline.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::{Notify, oneshot};

use super::logs::Tail;
use crate::clock;

/// What a runtime is handed with an event.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) request_id: String,
    pub(super) payload: Bytes,
    /// Unix milliseconds.
    pub(super) deadline_ms: u64,
    pub(super) function_arn: String,
}

/// How an invocation ended, as far as the instance knows.
#[derive(Debug)]
pub(super) enum Reply {
    Response(Bytes),
    /// The error as the runtime posted it.
    Error(Bytes),
    /// The process is gone; the text says how, as in "exit status 1".
    Exited(String),
    /// The answer was longer than Lambda allows.
    TooLarge,
}

/// The resident memory of a process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Memory {
    pub(super) now_kb: u64,
    /// The most so far.
    pub(super) max_kb: u64,
}

/// Where an instance is between two invocations.
#[derive(Debug)]
enum Slot {
    /// Not (or not yet) asking for an event.
    Away,
    /// Waiting in `/next` for an event.
    Parked(oneshot::Sender<Delivery>),
    /// Working.
    Busy { request_id: String, reply: oneshot::Sender<Reply> },
}

/// One running process of a function.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) id: u64,
    pub(super) pid: u32,
    pub(super) tail: Tail,
    slot: Mutex<Slot>,
    /// What the runtime said to `/init/error`.
    init_error: Mutex<Option<Bytes>>,
    /// When it last asked for an event.
    parked_at: Mutex<Option<clock::Instant>>,
    /// Told when it asks for an event.
    parked: Notify,
    /// Set when the process is reaped, so that its number is never signalled when it is another's.
    ended: Mutex<bool>,
}

impl Instance {
    pub(super) fn new(id: u64, pid: u32, tail: Tail) -> Self {
        Self {
            id,
            pid,
            tail,
            slot: Mutex::new(Slot::Away),
            init_error: Mutex::new(None),
            parked_at: Mutex::new(None),
            parked: Notify::new(),
            ended: Mutex::new(false),
        }
    }

    /// The runtime asks for an event. None while it owes an answer, which is a runtime's mistake.
    pub(super) fn park(&self) -> Option<oneshot::Receiver<Delivery>> {
        let mut slot = lock(&self.slot);
        if matches!(*slot, Slot::Busy { .. }) {
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        *slot = Slot::Parked(sender);
        *lock(&self.parked_at) = Some(clock::now());
        self.parked.notify_one();
        Some(receiver)
    }

    /// Returns when the runtime has asked for its first event.
    pub(super) async fn came_up(&self) {
        self.parked.notified().await;
    }

    /// Whether it last asked for an event before `since`.
    pub(super) fn parked_before(&self, since: clock::Instant) -> bool {
        lock(&self.parked_at).is_some_and(|parked_at| parked_at < since)
    }

    /// Hands the event to the parked runtime; the reply arrives in the channel. If the runtime is gone the
    /// channel closes, or carries [`Reply::Exited`].
    pub(super) fn deliver(&self, delivery: Delivery) -> oneshot::Receiver<Reply> {
        let (reply, receiver) = oneshot::channel();
        let mut slot = lock(&self.slot);
        let busy = Slot::Busy { request_id: delivery.request_id.clone(), reply };
        if let Slot::Parked(sender) = std::mem::replace(&mut *slot, busy) {
            // A connection that broke meanwhile shows as an exit, or as silence until the deadline.
            drop(sender.send(delivery));
        } else {
            // The process ended between being claimed and now: close the channel.
            *slot = Slot::Away;
        }
        receiver
    }

    /// Ends the invocation `request_id`; false when the instance works on no such invocation (any more).
    pub(super) fn reply(&self, request_id: &str, reply: Reply) -> bool {
        let mut slot = lock(&self.slot);
        match std::mem::replace(&mut *slot, Slot::Away) {
            Slot::Busy { request_id: current, reply: sender } if current == request_id => {
                // Nobody listens after the deadline.
                drop(sender.send(reply));
                true
            }
            other => {
                *slot = other;
                false
            }
        }
    }

    /// The process is gone: fails what it worked on. Answers whether it worked.
    pub(super) fn exited(&self, how: &str) -> bool {
        let slot = std::mem::replace(&mut *lock(&self.slot), Slot::Away);
        let Slot::Busy { reply, .. } = slot else { return false };
        reply.send(Reply::Exited(how.to_owned())).is_ok()
    }

    pub(super) fn set_init_error(&self, error: Bytes) {
        *lock(&self.init_error) = Some(error);
    }

    pub(super) fn init_error(&self) -> Option<Bytes> {
        lock(&self.init_error).clone()
    }

    /// Signals the process unless it has ended.
    pub(super) fn signal(&self, signal: Signal) {
        let ended = lock(&self.ended);
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        if let (false, Some(pid)) = (*ended, pid)
            && let Err(error) = kill_process(pid, signal)
        {
            tracing::debug!(%error, pid = self.pid, "an instance could not be signalled");
        }
    }

    /// No signal from now on: the process has been reaped.
    pub(super) fn set_ended(&self) {
        *lock(&self.ended) = true;
    }

    /// The memory of the process; none once it is gone.
    pub(super) fn memory(&self) -> Option<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let kb = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Memory { now_kb: kb("VmRSS:")?, max_kb: kb("VmHWM:")? })
    }

    /// Files, sockets and the like that the process has open; none once it is gone.
    pub(super) fn open_handles(&self) -> Option<u64> {
        let handles = std::fs::read_dir(format!("/proc/{}/fd", self.pid)).ok()?;
        u64::try_from(handles.count()).ok()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader, Write as _},
        process::{Command, Stdio},
    };

    use super::*;

    fn delivery(request_id: &str) -> Delivery {
        Delivery {
            request_id: request_id.to_owned(),
            payload: Bytes::new(),
            deadline_ms: 0,
            function_arn: String::new(),
        }
    }

    fn instance() -> Instance {
        Instance::new(1, std::process::id(), Tail::default())
    }

    #[test]
    fn an_event_goes_to_the_parked_runtime_and_its_answer_back() {
        let instance = instance();
        let mut next = instance.park().unwrap();
        let mut reply = instance.deliver(delivery("a"));
        assert_eq!(next.try_recv().unwrap().request_id, "a");
        assert!(instance.reply("a", Reply::Response(Bytes::from_static(b"1"))));
        assert!(matches!(reply.try_recv(), Ok(Reply::Response(_))));
    }

    #[test]
    fn only_the_current_invocation_can_be_answered_and_only_once() {
        let instance = instance();
        let _next = instance.park().unwrap();
        let _reply = instance.deliver(delivery("a"));
        assert!(!instance.reply("b", Reply::TooLarge));
        assert!(instance.reply("a", Reply::TooLarge));
        assert!(!instance.reply("a", Reply::TooLarge));
    }

    #[test]
    fn a_runtime_that_owes_an_answer_gets_no_event() {
        let instance = instance();
        let _next = instance.park().unwrap();
        let _reply = instance.deliver(delivery("a"));
        assert!(instance.park().is_none());
    }

    #[test]
    fn an_exit_ends_what_was_worked_on() {
        let instance = instance();
        let _next = instance.park().unwrap();
        let mut reply = instance.deliver(delivery("a"));
        assert!(instance.exited("exit status: 1"));
        assert!(matches!(reply.try_recv(), Ok(Reply::Exited(how)) if how == "exit status: 1"));
        let mut lost = instance.deliver(delivery("b"));
        assert!(matches!(lost.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
    }

    #[test]
    fn memory_is_read_from_the_process() {
        let memory = instance().memory().unwrap();
        assert!(memory.now_kb > 100 && memory.now_kb <= memory.max_kb, "{memory:?}");
    }

    #[test]
    fn one_handle_more_is_seen_and_none_is_left_of_a_process_that_is_gone() {
        // A process of its own: other tests open files in this one meanwhile.
        let mut process = Command::new("sh")
            .args(["-c", "echo ready; read go; exec 9</dev/null; echo opened; read go"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let instance = Instance::new(1, process.id(), Tail::default());
        assert_eq!(lines.next().unwrap().unwrap(), "ready");
        let before = instance.open_handles().unwrap();
        writeln!(process.stdin.as_mut().unwrap(), "go").unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "opened");
        assert_eq!(instance.open_handles(), Some(before + 1));
        writeln!(process.stdin.as_mut().unwrap(), "go").unwrap();
        process.wait().unwrap();
        assert_eq!(instance.open_handles(), None);
        assert_eq!(instance.memory(), None);
    }
}
