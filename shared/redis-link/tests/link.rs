//! The link against a real server: scripts that the server forgets, pipelines, and what is skipped. How it behaves
//! when Redis is down, frozen, slow or full is tested through the catalog, which is built on it.

#![cfg(test)]

use std::time::Duration;

use backoff::{Deadline, ManualClock};
use redis_link::{Fault, Link, RedisSettings, Script, pipe};
use redis_server::Server;

const PATIENT: Duration = Duration::from_secs(2);

struct World {
    redis: Server,
    clock: ManualClock,
    link: Link<ManualClock>,
}

impl World {
    fn new() -> Self {
        let redis = Server::start();
        let mut settings = RedisSettings::parse(&redis.url()).unwrap();
        settings.command_timeout = PATIENT;
        settings.connect_timeout = PATIENT;
        let clock = ManualClock::at_ms(1_000);
        let link = Link::new(settings, clock.clone(), "the test goes on without");
        Self { redis, clock, link }
    }

    fn deadline(&self) -> Deadline {
        Deadline::after(&self.clock, Duration::from_secs(60))
    }

    /// What the script `counter` answers, and how many commands that took.
    async fn count(&self, script: &Script) -> (Result<i64, Fault>, u64) {
        let mut calls = 0;
        let call = script.call(&["{test}:n"], vec!["2".to_owned()]);
        let answer = self.link.run(&call, self.deadline(), &mut calls).await;
        (answer, calls)
    }
}

fn counter() -> Script {
    Script::new("return redis.call('INCRBY', KEYS[1], ARGV[1])")
}

#[tokio::test]
async fn a_script_is_loaded_once_and_again_whenever_the_server_has_forgotten_it() {
    let (mut world, script) = (World::new(), counter());
    assert_eq!(world.count(&script).await, (Ok(2), 2), "unknown, so sent whole");
    assert_eq!(world.count(&script).await, (Ok(4), 1), "known");
    world.redis.ask::<String>(&[b"SCRIPT", b"FLUSH"]);
    assert_eq!(world.count(&script).await, (Ok(6), 2), "flushed");
    world.redis.kill();
    world.redis.start_again();
    assert_eq!(world.count(&script).await.0, Err(Fault::Lost), "the connection is gone");
    world.clock.advance(Duration::from_millis(250));
    assert_eq!(world.count(&script).await, (Ok(2), 2), "restarted empty");
}

#[tokio::test]
async fn a_script_that_fails_leaves_the_connection_open() {
    let (world, script) = (World::new(), counter());
    world.redis.ask::<String>(&[b"SET", b"{test}:n", b"no number"]);
    assert_eq!(world.count(&script).await.0, Err(Fault::Refused));
    assert_eq!(world.count(&script).await, (Err(Fault::Refused), 1), "no cool-down, and the script is known");
}

#[tokio::test]
async fn a_pipeline_is_one_round_trip() {
    let (world, mut calls) = (World::new(), 0);
    let mut commands = pipe();
    commands.cmd("SET").arg("{test}:a").arg(7).ignore().cmd("GET").arg("{test}:a");
    let answer: Result<(i64,), Fault> = world.link.call_all(&commands, world.deadline(), &mut calls).await;
    assert_eq!((answer, calls), (Ok((7,)), 1));
}

#[tokio::test]
async fn without_time_for_a_command_nothing_is_sent() {
    let (world, script) = (World::new(), counter());
    let mut calls = 0;
    let call = script.call(&["{test}:n"], vec!["2".to_owned()]);
    let passed = Deadline::after(&world.clock, PATIENT - Duration::from_millis(1));
    let answer: Result<i64, Fault> = world.link.run(&call, passed, &mut calls).await;
    assert_eq!((answer, calls), (Err(Fault::Skipped), 0));
}
