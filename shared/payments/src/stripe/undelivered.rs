//! What it means that a request brought no head of an answer: never sent, or sent and lost.

use std::error::Error as StdError;
use std::io;

use crate::Signal;

/// In doubt the request was sent.
pub(super) fn signal_of(error: &reqwest::Error) -> Signal {
    if error.is_builder() {
        return Signal::NotSendable;
    }
    if error.is_connect() {
        return if any(error, is_certificate) { Signal::CertificateInvalid } else { Signal::NotConnected };
    }
    if error.is_timeout() {
        return Signal::TimedOut;
    }
    if any(error, is_garbage) { Signal::BrokenAnswer } else { Signal::ClosedBeforeAnswer }
}

/// Whether the error or one of its causes is of this kind. An I/O error hides the one that it carries from `source`.
fn any(error: &(dyn StdError + 'static), kind: fn(&(dyn StdError + 'static)) -> bool) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if kind(error) || carried.is_some_and(|carried| any(carried, kind)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Expired, for another name, or of an authority that nobody trusts.
fn is_certificate(error: &(dyn StdError + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)))
}

/// An answer had begun, and was no HTTP.
fn is_garbage(error: &(dyn StdError + 'static)) -> bool {
    error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
}

#[cfg(test)]
mod tests {
    use super::{any, is_certificate};
    use rustls::{CertificateError, Error};
    use std::io;

    #[test]
    fn a_certificate_is_found_however_deep_it_is_wrapped() {
        let certificate = || Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert!(any(&certificate(), is_certificate));
        assert!(any(&io::Error::other(certificate()), is_certificate));
        assert!(any(&io::Error::other(io::Error::other(certificate())), is_certificate));
        assert!(!any(&io::Error::other(Error::HandshakeNotComplete), is_certificate));
        assert!(!any(&io::Error::from(io::ErrorKind::ConnectionReset), is_certificate));
    }
}
