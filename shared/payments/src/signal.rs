//! Everything that can come of one attempt, in no provider's words. An adapter tells which it was; the decision table
//! says what it means.

use crate::ChargeStatus;

/// Declares the enum, the list of all its values, and their names.
macro_rules! signals {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// What came of one attempt.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Signal {
            $($(#[$doc])* $name,)*
        }

        impl Signal {
            /// Every signal, in the order of the decision table.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name in logs and metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

signals! {
    // Never sent.
    /// No address, nobody listening, no connection in time, no TLS handshake.
    NotConnected = "not_connected",
    /// Whoever answered there has not got the provider's certificate.
    CertificateInvalid = "certificate_invalid",
    /// The request cannot be written down: an id that is no part of a path.
    NotSendable = "not_sendable",

    // Sent, and no usable answer.
    /// The connection was closed before an answer began, as frozen sockets are.
    ClosedBeforeAnswer = "closed_before_answer",
    /// No answer, or only a part of it, within the attempt's time.
    TimedOut = "timed_out",
    /// Closed within the answer, or an answer of success that is cut off, too long or not what was asked for.
    BrokenAnswer = "broken_answer",
    /// A redirect or a page: something in between has answered.
    NotTheProvider = "not_the_provider",

    // A charge, by its status.
    /// The money is held.
    ChargeHeld = "charge_held",
    /// The money is taken.
    ChargeCaptured = "charge_captured",
    /// Nothing is held and never will be.
    ChargeCanceled = "charge_canceled",
    /// The provider works on it.
    ChargeProcessing = "charge_processing",
    /// The customer has to authenticate.
    ChargeRequiresAction = "charge_requires_action",
    /// Nothing is held, and no reason is given.
    ChargeNotHeld = "charge_not_held",

    // Other answers of success.
    /// The refund is made.
    RefundSucceeded = "refund_succeeded",
    /// The refund is on its way.
    RefundPending = "refund_pending",
    /// The refund will not arrive.
    RefundFailed = "refund_failed",
    /// A page of a list.
    PageRead = "page_read",

    // 400.
    /// A parameter is wrong: a mistake of ours, or a reference that does not exist.
    ParameterRefused = "parameter_refused",
    /// The key was used with other parameters.
    KeyReused = "key_reused",
    /// The charge is in a state that does not allow this, which includes one that is canceled already.
    UnexpectedState = "unexpected_state",
    /// The charge is captured already.
    AlreadyCaptured = "already_captured",
    /// The charge is refunded already, in full.
    AlreadyRefunded = "already_refunded",

    // 401, 403, 404.
    /// The credentials are unknown.
    Unauthorized = "unauthorized",
    /// The credentials do not allow this.
    Forbidden = "forbidden",
    /// No such object.
    NotFound = "not_found",

    // 402, or a charge that names such a reason.
    /// The bank said no.
    Declined = "declined",
    /// The bank said no, and that nobody should try again.
    DeclinedForGood = "declined_for_good",
    /// The bank could not say; later it may.
    DeclinedSoft = "declined_soft",
    /// The bank wants to see the customer first.
    AuthenticationRequired = "authentication_required",

    // 409, and 429 for a lock.
    /// Another request with this key, or on this object, is being executed.
    InFlight = "in_flight",
    /// The object is locked by another request.
    Locked = "locked",

    // 429.
    /// Too many calls a second, of the account.
    ThrottledGlobalRate = "throttled_global_rate",
    /// Too many calls a second, to this endpoint.
    ThrottledEndpointRate = "throttled_endpoint_rate",
    /// Too many calls at once, of the account.
    ThrottledGlobalConcurrency = "throttled_global_concurrency",
    /// Too many calls at once, to this endpoint.
    ThrottledEndpointConcurrency = "throttled_endpoint_concurrency",
    /// Too many calls on this object.
    ThrottledResource = "throttled_resource",
    /// Too many calls, for a reason that is not given or not known.
    ThrottledUnnamed = "throttled_unnamed",

    // What failed there.
    /// A system behind the provider failed (424).
    DependencyFailed = "dependency_failed",
    /// 500: saved under the key.
    ServerError = "server_error",
    /// 502, 503, 504 and whatever else a failing edge answers: usually not saved.
    GatewayFailed = "gateway_failed",
    /// A failure of the server, with the word that repeating it does not help.
    FailedForGood = "failed_for_good",

    /// Any other refusal.
    Refused = "refused",
}

impl Signal {
    /// The signal of an answer that shows a charge.
    #[must_use]
    pub const fn of_status(status: ChargeStatus) -> Self {
        match status {
            ChargeStatus::NotHeld => Self::ChargeNotHeld,
            ChargeStatus::RequiresAction => Self::ChargeRequiresAction,
            ChargeStatus::Processing => Self::ChargeProcessing,
            ChargeStatus::Held => Self::ChargeHeld,
            ChargeStatus::Captured => Self::ChargeCaptured,
            ChargeStatus::Canceled => Self::ChargeCanceled,
        }
    }
}
