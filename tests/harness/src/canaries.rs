//! Canaries: every generated message carries what a careless shop might put into it, and none of it may come out of a
//! function again.
//!
//! They are looked for in the log of every function, in the attributes of every message that is left in a queue, in the
//! rows, and in what the functions' figures show.

use crate::queues::Received;
use crate::stack::Info;
use crate::{Error, database};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::{fs, io};

/// What must never come out: a person, how to reach her, where she lives, her card, a token, and the key that the functions
/// of a local stack show the provider.
const CANARIES: [&str; 7] = [
    "Canary Bird",
    "canary@example.com",
    "12 Canary Lane",
    "tok_canary_secret",
    "4242 4242 4242 4242",
    "4242424242424242",
    "sk_test_local",
];

/// Everything that the functions have written about orders, one text.
const ROWS: &str = "
SELECT CAST(to_jsonb(coalesce(string_agg(one, ' '), '')) AS text) FROM (
  SELECT CAST(o AS text) AS one FROM orders o UNION ALL SELECT CAST(h AS text) FROM order_history h
  UNION ALL SELECT CAST(x AS text) FROM outbox x UNION ALL SELECT CAST(p AS text) FROM payments p) AS every";

/// An order's data with canaries in fields that the event does not have. A card number is not among them: an order with
/// one is refused as a whole.
pub fn with_canaries(mut data: Value) -> Value {
    if let Some(fields) = data.as_object_mut() {
        let [name, email, address, note, ..] = CANARIES;
        for (field, canary) in
            [("customerName", name), ("email", email), ("address", address), ("note", note)]
        {
            fields.insert(field.to_owned(), json!(canary));
        }
    }
    data
}

/// Where canaries came out, a sentence each.
///
/// # Errors
/// What the sources return.
pub async fn found(info: &Info, messages: &[(&str, &[Received])]) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for entry in fs::read_dir(&info.log_dir).map_err(failed(&info.log_dir))? {
        let path = entry.map_err(failed(&info.log_dir))?.path();
        let log = fs::read(&path).map_err(failed(&path))?;
        found.extend(said(&format!("the log {}", path.display()), &String::from_utf8_lossy(&log)));
    }
    for (queue, messages) in messages {
        let attributes: Vec<String> =
            messages.iter().flat_map(|message| message.attributes.values().cloned()).collect();
        found.extend(said(&format!("an attribute in the queue {queue}"), &attributes.join(" ")));
    }
    let rows: Vec<String> = database::rows(&info.sql().await?, "show what was written", ROWS, &[]).await?;
    found.extend(rows.iter().flat_map(|rows| said("a row", rows)));
    let figures = info.control("GET", "/status", &Value::Null).await?;
    found.extend(said("the figures", &figures.to_string()));
    Ok(found)
}

/// Lets a function's log name the customer of this order, so that it can be seen to be found; returns the order's id.
///
/// # Errors
/// [`Error::File`].
pub fn log_one(info: &Info, order_id: &str) -> Result<String, Error> {
    let path = info.log_dir.join("settle-payments.log");
    let mut log = fs::OpenOptions::new().append(true).open(&path).map_err(failed(&path))?;
    let line = json!({"level": "INFO", "message": format!("{order_id} is paid by {}", CANARIES[0])});
    writeln!(log, "{line}").map_err(failed(&path))?;
    Ok(order_id.to_owned())
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> Error {
    |source| Error::File { path: path.to_owned(), source }
}

fn said(place: &str, text: &str) -> Vec<String> {
    let holds = CANARIES.iter().filter(|canary| text.contains(**canary));
    holds.map(|canary| format!("{place}: holds {canary:?}, which must never come out")).collect()
}

#[cfg(test)]
mod tests {
    use super::{said, with_canaries};
    use serde_json::json;

    #[test]
    fn an_order_carries_canaries_and_keeps_its_fields() {
        let data = with_canaries(json!({"orderId": "ord_1"}));
        assert_eq!((&data["orderId"], &data["email"]), (&json!("ord_1"), &json!("canary@example.com")));
        assert_eq!(said("x", &data.to_string()).len(), 4);
    }

    #[test]
    fn each_canary_is_found_once_and_nothing_else() {
        let expected = ["the log a: holds \"12 Canary Lane\", which must never come out"];
        assert_eq!(said("the log a", "x 12 Canary Lane y 12 Canary Lane"), expected);
        assert!(said("the log a", "4242").is_empty());
    }
}
