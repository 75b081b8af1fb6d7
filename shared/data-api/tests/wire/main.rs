//! The door on the wire, against a loopback server that speaks just enough of the Data API to misbehave on purpose.
#![cfg(test)]

mod answers;
mod environment;
mod faults;
mod requests;
mod server;

use aws_sdk_rdsdata::config::{BehaviorVersion, Credentials, Region};
use backoff::{Deadline, Random, SystemClock};
use data_api::{DataApi, Statement, Target};
use std::time::Duration;

use server::Server;

/// More than any test takes.
const AMPLE: Duration = Duration::from_secs(20);

/// The door to `server`, over the client that production uses.
fn door(server: &Server) -> DataApi<SystemClock> {
    door_to(&server.url)
}

fn door_to(url: &str) -> DataApi<SystemClock> {
    let shared = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-test-1"))
        .endpoint_url(url)
        .credentials_provider(aws_sdk_rdsdata::config::SharedCredentialsProvider::new(Credentials::new(
            "AKIATEST", "key", None, None, "test",
        )))
        .http_client(data_api::http_client())
        .build();
    let target = Target {
        cluster_arn: "arn:aws:rds:eu-test-1:000000000000:cluster:c".to_owned(),
        secret_arn: "arn:aws:secretsmanager:eu-test-1:000000000000:secret:s".to_owned(),
        database: "orderflow".to_owned(),
    };
    DataApi::new(data_api::client(&shared), target, SystemClock, Random::seeded(7))
}

fn soon() -> Deadline {
    Deadline::after(&SystemClock, AMPLE)
}

/// A statement that must not run twice, with a value that must never be shown.
fn once() -> Statement {
    Statement::new("UPDATE t SET a = :a").text("a", "anna-secret")
}

/// One that may.
fn idempotent() -> Statement {
    once().idempotent()
}
