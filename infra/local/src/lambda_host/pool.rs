//! Which instance takes the next invocation: pure bookkeeping, without processes or time.
//!
//! As on AWS, an instance works on one invocation at a time, the one that was idle last is reused first (so
//! that the others may end), a new one starts when none is idle, and with all of the cap busy the caller is
//! throttled. An instance that has answered but not yet asked for the next event counts as about to come,
//! so that a caller who is a few microseconds early starts no process for nothing.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use tokio::sync::oneshot;

/// What a waiting caller gets: an instance, or the reason why the one started for it failed.
pub(super) type Handed<I, E> = Result<Arc<I>, E>;

/// The answer to a caller who needs an instance.
#[derive(Debug)]
pub(super) enum Claim<I, E> {
    /// This one was idle.
    Ready(Arc<I>),
    /// One will be handed over; the caller shall start an instance first if `start` says so.
    Wait {
        /// Where the instance, or its failure, arrives.
        handed: oneshot::Receiver<Handed<I, E>>,
        /// The id for the instance to start.
        start: Option<u64>,
    },
    /// All of the cap is busy.
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Starting,
    Idle,
    Busy,
    /// Has answered, has not asked for the next event.
    Returning,
}

/// The instances of one function.
#[derive(Debug)]
pub(super) struct Pool<I, E> {
    cap: usize,
    next_id: u64,
    states: BTreeMap<u64, State>,
    instances: BTreeMap<u64, Arc<I>>,
    /// The last one is reused first.
    idle: Vec<u64>,
    waiters: VecDeque<oneshot::Sender<Handed<I, E>>>,
}

impl<I, E> Pool<I, E> {
    pub(super) fn new(cap: usize) -> Self {
        Self {
            cap,
            next_id: 1,
            states: BTreeMap::new(),
            instances: BTreeMap::new(),
            idle: Vec::new(),
            waiters: VecDeque::new(),
        }
    }

    /// Takes an idle instance, or waits for one.
    pub(super) fn claim(&mut self) -> Claim<I, E> {
        while let Some(id) = self.idle.pop() {
            if let Some(instance) = self.instances.get(&id) {
                self.states.insert(id, State::Busy);
                return Claim::Ready(Arc::clone(instance));
            }
        }
        self.waiters.retain(|waiter| !waiter.is_closed());
        if self.states.len() >= self.cap && self.coming() <= self.waiters.len() {
            return Claim::Full;
        }
        let (sender, handed) = oneshot::channel();
        self.waiters.push_back(sender);
        let start = (self.coming() < self.waiters.len()).then(|| self.reserve());
        Claim::Wait { handed, start }
    }

    /// An id for one more instance to be started for a caller who has waited too long for those that are
    /// about to come; none at the cap, or when one is starting for each who waits.
    pub(super) fn start_more(&mut self) -> Option<u64> {
        self.waiters.retain(|waiter| !waiter.is_closed());
        let starting = self.count(State::Starting);
        (self.states.len() < self.cap && starting < self.waiters.len()).then(|| self.reserve())
    }

    /// The process of a reserved id runs.
    pub(super) fn started(&mut self, id: u64, instance: Arc<I>) {
        self.instances.insert(id, instance);
    }

    /// The instance asked for an event: whoever waits longest gets it, else it is idle. Answers whether this
    /// was its first time, which makes it a finished cold start.
    pub(super) fn ready(&mut self, id: u64) -> bool {
        let Some(instance) = self.instances.get(&id) else { return false };
        let first = self.states.get(&id) == Some(&State::Starting);
        while let Some(waiter) = self.waiters.pop_front() {
            if waiter.send(Ok(Arc::clone(instance))).is_ok() {
                self.states.insert(id, State::Busy);
                return first;
            }
        }
        self.states.insert(id, State::Idle);
        self.idle.push(id);
        first
    }

    /// The instance answered its invocation.
    pub(super) fn answered(&mut self, id: u64) {
        if let Some(state) = self.states.get_mut(&id) {
            *state = State::Returning;
        }
    }

    /// The instance is gone; with `failure`, before it was ever ready. Answers the id of an instance to start
    /// in its place, for a caller who waits.
    pub(super) fn gone(&mut self, id: u64, failure: Option<E>) -> Option<u64> {
        let state = self.states.remove(&id)?;
        self.instances.remove(&id);
        self.idle.retain(|idle| *idle != id);
        self.waiters.retain(|waiter| !waiter.is_closed());
        if let (State::Starting, Some(failure)) = (state, failure)
            && let Some(waiter) = self.waiters.pop_front()
        {
            // A caller who left meanwhile needs no answer.
            drop(waiter.send(Err(failure)));
        }
        (self.states.len() < self.cap && self.coming() < self.waiters.len()).then(|| self.reserve())
    }

    /// All instances that run.
    pub(super) fn all(&self) -> Vec<Arc<I>> {
        self.instances.values().cloned().collect()
    }

    /// One that works on an invocation, else any.
    pub(super) fn busy_or_any(&self) -> Option<Arc<I>> {
        let busy = self.states.iter().find(|(_, state)| **state == State::Busy);
        let id = busy.or_else(|| self.states.iter().next()).map(|(id, _)| *id)?;
        self.instances.get(&id).cloned()
    }

