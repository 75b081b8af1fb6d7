//! One shop, one provider, one clock, and the flow over them.

use std::time::Duration;

use backoff::{Deadline, ManualClock, Random};
use queue::QueueUrl;
use reconcile_orders::flow::{Doors, Rules, reconcile};
use reconcile_orders::report::Summary;

use crate::bank::Bank;
use crate::post::Post;
use crate::rows::Rows;

/// When every test begins, in Unix seconds.
pub(crate) const NOW_S: u64 = 1_790_000_000;

/// The quarantine of these tests.
pub(crate) const QUARANTINE: Duration = Duration::from_hours(1);

/// The lag of these tests, in seconds.
pub(crate) const LAG_S: u64 = 600;

/// A run has the time of one in production, unless a test says otherwise.
pub(crate) const RUN: Duration = Duration::from_secs(55);

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) rows: Rows,
    pub(crate) bank: Bank,
    pub(crate) post: Post,
}

impl Default for World {
    /// Nothing is left over, and everything was compared a minute ago.
    fn default() -> Self {
        let clock = ManualClock::at_ms(NOW_S * 1_000);
        let rows = Rows { clock: clock.clone(), ..Rows::default() };
        rows.state.lock().unwrap().compared_until = Some(NOW_S - LAG_S - 60);
        let bank = Bank { clock: clock.clone(), ..Bank::default() };
        let post = Post { clock: clock.clone(), ..Post::default() };
        Self { clock, rows, bank, post }
    }
}

impl World {
    pub(crate) fn doors(&self) -> Doors<Rows, Bank, Post, ManualClock> {
        Doors {
            store: self.rows.clone(),
            provider: self.bank.clone(),
            queue: self.post.clone(),
            clock: self.clock.clone(),
            random: Random::seeded(1),
            payments: QueueUrl("payments".to_owned()),
            order_events: QueueUrl("order-events".to_owned()),
            rules: Rules { unknown_quarantine: QUARANTINE, compare_lag: Duration::from_secs(LAG_S) },
        }
    }

    /// One run with the time of one in production.
    pub(crate) fn run(&self) -> Summary {
        self.run_for(RUN)
    }

    pub(crate) fn run_for(&self, time: Duration) -> Summary {
        let deadline = Deadline::after(&self.clock, time);
        now(reconcile(&self.doors(), deadline))
    }
}

/// The output of a future that waits for nothing but the test's clock.
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
