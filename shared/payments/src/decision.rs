//! The decision table: the one place that says what a signal means, for each endpoint.
//!
//! Every function here matches by name, so that a new signal does not compile until somebody has decided; the golden
//! table in `decision/golden.rs` has one line for each and must be changed with it. Whoever reads an answer differently
//! somewhere else has found a mistake.

use std::time::Duration;

use crate::{Endpoint, Later, Signal, Throttle, Unclear, Verdict};

#[cfg(test)]
mod golden;

/// All there is to say of a signal at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ruling {
    /// What became of the request, if nothing more is tried.
    pub end: End,
    /// Whether this process may send the same key again.
    pub again: Again,
    /// What the gate hears.
    pub verdict: Verdict,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The money is held, if the charge shown is the one asked for.
    Authorized,
    /// The money is taken, if the charge shown is the one asked for.
    Captured,
    /// Nothing is held and never will be, if the charge shown is the one asked for.
    Canceled,
    /// The money is on its way back, if the refund shown is the one asked for.
    Refunded,
    /// All of the money went back by an earlier refund.
    RefundedBefore,
    /// The bank said no.
    Declined {
        /// Whether one more attempt, ten minutes later, has a chance.
        soft: bool,
    },
    /// The customer has to authenticate.
    AwaitsCustomer,
    /// The provider is working on it.
    AwaitsProvider,
    /// The answer is about the charge's state: read the charge by its id and rule on its status. Where that does not
    /// settle the request it is unknown for this reason, or without one a person has to look.
    Ask(Option<Unclear>),
    /// What a look-up asked for.
    Found,
    /// A look-up asked for what does not exist.
    Missing,
    /// To be sent again later.
    Later(Later),
    /// Sending it again says nothing more.
    Unknown(Unclear),
    /// A person has to look.
    Review(&'static str),
}

/// Whether and when this process may send the same key again. What is not tried here is tried by the queue or by the
/// reconciler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Not in this process.
    Never,
    /// Once at once, since a frozen socket is replaced by a new one; then as [`Again::Backoff`] without a least pause.
    AtOnce,
    /// After a pause with full jitter, and at least this long.
    Backoff(Duration),
    /// As [`Again::Backoff`] without a least pause, unless the provider asks for more than [`SOON`]: longer waits are
    /// the queue's.
    Soon,
}

/// The longest `Retry-After` that is waited for within an invocation after a throttled attempt.
pub const SOON: Duration = Duration::from_secs(2);

/// Another request with this key runs: an authorization takes up to seconds.
const IN_FLIGHT_PAUSE: Duration = Duration::from_millis(500);

/// An object's lock is held for one request.
const LOCKED_PAUSE: Duration = Duration::from_millis(200);

impl Ruling {
    /// The provider's own word about sending again, obeyed over the signal. It never makes an end better or worse: it
    /// only says whether the same key is worth another attempt now.
    #[must_use]
    pub const fn told(self, should_retry: Option<bool>) -> Self {
        let again = match (should_retry, self.again) {
            (None, again) => again,
            (Some(false), _) => Again::Never,
            (Some(true), Again::Never) => Again::Backoff(Duration::ZERO),
            (Some(true), again) => again,
        };
        Self { again, ..self }
    }
}

impl End {
    /// Whether the request has certainly not been executed by the attempt that ended so.
    #[must_use]
    pub const fn never_executed(self) -> bool {
        match self {
            Self::Later(why) => why.never_executed(),
            Self::Authorized
            | Self::Captured
            | Self::Canceled
            | Self::Refunded
            | Self::RefundedBefore
            | Self::Declined { .. }
            | Self::AwaitsCustomer
            | Self::AwaitsProvider
            | Self::Ask(_)
            | Self::Found
            | Self::Missing
            | Self::Unknown(_)
            | Self::Review(_) => false,
        }
    }
}

/// Rules on a signal, given where the request was sent.
#[must_use]
pub const fn rule(endpoint: Endpoint, signal: Signal) -> Ruling {
    let (ends, again, verdict) = row(signal);
    let end = match endpoint {
        Endpoint::Authorize => ends.authorize,
        Endpoint::Capture => ends.capture,
        Endpoint::Cancel => ends.cancel,
        Endpoint::Refund => ends.refund,
        Endpoint::LookUp => ends.look_up,
    };
    Ruling { end, again, verdict }
}

