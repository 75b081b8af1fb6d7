//! The provider's twin: keeps charges, answers replays as told, and counts what it is asked.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backoff::{Deadline, ManualClock};
use futures_util::stream::{self, Stream, StreamExt};
use order::{Currency, ProviderRef};
use payments::{
    Charge, ChargeStatus, Later, ListCharges, ListPage, LookUps, Outcome, Payment, Payments, Request, Unclear,
};

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// By id; the customer of order `x` is `cus_x`.
    pub(crate) charges: BTreeMap<ProviderRef, Charge>,
    /// What a replay of an order's authorization is answered, a saved failure where nothing is planted.
    pub(crate) replays: BTreeMap<String, Outcome>,
    /// Every id whose cancellation was asked for, in order.
    pub(crate) canceled: Vec<String>,
    /// What the next cancellations are answered, before any is carried out.
    pub(crate) cancel_answers: VecDeque<Outcome>,
    /// What the next look-ups fail with; `None` lets one pass.
    pub(crate) list_faults: VecDeque<Option<Later>>,
    pub(crate) lists: usize,
    pub(crate) sends: usize,
    /// What is spare, call by call; the last is said for ever.
    pub(crate) spare: VecDeque<u32>,
    pub(crate) spare_asked: usize,
    pub(crate) panics: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Bank {
    pub(crate) clock: ManualClock,
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    pub(crate) look_up_takes: Duration,
}

/// Charges on a page: few, so that paging is seen.
pub(crate) const PAGE: usize = 100;

impl Bank {
    /// A charge of order and attempt over 1,000 minor units.
    pub(crate) fn charge(&self, id: &str, order_id: &str, status: ChargeStatus, created_s: u64) {
        let charge = Charge {
            payment_id: id.parse().unwrap(),
            status,
            amount_minor: 1_000,
            captured_minor: if status == ChargeStatus::Captured { 1_000 } else { 0 },
            currency: Some(Currency::parse("EUR").unwrap()),
            payment: Some(Payment { order_id: order_id.parse().unwrap(), attempt_no: 1 }),
            created_s,
        };
        self.ledger.lock().unwrap().charges.insert(charge.payment_id.clone(), charge);
    }

    pub(crate) fn change(&self, id: &str, change: impl FnOnce(&mut Charge)) {
        change(self.ledger.lock().unwrap().charges.get_mut(&id.parse().unwrap()).unwrap());
    }

    pub(crate) fn replies(&self, order_id: &str, outcome: Outcome) {
        self.ledger.lock().unwrap().replays.insert(order_id.to_owned(), outcome);
    }

    pub(crate) fn spare(&self, per_s: &[u32]) {
        self.ledger.lock().unwrap().spare = per_s.iter().copied().collect();
    }

    pub(crate) fn canceled(&self) -> Vec<String> {
        self.ledger.lock().unwrap().canceled.clone()
    }
}

impl Ledger {
    fn answer(&mut self, request: &Request) -> Outcome {
        self.sends += 1;
        assert!(!self.panics, "planted panic");
        match request {
            Request::Authorize(asked) => {
                let saved = Outcome::Unknown { why: Unclear::SavedFailure };
                self.replays.get(asked.payment.order_id.as_str()).cloned().unwrap_or(saved)
            }
            Request::Cancel(asked) => {
                self.canceled.push(asked.payment_id.to_string());
                if let Some(planted) = self.cancel_answers.pop_front() {
                    return planted;
                }
                let payment_id = asked.payment_id.clone();
                match self.charges.get_mut(&payment_id) {
                    Some(charge) if charge.status == ChargeStatus::Captured => {
                        Outcome::Captured { payment_id }
                    }
                    Some(charge) => {
                        charge.status = ChargeStatus::Canceled;
                        Outcome::Canceled { payment_id }
                    }
                    None => Outcome::Review { why: "no_such_charge", payment_id: Some(payment_id) },
                }
            }
            Request::Capture(_) | Request::Refund(_) => panic!("the reconciler takes and returns no money"),
        }
    }
}

impl Payments for Bank {
    fn send<'a>(
        &'a self,
        requests: &'a [Request],
        _: Deadline,
    ) -> impl Stream<Item = (usize, Outcome)> + Send + 'a {
        stream::iter(requests.iter().enumerate())
            .map(|(at, request)| (at, self.ledger.lock().unwrap().answer(request)))
    }
}

impl LookUps for Bank {
    async fn read(&self, _: &ProviderRef, _: Deadline) -> Result<Option<Charge>, Later> {
        panic!("the reconciler lists")
    }

    async fn list(&self, query: &ListCharges, _: Deadline) -> Result<ListPage, Later> {
        tokio::task::yield_now().await;
        self.clock.advance(self.look_up_takes);
        let mut ledger = self.ledger.lock().unwrap();
        ledger.lists += 1;
        if let Some(Some(why)) = ledger.list_faults.pop_front() {
            return Err(why);
        }
        let of_customer = |charge: &&Charge| {
            let owner = charge.payment.as_ref().map(|payment| format!("cus_{}", payment.order_id));
            query.customer_ref.as_ref().is_none_or(|customer| owner.as_deref() == Some(customer.as_str()))
        };
        let in_time = |charge: &&Charge| (query.from_s..query.to_s).contains(&charge.created_s);
        let mut found: Vec<Charge> =
            ledger.charges.values().filter(of_customer).filter(in_time).cloned().collect();
        found.sort_by(|a, b| (b.created_s, &b.payment_id).cmp(&(a.created_s, &a.payment_id)));
        let after = query.after.as_ref().map(|after| found.iter().position(|c| c.payment_id == *after));
        let rest = found.split_off(after.map_or(0, |at| at.unwrap() + 1));
        let has_more = rest.len() > PAGE;
        Ok(ListPage { charges: rest.into_iter().take(PAGE).collect(), has_more })
    }

    async fn spare_per_s(&self, _: Deadline) -> u32 {
        let mut ledger = self.ledger.lock().unwrap();
        ledger.spare_asked += 1;
        match ledger.spare.len() {
            0 => 0,
            1 => ledger.spare[0],
            _ => ledger.spare.pop_front().unwrap(),
        }
    }
}
