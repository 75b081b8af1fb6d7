//! The idempotency key: computed from the committed row and from nothing else, so that every delivery, process and
//! replay of a request carries the same one.

use std::time::Duration;

use crate::Request;

/// A key is not sent again from this age on: the provider forgets keys after 24 h, and would then charge anew.
/// Source: Stripe API reference, "Idempotent requests".
pub const KEY_LIFE: Duration = Duration::from_secs(23 * 60 * 60);

/// `of:{stage}:{order_id}:{auth|cap|void:<payment_id>|ref:<refund_id>}:{attempt_no}`; at most 255 characters by the limits
/// of its parts.
///
/// Where the provider has saved a failure under the key of a capture or a cancellation, the wrapper appends the moment
/// at which it tries afresh: see `Wrapper::afresh`.
///
/// A cancellation names its charge: an attempt that left several is canceled several times, and the provider refuses one
/// key for two paths.
#[must_use]
pub fn key(stage: &str, request: &Request) -> String {
    let operation = match request {
        Request::Authorize(_) => "auth".to_owned(),
        Request::Capture(_) => "cap".to_owned(),
        Request::Cancel(cancel) => format!("void:{}", cancel.payment_id),
        Request::Refund(refund) => format!("ref:{}", refund.refund_id),
    };
    let payment = request.payment();
    format!("of:{stage}:{}:{operation}:{}", payment.order_id, payment.attempt_no)
}

#[cfg(test)]
mod tests {
    use super::key;
    use crate::{Cancel, Payment, Refund, Request};

    #[test]
    fn a_key_is_made_of_the_row() {
        let payment = Payment { order_id: "ord_1".parse().unwrap(), attempt_no: 2 };
        let payment_id = "pi_1".parse().unwrap();
        let cancel = Request::Cancel(Cancel { payment: payment.clone(), payment_id });
        assert_eq!(key("prod", &cancel), "of:prod:ord_1:void:pi_1:2");
        let refund = Request::Refund(Refund {
            payment,
            payment_id: "pi_1".parse().unwrap(),
            refund_id: "r7".parse().unwrap(),
            amount_minor: 1,
            currency: order::Currency::parse("EUR").unwrap(),
        });
        assert_eq!(key("prod", &refund), "of:prod:ord_1:ref:r7:2");
    }
}