/// The table's row of a signal.
///
/// - A saved failure of a capture or a cancellation is worth a look at the charge, whose id is known; an
///   authorization's id is not, so it stays unknown.
/// - A bank's no is a healthy answer: the provider works.
/// - Look-ups change nothing, so whatever refuses one only means that there is no answer now.
const fn row(signal: Signal) -> (Ends, Again, Verdict) {
    use Again::{AtOnce, Never, Soon};
    use Verdict::{Neutral, ProviderFault, Success};
    match signal {
        Signal::NotConnected => (all(NOT_CONNECTED), BACKOFF, ProviderFault),
        // The request was not sent to whoever this is. A person must look, and meanwhile it waits.
        Signal::CertificateInvalid => (all(NOT_CONNECTED), Never, ProviderFault),
        Signal::NotSendable => (change(End::Review("not_sendable")), Never, Neutral),
        Signal::ClosedBeforeAnswer => (all(NO_ANSWER), AtOnce, ProviderFault),
        Signal::TimedOut | Signal::BrokenAnswer => (all(NO_ANSWER), BACKOFF, ProviderFault),
        // What stands in between will still stand there in a second.
        Signal::NotTheProvider => (all(NO_ANSWER), Never, ProviderFault),

        Signal::ChargeHeld => (charge(End::Authorized, STILL_HELD, STILL_HELD), Never, Success),
        Signal::ChargeCaptured => (charge(End::Captured, End::Captured, End::Captured), Never, Success),
        Signal::ChargeCanceled => (charge(End::Canceled, End::Canceled, End::Canceled), Never, Success),
        Signal::ChargeProcessing => {
            (charge(End::AwaitsProvider, End::AwaitsProvider, End::AwaitsProvider), Never, Success)
        }
        Signal::ChargeRequiresAction => (charge(End::AwaitsCustomer, NOT_HELD, NOT_CANCELED), Never, Success),
        Signal::ChargeNotHeld => (charge(DECLINED, NOT_HELD, NOT_CANCELED), Never, Success),
        Signal::RefundSucceeded | Signal::RefundPending => (refund(End::Refunded), Never, Success),
        Signal::RefundFailed => (refund(End::Review("refund_failed")), Never, Success),
        Signal::PageRead => (Ends { look_up: End::Found, ..all(NOT_ASKED_FOR) }, Never, Success),

        Signal::ParameterRefused => (change(End::Review("parameter_refused")), Never, Neutral),
        Signal::KeyReused => (change(End::Unknown(Unclear::KeyConflict)), Never, Neutral),
        Signal::UnexpectedState => (state(End::Review("unexpected_state")), Never, Neutral),
        Signal::AlreadyCaptured => (state(End::Review("already_captured")), Never, Neutral),
        Signal::AlreadyRefunded => (state(End::RefundedBefore), Never, Neutral),
        Signal::Unauthorized | Signal::Forbidden => (all(End::Later(Later::Unauthorized)), Never, Neutral),
        Signal::NotFound => (Ends { look_up: End::Missing, ..all(End::Review("not_found")) }, Never, Neutral),

        Signal::Declined | Signal::DeclinedForGood => (bank(DECLINED), Never, Success),
        Signal::DeclinedSoft => (bank(End::Declined { soft: true }), Never, Success),
        Signal::AuthenticationRequired => (bank(End::AwaitsCustomer), Never, Success),

        Signal::InFlight => (all(IN_FLIGHT), Again::Backoff(IN_FLIGHT_PAUSE), Neutral),
        Signal::Locked => (all(IN_FLIGHT), Again::Backoff(LOCKED_PAUSE), Neutral),
        Signal::ThrottledGlobalRate => (all(THROTTLED), Soon, Verdict::Throttled(Throttle::GlobalRate)),
        // Of those without a reason this is the one that slows the least, and still slows.
        Signal::ThrottledEndpointRate | Signal::ThrottledUnnamed => {
            (all(THROTTLED), Soon, Verdict::Throttled(Throttle::EndpointRate))
        }
        Signal::ThrottledGlobalConcurrency => {
            (all(THROTTLED), Soon, Verdict::Throttled(Throttle::GlobalConcurrency))
        }
        Signal::ThrottledEndpointConcurrency => {
            (all(THROTTLED), Soon, Verdict::Throttled(Throttle::EndpointConcurrency))
        }
        Signal::ThrottledResource => (all(THROTTLED), Soon, Verdict::Throttled(Throttle::ResourceSpecific)),

        Signal::DependencyFailed => (unknown(Unclear::DependencyFailed), Never, ProviderFault),
        Signal::ServerError | Signal::FailedForGood => (unknown(Unclear::SavedFailure), Never, ProviderFault),
        Signal::GatewayFailed => (all(NO_ANSWER), BACKOFF, ProviderFault),
        Signal::Refused => (change(End::Review("refused")), Never, Neutral),
    }
}

