//! A wire to Redis that can be made slow.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backoff::{Clock, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Forwards to a server and holds each of its answers back. Ends with the test's runtime.
pub(crate) struct Proxy {
    address: SocketAddr,
    delay_ms: Arc<AtomicU64>,
}

impl Proxy {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let delay_ms = Arc::new(AtomicU64::new(0));
        let delays = Arc::clone(&delay_ms);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server =
                    TcpStream::connect(("127.0.0.1", port)).await.expect("the server behind the proxy");
                tokio::spawn(forward(client, server, Arc::clone(&delays)));
            }
        });
        Self { address, delay_ms }
    }

    /// From now on each answer comes this much later, those under way included.
    pub(crate) fn delay(&self, delay: Duration) {
        let delay_ms = u64::try_from(delay.as_millis()).expect("a short delay");
        self.delay_ms.store(delay_ms, Ordering::SeqCst);
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }
}

async fn forward(client: TcpStream, server: TcpStream, delay_ms: Arc<AtomicU64>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let requests = tokio::io::copy(&mut from_client, &mut to_server);
    let answers = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let length = from_server.read(&mut buffer).await?;
            if length == 0 {
                return to_client.shutdown().await;
            }
            SystemClock.sleep(Duration::from_millis(delay_ms.load(Ordering::SeqCst))).await;
            to_client.write_all(&buffer[..length]).await?;
        }
    };
    // Either side hanging up ends both.
    tokio::select! {
        _ = requests => {}
        _ = answers => {}
    }
}
