//! What a step leaves in logs, errors and debugging output: names and ids, never the key or what the provider wrote.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use payments::LookUps;

use crate::server::{Reply, Server};
use crate::{authorize, capture, door, id, intent, ok, send, short, soon};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_secret_is_logged_or_shown() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .without_time()
        .with_writer(move || writer.clone())
        .finish();
    // While only one subscriber exists, tracing asks whichever thread reaches a line first whether anybody listens, and
    // remembers a no from another test's thread. With a second one it asks both.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::default());
    let _guard = tracing::subscriber::set_default(subscriber);

    let replies = [
        ok(intent("requires_capture")),
        Reply::code(401, "x"),
        Reply::Half,
        Reply::Garbage,
        Reply::Hang,
        Reply::refusal(402, "\"type\":\"card_error\",\"code\":\"canary words\""),
        Reply::with(302, "location: https://canary.example", "canary"),
    ];
    let server = Server::start(replies);
    let door = door(&server).with_timeouts(short());
    let mut shown = format!("{door:?}");
    for request in [authorize(), capture(), authorize(), authorize(), authorize()] {
        shown += &format!("{:?}", send(&door, request).await);
    }
    shown += &format!("{:?}", door.read(&id("pi_1"), soon()).await);
    shown += &format!("{:?}", door.take_counts());
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("ord_1") && logged.contains("req_1"), "attempts are logged:\n{logged}");
    for secret in ["correct-horse", "Bearer", "canary", "cus_x", "pm_card", "4970", "client_secret"] {
        assert!(!logged.contains(secret), "{secret} in:\n{logged}");
        assert!(!shown.contains(secret), "{secret} in:\n{shown}");
    }
}
