//! What the door makes of answers.

use data_api::{Decision, Error, Fault, Ran};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::server::{Reply, Server};
use crate::{door, idempotent, soon};

#[derive(Debug, PartialEq, Deserialize)]
struct Row {
    order_id: String,
    attempt_no: Option<i32>,
    publish_payment: bool,
    total_minor: i64,
}

async fn query(reply: Reply) -> Result<Vec<Row>, Error> {
    let server = Server::start([reply]);
    let rows = door(&server).query(idempotent(), soon()).await;
    assert_eq!(server.requests().len(), 1, "what was read wrong is not asked again");
    rows
}

#[tokio::test]
async fn rows_become_structs_by_the_names_of_their_columns() {
    let rows = json!([
        {"order_id": "ord_1", "attempt_no": 1, "publish_payment": true, "total_minor": i64::MAX, "ignored": 1},
        {"order_id": "ord_2", "attempt_no": null, "publish_payment": false, "total_minor": -1}]);
    let row = |id: &str, attempt_no, publish_payment, total_minor| Row {
        order_id: id.to_owned(),
        attempt_no,
        publish_payment,
        total_minor,
    };
    assert_eq!(
        query(Reply::rows(&rows)).await.unwrap(),
        [row("ord_1", Some(1), true, i64::MAX), row("ord_2", None, false, -1)]
    );
    assert_eq!(query(Reply::rows(&json!([]))).await.unwrap(), []);
}

#[track_caller]
fn unreadable(result: Result<Vec<Row>, Error>) -> usize {
    let error = result.unwrap_err();
    assert_eq!((error.decision(), error.ran()), (Decision::Reject, Ran::Perhaps));
    assert!(!format!("{error} {error:?}").contains("anna"));
    let Some(Fault::UnreadableRows { column }) = error.fault() else { panic!("{error}") };
    *column
}

#[tokio::test]
async fn rows_of_another_shape_are_told_by_place_and_not_quoted() {
    let wrong =
        json!([{"order_id": "ord_1", "attempt_no": "anna", "publish_payment": true, "total_minor": 1}]);
    assert!(unreadable(query(Reply::rows(&wrong)).await) > 0);
    assert_eq!(unreadable(query(Reply::changed(1)).await), 0);
}

#[tokio::test]
async fn changed_rows_are_counted() {
    let server = Server::start([Reply::changed(3), Reply::changed(-1)]);
    let door = door(&server);
    assert_eq!(door.execute(idempotent(), soon()).await.unwrap(), 3);
    assert_eq!(door.execute(idempotent(), soon()).await.unwrap(), 0);
}

#[tokio::test]
async fn an_answer_of_success_that_is_not_the_data_apis_is_told_apart() {
    let server = Server::start([Reply::Answer(200, "<html>anna</html>".to_owned())]);
    let error = door(&server).query::<Value>(idempotent(), soon()).await.unwrap_err();
    assert_eq!(error.fault(), Some(&Fault::UnreadableAnswer));
    assert_eq!((error.decision(), error.ran()), (Decision::Retry, Ran::Perhaps));
    assert!(!format!("{error} {error:?}").contains("anna"));
}

#[tokio::test]
async fn postgresql_quotes_rows_and_errors_do_not() {
    let message = "duplicate key value violates unique constraint \"t_pkey\"\n  Detail: Key (a)=(anna-secret) already exists.";
    let server = Server::start([Reply::sql(message, "23505")]);
    let error = door(&server).execute(crate::once(), soon()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "running a statement through the Data API: SQLSTATE 23505, constraint t_pkey"
    );
    assert!(!format!("{error:?}").contains("anna"));
    assert!(error.raw_message().is_some_and(|message| message.contains("anna-secret")));
    assert!(error.blames_data());
}
