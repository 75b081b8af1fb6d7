//! TLS on ring, with the certificates that the machine trusts.
//!
//! The crypto provider is named here and not taken from the process, so that it does not matter who else has installed
//! one, and the HTTP client never looks for one.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};

use super::StripeError;

/// The machine's trusted certificates; none where nothing is encrypted, since reading them takes 3 ms.
pub(super) fn roots(speaks_tls: bool) -> Result<RootCertStore, StripeError> {
    let mut roots = RootCertStore::empty();
    if speaks_tls {
        let found = rustls_native_certs::load_native_certs();
        let (added, _unusable) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            return Err(StripeError::NoCertificates);
        }
    }
    Ok(roots)
}

/// What all clients share, sessions included.
pub(super) fn configuration(roots: RootCertStore) -> Result<ClientConfig, StripeError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|_its_own_versions| StripeError::Client)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::{configuration, roots};
    use crate::Signal;
    use crate::stripe::sockets::client;
    use crate::stripe::undelivered::signal_of;
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;

    /// A server with a certificate for `name` that only it has signed: its port, and the certificate.
    fn server(name: &str) -> (u16, CertificateDer<'static>) {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = builder.unwrap().with_no_client_auth();
        let config = Arc::new(config.with_single_cert(vec![cert.der().clone()], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                greet(StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), stream));
            }
        });
        (port, cert.der().clone())
    }

    /// A client that breaks off is what some cases are about.
    fn greet(mut stream: StreamOwned<ServerConnection, TcpStream>) {
        if stream.read(&mut [0; 1_024]).is_ok() {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"));
        }
    }

    /// What comes of a call to a server with a certificate for `name`, by a client that trusts it or does not.
    async fn call(name: &str, trusting: bool) -> Result<u16, Signal> {
        let (port, certificate) = server(name);
        let mut roots = RootCertStore::empty();
        if trusting {
            roots.add(certificate).unwrap();
        }
        let client = client(&configuration(roots).unwrap()).unwrap();
        let sent = client.get(format!("https://localhost:{port}/")).send().await;
        sent.map(|response| response.status().as_u16()).map_err(|error| signal_of(&error))
    }

    #[tokio::test]
    async fn only_a_trusted_certificate_for_the_right_name_is_spoken_to() {
        assert_eq!(call("localhost", true).await, Ok(200));
        assert_eq!(call("localhost", false).await, Err(Signal::CertificateInvalid));
        assert_eq!(call("api.stripe.com", true).await, Err(Signal::CertificateInvalid));
    }

    #[tokio::test]
    async fn what_speaks_no_tls_is_not_connected() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
            }
        });
        let client = client(&configuration(RootCertStore::empty()).unwrap()).unwrap();
        let error = client.get(format!("https://localhost:{port}/")).send().await.unwrap_err();
        assert_eq!(signal_of(&error), Signal::NotConnected);
    }

    #[test]
    fn certificates_are_read_only_where_they_are_needed() {
        assert_eq!(roots(false).unwrap().len(), 0);
    }
}
