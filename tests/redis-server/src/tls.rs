//! A server that speaks TLS and knows one user, as ElastiCache does.
//!
//! Redis and Valkey of a Linux distribution speak TLS themselves. The wheel that the local stack falls back on is built
//! without it; there a small terminator in this process does the handshake in front of the real server, and says so.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::{fs, thread};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::{PROGRAM, Server, free_port};

/// The user, and its password. Whoever has neither may say hello and nothing else.
const USER: &str = "app";
const PASSWORD: &str = "correct-horse";

/// A server behind TLS. Dropping it ends it.
#[derive(Debug)]
pub struct TlsServer {
    server: Server,
    tls_port: u16,
    certificate: Certificate,
    /// Ends the terminator when it is dropped; none where the server speaks TLS itself.
    _terminator: Option<oneshot::Sender<()>>,
}

impl TlsServer {
    /// Starts a server whose certificate is for `name`, by an authority of its own that nobody trusts yet.
    #[must_use]
    #[expect(clippy::print_stdout, reason = "whoever reads a test's output must see what spoke TLS")]
    pub fn start(name: &str) -> Self {
        let (certificate, tls_port) = (Certificate::new(name), free_port());
        let mut options: Vec<String> = [
            &["--user", "default", "on", "nopass", "-@all", "+@connection"][..],
            &["--user", USER, "on", &format!(">{PASSWORD}"), "~*", "&*", "+@all"],
        ]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect();
        let itself = speaks_tls(&PROGRAM);
        if itself {
            println!("{}: speaks TLS itself", PROGRAM.display());
            options.extend(["--tls-port".to_owned(), tls_port.to_string()]);
            options.extend(certificate.options());
        } else {
            println!("{}: built without TLS, so the handshakes are done in front of it", PROGRAM.display());
        }
        let server = Server::start_with(options);
        let terminator = (!itself).then(|| terminator(tls_port, &certificate, server.port()));
        Self { server, tls_port, certificate, _terminator: terminator }
    }

    /// Its address as `localhost`, with user and password if there are any.
    #[must_use]
    pub fn url(&self, user: Option<(&str, &str)>) -> String {
        let user = user.map(|(name, password)| format!("{name}:{password}@")).unwrap_or_default();
        format!("rediss://{user}localhost:{}", self.tls_port)
    }

    /// The user that may do everything, and its password.
    #[must_use]
    pub fn user(&self) -> (&'static str, &'static str) {
        (USER, PASSWORD)
    }

    /// The certificate of its authority, as PEM.
    #[must_use]
    pub fn roots(&self) -> &[u8] {
        self.certificate.authority_pem.as_bytes()
    }

    /// The server behind the TLS, on a port without.
    #[must_use]
    pub fn plain(&self) -> &Server {
        &self.server
    }
}

/// A certificate with its key, and the authority that signed it: in memory, and in a folder for the server.
#[derive(Debug)]
struct Certificate {
    authority_pem: String,
    certificate_pem: String,
    key_pem: String,
    folder: PathBuf,
}

impl Certificate {
    fn new(name: &str) -> Self {
        let mut authority = CertificateParams::new(Vec::<String>::new()).expect("no names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().expect("a key");
        let authority_pem = authority.self_signed(&authority_key).expect("a certificate").pem();
        let issuer = Issuer::new(authority, authority_key);
        let key = KeyPair::generate().expect("a key");
        let certificate = CertificateParams::new([name.to_owned()]).expect("a name for a certificate");
        let certificate_pem = certificate.signed_by(&key, &issuer).expect("a certificate").pem();
        let folder =
            std::env::temp_dir().join(format!("orderflow-tls-{}-{}", std::process::id(), free_port()));
        let made = Self { authority_pem, certificate_pem, key_pem: key.serialize_pem(), folder };
        made.write();
        made
    }

    fn write(&self) {
        fs::create_dir_all(&self.folder).expect("a temporary folder");
        for (file, pem) in
            [("ca.pem", &self.authority_pem), ("cert.pem", &self.certificate_pem), ("key.pem", &self.key_pem)]
        {
            fs::write(self.folder.join(file), pem).expect("a temporary file");
        }
    }

    /// The options that make the server use it, and ask no certificate of its clients.
    fn options(&self) -> Vec<String> {
        let file = |name: &str| self.folder.join(name).display().to_string();
        let options = [
            ("--tls-cert-file", file("cert.pem")),
            ("--tls-key-file", file("key.pem")),
            ("--tls-ca-cert-file", file("ca.pem")),
            ("--tls-auth-clients", "no".to_owned()),
        ];
        options.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect()
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        // In a temporary folder: whoever cleans there takes what stays.
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// Whether this server speaks TLS: asked to, without a certificate, one that does complains of just that.
fn speaks_tls(program: &Path) -> bool {
    let asked = Command::new(program).args(["--port", "0", "--tls-port", "1", "--save", ""]).output();
    String::from_utf8_lossy(&asked.expect("a server that starts").stdout).contains("Failed to configure TLS")
}

/// Does the handshakes on this port, and passes what is said on to the plain one; ends with the sender.
fn terminator(tls_port: u16, certificate: &Certificate, plain: u16) -> oneshot::Sender<()> {
    let chain = vec![CertificateDer::from_pem_slice(certificate.certificate_pem.as_bytes()).expect("a PEM")];
    let key = PrivateKeyDer::from_pem_slice(certificate.key_pem.as_bytes()).expect("a PEM");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = builder.expect("versions of TLS").with_no_client_auth().with_single_cert(chain, key);
    let acceptor = TlsAcceptor::from(Arc::new(config.expect("a certificate and its key")));
    // Bound here, so that the first client finds it listening.
    let listener = std::net::TcpListener::bind(("127.0.0.1", tls_port)).expect("the port is free");
    listener.set_nonblocking(true).expect("a socket");
    let (end, ended) = oneshot::channel();
    // A thread of its own: the test's runtime may be blocked by a call to this very port.
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).expect("a socket");
            tokio::select! {
                _ = ended => {}
                () = serve(listener, acceptor, plain) => {}
            }
        });
    });
    end
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, plain: u16) {
    while let Ok((socket, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // A client that mistrusts us breaks off; that is what some tests are about.
            let Ok(mut outside) = acceptor.accept(socket).await else { return };
            let Ok(mut inside) = TcpStream::connect(("127.0.0.1", plain)).await else { return };
            tokio::io::copy_bidirectional(&mut outside, &mut inside).await.ok();
        });
    }
}
