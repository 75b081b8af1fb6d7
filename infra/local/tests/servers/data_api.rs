//! The Data API over a real PostgreSQL, spoken to as an SDK speaks to it: JSON over HTTP.

use std::{collections::BTreeMap, time::Duration};

use local_cloud::{
    clock,
    data_api::{self, Credentials, DataApi, DataApiOptions, Fault, FaultKind, Limits},
};
use serde_json::{Value, json};

use crate::{
    http::{Client, Failure},
    shared,
    support::wait_for,
};

mod errors;
mod faults;
mod limits;
mod results;
mod secrets;
mod transactions;

const CLUSTER: &str = "arn:aws:rds:eu-central-1:000000000000:cluster:test";
const SECRET: &str = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:admin";

/// A Data API on the shared PostgreSQL, and a database of its own.
struct Stack {
    api: DataApi,
    client: Client,
    database: String,
}

impl Stack {
    async fn new() -> Self {
        Self::with_limits(Limits::default()).await
    }

    async fn with_limits(limits: Limits) -> Self {
        let (admin, database) = shared::database().await;
        let password = String::from_utf8(admin.get_password().unwrap().to_vec()).unwrap();
        let credentials = Credentials { user: admin.get_user().unwrap().to_owned(), password };
        let options = DataApiOptions {
            port: 0,
            server: admin,
            cluster_arn: CLUSTER.to_owned(),
            secrets: BTreeMap::from([(SECRET.to_owned(), credentials)]),
            secrets_manager: None,
            rtt: Duration::ZERO,
            limits,
        };
        let api = data_api::start(options).await.unwrap();
        let client = Client::new(&api.url());
        Self { api, client, database }
    }

    /// Any operation, with the three names that every request has.
    async fn call(&self, path: &str, mut request: Value) -> Result<Value, Failure> {
        for (name, value) in [("resourceArn", CLUSTER), ("secretArn", SECRET), ("database", &*self.database)]
        {
            let request = request.as_object_mut().unwrap();
            request.entry(name).or_insert_with(|| value.into());
        }
        self.client.post(path, &request).await
    }

    async fn execute(&self, request: Value) -> Result<Value, Failure> {
        self.call("/Execute", request).await
    }

    async fn sql(&self, sql: &str) -> Result<Value, Failure> {
        self.execute(json!({"sql": sql})).await
    }

    /// The first value of the first row.
    async fn value(&self, sql: &str) -> Value {
        self.sql(sql).await.unwrap()["records"][0][0].clone()
    }

    async fn begin(&self) -> String {
        let begun = self.call("/BeginTransaction", json!({})).await.unwrap();
        begun["transactionId"].as_str().unwrap().to_owned()
    }

    /// A statement in a transaction.
    async fn within(&self, id: &str, sql: &str) -> Result<Value, Failure> {
        self.execute(json!({"sql": sql, "transactionId": id})).await
    }

    async fn commit(&self, id: &str) -> Result<Value, Failure> {
        self.call("/CommitTransaction", json!({"transactionId": id})).await
    }
}

/// A named parameter.
fn parameter(name: &str, value: Value) -> Value {
    json!({"name": name, "value": value})
}

#[tokio::test]
async fn statements_run_and_their_parameters_are_named() {
    let stack = Stack::new().await;
    stack.sql("CREATE TABLE meals (sku text PRIMARY KEY, price bigint)").await.unwrap();
    let parameters = json!([
        parameter("sku", json!({"stringValue": "soup"})),
        parameter("price", json!({"longValue": 490})),
        parameter("unused", json!({"isNull": true})),
    ]);
    let insert = json!({"sql": "INSERT INTO meals VALUES (:sku, :price)", "parameters": parameters});
    let inserted = stack.execute(insert).await.unwrap();
    assert_eq!(inserted, json!({"generatedFields": [], "numberOfRecordsUpdated": 1}));

    let select = "SELECT sku, price, ':sku' AS text FROM meals WHERE sku = :sku -- :nothing";
    let selected = stack.execute(json!({"sql": select, "parameters": parameters})).await.unwrap();
    let row = json!([{"stringValue": "soup"}, {"longValue": 490}, {"stringValue": ":sku"}]);
    assert_eq!(selected, json!({"generatedFields": [], "numberOfRecordsUpdated": 0, "records": [row]}));
}

