//! Transactions: kept apart, ended once, and never kept waiting.

use super::*;

#[tokio::test]
async fn a_transaction_is_seen_when_it_is_committed() {
    let stack = Stack::new().await;
    stack.sql("CREATE TABLE meals (sku text)").await.unwrap();
    let count = async || stack.value("SELECT count(*) FROM meals").await["longValue"].clone();
    let id = stack.begin().await;
    stack.within(&id, "INSERT INTO meals VALUES ('soup')").await.unwrap();
    assert_eq!((count().await, stack.api.status().open_transactions), (json!(0), 1));
    assert_eq!(stack.commit(&id).await.unwrap(), json!({"transactionStatus": "Transaction Committed"}));
    assert_eq!((count().await, stack.api.status().open_transactions), (json!(1), 0));

    let id = stack.begin().await;
    stack.within(&id, "DELETE FROM meals").await.unwrap();
    let rolled_back = stack.call("/RollbackTransaction", json!({"transactionId": id})).await.unwrap();
    assert_eq!(rolled_back, json!({"transactionStatus": "Rollback Complete"}));
    assert_eq!(count().await, 1);
}

async fn check_gone(stack: &Stack, id: &str, reason: &str) {
    let statement = stack.within(id, "SELECT 1").await.unwrap_err();
    let commit = stack.commit(id).await.unwrap_err();
    for failure in [statement, commit] {
        assert_eq!((failure.status, failure.name.as_str()), (404, "TransactionNotFoundException"));
        assert!(failure.message.contains(reason), "{failure:?}");
    }
}

#[tokio::test]
async fn a_transaction_that_is_gone_says_why() {
    let stack = Stack::new().await;
    check_gone(&stack, "never", "Transaction may be expired").await;
    let id = stack.begin().await;
    stack.commit(&id).await.unwrap();
    check_gone(&stack, &id, "One previous call resulted in a termination").await;
    let id = stack.begin().await;
    stack.within(&id, "SELECT repeat('x', 60000) FROM generate_series(1, 20)").await.unwrap_err();
    check_gone(&stack, &id, "aborted due to an error from a previous call").await;
}

#[tokio::test]
async fn a_second_statement_at_a_time_is_refused_at_once() {
    let stack = Stack::new().await;
    let running = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND state = 'active' AND query = 'SELECT pg_sleep(1)'";
    let id = stack.begin().await;
    let slow = stack.within(&id, "SELECT pg_sleep(1)");
    let others = async {
        wait_for("the first runs", async || stack.value(running).await["longValue"] == 1).await;
        for refused in [stack.within(&id, "SELECT 2").await, stack.commit(&id).await] {
            let failure = refused.unwrap_err();
            let refusal = ("DatabaseErrorException", "Transaction is still running a query");
            assert_eq!((failure.name.as_str(), failure.message.as_str()), refusal);
        }
    };
    let (first, ()) = tokio::join!(slow, others);
    first.unwrap();
    stack.commit(&id).await.unwrap();
}

#[tokio::test]
async fn a_failed_transaction_is_rolled_back_whatever_its_end_is_called() {
    let stack = Stack::new().await;
    stack.sql("CREATE TABLE meals (sku text)").await.unwrap();
    let id = stack.begin().await;
    stack.within(&id, "INSERT INTO meals VALUES ('soup')").await.unwrap();
    stack.within(&id, "SELECT 1 / 0").await.unwrap_err();
    let failure = stack.within(&id, "SELECT 1").await.unwrap_err();
    assert!(failure.message.ends_with("SQLState: 25P02"), "{failure:?}");
    // As Aurora does.
    assert_eq!(stack.commit(&id).await.unwrap(), json!({"transactionStatus": "Transaction Committed"}));
    assert_eq!(stack.value("SELECT count(*) FROM meals").await["longValue"], 0);
}

#[tokio::test]
async fn an_idle_transaction_is_rolled_back_and_its_locks_are_freed() {
    let limits = Limits { transaction_idle: Duration::from_millis(300), ..Limits::default() };
    let stack = Stack::with_limits(limits).await;
    stack.sql("CREATE TABLE counter AS SELECT 0 AS value").await.unwrap();
    let id = stack.begin().await;
    stack.within(&id, "UPDATE counter SET value = 7").await.unwrap();
    // Waits for the row lock of the idle transaction.
    stack.sql("UPDATE counter SET value = value + 1").await.unwrap();
    assert_eq!(stack.value("SELECT value FROM counter").await["longValue"], 1);
    check_gone(&stack, &id, "Transaction may be expired").await;
}

#[tokio::test]
async fn a_transaction_at_work_is_not_idle_but_does_not_live_for_ever() {
    let idle = Duration::from_millis(300);
    let stack = Stack::with_limits(Limits { transaction_idle: idle, ..Limits::default() }).await;
    let id = stack.begin().await;
    stack.within(&id, "SELECT pg_sleep(1)").await.unwrap();
    stack.commit(&id).await.unwrap();

    let stack = Stack::with_limits(Limits { transaction_life: idle, ..Limits::default() }).await;
    let id = stack.begin().await;
    wait_for("its life is over", async || stack.within(&id, "SELECT 1").await.is_err()).await;
    check_gone(&stack, &id, "Transaction may be expired").await;
}

#[tokio::test]
async fn a_transaction_stays_in_its_database() {
    let stack = Stack::new().await;
    let id = stack.begin().await;
    let elsewhere = json!({"sql": "SELECT 1", "transactionId": id, "database": "postgres"});
    assert_eq!(stack.execute(elsewhere).await.unwrap_err().name, "BadRequestException");
    stack.commit(&id).await.unwrap();
}
