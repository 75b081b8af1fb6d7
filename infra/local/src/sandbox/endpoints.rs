//! What can be asked for, from method and path, and which limit it counts against.

use serde::{Deserialize, Serialize};

/// A group of calls with a limit, faults and figures of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    /// Create a payment, or confirm one.
    Authorize,
    /// Capture a hold.
    Capture,
    /// Cancel a payment.
    Cancel,
    /// Refund a charge.
    Refund,
    /// Read or list anything.
    LookUp,
    /// Create a customer.
    Customer,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 6] =
        [Self::Authorize, Self::Capture, Self::Cancel, Self::Refund, Self::LookUp, Self::Customer];

    /// The name in faults and figures.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture => "capture",
            Self::Cancel => "cancel",
            Self::Refund => "refund",
            Self::LookUp => "look_up",
            Self::Customer => "customer",
        }
    }

    /// Whether it changes money.
    pub(super) const fn writes(self) -> bool {
        !matches!(self, Self::LookUp | Self::Customer)
    }
}

/// One operation; an id is what the path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    CreatePayment,
    ConfirmPayment(String),
    CapturePayment(String),
    CancelPayment(String),
    ReadPayment(String),
    ListPayments,
    CreateRefund,
    ReadRefund(String),
    CreateCustomer,
    ReadCustomer(String),
}

impl Operation {
    /// What this method and path ask for.
    pub(super) fn at(method: &str, path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix("/v1/")?.split('/').collect();
        let id = |id: &str| id.to_owned();
        Some(match (method, parts.as_slice()) {
            ("POST", ["payment_intents"]) => Self::CreatePayment,
            ("GET", ["payment_intents"]) => Self::ListPayments,
            ("GET", ["payment_intents", intent]) => Self::ReadPayment(id(intent)),
            ("POST", ["payment_intents", intent, "confirm"]) => Self::ConfirmPayment(id(intent)),
            ("POST", ["payment_intents", intent, "capture"]) => Self::CapturePayment(id(intent)),
            ("POST", ["payment_intents", intent, "cancel"]) => Self::CancelPayment(id(intent)),
            ("POST", ["refunds"]) => Self::CreateRefund,
            ("GET", ["refunds", refund]) => Self::ReadRefund(id(refund)),
            ("POST", ["customers"]) => Self::CreateCustomer,
            ("GET", ["customers", customer]) => Self::ReadCustomer(id(customer)),
            _ => return None,
        })
    }

    pub(super) const fn endpoint(&self) -> Endpoint {
        match self {
            Self::CreatePayment | Self::ConfirmPayment(_) => Endpoint::Authorize,
            Self::CapturePayment(_) => Endpoint::Capture,
            Self::CancelPayment(_) => Endpoint::Cancel,
            Self::CreateRefund => Endpoint::Refund,
            Self::ReadPayment(_) | Self::ListPayments | Self::ReadRefund(_) | Self::ReadCustomer(_) => {
                Endpoint::LookUp
            }
            Self::CreateCustomer => Endpoint::Customer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &str, path: &str, expected: Option<Endpoint>) {
        assert_eq!(
            Operation::at(method, path).map(|operation| operation.endpoint()),
            expected,
            "{method} {path}"
        );
    }

    #[test]
    fn every_path_belongs_to_an_endpoint() {
        check("POST", "/v1/payment_intents", Some(Endpoint::Authorize));
        check("POST", "/v1/payment_intents/pi_1/confirm", Some(Endpoint::Authorize));
        check("POST", "/v1/payment_intents/pi_1/capture", Some(Endpoint::Capture));
        check("POST", "/v1/payment_intents/pi_1/cancel", Some(Endpoint::Cancel));
        check("GET", "/v1/payment_intents/pi_1", Some(Endpoint::LookUp));
        check("GET", "/v1/payment_intents", Some(Endpoint::LookUp));
        check("POST", "/v1/refunds", Some(Endpoint::Refund));
        check("GET", "/v1/refunds/re_1", Some(Endpoint::LookUp));
        check("POST", "/v1/customers", Some(Endpoint::Customer));
        check("GET", "/v1/customers/cus_1", Some(Endpoint::LookUp));
        check("DELETE", "/v1/customers/cus_1", None);
        check("GET", "/v1/payment_intents/pi_1/capture", None);
        check("POST", "/v2/payment_intents", None);
    }
}
