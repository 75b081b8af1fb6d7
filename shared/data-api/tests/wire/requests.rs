//! What the door sends.

use data_api::{Statement, Transaction};
use serde_json::{Value, json};

use crate::server::{Reply, Server};
use crate::{door, idempotent, once, soon};

/// The one request that `statement` makes, without what every request has.
async fn body_of(statement: Statement) -> Value {
    let server = Server::start([Reply::changed(1)]);
    door(&server).execute(statement, soon()).await.unwrap();
    let request = server.requests().pop().unwrap();
    assert_eq!(request.path, "/Execute");
    let Value::Object(mut body) = request.body else { panic!("no object") };
    assert_eq!(body.remove("resourceArn"), Some(json!("arn:aws:rds:eu-test-1:000000000000:cluster:c")));
    assert_eq!(
        body.remove("secretArn"),
        Some(json!("arn:aws:secretsmanager:eu-test-1:000000000000:secret:s"))
    );
    assert_eq!(body.remove("database"), Some(json!("orderflow")));
    Value::Object(body)
}

#[tokio::test]
async fn parameters_travel_by_name_with_their_types() {
    let statement = Statement::new("SELECT :t, :l, :b, :u, :j, :n")
        .text("t", "it's; --")
        .long("l", i64::MIN)
        .bool("b", true)
        .uuid("u", "7b0e…")
        .json("j", "{}")
        .null("n");
    assert_eq!(
        body_of(statement).await,
        json!({"sql": "SELECT :t, :l, :b, :u, :j, :n", "parameters": [
            {"name": "t", "value": {"stringValue": "it's; --"}},
            {"name": "l", "value": {"longValue": i64::MIN}},
            {"name": "b", "value": {"booleanValue": true}},
            {"name": "u", "value": {"stringValue": "7b0e…"}, "typeHint": "UUID"},
            {"name": "j", "value": {"stringValue": "{}"}, "typeHint": "JSON"},
            {"name": "n", "value": {"isNull": true}}]})
    );
}

#[tokio::test]
async fn a_migration_may_run_past_the_services_time_and_others_do_not_ask() {
    let body = body_of(Statement::new("CREATE INDEX i ON t (a)").runs_past_timeout()).await;
    assert_eq!(
        body,
        json!({"sql": "CREATE INDEX i ON t (a)", "parameters": [], "continueAfterTimeout": true})
    );
}

#[tokio::test]
async fn a_query_asks_for_json_and_is_signed_for_the_service() {
    let server = Server::start([Reply::rows(&json!([]))]);
    door(&server).query::<Value>(Statement::new("SELECT 1"), soon()).await.unwrap();
    let request = &server.requests()[0];
    assert_eq!(request.body["formatRecordsAs"], "JSON");
    assert!(
        request.authorization.contains("Credential=AKIATEST/")
            && request.authorization.contains("/eu-test-1/rds-data/")
    );
}

#[tokio::test]
async fn a_transaction_names_itself_in_every_call() {
    let begun = Reply::Answer(200, json!({"transactionId": "tx-1"}).to_string());
    let ended = || Reply::Answer(200, json!({"transactionStatus": "Done"}).to_string());
    let replies =
        [begun.clone(), Reply::changed(1), Reply::rows(&json!([{"n": 1}])), ended(), begun, ended()];
    let server = Server::start(replies);
    let door = door(&server);

    let transaction: Transaction = door.begin(soon()).await.unwrap();
    assert_eq!(door.execute_in(&transaction, once(), soon()).await.unwrap(), 1);
    assert_eq!(door.query_in::<Value>(&transaction, once(), soon()).await.unwrap(), [json!({"n": 1})]);
    door.commit(transaction, soon()).await.unwrap();
    let transaction = door.begin(soon()).await.unwrap();
    door.rollback(transaction, soon()).await.unwrap();

    let requests = server.requests();
    let paths: Vec<&str> = requests.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/BeginTransaction",
            "/Execute",
            "/Execute",
            "/CommitTransaction",
            "/BeginTransaction",
            "/RollbackTransaction"
        ]
    );
    for at in [1, 2, 3, 5] {
        assert_eq!(requests[at].body["transactionId"], "tx-1", "{}", paths[at]);
    }
    assert_eq!(door.take_counts().calls, 6);
}

#[tokio::test]
async fn calls_share_the_connection_that_warming_up_opened_and_clones_share_the_count() {
    let server = Server::start([Reply::changed(0), Reply::changed(1), Reply::changed(2)]);
    let door = door(&server);
    door.warm_up().await.unwrap();
    door.clone().execute(idempotent(), soon()).await.unwrap();
    // Another limit, the same pool.
    let patient = door.clone().with_attempt_timeout(std::time::Duration::from_secs(45));
    patient.execute(once(), soon()).await.unwrap();
    assert!(server.requests().iter().all(|request| request.connection == 0));
    assert_eq!(server.requests()[0].body["sql"], "SELECT 1");
    let counts = door.take_counts();
    assert_eq!((counts.calls, counts.retries), (3, 0));
}
