//! Injected failures and round trips.

use super::*;

fn fault(kind: FaultKind, times: u64, sql_contains: Option<&str>) -> Fault {
    Fault { kind, times, sql_contains: sql_contains.map(str::to_owned) }
}

async fn counter(stack: &Stack) -> Value {
    stack.value("SELECT value FROM counter").await["longValue"].clone()
}

const INCREMENT: &str = "UPDATE counter SET value = value + 1";

#[tokio::test]
async fn a_dropped_answer_has_committed_and_a_dropped_request_has_not() {
    let stack = Stack::new().await;
    stack.sql("CREATE TABLE counter AS SELECT 0 AS value").await.unwrap();
    for (kind, expected) in [(FaultKind::DropAfterCommit, 1), (FaultKind::DropBefore, 1)] {
        stack.api.inject(vec![fault(kind, 1, Some("counter SET"))]);
        let failure = stack.sql(INCREMENT).await.unwrap_err();
        assert_eq!(failure.status, 0, "no answer at all: {failure:?}");
        assert_eq!(counter(&stack).await, expected, "{kind:?}");
    }
    stack.sql(INCREMENT).await.unwrap();
    assert_eq!(counter(&stack).await, 2);
}

#[tokio::test]
async fn a_commit_may_lose_its_answer_too() {
    let stack = Stack::new().await;
    stack.sql("CREATE TABLE counter AS SELECT 0 AS value").await.unwrap();
    let id = stack.begin().await;
    stack.within(&id, INCREMENT).await.unwrap();
    stack.api.inject(vec![fault(FaultKind::DropAfterCommit, 1, None)]);
    assert_eq!(stack.commit(&id).await.unwrap_err().status, 0);
    let again = stack.commit(&id).await.unwrap_err();
    assert!(
        again.message.contains("One previous call resulted in a termination of your transaction"),
        "{again:?}"
    );
    assert_eq!(counter(&stack).await, 1);
}

#[tokio::test]
async fn every_error_of_the_service_can_be_had() {
    let stack = Stack::new().await;
    for (kind, status, name) in [
        (FaultKind::Throttle, 400, "ThrottlingException"),
        (FaultKind::Resuming, 400, "DatabaseResumingException"),
        (FaultKind::Unavailable, 504, "DatabaseUnavailableException"),
        (FaultKind::Internal, 500, "InternalServerErrorException"),
    ] {
        stack.api.inject(vec![fault(kind, 1, None)]);
        let failure = stack.sql("SELECT 1").await.unwrap_err();
        assert_eq!((failure.status, failure.name.as_str()), (status, name));
        stack.sql("SELECT 1").await.unwrap();
    }
}

#[tokio::test]
async fn a_hanging_call_is_in_flight_until_its_client_gives_up() {
    let stack = Stack::new().await;
    stack.api.inject(vec![fault(FaultKind::Hang, 1, None)]);
    let hanging = stack.sql("SELECT 1");
    let gave_up = tokio::time::timeout(Duration::from_millis(100), hanging).await;
    assert!(gave_up.is_err());
    wait_for("nothing is in flight", async || stack.api.status().in_flight == 0).await;
    stack.sql("SELECT 1").await.unwrap();
}

#[tokio::test]
async fn every_call_pays_the_round_trip() {
    let stack = Stack::new().await;
    stack.sql("SELECT 1").await.unwrap();
    stack.api.set_rtt(Duration::from_millis(200));
    let begun = clock::now();
    stack.sql("SELECT 1").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
    stack.api.set_rtt(Duration::ZERO);
    assert_eq!(stack.api.status().rtt_ms, 0);
}

#[tokio::test]
async fn the_status_is_what_the_control_api_shows() {
    let stack = Stack::new().await;
    stack.api.set_rtt(Duration::from_millis(15));
    stack.api.inject(
        serde_json::from_value(json!([{"kind": "resuming", "times": 3, "sql_contains": "x"}])).unwrap(),
    );
    let shown = serde_json::to_value(stack.api.status()).unwrap();
    let faults = json!([{"kind": "resuming", "times": 3, "sql_contains": "x"}]);
    let expected =
        json!({"rtt_ms": 15, "in_flight": 0, "open_transactions": 0, "calls": {}, "faults": faults});
    assert_eq!(shown, expected);
}
