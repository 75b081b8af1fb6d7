//! What became of a request, as far as anybody can know: the only thing a caller sees.

use std::time::Duration;

use order::{Currency, ProviderRef, RefundId};

use crate::Payment;

/// A charge as the provider shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The provider's id of it.
    pub payment_id: ProviderRef,
    /// Where it stands.
    pub status: ChargeStatus,
    /// In minor units.
    pub amount_minor: i64,
    /// Captured so far, in minor units.
    pub captured_minor: i64,
    /// `None` if the provider names one that is none.
    pub currency: Option<Currency>,
    /// The attempt that its metadata names; `None` where it is not ours, or says nothing readable.
    pub payment: Option<Payment>,
    /// Unix seconds.
    pub created_s: u64,
}

/// Where a charge stands at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeStatus {
    /// Nothing is held: the method was declined, or none was given. It may still be confirmed by somebody.
    NotHeld,
    /// The customer has to authenticate.
    RequiresAction,
    /// The provider works on it.
    Processing,
    /// The money is held and can be captured.
    Held,
    /// The money is taken.
    Captured,
    /// Nothing is held and never will be.
    Canceled,
}

/// A page of charges, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPage {
    /// At most 100.
    pub charges: Vec<Charge>,
    /// Whether older ones follow.
    pub has_more: bool,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The money is held, and amount, currency and metadata are as asked.
    Authorized {
        /// The hold.
        payment_id: ProviderRef,
    },
    /// The money is taken, now or by an earlier call; amount, currency and metadata are as asked.
    Captured {
        /// The charge.
        payment_id: ProviderRef,
    },
    /// Nothing is held, and never will be under this id.
    Canceled {
        /// The charge.
        payment_id: ProviderRef,
    },
    /// The money is on its way back.
    Refunded {
        /// Which refund.
        refund_id: RefundId,
    },
    /// The bank said no. The end of this attempt; only a new attempt may ask again.
    Declined {
        /// Why, one of the provider's words (`insufficient_funds`), letters, digits and `_` only, at most 64.
        code: String,
        /// Whether one more attempt, ten minutes later, has a chance.
        soft: bool,
        /// The charge without a hold, where the provider names one.
        payment_id: Option<ProviderRef>,
    },
    /// The customer has to authenticate; nothing is held.
    AwaitsCustomer {
        /// The charge, where the provider names one.
        payment_id: Option<ProviderRef>,
    },
    /// The provider is working on it.
    AwaitsProvider {
        /// The charge.
        payment_id: ProviderRef,
    },
    /// Not done, or not known to be done, and the same request with the same key may be sent later. Nothing may be
    /// concluded from it.
    Later {
        /// Why.
        why: Later,
        /// Not before this much time has passed; `None` leaves it to the caller.
        not_before: Option<Duration>,
    },
    /// The provider has saved a failure under this key, so sending it again says nothing more. The money may be held.
    Unknown {
        /// Why.
        why: Unclear,
    },
    /// Something is wrong that no machine should decide: a charge that is not as asked, a request the provider calls
    /// malformed.
    Review {
        /// Why, a short name (`amount_differs`) for rows, logs and metrics.
        why: &'static str,
        /// The charge, where one is known.
        payment_id: Option<ProviderRef>,
    },
}

impl Outcome {
    /// The name in logs and metrics; for what is to be sent later, is unknown or needs a person, the reason.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Authorized { .. } => "authorized",
            Self::Captured { .. } => "captured",
            Self::Canceled { .. } => "canceled",
            Self::Refunded { .. } => "refunded",
            Self::Declined { .. } => "declined",
            Self::AwaitsCustomer { .. } => "awaits_customer",
            Self::AwaitsProvider { .. } => "awaits_provider",
            Self::Later { why, .. } => why.as_str(),
            Self::Unknown { why } => why.as_str(),
            Self::Review { why, .. } => why,
        }
    }
}

/// Why a request is to be sent later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Later {
    /// The shared limiter gave no permit: never sent.
    RateLimited,
    /// The breaker is open: never sent.
    BreakerOpen,
    /// The deadline leaves no time for an attempt: never sent.
    NoTime,
    /// The key is too old to be sent: never sent. Only looking up helps.
    KeyTooOld,
    /// No connection: never sent.
    NotConnected,
    /// The provider does not know or accept our credentials: refused, and a person must look.
    Unauthorized,
    /// The provider limits us: refused before it was executed.
    Throttled,
    /// Another request with this key, or on this charge, is being executed.
    InFlight,
    /// Sent, and no usable answer: executed or not, the same key will tell.
    NoAnswer,
}

impl Later {
    /// Whether the provider has certainly not executed the request.
    #[must_use]
    pub const fn never_executed(self) -> bool {
        match self {
            Self::RateLimited
            | Self::BreakerOpen
            | Self::NoTime
            | Self::KeyTooOld
            | Self::NotConnected
            | Self::Unauthorized
            | Self::Throttled => true,
            Self::InFlight | Self::NoAnswer => false,
        }
    }

    /// The name in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::BreakerOpen => "breaker_open",
            Self::NoTime => "no_time_left",
            Self::KeyTooOld => "key_too_old",
            Self::NotConnected => "not_connected",
            Self::Unauthorized => "unauthorized",
            Self::Throttled => "throttled",
            Self::InFlight => "in_flight",
            Self::NoAnswer => "no_answer",
        }
    }
}

/// Why the same key says nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unclear {
    /// A saved 500: executed, half executed, or executed later.
    SavedFailure,
    /// A system behind the provider failed (424).
    DependencyFailed,
    /// The key was used with other parameters, which our rows rule out.
    KeyConflict,
}

impl Unclear {
    /// The name in rows, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SavedFailure => "saved_failure",
            Self::DependencyFailed => "dependency_failed",
            Self::KeyConflict => "key_conflict",
        }
    }
}
