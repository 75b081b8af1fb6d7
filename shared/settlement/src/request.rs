//! From a row to a request: only what was committed, and only while the row's hash agrees.

use order_store::{Frozen, Next};
use payments::{Authorize, Cancel, Capture, Payment, Request};
use sha2::{Digest as _, Sha256};

/// The row's parameters are not the ones that its hash was computed of. Nothing of them may be sent: the idempotency key
/// may have been used with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the payment's parameters are not the committed ones; compare its row's `params` with its `params_hash`"
)]
pub struct ParamsDiffer;

/// What the provider is asked, given where the row stands; `None` where there is nothing to ask.
///
/// # Errors
/// [`ParamsDiffer`]: a person has to look.
pub fn request(payment: &Payment, frozen: &Frozen, next: &Next) -> Result<Option<Request>, ParamsDiffer> {
    let payment = payment.clone();
    let request = match next {
        Next::Authorize => Request::Authorize(Authorize {
            amount_minor: frozen.amount_minor,
            currency: frozen.currency,
            customer_ref: frozen.customer_ref.clone(),
            method_ref: frozen.method_ref.clone(),
            key_age: frozen.key_age,
            payment,
        }),
        Next::Capture(payment_id) => Request::Capture(Capture {
            payment_id: payment_id.clone(),
            amount_minor: frozen.amount_minor,
            currency: frozen.currency,
            payment,
        }),
        Next::Cancel(payment_id) => Request::Cancel(Cancel { payment_id: payment_id.clone(), payment }),
        Next::Nothing | Next::Stopped | Next::Missing => return Ok(None),
    };
    if params_hash(request.payment(), frozen) == frozen.params_hash {
        Ok(Some(request))
    } else {
        Err(ParamsDiffer)
    }
}

/// As `shared/order-store/migrations/README.md` defines it. No part can contain the separator.
fn params_hash(payment: &Payment, frozen: &Frozen) -> String {
    let Payment { order_id, attempt_no } = payment;
    let Frozen { amount_minor, currency, customer_ref, method_ref, .. } = frozen;
    let form = format!(
        "v1|{order_id}|{attempt_no}|{amount_minor}|{}|{customer_ref}|{method_ref}",
        currency.as_str()
    );
    Sha256::digest(form.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::{ParamsDiffer, request};
    use order::Currency;
    use order_store::{Frozen, Next};
    use payments::{Endpoint, Payment};
    use std::time::Duration;

    /// The row that accepting the contract's example writes; the hash is PostgreSQL's.
    fn frozen() -> Frozen {
        Frozen {
            amount_minor: 4_970,
            currency: Currency::parse("EUR").unwrap(),
            customer_ref: "cus_x".parse().unwrap(),
            method_ref: "pm_card_visa".parse().unwrap(),
            params_hash: "a37f90a00cf2cf79e4d03e3d9d933de6ddfd1a6fa74677b74914bd53e7b1e628".to_owned(),
            key_age: Duration::ZERO,
        }
    }

    fn payment() -> Payment {
        Payment { order_id: "ord_1".parse().unwrap(), attempt_no: 1 }
    }

    #[track_caller]
    fn asks(next: &Next, endpoint: Option<Endpoint>) {
        let asked = request(&payment(), &frozen(), next).map(|asked| asked.map(|asked| asked.endpoint()));
        assert_eq!(asked, Ok(endpoint));
    }

    #[test]
    fn what_a_row_needs_is_asked_and_nothing_else() {
        let hold = || "pi_1".parse().unwrap();
        asks(&Next::Authorize, Some(Endpoint::Authorize));
        asks(&Next::Capture(hold()), Some(Endpoint::Capture));
        asks(&Next::Cancel(hold()), Some(Endpoint::Cancel));
        asks(&Next::Nothing, None);
        asks(&Next::Stopped, None);
        asks(&Next::Missing, None);
    }

    #[track_caller]
    fn differs(change: impl FnOnce(&mut Frozen)) {
        let mut changed = frozen();
        change(&mut changed);
        assert_eq!(request(&payment(), &changed, &Next::Authorize), Err(ParamsDiffer));
    }

    #[test]
    fn parameters_that_were_not_committed_are_never_sent() {
        differs(|frozen| frozen.amount_minor += 1);
        differs(|frozen| frozen.currency = Currency::parse("USD").unwrap());
        differs(|frozen| frozen.customer_ref = "cus_y".parse().unwrap());
        differs(|frozen| frozen.method_ref = "pm_y".parse().unwrap());
        differs(|frozen| frozen.params_hash = String::new());
        let other_attempt = Payment { attempt_no: 2, ..payment() };
        assert_eq!(request(&other_attempt, &frozen(), &Next::Authorize), Err(ParamsDiffer));
    }

    #[test]
    fn the_age_of_the_key_is_no_parameter() {
        let aged = Frozen { key_age: Duration::from_secs(9), ..frozen() };
        assert!(request(&payment(), &aged, &Next::Authorize).is_ok());
    }
}
