//! The account at the provider: payments, refunds, customers, and the book of what moved.
//!
//! One operation at a time, without waiting: whoever holds the account's lock executes. Parameters are read and
//! checked before anything changes, and what fails that check has not been executed ([`Problem::executed`]).

use std::collections::HashMap;

use super::{
    endpoints::Operation,
    form::Form,
    ledger::{Entry, EntryKind},
    problem::Problem,
    word::Word,
};

mod customers;
mod intent;
mod list;
mod payments;
mod plant;
mod refunds;

pub use plant::{Plant, PlantKind};

use customers::Customer;
use intent::Intent;
use refunds::Refund;

/// How long a bank holds money for a card that is not captured. Source: Stripe's documentation, "Place a hold on a
/// payment method".
const HOLD_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// Everything the provider knows.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// In the order of creation, so also of time.
    intents: Vec<Intent>,
    by_id: HashMap<Word, usize>,
    by_charge: HashMap<Word, usize>,
    by_customer: HashMap<Word, Vec<usize>>,
    customers: HashMap<Word, Customer>,
    refunds: HashMap<Word, Refund>,
    ledger: Vec<Entry>,
    ids: Ids,
}

impl Account {
    /// Executes one operation; the answer is JSON.
    pub(super) fn execute(
        &mut self,
        operation: &Operation,
        form: &Form,
        now_ms: u64,
    ) -> Result<String, Problem> {
        match operation {
            Operation::CreatePayment => self.create_payment(form, now_ms),
            Operation::ConfirmPayment(id) => self.confirm_payment(id, form, now_ms),
            Operation::CapturePayment(id) => self.capture_payment(id, form, now_ms),
            Operation::CancelPayment(id) => self.cancel_payment(id, form, now_ms),
            Operation::ReadPayment(id) => self.read_payment(id, form),
            Operation::ListPayments => self.list_payments(form),
            Operation::CreateRefund => self.create_refund(form, now_ms),
            Operation::ReadRefund(id) => self.read_refund(id, form),
            Operation::CreateCustomer => self.create_customer(form, now_ms),
            Operation::ReadCustomer(id) => self.read_customer(id, form),
        }
    }

    /// Releases the holds that banks release by themselves.
    pub(super) fn expire_holds(&mut self, now_ms: u64) {
        let expired =
            |intent: &Intent| intent.is_held() && now_ms.saturating_sub(intent.created_ms) >= HOLD_MS;
        let expired: Vec<usize> =
            (0..self.intents.len()).filter(|at| self.intents.get(*at).is_some_and(expired)).collect();
        for at in expired {
            self.cancel_at(at, "automatic", now_ms);
        }
    }

    /// Every movement so far.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.ledger.clone()
    }

    /// Adds a payment to the indexes.
    fn add(&mut self, intent: Intent) -> usize {
        let at = self.intents.len();
        self.by_id.insert(intent.id.clone(), at);
        if let Some(customer) = &intent.customer {
            self.customers.entry(customer.clone()).or_insert_with(|| Customer::used(intent.created_ms));
            self.by_customer.entry(customer.clone()).or_default().push(at);
        }
        self.intents.push(intent);
        at
    }

    /// Where the payment with this id is.
    fn find(&self, id: &str) -> Result<usize, Problem> {
        self.by_id.get(id).copied().ok_or_else(|| Problem::no_such("payment_intent", id, "intent"))
    }

    fn record(&mut self, at: usize, kind: EntryKind, amount_minor: i64, now_ms: u64) {
        let Some(intent) = self.intents.get(at) else { return };
        let named = |name: &str| intent.metadata.get(name).map(|value| Word::from(value.as_str()));
        self.ledger.push(Entry {
            at_ms: now_ms,
            order_id: named("order_id"),
            attempt_no: named("attempt_no"),
            payment_id: intent.id.clone(),
            kind,
            amount_minor,
            currency: intent.currency.clone(),
        });
    }
}

/// Makes ids that no other run makes: they end up in databases.
#[derive(Debug)]
struct Ids(fastrand::Rng);

impl Default for Ids {
    fn default() -> Self {
        Self(fastrand::Rng::new())
    }
}

impl Ids {
    /// `prefix_` and 24 letters and digits.
    fn next(&mut self, prefix: &str) -> Word {
        let random = &mut self.0;
        let tail: String = std::iter::repeat_with(|| random.alphanumeric()).take(24).collect();
        Word::from(format!("{prefix}_{tail}"))
    }
}
