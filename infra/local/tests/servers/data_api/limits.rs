//! Limits of size and time.

use super::*;

async fn check_too_large(stack: &Stack, sql: String, expected: (&str, &str)) {
    let failure = stack.sql(&sql).await.unwrap_err();
    assert_eq!(failure.name, expected.0, "{}", failure.message);
    assert!(failure.message.contains(expected.1), "{}", failure.message);
}

#[tokio::test]
async fn sizes_are_limited() {
    let stack = Stack::new().await;
    // A row of 64 KB, a result of 1 MiB, a statement of 65,536 characters; each just within and beyond.
    stack.sql("SELECT repeat('x', 64 * 1024)").await.unwrap();
    let row = "SELECT repeat('x', 64 * 1024 + 1)".to_owned();
    check_too_large(&stack, row, ("UnsupportedResultException", "Packet for query is too large")).await;
    stack.sql("SELECT repeat('x', 32 * 1024) FROM generate_series(1, 32)").await.unwrap();
    let result = "SELECT repeat('x', 32 * 1024) FROM generate_series(1, 33)".to_owned();
    check_too_large(&stack, result, ("BadRequestException", "Database response exceeded size limit")).await;
    let comment = |length: usize| format!("SELECT 1 --{}", "ä".repeat(length - 11));
    stack.sql(&comment(65_536)).await.unwrap();
    check_too_large(&stack, comment(65_537), ("ValidationException", "65536")).await;
}

#[tokio::test]
async fn a_request_is_limited() {
    let stack = Stack::new().await;
    let request = |length: usize| {
        let value = json!({"stringValue": "x".repeat(length)});
        json!({"sql": "SELECT length(:p)", "parameters": [parameter("p", value)]})
    };
    let within = 4 * 1024 * 1024 - 2_000;
    assert_eq!(stack.execute(request(within)).await.unwrap()["records"][0][0]["longValue"], within);
    let failure = stack.execute(request(4 * 1024 * 1024)).await.unwrap_err();
    assert_eq!(failure.status, 413);
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_stopped() {
    let stack =
        Stack::with_limits(Limits { statement: Duration::from_millis(300), ..Limits::default() }).await;
    let begun = clock::now();
    let id = stack.begin().await;
    let failure = stack.within(&id, "SELECT pg_sleep(100)").await.unwrap_err();
    assert_eq!((failure.status, failure.name.as_str()), (400, "StatementTimeoutException"));
    assert!(begun.elapsed() < Duration::from_secs(20));
    let failure = stack.within(&id, "SELECT 1").await.unwrap_err();
    assert!(failure.message.ends_with("SQLState: 25P02"), "{failure:?}");
}

#[tokio::test]
async fn a_statement_may_go_on_after_its_call() {
    let stack =
        Stack::with_limits(Limits { statement: Duration::from_millis(300), ..Limits::default() }).await;
    stack.sql("CREATE TABLE done (id int)").await.unwrap();
    let slow = "INSERT INTO done SELECT 1 FROM (SELECT pg_sleep(0.8)) AS slow";
    let failure = stack.execute(json!({"sql": slow, "continueAfterTimeout": true})).await.unwrap_err();
    assert_eq!(failure.name, "StatementTimeoutException");
    wait_for("the row is there", async || stack.value("SELECT count(*) FROM done").await["longValue"] == 1)
        .await;
}

#[tokio::test]
async fn a_batch_goes_on_when_its_client_goes_away() {
    let stack = Stack::new().await;
    stack.sql("CREATE TABLE done (id bigint)").await.unwrap();
    let sets: Vec<_> = (1..=3).map(|id| json!([parameter("id", json!({"longValue": id}))])).collect();
    let slow = "INSERT INTO done SELECT :id FROM (SELECT pg_sleep(0.2)) AS slow";
    let batch = stack.call("/BatchExecute", json!({"sql": slow, "parameterSets": sets}));
    assert!(tokio::time::timeout(Duration::from_millis(100), batch).await.is_err());
    wait_for("all rows are there", async || stack.value("SELECT count(*) FROM done").await["longValue"] == 3)
        .await;
}

#[tokio::test]
async fn the_users_own_limits_are_sql_errors() {
    let stack = Stack::new().await;
    let set = format!("ALTER DATABASE \"{}\" SET statement_timeout = '200ms'", stack.database);
    stack.sql(&set).await.unwrap();
    let failure = stack.sql("SELECT pg_sleep(100)").await.unwrap_err();
    assert_eq!(failure.name, "DatabaseErrorException");
    assert!(
        failure.message.ends_with("canceling statement due to statement timeout; SQLState: 57014"),
        "{failure:?}"
    );
}
