//! What trouble leaves in the log: that there is trouble, once in a while; never what was asked, found or sent.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{COOL_DOWN_OVER, SNAPSHOT_OVER, World, key};

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no writer panics").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no writer panics").clone()).expect("text")
    }

    fn count(&self, what: &str) -> usize {
        self.text().matches(what).count()
    }
}

#[tokio::test]
async fn trouble_is_logged_without_names_values_addresses_or_passwords() {
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

    let mut world = World::new();
    world.redis.ask::<i64>(&[b"RPUSH", key("kit-1").as_bytes(), b"canary"]);
    let process = world.warm_process().await;
    world.look_up_right(&process, &["kit-1", "kit-2"]).await;
    world.redis.ask::<String>(&[b"CONFIG", b"SET", b"requirepass", b"correct-horse"]);
    let stranger = world.process_at(&format!("redis://:wrong-horse@127.0.0.1:{}", world.redis.port()));
    stranger.warm_up().await;
    world.redis.kill();
    world.table.set_down(true);
    for _ in 0..3 {
        world.clock.advance(COOL_DOWN_OVER);
        world.look_up(&process, &["kit-1"]).await;
    }
    for secret in ["kit-", "canary", "horse", "EUR", "127.0.0.1", &world.redis.port().to_string()] {
        assert_eq!(log.count(secret), 0, "{secret} in:\n{}", log.text());
    }
    assert_eq!(
        log.count("past Redis"),
        2,
        "once each for the two processes, in ten seconds:\n{}",
        log.text()
    );
    assert_eq!(log.count("could not be read"), 3, "each failed read:\n{}", log.text());
    world.clock.advance(Duration::from_secs(10) + SNAPSHOT_OVER);
    world.look_up(&process, &["kit-1"]).await;
    assert_eq!(log.count("past Redis"), 3, "ten seconds later again");
}
