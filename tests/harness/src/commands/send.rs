//! `send`: a file, or generated orders, to the orders queue of the running stack.

use crate::Error;
use crate::demo::now;
use crate::orders::{Plan, Repricing, Variety};
use crate::queues::{BATCH_MAX, Outgoing};
use crate::sender::{self, Run};
use crate::stack::Info;
use std::cell::Cell;
use std::path::Path;
use xtask::{cli, out, workspace};

/// Sends what the options say.
///
/// # Errors
/// [`Error::NoStack`]; [`Error::File`] for the file; what the queue returns.
pub async fn run(options: &cli::Send) -> Result<(), Error> {
    let info = Info::find(&workspace::up_state())?;
    match &options.file {
        Some(file) => send_file(&info, file).await,
        None => {
            out::line(&generated(&info, &options.load, Repricing::Never).await?);
            Ok(())
        }
    }
}

async fn send_file(info: &Info, path: &Path) -> Result<(), Error> {
    let text =
        std::fs::read_to_string(path).map_err(|source| Error::File { path: path.to_owned(), source })?;
    let outgoing = |body: String| Outgoing { body, traceparent: String::new() };
    let messages: Vec<Outgoing> = bodies(&text).into_iter().map(outgoing).collect();
    let (queues, orders) = (info.sqs(), info.queue("orders")?);
    let mut ids = Vec::new();
    for batch in messages.chunks(BATCH_MAX) {
        ids.extend(queues.send(orders, batch).await?);
    }
    match ids.as_slice() {
        [id] => out::line(&format!("Sent 1 message: {id}")),
        ids => out::line(&format!("Sent {} messages.", ids.len())),
    }
    Ok(())
}

/// Sends generated orders, and in the middle new prices and deliveries, as the demo does.
///
/// # Errors
/// What the queues return.
pub async fn shop(info: &Info, load: &cli::Load) -> Result<(), Error> {
    out::note(&generated(info, load, Repricing::InTheMiddle).await?);
    Ok(())
}

/// Sends, and says what was sent.
async fn generated(info: &Info, load: &cli::Load, reprice: Repricing) -> Result<String, Error> {
    let file = workspace::up_state().join("sent.jsonl");
    let units = usize::try_from(load.orders).unwrap_or(usize::MAX);
    let plan = Plan { units, seed: load.seed, start: now(), reprice, variety: Variety::Shop };
    let (sent, enough) = (Cell::new(0), Cell::new(false));
    let (queues, sql) = (info.sqs(), info.sql().await?);
    let (orders, products) = (info.queue("orders")?, info.queue("products")?);
    sender::send(
        Run {
            queues: &queues,
            orders,
            products,
            sql: &sql,
            rate: load.rate,
            file: &file,
            progress: &sent,
            enough: &enough,
        },
        &plan,
    )
    .await?;
    let messages = sent.get();
    Ok(format!(
        "Sent {messages} messages for {units} orders and malformed bodies; {} lists them.",
        workspace::shown(&file)
    ))
}

/// One document, or one body a line. A file that is no document as a whole is taken line by line, as it is: what is
/// malformed in it is meant to be.
fn bodies(text: &str) -> Vec<String> {
    if serde_json::from_str::<serde_json::Value>(text).is_ok() {
        return vec![text.trim().to_owned()];
    }
    text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::bodies;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(bodies(text), expected, "{text}");
    }

    #[test]
    fn a_document_is_one_message_and_other_files_are_one_a_line() {
        check("{\n  \"a\": 1\n}\n", &["{\n  \"a\": 1\n}"]);
        check("{\"a\":1}\n{\"a\":2}\n", &["{\"a\":1}", "{\"a\":2}"]);
        check("{\"a\":1}\n\nnot json\n", &["{\"a\":1}", "not json"]);
        check("", &[]);
    }
}
