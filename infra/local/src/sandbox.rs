//! The payment sandbox: a provider that speaks Stripe's API, with limits, time, failures, and a book of the money.
//!
//! What it promises: a client that works here works at Stripe as far as payments with manual capture, refunds,
//! lists and idempotency keys go, and one that relies on something Stripe does not do (reading a charge by its key,
//! a second capture, a key after a day) fails here too. Everything that makes a provider hard to use happens on
//! demand: limits that are strict, answers that are slow, connections that break before, during and after the work.
//! The [ledger](Summary) is the oracle of every run: it knows orders by the metadata of their payments only.
//!
//! Not promised: webhooks, Stripe's search, locks of single objects, fees. Payment methods are its test cards.
//!
//! | request | does |
//! |---|---|
//! | `GET /_sandbox/ledger` | what moved, added up: see [`Summary`] |
//! | `GET /_sandbox/entries` | every movement in order: see [`Entry`] |
//! | `GET /_sandbox/figures` | calls, limits, times: see [`Figures`] |
//! | `GET`, `PUT /_sandbox/faults` `{seed?, faults: […]}` | failures from now on: see [`Fault`]; an empty list ends them |
//! | `PUT /_sandbox/clock` `{advance_s}` | the provider's time goes on: keys are forgotten, holds released |
//! | `PUT /_sandbox/limits` `{rate_per_s?, global_rate_per_s?, burst?}` | see [`Limits`] |
//! | `PUT /_sandbox/latency` `{median_ms?, sigma?, seed?}` | see [`Latency`] |
//! | `POST /_sandbox/plant` `{kind, order_id}` | a wrong for a verdict to find: see [`PlantKind`] |
//!
//! An error there is `{"error": "…"}` with 400 or 404. Reading order: `flow` is a call from arrival to answer, `http`
//! the wire around it, `account` what is executed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::{net::TcpListener, task::JoinHandle};

use crate::{clock, error::Error};

mod account;
mod cards;
mod control;
mod endpoints;
mod faults;
mod figures;
mod flow;
mod form;
mod http;
mod keys;
mod latency;
mod ledger;
mod limiter;
mod line;
mod problem;
mod word;

pub use account::{Plant, PlantKind};
pub use endpoints::Endpoint;
pub use faults::{Fault, FaultKind, FaultPlan, Target};
pub use figures::{Figures, ProviderMs};
pub use latency::Latency;
pub use ledger::{Entry, EntryKind, OrderSummary, Summary, Totals};
pub use limiter::Limits;
pub use word::Word;

use account::Account;
use faults::Faults;
use figures::Tally;
use keys::Keys;
use limiter::Limiter;

/// What the provider's time is drawn with until somebody says otherwise.
const SEED: u64 = 1;

/// What to serve.
#[derive(Debug, Clone, Copy)]
pub struct SandboxOptions {
    /// The port on 127.0.0.1; 0 is any free one.
    pub port: u16,
    /// How many calls are accepted.
    pub limits: Limits,
    /// How long they take.
    pub latency: Latency,
}

/// A running sandbox. Dropping it ends it and every connection.
#[derive(Debug)]
pub struct Sandbox {
    port: u16,
    server: Arc<Server>,
    accepting: JoinHandle<()>,
}

/// Starts serving.
///
/// # Errors
/// [`Error::Listen`] when the port is taken.
pub async fn start(options: SandboxOptions) -> Result<Sandbox, Error> {
    let failed = |source| Error::Listen { what: "the payment sandbox", port: options.port, source };
    let listener = TcpListener::bind(("127.0.0.1", options.port)).await.map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    let server = Arc::new(Server(Mutex::new(State::new(options))));
    let accepting = tokio::spawn(http::accept(Arc::clone(&server), listener));
    Ok(Sandbox { port, server, accepting })
}

impl Sandbox {
    /// Where clients send requests, without `/v1`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it has been asked and how it answered.
    #[must_use]
    pub fn figures(&self) -> Figures {
        self.server.lock().figures()
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What the connections share. Every use of the lock is short and waits for nothing.
#[derive(Debug)]
struct Server(Mutex<State>);

impl Server {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All that changes.
#[derive(Debug)]
struct State {
    limiter: Limiter,
    faults: Faults,
    keys: Keys,
    account: Account,
    tally: Tally,
    latency: Latency,
    /// Draws the provider's time.
    random: fastrand::Rng,
    request_ids: fastrand::Rng,
    /// How far the provider's clock is ahead.
    ahead_ms: u64,
}

impl State {
    fn new(options: SandboxOptions) -> Self {
        Self {
            limiter: Limiter::new(options.limits),
            faults: Faults::new(FaultPlan::default()),
            keys: Keys::default(),
            account: Account::default(),
            tally: Tally::new(),
            latency: options.latency,
            random: fastrand::Rng::with_seed(SEED),
            request_ids: fastrand::Rng::new(),
            ahead_ms: 0,
        }
    }

    /// The provider's clock, in Unix milliseconds.
    fn now_ms(&self) -> u64 {
        clock::now_ms().saturating_add(self.ahead_ms)
    }

    fn figures(&self) -> Figures {
        self.tally.figures(&self.limiter)
    }

    /// `req_` and 14 letters and digits.
    fn request_id(&mut self) -> Word {
        let random = &mut self.request_ids;
        let tail: String = std::iter::repeat_with(|| random.alphanumeric()).take(14).collect();
        Word::from(format!("req_{tail}"))
    }
}
