//! What is sent: paths, queries and form-encoded bodies. The same request always becomes the same bytes, or Stripe would
//! call its key reused.

use order::ProviderRef;

use crate::{Authorize, Cancel, Capture, ListCharges, Payment, Refund, Request};

/// Charges on a page: the most that Stripe gives.
const PAGE: &str = "100";

/// The path after `/v1/` and the body. No path if the charge's id is no part of one.
pub(super) fn of(request: &Request) -> (Option<String>, String) {
    let mut form = Form::default();
    match request {
        Request::Authorize(authorize) => {
            authorization(&mut form, authorize);
            (Some("payment_intents".to_owned()), form.0)
        }
        // Without an amount all of the hold is captured.
        Request::Capture(Capture { payment_id, .. }) => (charge_path(payment_id, "/capture"), form.0),
        Request::Cancel(Cancel { payment_id, .. }) => (charge_path(payment_id, "/cancel"), form.0),
        Request::Refund(refund) => {
            refunding(&mut form, refund);
            (Some("refunds".to_owned()), form.0)
        }
    }
}

fn authorization(form: &mut Form, authorize: &Authorize) {
    let Authorize { payment, amount_minor, currency, customer_ref, method_ref, key_age: _ } = authorize;
    form.add("amount", &amount_minor.to_string());
    form.add("currency", &currency.as_str().to_ascii_lowercase());
    form.add("customer", customer_ref.as_str());
    form.add("payment_method", method_ref.as_str());
    // Without it Stripe may want to redirect the customer, who is not here.
    form.add("payment_method_types[]", "card");
    form.add("capture_method", "manual");
    form.add("confirm", "true");
    form.add("off_session", "true");
    metadata(form, payment);
}

fn refunding(form: &mut Form, refund: &Refund) {
    let Refund { payment, payment_id, refund_id, amount_minor, currency: _ } = refund;
    form.add("payment_intent", payment_id.as_str());
    form.add("amount", &amount_minor.to_string());
    metadata(form, payment);
    form.add("metadata[refund_id]", refund_id.as_str());
}

fn metadata(form: &mut Form, payment: &Payment) {
    form.add("metadata[order_id]", payment.order_id.as_str());
    form.add("metadata[attempt_no]", &payment.attempt_no.to_string());
}

/// The path of a charge after `/v1/`. `None` for an id of dots, which a URL takes for a way up.
pub(super) fn charge_path(payment_id: &ProviderRef, action: &str) -> Option<String> {
    let id = payment_id.as_str();
    let is_name = id.bytes().any(|byte| byte != b'.');
    is_name.then(|| format!("payment_intents/{id}{action}"))
}

/// The path and the query of a page after `/v1/`.
pub(super) fn list_path(query: &ListCharges) -> String {
    let ListCharges { customer_ref, from_s, to_s, after } = query;
    let mut form = Form("payment_intents?".to_owned());
    form.add("limit", PAGE);
    form.add("created[gte]", &from_s.to_string());
    form.add("created[lt]", &to_s.to_string());
    if let Some(customer_ref) = customer_ref {
        form.add("customer", customer_ref.as_str());
    }
    if let Some(after) = after {
        form.add("starting_after", after.as_str());
    }
    form.0
}

/// `name=value` pairs. Whatever is no letter, digit or one of `-._` is percent-encoded: right in a query and in a body,
/// and the same in every version of every library.
#[derive(Default)]
struct Form(String);

impl Form {
    fn add(&mut self, name: &str, value: &str) {
        if !(self.0.is_empty() || self.0.ends_with('?')) {
            self.0.push('&');
        }
        self.encode(name);
        self.0.push('=');
        self.encode(value);
    }

    fn encode(&mut self, text: &str) {
        const HEX: [char; 16] =
            ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
        let digit = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or_default();
        for byte in text.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
                self.0.push(char::from(byte));
            } else {
                self.0.extend(['%', digit(byte >> 4), digit(byte & 15)]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Form, charge_path, list_path};
    use crate::ListCharges;
    use order::ProviderRef;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    #[track_caller]
    fn check(id: &str, expected: Option<&str>) {
        assert_eq!(charge_path(&ProviderRef::parse(id).unwrap(), "/cancel").as_deref(), expected);
    }

    #[test]
    fn an_id_stays_one_part_of_the_path() {
        check("pi_1", Some("payment_intents/pi_1/cancel"));
        check("pi.1:a-b", Some("payment_intents/pi.1:a-b/cancel"));
        check(".", None);
        check("..", None);
    }

    #[test]
    fn a_page_continues_after_the_last_charge_of_the_one_before() {
        let all = ListCharges { customer_ref: None, from_s: 1, to_s: 9, after: None };
        assert_eq!(list_path(&all), "payment_intents?limit=100&created%5Bgte%5D=1&created%5Blt%5D=9");
        let after = ProviderRef::parse("pi_9").ok();
        let next = ListCharges { customer_ref: ProviderRef::parse("cus_1").ok(), after, ..all };
        assert!(list_path(&next).ends_with("&customer=cus_1&starting_after=pi_9"));
    }

    proptest! {
        #[test]
        fn nothing_of_a_value_becomes_syntax(name in "\\PC{0,20}", value in "\\PC{0,60}") {
            let mut form = Form::default();
            form.add(&name, &value);
            prop_assert_eq!(form.0.matches('=').count(), 1);
            prop_assert!(form.0.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._%=".contains(&b)));
        }
    }
}
