//! Refunds: money given back, wholly or in parts, never more than was taken.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Account, payments};
use crate::sandbox::{form::Form, ledger::EntryKind, problem::Problem, word::Word};

const KNOWN: [&str; 6] = ["amount", "charge", "expand", "metadata", "payment_intent", "reason"];
const REASONS: [&str; 3] = ["duplicate", "fraudulent", "requested_by_customer"];

/// A refund, as it is kept and shown.
#[derive(Debug, Serialize)]
pub(super) struct Refund {
    id: Word,
    object: &'static str,
    amount: i64,
    charge: Word,
    created: u64,
    currency: Word,
    metadata: BTreeMap<String, String>,
    payment_intent: Word,
    reason: Option<&'static str>,
    status: &'static str,
}

impl Account {
    pub(super) fn create_refund(&mut self, form: &Form, now_ms: u64) -> Result<String, Problem> {
        form.only(&KNOWN)?;
        let asked_minor = form.number("amount")?;
        if asked_minor.is_some_and(|asked_minor| asked_minor < 1) {
            return Err(Problem::invalid("amount", "This value must be greater than or equal to 1."));
        }
        let reason = match form.text("reason") {
            None => None,
            Some(asked) => Some(
                REASONS
                    .into_iter()
                    .find(|reason| *reason == asked)
                    .ok_or_else(|| Problem::invalid("reason", "Invalid reason"))?,
            ),
        };
        let metadata = payments::metadata(form)?;
        let at = self.refundable(form)?;
        let id = self.ids.next("re");
        let Some(intent) = self.intents.get_mut(at) else { return Err(Problem::internal()) };
        let (true, Some(charge)) = (intent.captured_minor > 0, &intent.charge) else {
            let message =
                format!("This PaymentIntent ({}) does not have a successful charge to refund.", intent.id);
            return Err(Problem::unexpected_state(message).of_intent(intent.to_json()));
        };
        let left_minor = intent.captured_minor.saturating_sub(intent.refunded_minor);
        if left_minor == 0 {
            return Err(Problem::already_refunded(charge));
        }
        let amount = asked_minor.unwrap_or(left_minor);
        if amount > left_minor {
            let message = format!(
                "Refund amount ({amount}) is greater than unrefunded amount on charge ({left_minor})"
            );
            return Err(Problem::amount("amount_too_large", "amount", message));
        }
        intent.refunded_minor = intent.refunded_minor.saturating_add(amount);
        let refund = Refund {
            id: id.clone(),
            object: "refund",
            amount,
            charge: charge.clone(),
            created: now_ms / 1_000,
            currency: intent.currency.clone(),
            metadata,
            payment_intent: intent.id.clone(),
            reason,
            status: "succeeded",
        };
        let shown = refund.to_json();
        self.refunds.insert(id, refund);
        self.record(at, EntryKind::Refunded, amount, now_ms);
        Ok(shown)
    }

    pub(super) fn read_refund(&self, id: &str, form: &Form) -> Result<String, Problem> {
        form.only(&["expand"])?;
        let refund = self.refunds.get(id).ok_or_else(|| Problem::no_such("refund", id, "id"))?;
        Ok(refund.to_json())
    }

    /// Where the payment is that the request names, by itself or by its charge.
    fn refundable(&self, form: &Form) -> Result<usize, Problem> {
        match (form.text("payment_intent"), form.text("charge")) {
            (Some(id), None) => {
                let at = self.by_id.get(id).copied();
                at.ok_or_else(|| Problem::no_such("payment_intent", id, "payment_intent"))
            }
            (None, Some(id)) => {
                let at = self.by_charge.get(id).copied();
                at.ok_or_else(|| Problem::no_such("charge", id, "charge"))
            }
            _ => Err(Problem::invalid(
                "payment_intent",
                "One of the following params should be provided for this request: payment_intent or charge.",
            )),
        }
    }
}

impl Refund {
    fn to_json(&self) -> String {
        // Strings, numbers and maps with string keys always serialize.
        serde_json::to_string(self).unwrap_or_default()
    }
}