    /// Takes idle instances that meet the condition out of use; the caller ends them.
    pub(super) fn retire(&mut self, condition: impl Fn(&I) -> bool) -> Vec<Arc<I>> {
        let meets = |id: &u64| self.instances.get(id).filter(|instance| condition(instance)).cloned();
        let retired: Vec<(u64, Arc<I>)> = self.idle.iter().filter_map(|id| Some((*id, meets(id)?))).collect();
        for (id, _) in &retired {
            self.states.insert(*id, State::Busy);
            self.idle.retain(|idle| idle != id);
        }
        retired.into_iter().map(|(_, instance)| instance).collect()
    }

    /// Whether the instance still counts.
    pub(super) fn contains(&self, id: u64) -> bool {
        self.states.contains_key(&id)
    }

    /// Instances that exist, starting ones included, and those of them that work.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.states.len(), self.count(State::Busy))
    }

    fn reserve(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.states.insert(id, State::Starting);
        id
    }

    fn coming(&self) -> usize {
        self.count(State::Starting) + self.count(State::Returning)
    }

    fn count(&self, wanted: State) -> usize {
        self.states.values().filter(|state| **state == wanted).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pool = super::Pool<u64, &'static str>;

    /// What a claim came to: an instance's id, "start", "wait" or "full".
    fn claim(pool: &mut Pool) -> (String, Option<oneshot::Receiver<Handed<u64, &'static str>>>) {
        match pool.claim() {
            Claim::Ready(instance) => (instance.to_string(), None),
            Claim::Wait { handed, start: Some(id) } => {
                pool.started(id, Arc::new(id));
                ("start".to_owned(), Some(handed))
            }
            Claim::Wait { handed, start: None } => ("wait".to_owned(), Some(handed)),
            Claim::Full => ("full".to_owned(), None),
        }
    }

    /// A pool whose instances 1 to `count` are idle, the highest last.
    fn warm(cap: usize, count: u64) -> Pool {
        let mut pool = Pool::new(cap);
        let claims: Vec<_> = (0..count).map(|_| claim(&mut pool)).collect();
        assert!(claims.iter().all(|(answer, _)| answer == "start"));
        drop(claims); // Nobody waits any more, so they become idle.
        for id in 1..=count {
            assert!(pool.ready(id), "the first time is a cold start");
        }
        pool
    }

    #[test]
    fn none_idle_starts_one_and_the_caller_gets_it() {
        let mut pool = Pool::new(2);
        let (answer, handed) = claim(&mut pool);
        assert_eq!(answer, "start");
        assert!(pool.ready(1));
        assert_eq!(handed.unwrap().try_recv().unwrap().map(|id| *id), Ok(1));
        assert_eq!(pool.counts(), (1, 1));
    }

    #[test]
    fn the_last_to_become_idle_is_reused_first() {
        let mut pool = warm(3, 3);
        assert_eq!(claim(&mut pool).0, "3");
        pool.answered(3);
        assert!(!pool.ready(3), "a warm return is no cold start");
        assert_eq!(claim(&mut pool).0, "3");
        assert_eq!(claim(&mut pool).0, "2");
    }

    #[test]
    fn at_the_cap_the_caller_is_throttled() {
        let mut pool = warm(2, 2);
        assert_eq!(claim(&mut pool).0, "2");
        assert_eq!(claim(&mut pool).0, "1");
        assert_eq!(claim(&mut pool).0, "full");
    }

    #[test]
    fn one_that_is_returning_is_waited_for_instead_of_starting_another() {
        let mut pool = warm(2, 1);
        assert_eq!(claim(&mut pool).0, "1");
        pool.answered(1);
        let (answer, handed) = claim(&mut pool);
        assert_eq!(answer, "wait");
        pool.ready(1);
        assert_eq!(handed.unwrap().try_recv().unwrap().map(|id| *id), Ok(1));
    }

    #[test]
    fn one_that_never_returns_is_replaced() {
        let mut pool = warm(2, 1);
        assert_eq!(claim(&mut pool).0, "1");
        pool.answered(1);
        let (_, handed) = claim(&mut pool);
        assert_eq!(pool.start_more(), Some(2));
        assert_eq!(pool.start_more(), None, "one is starting for the one who waits");
        drop(handed);
    }

    #[test]
    fn a_death_starts_another_for_whoever_waits() {
        let mut pool = warm(1, 1);
        assert_eq!(claim(&mut pool).0, "1");
        pool.answered(1);
        let (_, handed) = claim(&mut pool);
        assert_eq!(pool.gone(1, None), Some(2));
        assert_eq!(pool.gone(1, None), None, "it dies once");
        drop(handed);
    }

    #[test]
    fn a_failed_start_fails_one_caller() {
        let mut pool = Pool::new(2);
        let (_, first) = claim(&mut pool);
        let (_, second) = claim(&mut pool);
        assert_eq!(pool.gone(1, Some("no such file")), None);
        assert_eq!(first.unwrap().try_recv().unwrap(), Err("no such file"));
        assert!(second.unwrap().try_recv().is_err(), "the other still waits");
    }

    #[test]
    fn a_retired_instance_is_not_reused() {
        let mut pool = warm(2, 2);
        assert_eq!(pool.retire(|id| *id == 2).len(), 1);
        assert_eq!(claim(&mut pool).0, "1");
        assert_eq!(claim(&mut pool).0, "full", "it counts until it is gone");
        pool.gone(2, None);
        assert_eq!(claim(&mut pool).0, "start");
    }

    #[test]
    fn a_caller_who_left_is_not_served() {
        let mut pool = Pool::new(1);
        drop(claim(&mut pool));
        assert!(pool.ready(1));
        assert_eq!(pool.counts(), (1, 0), "it is idle, not busy for nobody");
    }
}
