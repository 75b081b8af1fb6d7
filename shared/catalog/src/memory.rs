//! What the look-ups of one process share: the snapshot, the reads under way, and the SKUs to distrust.
//!
//! A look-up *boards*: under one lock each SKU it wants is either fresh in the snapshot, or being read by another
//! look-up (then it follows that flight), or free (then this look-up's own flight reads it for everybody). A flight
//! *lands* with its answers, which go into the snapshot under the same lock, so that no SKU is ever read twice at
//! once. A flight that is dropped (cancelled) deregisters itself; its followers wake and board again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use order::{Known, Sku};
use tokio::sync::watch;

use crate::snapshot::{Moment, Snapshot};

/// How many SKUs may wait to be read past Redis. Each stands for an order that Aurora has just contradicted; more
/// than this in one process means that somebody changed the whole catalog, and the TTL will do.
const DISTRUSTED_MAX: usize = 256;

/// The answers of one flight, shared with its followers.
type Landed = Arc<BTreeMap<Sku, Known>>;

/// The shared state of one process's look-ups.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    snapshot: Snapshot,
    flights: BTreeMap<Sku, Follower>,
    distrusted: BTreeSet<Sku>,
}

/// Where each wanted SKU stands at this moment.
pub(crate) struct Boarding<'a> {
    /// Answered by the snapshot.
    pub(crate) fresh: BTreeMap<Sku, Known>,
    /// This look-up reads these, for everybody.
    pub(crate) flight: Flight<'a>,
    /// Other look-ups are reading these.
    pub(crate) others: BTreeMap<Sku, Follower>,
}

impl Memory {
    /// Sorts `wanted` into what is fresh, what others read, and what the caller must read and [`Flight::land`].
    pub(crate) fn board(&self, now: Moment, wanted: &BTreeSet<Sku>) -> Boarding<'_> {
        let (sender, receiver) = watch::channel(None);
        let flight = Flight { memory: self, skus: BTreeSet::new(), past_redis: BTreeSet::new(), sender };
        let mut boarding = Boarding { fresh: BTreeMap::new(), flight, others: BTreeMap::new() };
        let mut state = self.lock();
        for sku in wanted {
            if let Some(known) = state.snapshot.get(now, sku) {
                boarding.fresh.insert(sku.clone(), known);
            } else if let Some(follower) = state.flights.get(sku) {
                boarding.others.insert(sku.clone(), follower.clone());
            } else {
                state.flights.insert(sku.clone(), Follower(receiver.clone()));
                boarding.flight.skus.insert(sku.clone());
                if state.distrusted.contains(sku) {
                    boarding.flight.past_redis.insert(sku.clone());
                }
            }
        }
        boarding
    }

    /// Drops what is known of `sku` and has the next look-up read it from the database.
    pub(crate) fn distrust(&self, sku: &Sku) {
        let mut state = self.lock();
        state.snapshot.drop_sku(sku);
        if state.distrusted.len() < DISTRUSTED_MAX {
            state.distrusted.insert(sku.clone());
        }
    }

    /// Drops what is known of `sku`: Redis has something newer now.
    pub(crate) fn drop_sku(&self, sku: &Sku) {
        self.lock().snapshot.drop_sku(sku);
    }

    /// The state is plain data that every critical section leaves whole, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The SKUs that one look-up is reading for everybody.
pub(crate) struct Flight<'a> {
    memory: &'a Memory,
    /// What to read.
    pub(crate) skus: BTreeSet<Sku>,
    /// The part of `skus` for which Redis is not to be believed.
    pub(crate) past_redis: BTreeSet<Sku>,
    sender: watch::Sender<Option<Landed>>,
}

impl Flight<'_> {
    /// Hands the answers to the snapshot and to all followers. `Unread` is told to the followers, so that one failing
    /// database is not asked once per look-up, but it is not kept.
    pub(crate) fn land(
        self,
        now: Moment,
        from_redis: &BTreeMap<Sku, Known>,
        from_database: &BTreeMap<Sku, Known>,
    ) {
        let mut state = self.memory.lock();
        for (sku, known) in from_database.iter().filter(|(_, known)| !matches!(known, Known::Unread)) {
            state.distrusted.remove(sku);
            state.snapshot.keep(now, sku, known);
        }
        for (sku, known) in from_redis {
            // Distrusted since this flight read it from Redis: not worth keeping.
            if !state.distrusted.contains(sku) {
                state.snapshot.keep(now, sku, known);
            }
        }
        drop(state);
        let answers = from_redis.iter().chain(from_database);
        let answers = answers.map(|(sku, known)| (sku.clone(), known.clone())).collect();
        self.sender.send_replace(Some(Arc::new(answers)));
    }
}

impl Drop for Flight<'_> {
    /// Deregisters the flight, landed or not. Dropping the sender then wakes the followers.
    fn drop(&mut self) {
        let mut state = self.memory.lock();
        for sku in &self.skus {
            state.flights.remove(sku);
        }
    }
}

/// Waits for another look-up's flight.
#[derive(Debug, Clone)]
pub(crate) struct Follower(watch::Receiver<Option<Landed>>);

impl Follower {
    /// The flight's answer for `sku`; `None` if the flight was cancelled and somebody has to board again.
    pub(crate) async fn landed(mut self, sku: &Sku) -> Option<Known> {
        let landed = self.0.wait_for(Option::is_some).await.ok()?;
        landed.as_ref()?.get(sku).cloned()
    }

    /// The same without waiting: [`Known::Unread`] if the flight is still under way.
    pub(crate) fn landed_by_now(&self, sku: &Sku) -> Option<Known> {
        match self.0.borrow().as_ref() {
            Some(landed) => landed.get(sku).cloned(),
            None => Some(Known::Unread),
        }
    }
}
