//! The link to a real server with TLS and a password, as in production: whom it speaks to, and as whom.

#![cfg(test)]

use std::time::Duration;

use backoff::{Deadline, SystemClock};
use redis_link::{Fault, Link, RedisSettings, cmd};
use redis_server::{Server, TlsServer};

/// Long enough for a handshake on a busy machine.
const PATIENT: Duration = Duration::from_secs(2);

/// What comes of writing a key over a new link, and of reading it again.
async fn write_and_read(mut settings: RedisSettings) -> Result<i64, Fault> {
    (settings.command_timeout, settings.connect_timeout) = (PATIENT, PATIENT);
    let link = Link::new(settings, SystemClock, "the test goes on without");
    let (deadline, mut calls) = (Deadline::after(&SystemClock, 4 * PATIENT), 0);
    link.call::<()>(cmd("SET").arg("{test}:a").arg(7), deadline, &mut calls).await?;
    link.call(cmd("GET").arg("{test}:a"), deadline, &mut calls).await
}

fn trusting(url: &str, authorities_pem: &[u8]) -> RedisSettings {
    RedisSettings::parse_trusting(url, authorities_pem).unwrap()
}

#[tokio::test]
async fn a_user_is_served_through_tls_as_far_as_its_password_goes() {
    let redis = TlsServer::start("localhost");
    let (name, password) = redis.user();
    for (user, expected) in [
        (Some((name, password)), Ok(7)),
        (Some((name, "wrong-horse")), Err(Fault::Refused)),
        (Some(("nobody", password)), Err(Fault::Refused)),
        (None, Err(Fault::Refused)),
    ] {
        let settings = trusting(&redis.url(user), redis.roots());
        assert_eq!(write_and_read(settings).await, expected, "{user:?}");
    }
    let link = Link::new(trusting(&redis.url(Some(redis.user())), redis.roots()), SystemClock, "none");
    assert_eq!(link.warm_up().await, Ok(()), "within init's patience");
}

#[tokio::test]
async fn only_a_trusted_certificate_for_the_right_name_is_spoken_to() {
    let (redis, other) = (TlsServer::start("localhost"), TlsServer::start("cache.internal"));
    let (url, other_url) = (redis.url(Some(redis.user())), other.url(Some(other.user())));
    let refused = Err(Fault::Lost);
    assert_eq!(write_and_read(trusting(&url, redis.roots())).await, Ok(7));
    assert_eq!(write_and_read(trusting(&url, other.roots())).await, refused, "another authority");
    assert_eq!(write_and_read(trusting(&other_url, other.roots())).await, refused, "another name");
    assert_eq!(write_and_read(RedisSettings::parse(&url).unwrap()).await, refused, "not the machine's");
}

#[tokio::test]
async fn tls_is_never_left_out_on_either_side() {
    let plain = Server::start();
    let redis = TlsServer::start("localhost");
    let url = plain.url().replace("redis://127.0.0.1", "rediss://app:correct-horse@localhost");
    // A server without TLS waits for the end of a line that is none.
    let answer = write_and_read(trusting(&url, redis.roots())).await;
    assert!(matches!(answer, Err(Fault::Lost | Fault::TimedOut)), "{answer:?}");
    let clear = redis.url(Some(redis.user())).replace("rediss:", "redis:");
    let answer = write_and_read(RedisSettings::parse(&clear).unwrap()).await;
    assert!(matches!(answer, Err(Fault::Lost | Fault::TimedOut)), "{answer:?}");
}

#[test]
fn certificates_are_for_tls_only() {
    let redis = TlsServer::start("localhost");
    assert!(RedisSettings::parse_trusting(&redis.plain().url(), redis.roots()).is_err());
}
