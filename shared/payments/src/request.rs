//! What can be asked of the provider, complete: nothing is looked up elsewhere while a request is being sent.

use std::time::Duration;

use order::{Currency, OrderId, ProviderRef, RefundId};

/// One attempt of an order to pay: the row that names the idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Payment {
    /// Which order.
    pub order_id: OrderId,
    /// Which attempt, from 1.
    pub attempt_no: i32,
}

/// Puts a hold on the customer's money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorize {
    /// For which attempt.
    pub payment: Payment,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// In what.
    pub currency: Currency,
    /// The customer at the provider.
    pub customer_ref: ProviderRef,
    /// The payment method at the provider.
    pub method_ref: ProviderRef,
    /// How long ago the key may first have been sent. From [`KEY_LIFE`](crate::KEY_LIFE) on it is never sent again.
    pub key_age: Duration,
}

/// Takes the money of a hold, all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// For which attempt.
    pub payment: Payment,
    /// The hold.
    pub payment_id: ProviderRef,
    /// What the hold must be over, in minor units.
    pub amount_minor: i64,
    /// In what.
    pub currency: Currency,
}

/// Releases a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    /// For which attempt.
    pub payment: Payment,
    /// The hold.
    pub payment_id: ProviderRef,
}

/// Gives captured money back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Of which attempt.
    pub payment: Payment,
    /// The charge.
    pub payment_id: ProviderRef,
    /// Which refund of the order: part of the key.
    pub refund_id: RefundId,
    /// How much, in minor units.
    pub amount_minor: i64,
    /// In what.
    pub currency: Currency,
}

/// What changes something at the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// See [`Authorize`].
    Authorize(Authorize),
    /// See [`Capture`].
    Capture(Capture),
    /// See [`Cancel`].
    Cancel(Cancel),
    /// See [`Refund`].
    Refund(Refund),
}

/// The charges of one customer, or of all, that were created in `[from_s, to_s)`, Unix seconds; newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListCharges {
    /// Whose; `None` is everybody's.
    pub customer_ref: Option<ProviderRef>,
    /// Unix seconds, inclusive.
    pub from_s: u64,
    /// Unix seconds, exclusive.
    pub to_s: u64,
    /// Continue after this charge, the last of the page before.
    pub after: Option<ProviderRef>,
}

/// The provider's endpoints, each with a limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// Create and confirm a payment.
    Authorize,
    /// Capture a hold.
    Capture,
    /// Cancel a hold.
    Cancel,
    /// Refund a charge.
    Refund,
    /// Read or list: its own breaker, so that doubts can be resolved while charging is stopped.
    LookUp,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Self; 5] = [Self::Authorize, Self::Capture, Self::Cancel, Self::Refund, Self::LookUp];

    /// The name in keys, metrics and logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture => "capture",
            Self::Cancel => "cancel",
            Self::Refund => "refund",
            Self::LookUp => "look_up",
        }
    }
}

impl Request {
    /// Which attempt it belongs to.
    #[must_use]
    pub const fn payment(&self) -> &Payment {
        match self {
            Self::Authorize(Authorize { payment, .. })
            | Self::Capture(Capture { payment, .. })
            | Self::Cancel(Cancel { payment, .. })
            | Self::Refund(Refund { payment, .. }) => payment,
        }
    }

    /// Where it is sent.
    #[must_use]
    pub const fn endpoint(&self) -> Endpoint {
        match self {
            Self::Authorize(_) => Endpoint::Authorize,
            Self::Capture(_) => Endpoint::Capture,
            Self::Cancel(_) => Endpoint::Cancel,
            Self::Refund(_) => Endpoint::Refund,
        }
    }
}