#[tokio::test]
async fn a_batch_runs_once_for_every_set() {
    let stack = Stack::new().await;
    stack.sql("CREATE TABLE meals (sku text PRIMARY KEY)").await.unwrap();
    let set = |sku| json!([parameter("sku", json!({"stringValue": sku}))]);
    let batch = |sets| json!({"sql": "INSERT INTO meals VALUES (:sku)", "parameterSets": sets});
    let done = stack.call("/BatchExecute", batch(json!([set("a"), set("b")]))).await.unwrap();
    assert_eq!(done, json!({"updateResults": [{"generatedFields": []}, {"generatedFields": []}]}));
    assert_eq!(stack.call("/BatchExecute", batch(json!([]))).await.unwrap(), json!({"updateResults": []}));

    let failure =
        stack.call("/BatchExecute", batch(json!([set("c"), set("a"), set("d")]))).await.unwrap_err();
    assert!(failure.message.ends_with("SQLState: 23505"), "{failure:?}");
    assert_eq!(
        stack.value("SELECT string_agg(sku, ',' ORDER BY sku) FROM meals").await["stringValue"],
        "a,b,c"
    );
}

#[tokio::test]
async fn a_change_of_the_schema_does_not_break_prepared_statements() {
    let stack = Stack::new().await;
    stack.sql("CREATE TABLE meals (sku text)").await.unwrap();
    stack.sql("INSERT INTO meals VALUES ('soup')").await.unwrap();
    stack.sql("SELECT * FROM meals").await.unwrap();
    stack.sql("ALTER TABLE meals ADD price int").await.unwrap();
    assert_eq!(stack.sql("SELECT * FROM meals").await.unwrap()["records"][0].as_array().unwrap().len(), 2);

    // The same change behind the Data API's back.
    let admin = shared::connect(&stack.database).await;
    admin.batch_execute("ALTER TABLE meals ADD weight int").await.unwrap();
    assert_eq!(stack.sql("SELECT * FROM meals").await.unwrap()["records"][0].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_session_keeps_nothing_from_one_call_to_the_next() {
    let stack = Stack::new().await;
    stack.sql("SET application_name = 'left behind'").await.unwrap();
    stack.sql("CREATE TEMPORARY TABLE scratch ()").await.unwrap();
    assert_eq!(stack.value("SHOW application_name").await["stringValue"], "rds-data-api");
    assert_eq!(stack.value("SELECT to_regclass('scratch') IS NULL").await["booleanValue"], true);
}

#[tokio::test]
async fn calls_are_counted_by_caller_and_operation() {
    let stack = Stack::new().await;
    let client = stack.client.signing_as(local_cloud::caller::access_key_id("process-orders"));
    client.post("/Execute", &json!({})).await.unwrap_err();
    client.post("/Execute", &json!({})).await.unwrap_err();
    let id = stack.begin().await;
    stack.commit(&id).await.unwrap();
    let counted = serde_json::to_value(stack.api.counts()).unwrap();
    let ours = json!({"ExecuteStatement": 2});
    let others = json!({"BeginTransaction": 1, "CommitTransaction": 1});
    assert_eq!(counted, json!({"process-orders": ours, "other": others}));
}

#[tokio::test]
async fn many_callers_at_once_are_all_served() {
    let stack = Stack::new().await;
    stack.sql("CREATE TABLE counter AS SELECT 0 AS value").await.unwrap();
    let calls = (0..100).map(|_| stack.sql("UPDATE counter SET value = value + 1"));
    futures_util::future::try_join_all(calls).await.unwrap();
    assert_eq!(stack.value("SELECT value FROM counter").await["longValue"], 100);
    assert_eq!(stack.api.status().in_flight, 0);
}
