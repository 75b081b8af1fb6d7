//! A provider that answers as told, when told, and notices what must never be asked of it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use backoff::{Clock, Deadline};
use futures_util::Stream;
use futures_util::stream::FuturesUnordered;
use order::PaymentStatus;
use payments::{Authorize, Cancel, Capture, Endpoint, Later, Outcome, Payments, Request};

use crate::rows::Rows;
use crate::shop::Virtual;

/// What one request is answered, and after how many milliseconds.
pub(crate) type Answer = (u64, Outcome);

/// One request that was sent, at a moment of virtual time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) at_ms: u64,
    pub(crate) endpoint: Endpoint,
    pub(crate) order: String,
}

/// Answers from the script, one entry a request; then as all goes well: holds, captures, cancels.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) rows: Rows,
    pub(crate) clock: Virtual,
    pub(crate) script: Mutex<BTreeMap<(Endpoint, &'static str), VecDeque<Answer>>>,
    pub(crate) panics_on: Option<&'static str>,
    pub(crate) asked: Mutex<Vec<Asked>>,
    /// What was asked although the rows do not allow it.
    pub(crate) offences: Mutex<Vec<String>>,
}

/// The least time in which an attempt is made.
const FLOOR: Duration = Duration::from_secs(1);

impl Payments for Provider {
    fn send<'a>(
        &'a self,
        requests: &'a [Request],
        deadline: Deadline,
    ) -> impl Stream<Item = (usize, Outcome)> + Send + 'a {
        let sent = requests.iter().enumerate();
        sent.map(|(position, request)| async move { (position, self.attempt(request, deadline).await) })
            .collect::<FuturesUnordered<_>>()
    }
}

impl Provider {
    async fn attempt(&self, request: &Request, deadline: Deadline) -> Outcome {
        let order = request.payment().order_id.to_string();
        assert_ne!(self.panics_on, Some(order.as_str()), "planted panic");
        if !deadline.allows(&self.clock, FLOOR) {
            return Outcome::Later { why: Later::NoTime, not_before: None };
        }
        self.check(request);
        let asked = Asked { at_ms: self.clock.elapsed_ms(), endpoint: request.endpoint(), order };
        let (delay_ms, outcome) = self.answer(&asked, request);
        self.asked.lock().unwrap().push(asked);
        self.clock.sleep(Duration::from_millis(delay_ms)).await;
        outcome
    }

    fn answer(&self, asked: &Asked, request: &Request) -> Answer {
        let mut script = self.script.lock().unwrap();
        let planted = script.iter_mut().find(|((endpoint, order), answers)| {
            *endpoint == asked.endpoint && *order == asked.order && !answers.is_empty()
        });
        planted.and_then(|(_, answers)| answers.pop_front()).unwrap_or_else(|| (100, all_goes_well(request)))
    }

    /// Authorizing needs a committed request, capturing and canceling a committed hold.
    fn check(&self, request: &Request) {
        let rows = self.rows.lock();
        let row = &rows[request.payment()];
        let named = |payment_id| row.payment_id.as_ref() == Some(payment_id);
        let allowed = match request {
            Request::Authorize(_) => row.payment_id.is_none() && row.intact,
            Request::Capture(Capture { payment_id, .. }) => {
                row.status == PaymentStatus::Capturing && named(payment_id)
            }
            Request::Cancel(Cancel { payment_id, .. }) => {
                row.status == PaymentStatus::Voiding && named(payment_id)
            }
            Request::Refund(_) => false,
        };
        if !allowed {
            self.offences.lock().unwrap().push(format!("{request:?} for {row:?}"));
        }
    }
}

fn all_goes_well(request: &Request) -> Outcome {
    match request {
        Request::Authorize(Authorize { payment, .. }) => {
            let payment_id = format!("pi_{}", payment.order_id).parse().unwrap();
            Outcome::Authorized { payment_id }
        }
        Request::Capture(Capture { payment_id, .. }) => Outcome::Captured { payment_id: payment_id.clone() },
        Request::Cancel(Cancel { payment_id, .. }) => Outcome::Canceled { payment_id: payment_id.clone() },
        Request::Refund(refund) => Outcome::Refunded { refund_id: refund.refund_id.clone() },
    }
}
