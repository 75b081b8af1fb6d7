//! `order ID`: everything known of one order on one screen.

use crate::queues::Received;
use crate::sent::{self, Sent};
use crate::stack::Info;
use crate::{Error, database, sandbox};
use serde_json::{Map, Value, json};
use std::path::Path;
use tokio_postgres::Client;
use xtask::{cli, out, workspace};

/// Queues that may hold a message of the order. The live ones are left alone: looking is a receive.
const DEAD_ENDS: [&str; 4] = ["orders-dlq", "payments-dlq", "order-events-dlq", "quarantine"];

/// Most messages that are looked through in each of them.
const MESSAGES_MAX: usize = 1_000;

/// Most log lines that are shown.
const LOG_LINES_MAX: usize = 50;

/// What the database has of an order: a heading and a statement that returns JSON rows.
const SECTIONS: [(&str, &str); 5] = [
    ("order", "SELECT CAST(to_jsonb(orders) AS text) FROM orders WHERE order_id = $1"),
    (
        "items",
        "SELECT CAST(to_jsonb(order_items) - 'order_id' AS text) FROM order_items WHERE order_id = $1 ORDER BY line_no",
    ),
    (
        "payments",
        "SELECT CAST(to_jsonb(payments) - 'order_id' - 'params_hash' AS text) FROM payments WHERE order_id = $1 ORDER BY attempt_no",
    ),
    (
        "history",
        "SELECT CAST(to_jsonb(order_history) - 'order_id' AS text) FROM order_history WHERE order_id = $1 ORDER BY seq",
    ),
    (
        "outbox",
        "SELECT CAST(to_jsonb(outbox) - 'order_id' AS text) FROM outbox WHERE order_id = $1 ORDER BY seq",
    ),
];

/// Prints everything, or fails when nothing is known.
///
/// # Errors
/// [`Error::NoStack`], [`Error::NoSuchOrder`], and what the sources return.
pub async fn run(options: &cli::Order) -> Result<(), Error> {
    let info = Info::find(&workspace::up_state())?;
    let found = everything(&info, &options.id).await?;
    let known = found.iter().any(|(section, rows)| section != "log" && !rows.is_empty());
    if !known {
        return Err(Error::NoSuchOrder { id: options.id.clone() });
    }
    if options.json {
        let object: Map<String, Value> =
            found.into_iter().map(|(section, rows)| (section, Value::Array(rows))).collect();
        out::line(&Value::Object(object).to_string());
    } else {
        out::line(&screen(&found));
    }
    Ok(())
}

type Found = Vec<(String, Vec<Value>)>;

async fn everything(info: &Info, id: &str) -> Result<Found, Error> {
    let sql = info.sql().await?;
    let mut found = Found::new();
    for (section, statement) in SECTIONS {
        found.push((section.to_owned(), rows(&sql, statement, id).await?));
    }
    found.push(("charge".to_owned(), charge(info, id).await?));
    let queues = info.sqs();
    let mut messages = Vec::new();
    for name in DEAD_ENDS.into_iter().filter(|name| info.queues.contains_key(*name)) {
        let held = queues.peek(info.queue(name)?, MESSAGES_MAX).await?;
        messages.extend(
            held.into_iter().filter(|message| message.body.contains(id)).map(|message| (name, message)),
        );
    }
    let sent = sent(&workspace::up_state().join("sent.jsonl"), id);
    let mut marks = vec![id.to_owned()];
    marks.extend(messages.iter().flat_map(|(_, message)| traces(message)));
    marks.extend(
        sent.iter().flat_map(|sent| [Some(sent.message_id.clone()), trace_id(&sent.traceparent)]).flatten(),
    );
    found.push(("sent".to_owned(), sent.iter().map(sending).collect()));
    found.push((
        "dead letters".to_owned(),
        messages.iter().map(|(name, message)| hit(name, message)).collect(),
    ));
    found.push(("log".to_owned(), log_lines(&info.log_dir, &marks)));
    Ok(found)
}

/// What the payment provider has of the order.
async fn charge(info: &Info, id: &str) -> Result<Vec<Value>, Error> {
    let ledger = sandbox::ledger(info).await?;
    let shown = |charges: &sandbox::Charges| {
        json!({"captures": charges.captures, "capturedMinor": charges.captured_minor, "holds": charges.holds,
               "currency": charges.currency, "paymentIds": charges.payment_ids.join(" ")})
    };
    Ok(ledger.orders.get(id).map(shown).into_iter().collect())
}

async fn rows(sql: &Client, statement: &str, id: &str) -> Result<Vec<Value>, Error> {
    database::rows(sql, "show the order", statement, &[&id]).await
}

