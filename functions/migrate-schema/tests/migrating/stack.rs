//! A database with its two users, a local Data API before it, and the migrations' own way to it.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_rdsdata::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use backoff::{Deadline, Random, SystemClock};
use data_api::{DataApi, Target};
use local_cloud::data_api as server;
use migrate_schema::flow::{Error, Report, Task, run};
use order_store::Migration;
use tokio_postgres::Client;

use crate::lossy::Lossy;
use crate::postgres::{Database, empty_database};

const CLUSTER: &str = "arn:aws:rds:eu-central-1:000000000000:cluster:test";
const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:migrator";

/// More than any run takes, on a busy machine too.
const AMPLE: Duration = Duration::from_secs(120);

pub(crate) struct Stack {
    pub(crate) door: DataApi<SystemClock>,
    pub(crate) owner: Client,
    pub(crate) wire: Lossy,
    server: server::DataApi,
}

impl Stack {
    pub(crate) async fn new() -> Self {
        let database = empty_database().await;
        let server = server::start(options(&database)).await.unwrap();
        let wire = Lossy::new(data_api::http_client());
        let shared = aws_config::SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new("eu-central-1"))
            .endpoint_url(server.url())
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "AKIATEST", "key", None, None, "test",
            )))
            .http_client(wire.clone())
            .build();
        let (cluster_arn, secret_arn) = (CLUSTER.to_owned(), SECRET.to_owned());
        let target = Target { cluster_arn, secret_arn, database: database.name().to_owned() };
        let door = DataApi::new(data_api::client(&shared), target, SystemClock, Random::seeded(7));
        Self { door, owner: database.owner().await, wire, server }
    }

    pub(crate) async fn run(&self, migrations: &'static [Migration], task: Task) -> Result<Report, Error> {
        run_within(&self.door, AMPLE, migrations, task).await
    }

    /// Transactions that nobody has ended.
    pub(crate) fn open_transactions(&self) -> u64 {
        self.server.status().open_transactions
    }
}

/// A run that has so much time.
pub(crate) async fn run_within(
    door: &DataApi<SystemClock>,
    time: Duration,
    migrations: &'static [Migration],
    task: Task,
) -> Result<Report, Error> {
    let deadline = Deadline::after(&SystemClock, time);
    run((door, &SystemClock, &Random::seeded(7)), migrations, task, deadline).await
}

fn options(database: &Database) -> server::DataApiOptions {
    let credentials = server::Credentials { user: "orderflow_migrator".to_owned(), password: "m".to_owned() };
    server::DataApiOptions {
        port: 0,
        server: database.server(),
        cluster_arn: CLUSTER.to_owned(),
        secrets: BTreeMap::from([(SECRET.to_owned(), credentials)]),
        secrets_manager: None,
        rtt: Duration::ZERO,
        // A lost rollback leaves its lock until the transaction has been idle for long enough.
        limits: server::Limits { transaction_idle: Duration::from_millis(500), ..server::Limits::default() },
    }
}
