//! Where Redis is and how long it may take.

use std::fmt;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionInfo, IntoConnectionInfo, RedisResult, TlsCertificates};
use thiserror::Error;

/// How long one command may take: 20 times a slow round trip within a region, and little enough that an order whose
/// look-up meets a frozen Redis is still accepted within 100 ms.
const COMMAND_TIMEOUT: Duration = Duration::from_millis(30);

/// How long a command may spend on opening a connection, TLS and password included (5 to 20 ms on a small function).
const CONNECT_TIMEOUT: Duration = Duration::from_millis(40);

/// The URL in the settings cannot be used. It is not repeated here: it may hold a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the Redis URL cannot be used; write redis://HOST:PORT or rediss://USER:PASSWORD@HOST:PORT")]
pub struct BadUrl;

/// Where Redis is, and how long it may take. Its `Debug` shows no URL.
#[derive(Clone)]
pub struct RedisSettings {
    pub(crate) client: Client,
    /// The most that one command may take; 20 to 50 ms are sensible. Default: 30 ms.
    pub command_timeout: Duration,
    /// The most that opening a connection may take for a command; twice that after a failure. Default: 40 ms.
    pub connect_timeout: Duration,
}

impl RedisSettings {
    /// Parses `redis://HOST:PORT` or, with TLS, `rediss://USER:PASSWORD@HOST:PORT`. With TLS the server needs a
    /// certificate for this host that the machine trusts (its own store, or the file that `SSL_CERT_FILE` names).
    ///
    /// # Errors
    /// [`BadUrl`] if the text is no such URL.
    pub fn parse(url: &str) -> Result<Self, BadUrl> {
        Self::new(url, Client::open)
    }

    /// As [`RedisSettings::parse`], for a server with TLS whose certificate only these authorities, as PEM, vouch for:
    /// the machine's own are not asked.
    ///
    /// # Errors
    /// [`BadUrl`] if the text is no such URL, or has no TLS.
    pub fn parse_trusting(url: &str, authorities_pem: &[u8]) -> Result<Self, BadUrl> {
        let root_cert = Some(authorities_pem.to_vec());
        Self::new(url, |info| Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert }))
    }

    fn new(url: &str, open: impl FnOnce(ConnectionInfo) -> RedisResult<Client>) -> Result<Self, BadUrl> {
        let client = url.into_connection_info().and_then(|info| open(tuned(info)));
        let client = client.ok().ok_or(BadUrl)?;
        Ok(Self { client, command_timeout: COMMAND_TIMEOUT, connect_timeout: CONNECT_TIMEOUT })
    }
}

/// Turns `TCP_NODELAY` on, which redis 1.8 leaves off: a command that spans two segments would otherwise wait for the
/// server's delayed acknowledgement, 40 ms and longer than our timeout.
fn tuned(info: ConnectionInfo) -> ConnectionInfo {
    let tcp = TcpSettings::default().set_nodelay(true);
    info.set_tcp_settings(tcp)
}

impl fmt::Debug for RedisSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSettings")
            .field("command_timeout", &self.command_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{BadUrl, RedisSettings};

    const SECRET: &str = "correct-horse";

    #[track_caller]
    fn accepts(url: &str, tls: bool, password: Option<&str>) {
        let settings = RedisSettings::parse(url).expect("a usable URL");
        let info = settings.client.get_connection_info();
        assert_eq!(matches!(info.addr(), redis::ConnectionAddr::TcpTls { insecure: false, .. }), tls);
        assert_eq!(info.redis_settings().password(), password);
        assert!(info.tcp_settings().nodelay(), "TCP_NODELAY is on");
        assert!(!format!("{settings:?}").contains(SECRET));
    }

    #[track_caller]
    fn refuses(url: &str) {
        let error = RedisSettings::parse(url).expect_err("no usable URL");
        assert_eq!(error, BadUrl);
        assert!(!format!("{error} {error:?}").contains(SECRET));
    }

    #[test]
    fn urls_with_and_without_tls_and_password_are_accepted_and_never_shown() {
        accepts("redis://127.0.0.1:6379", false, None);
        accepts("redis://:correct-horse@cache.internal:6379/0", false, Some(SECRET));
        accepts("rediss://app:correct-horse@cache.internal:6379", true, Some(SECRET));
    }

    #[test]
    fn what_is_no_redis_url_is_refused_without_repeating_it() {
        refuses("");
        refuses("cache.internal:6379");
        refuses("http://app:correct-horse@cache.internal:6379");
        refuses("redis://app:correct-horse@:notaport");
    }
}