/// The message's own id and the trace id: what log lines name instead of the order.
fn traces(message: &Received) -> Vec<String> {
    let attribute = |name: &str| message.attributes.get(name).cloned();
    let trace = attribute("traceparent").and_then(|value| trace_id(&value));
    [attribute("originalMessageId"), trace].into_iter().flatten().filter(|mark| !mark.is_empty()).collect()
}

/// The trace id within a W3C `traceparent`.
fn trace_id(traceparent: &str) -> Option<String> {
    traceparent.split('-').nth(1).filter(|id| !id.is_empty()).map(str::to_owned)
}

/// What `send` and `demo` of this checkout wrote down of the order; orders of a shop have no such file.
fn sent(file: &Path, id: &str) -> Vec<Sent> {
    let named = |sent: &Sent| sent.order.as_ref().is_some_and(|order| order.order_id == id);
    sent::read(file).unwrap_or_default().into_iter().filter(named).collect()
}

fn sending(sent: &Sent) -> Value {
    json!({"kind": sent.kind, "messageId": sent.message_id, "sentMs": sent.sent_at_ms, "traceparent": sent.traceparent})
}

fn hit(queue: &str, message: &Received) -> Value {
    json!({"queue": queue, "messageId": message.message_id, "receiveCount": message.receive_count, "attributes": message.attributes})
}

/// Lines of every function's log that name one of the marks; a log that cannot be read has none.
fn log_lines(folder: &Path, marks: &[String]) -> Vec<Value> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let texts = entries.filter_map(|entry| {
        let function = entry.path().file_stem()?.to_string_lossy().into_owned();
        Some((function, std::fs::read_to_string(entry.path()).ok()?))
    });
    let mut lines: Vec<Value> = Vec::new();
    for (function, text) in texts {
        let named = text.lines().filter(|line| marks.iter().any(|mark| line.contains(mark.as_str())));
        lines.extend(named.map(|line| {
            json!({"function": function, "line": serde_json::from_str(line).unwrap_or(Value::String(line.to_owned()))})
        }));
    }
    lines.truncate(LOG_LINES_MAX);
    lines
}

/// Sections with their rows: a single row as fields under each other, several as a table.
fn screen(found: &Found) -> String {
    let shown = found.iter().map(|(section, rows)| match (section.as_str(), rows.as_slice()) {
        (_, []) => format!("{section}: none"),
        ("order", [Value::Object(row)]) => {
            let width = row.keys().map(String::len).max().unwrap_or(0);
            let fields = row.iter().map(|(name, value)| format!("\n  {name:<width$}  {}", text(value)));
            format!("{section}{}", fields.collect::<String>())
        }
        ("log", rows) => {
            let lines =
                rows.iter().map(|row| format!("\n  {}  {}", text(&row["function"]), text(&row["line"])));
            format!("{section}{}", lines.collect::<String>())
        }
        (_, rows) => format!("{section}\n{}", tabulated(rows)),
    });
    shown.collect::<Vec<_>>().join("\n\n")
}

fn tabulated(rows: &[Value]) -> String {
    let heading: Vec<&str> =
        rows.iter().filter_map(Value::as_object).flat_map(Map::keys).map(String::as_str).fold(
            Vec::new(),
            |mut names, name| {
                if !names.contains(&name) {
                    names.push(name);
                }
                names
            },
        );
    let cells =
        |row: &Value| heading.iter().map(|name| row.get(*name).map(text).unwrap_or_default()).collect();
    out::table(&heading, &rows.iter().map(cells).collect::<Vec<Vec<String>>>())
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{screen, traces};
    use crate::queues::Received;
    use serde_json::json;

    #[test]
    fn the_screen_shows_every_section() {
        let found = vec![
            ("order".to_owned(), vec![json!({"order_id": "ord_1", "reason": null})]),
            (
                "items".to_owned(),
                vec![json!({"sku": "kit-a", "quantity": 2}), json!({"sku": "kit-b", "quantity": 10})],
            ),
            ("payments".to_owned(), vec![]),
            ("log".to_owned(), vec![json!({"function": "process-orders", "line": {"order.id": "ord_1"}})]),
        ];
        let expected = "order\n  order_id  ord_1\n  reason    -\n\nitems\n  quantity  sku\n  2         kit-a\n  10        kit-b\n\npayments: none\n\nlog\n  process-orders  {\"order.id\":\"ord_1\"}";
        assert_eq!(screen(&found), expected);
    }

    #[test]
    fn log_lines_are_found_by_message_and_trace() {
        let attributes = [("originalMessageId", "m-1"), ("traceparent", "00-abc-def-01")];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        assert_eq!(traces(&Received { attributes, ..Received::default() }), ["m-1", "abc"]);
    }
}
