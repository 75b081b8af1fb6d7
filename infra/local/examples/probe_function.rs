//! A Lambda function that does what its event says: what the tests of the host and the event source run.
//!
//! An event is a command such as `{"do":"sleep","ms":200}`, or SQS records whose bodies are commands. Of
//! records, those whose command is `fail` are reported as failed. With the argument `init-fail` the process
//! ends before it asks for an event. An event of a function URL is shown in the log; its body is the command.

use std::{collections::BTreeMap, io::Write as _, time::Duration};

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    if std::env::args().any(|argument| argument == "init-fail") {
        return Err("told not to start".into());
    }
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (payload, context) = event.into_parts();
    if payload.get("requestContext").is_some() {
        let command =
            payload.get("body").and_then(Value::as_str).and_then(|body| serde_json::from_str(body).ok());
        let answer = obey(&command.unwrap_or_default(), context.deadline).await?;
        // Without a command: what came in, for whoever asked to look at.
        return Ok(answer.get("raw").cloned().unwrap_or(payload));
    }
    let Some(records) = payload.get("Records").and_then(Value::as_array) else {
        return obey(&payload, context.deadline).await;
    };
    let mut failures = Vec::new();
    for record in records {
        let body = record.get("body").and_then(Value::as_str).unwrap_or_default();
        let command: Value = serde_json::from_str(body)?;
        log(&json!({ "message": "record", "command": command, "records": records.len(), "event": record }))?;
        let answer = obey(&command, context.deadline).await?;
        match answer.get("raw") {
            Some(raw) => return Ok(raw.clone()),
            None if answer == json!("fail") => {
                failures.push(json!({ "itemIdentifier": record.get("messageId") }))
            }
            None => {}
        }
    }
    Ok(json!({ "batchItemFailures": failures }))
}

async fn obey(command: &Value, deadline_ms: u64) -> Result<Value, Error> {
    let number = |name: &str| command.get(name).and_then(Value::as_u64).unwrap_or_default();
    match command.get("do").and_then(Value::as_str).unwrap_or_default() {
        "sleep" => sleep(Duration::from_millis(number("ms"))).await,
        "exit" => std::process::exit(i32::try_from(number("code")).unwrap_or(1)),
        "panic" => panic_as_told(),
        "error" => return Err("told to fail".into()),
        "fail" => return Ok(json!("fail")),
        "answer" => return Ok(json!({ "raw": command.get("raw") })),
        "large" => return Ok(json!("x".repeat(7 * 1024 * 1024))),
        "deadline" => return Ok(json!(deadline_ms)),
        "environment" => return Ok(json!(environment())),
        _ => {}
    }
    Ok(json!({ "pid": std::process::id() }))
}

#[expect(clippy::disallowed_methods, reason = "the probe takes as long as it is told")]
async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

#[expect(clippy::disallowed_methods, reason = "the probe shows what the host gave it")]
fn environment() -> BTreeMap<String, String> {
    std::env::vars().collect()
}

#[expect(clippy::panic, reason = "a function that panics is one of the cases")]
fn panic_as_told() {
    panic!("told to panic");
}

fn log(line: &Value) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{line}")
}