/// What a signal means at each endpoint.
#[derive(Clone, Copy)]
struct Ends {
    authorize: End,
    capture: End,
    cancel: End,
    refund: End,
    look_up: End,
}

const BACKOFF: Again = Again::Backoff(Duration::ZERO);
const NOT_CONNECTED: End = End::Later(Later::NotConnected);
const NO_ANSWER: End = End::Later(Later::NoAnswer);
const IN_FLIGHT: End = End::Later(Later::InFlight);
const THROTTLED: End = End::Later(Later::Throttled);
const DECLINED: End = End::Declined { soft: false };
const STILL_HELD: End = End::Review("still_held");
const NOT_HELD: End = End::Review("not_held");
const NOT_CANCELED: End = End::Review("not_canceled");
const NOT_ASKED_FOR: End = End::Review("not_asked_for");

/// The same everywhere.
const fn all(end: End) -> Ends {
    Ends { authorize: end, capture: end, cancel: end, refund: end, look_up: end }
}

/// The same for everything that changes something.
const fn change(end: End) -> Ends {
    Ends { look_up: NO_ANSWER, ..all(end) }
}

/// A charge is shown: a refund does not ask for one, and a look-up takes any.
const fn charge(authorize: End, capture: End, cancel: End) -> Ends {
    Ends { authorize, capture, cancel, refund: NOT_ASKED_FOR, look_up: End::Found }
}

/// A refund is shown.
const fn refund(end: End) -> Ends {
    Ends { refund: end, ..change(NOT_ASKED_FOR) }
}

/// The state of the charge does not allow what was asked: see how it stands. What stands says nothing of a refund.
const fn state(refund: End) -> Ends {
    Ends { refund, ..change(End::Ask(None)) }
}

/// A bank speaks, which only an authorization asks for.
const fn bank(authorize: End) -> Ends {
    Ends { authorize, refund: End::Review("refund_declined"), ..change(End::Ask(None)) }
}

/// Executed, half executed, or executed later.
const fn unknown(why: Unclear) -> Ends {
    let ask = End::Ask(Some(why));
    Ends { capture: ask, cancel: ask, ..change(End::Unknown(why)) }
}

#[cfg(test)]
mod tests {
    use super::{Again, End, rule};
    use crate::{Endpoint, Signal};
    use std::time::Duration;

    #[test]
    fn the_providers_word_is_obeyed_over_the_signal_and_changes_no_end() {
        for (&signal, endpoint) in Signal::ALL.iter().flat_map(|s| Endpoint::ALL.map(|e| (s, e))) {
            let ruling = rule(endpoint, signal);
            assert_eq!(ruling.told(None), ruling);
            assert_eq!(ruling.told(Some(false)).again, Again::Never, "{signal:?}");
            assert_ne!(ruling.told(Some(true)).again, Again::Never, "{signal:?}");
            for told in [Some(true), Some(false)] {
                assert_eq!((ruling.told(told).end, ruling.told(told).verdict), (ruling.end, ruling.verdict));
            }
        }
        assert_eq!(
            rule(Endpoint::Authorize, Signal::ServerError).told(Some(true)).again,
            Again::Backoff(Duration::ZERO)
        );
    }

    #[test]
    fn only_an_authorization_is_declined_and_only_a_refund_refunded() {
        for (&signal, endpoint) in Signal::ALL.iter().flat_map(|s| Endpoint::ALL.map(|e| (s, e))) {
            match rule(endpoint, signal).end {
                End::Declined { .. } | End::Authorized | End::AwaitsCustomer => {
                    assert_eq!(endpoint, Endpoint::Authorize, "{signal:?}");
                }
                End::Refunded | End::RefundedBefore => assert_eq!(endpoint, Endpoint::Refund, "{signal:?}"),
                End::Found | End::Missing => assert_eq!(endpoint, Endpoint::LookUp, "{signal:?}"),
                End::Unknown(_) | End::Review(_) | End::Ask(_) => {
                    assert_ne!(endpoint, Endpoint::LookUp, "{signal:?}");
                }
                End::Captured | End::Canceled | End::AwaitsProvider | End::Later(_) => {}
            }
        }
    }
}
