//! The SQS door on the wire: what it sends, and what it makes of partial, failed and missing answers. Canned answers
//! come from a loopback server, because a healthy queue cannot be told to fail one entry of a batch.
#![cfg(test)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
use aws_types::SdkConfig;
use aws_types::sdk_config::SharedCredentialsProvider;
use backoff::{Deadline, Random, SystemClock};
use queue::{NotPublished, Outgoing, Queue, QueueUrl, Sqs, VisibilityChange, client};

/// Answers each request with the next of `answers` (status, body) and hands back the bodies that were sent.
fn server(answers: Vec<(u16, &'static str)>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    std::thread::spawn(move || {
        for (status, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            seen.lock().unwrap().push(read_body(&stream));
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.0\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    (url, requests)
}

fn read_body(stream: &std::net::TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

fn door(url: &str) -> Sqs<SystemClock> {
    let shared = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .endpoint_url(url)
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "id", "key", None, None, "test",
        )))
        .http_client(data_api::http_client())
        .build();
    Sqs::new(client(&shared), SystemClock, Random::seeded(7))
}

fn message(body: &str) -> Outgoing {
    Outgoing { body: body.to_owned(), attributes: vec![("traceparent", "00-x".to_owned())] }
}

struct Run {
    results: Vec<Result<(), NotPublished>>,
    requests: Vec<String>,
}

async fn publish(answers: Vec<(u16, &'static str)>, bodies: &[&str], time: Duration) -> Run {
    let (url, requests) = server(answers);
    let deadline = Deadline::after(&SystemClock, time);
    let to = QueueUrl(format!("{url}/000000000000/payments"));
    let results = door(&url).publish(&to, bodies.iter().map(|body| message(body)).collect(), deadline).await;
    let requests = requests.lock().unwrap().clone();
    Run { results, requests }
}

const PLENTY: Duration = Duration::from_secs(30);
/// Less than a second attempt needs.
const NO_TIME_FOR_TWO: Duration = Duration::from_millis(49);
const BOTH: &str = r#"{"Successful":[{"Id":"0","MessageId":"a","MD5OfMessageBody":"x"},{"Id":"1","MessageId":"b","MD5OfMessageBody":"x"}],"Failed":[]}"#;
const FIRST: &str = r#"{"Successful":[{"Id":"0","MessageId":"a","MD5OfMessageBody":"x"}]}"#;
const SECOND_FAILED: &str = r#"{"Successful":[{"Id":"0","MessageId":"a","MD5OfMessageBody":"x"}],"Failed":[{"Id":"1","Code":"InternalError","SenderFault":false}]}"#;
const SECOND_REFUSED: &str = r#"{"Successful":[{"Id":"0","MessageId":"a","MD5OfMessageBody":"x"}],"Failed":[{"Id":"1","Code":"InvalidMessageContents","SenderFault":true}]}"#;

#[tokio::test]
async fn a_taken_batch_is_one_call() {
    let run = publish(vec![(200, BOTH)], &["one", "two"], PLENTY).await;
    assert_eq!(run.results, [Ok(()), Ok(())]);
    assert_eq!(run.requests.len(), 1);
    assert!(run.requests[0].contains("traceparent"));
}

#[tokio::test]
async fn an_entry_that_failed_is_sent_again_by_itself() {
    let run = publish(vec![(200, SECOND_FAILED), (200, FIRST)], &["one", "two"], PLENTY).await;
    assert_eq!(run.results, [Ok(()), Ok(())]);
    assert!(run.requests[1].contains("two") && !run.requests[1].contains("one"));
}

#[tokio::test]
async fn an_entry_that_failed_twice_is_reported() {
    let still_failed =
        r#"{"Successful":[],"Failed":[{"Id":"0","Code":"InternalError","SenderFault":false}]}"#;
    let run = publish(vec![(200, SECOND_FAILED), (200, still_failed)], &["one", "two"], PLENTY).await;
    assert_eq!(run.results[0], Ok(()));
    assert_eq!(run.results[1].as_ref().unwrap_err().code, "InternalError");
}

#[tokio::test]
async fn an_entry_at_fault_itself_is_not_sent_again() {
    let run = publish(vec![(200, SECOND_REFUSED)], &["one", "two"], PLENTY).await;
    assert!(run.results[1].as_ref().is_err_and(|error| error.sender_fault));
    assert_eq!(run.requests.len(), 1);
}

#[tokio::test]
async fn an_entry_that_the_answer_does_not_name_counts_as_not_taken() {
    let run = publish(vec![(200, FIRST), (200, r#"{"Successful":[]}"#)], &["one", "two"], PLENTY).await;
    assert_eq!(run.results[0], Ok(()));
    assert!(run.results[1].is_err());
}

#[tokio::test]
async fn a_failed_call_fails_each_message_with_the_services_code() {
    let throttled = r#"{"__type":"com.amazonaws.sqs#RequestThrottled","message":"slow down"}"#;
    let run = publish(vec![(400, throttled), (400, throttled)], &["one", "two"], PLENTY).await;
    assert!(
        run.results.iter().all(|result| result.as_ref().is_err_and(|error| error.code == "RequestThrottled"))
    );
}

#[tokio::test]
async fn no_second_attempt_starts_that_the_deadline_does_not_allow() {
    let run = publish(vec![(200, SECOND_FAILED)], &["one", "two"], NO_TIME_FOR_TWO).await;
    assert!(run.results[1].is_err());
    assert!(run.requests.len() <= 1);
}

#[tokio::test]
async fn refused_visibility_changes_are_counted() {
    let one_refused =
        r#"{"Successful":[{"Id":"0"}],"Failed":[{"Id":"1","Code":"MessageNotInflight","SenderFault":true}]}"#;
    let (url, requests) = server(vec![(200, one_refused)]);
    let changes =
        ["r0", "r1"].map(|handle| VisibilityChange { receipt_handle: handle.to_owned(), visible_after_s: 7 });
    let deadline = Deadline::after(&SystemClock, PLENTY);
    let refused =
        door(&url).change_visibility(&QueueUrl(format!("{url}/0/orders")), changes.to_vec(), deadline).await;
    assert_eq!(refused, 1);
    assert!(requests.lock().unwrap()[0].contains("\"VisibilityTimeout\":7"));
}

#[tokio::test]
async fn a_queue_that_never_answers_is_waited_for_only_so_long() {
    // The system takes the connections, and nobody reads them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let (door, queue) = (door(&url), QueueUrl(format!("{url}/0/orders")));
    let soon = || Deadline::after(&SystemClock, Duration::from_millis(200));
    let published = door.publish(&queue, vec![message("one")], soon()).await;
    assert_eq!(published[0].as_ref().unwrap_err().code, "TimedOut");
    let change = VisibilityChange { receipt_handle: "r0".to_owned(), visible_after_s: 7 };
    assert_eq!(door.change_visibility(&queue, vec![change], soon()).await, 1);
    assert_eq!(door.warm_up(&queue).await.unwrap_err().code, "TimedOut");
}
