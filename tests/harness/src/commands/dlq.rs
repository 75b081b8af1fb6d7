//! `dlq`: dead letters and the quarantine: count, look, move back.

use crate::Error;
use crate::queues::{self, BATCH_MAX, Outgoing, Queue, Queues, Received};
use crate::stack::Info;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use xtask::cli::DlqAction;
use xtask::{out, workspace};

/// How long messages stay hidden while they are moved.
const HIDDEN: Duration = Duration::from_secs(60);

/// The queue of what can never be an order.
const QUARANTINE: &str = "quarantine";

/// Does the action on the running stack.
///
/// # Errors
/// [`Error::NoStack`], [`Error::NoSuchQueue`], [`Error::NoSource`], and what the queues return.
pub async fn run(action: &DlqAction) -> Result<(), Error> {
    let info = Info::find(&workspace::up_state())?;
    match action {
        DlqAction::List { json } => list(&info, *json).await,
        DlqAction::Show { from, limit, body, json } => {
            let messages =
                info.sqs().peek(info.queue(from)?, usize::try_from(*limit).unwrap_or(usize::MAX)).await?;
            let shown: Vec<Value> = messages.iter().map(|message| described(message, *body)).collect();
            shown
                .iter()
                .for_each(|message| out::line(&if *json { message.to_string() } else { lines(message) }));
            if shown.is_empty() && !json {
                out::line(&format!("{from} is empty."));
            }
            Ok(())
        }
        DlqAction::Redrive { from, limit } => {
            let usual = source(&info, from)?;
            let home = |message: &Received| info.queue(home(message, &usual));
            let moved = redrive(&info.sqs(), info.queue(from)?, *limit, home).await?;
            for (to, moved) in &moved {
                out::line(&format!("Moved {moved} messages from {from} to {to}."));
            }
            if moved.is_empty() {
                out::line(&format!("{from} is empty."));
            }
            Ok(())
        }
    }
}

async fn list(info: &Info, json: bool) -> Result<(), Error> {
    let status = info.status().await?;
    let dead = status.queues.iter().filter(|(name, _)| is_dead_end(name));
    let counts: Vec<(String, u64)> = dead.map(|(name, depth)| (name.clone(), depth.total())).collect();
    if json {
        let counts: Map<String, Value> =
            counts.into_iter().map(|(name, count)| (name, json!(count))).collect();
        out::line(&Value::Object(counts).to_string());
    } else {
        let rows: Vec<Vec<String>> =
            counts.into_iter().map(|(name, count)| vec![name, count.to_string()]).collect();
        out::line(&out::table(&["queue", "messages"], &rows));
    }
    Ok(())
}

fn is_dead_end(queue: &str) -> bool {
    queue == QUARANTINE || queue.ends_with("-dlq")
}

/// Where the messages of a dead-letter queue came from; those of the quarantine say it themselves, or came from `orders`.
fn source(info: &Info, queue: &str) -> Result<String, Error> {
    info.queue(queue)?;
    let name = if queue == QUARANTINE { Some("orders") } else { queue.strip_suffix("-dlq") };
    let known =
        || info.queues.keys().filter(|name| is_dead_end(name)).cloned().collect::<Vec<_>>().join(", ");
    let name = name.filter(|name| info.queues.contains_key(*name));
    name.map(str::to_owned).ok_or_else(|| Error::NoSource { queue: queue.to_owned(), known: known() })
}

/// The name of the queue that a message came from; `usual` for one that does not tell.
fn home<'a>(message: &'a Received, usual: &'a str) -> &'a str {
    message.attributes.get("originalQueue").map_or(usual, String::as_str)
}

/// Receives, sends, then deletes: a message that is interrupted on its way is there twice, never gone. Returns how many
/// went to each queue.
///
/// # Errors
/// What the queues return, and [`Error::NoSuchQueue`]; what was moved until then stays moved.
pub async fn redrive<'a>(
    sqs: &Queues,
    from: &Queue,
    limit: u32,
    home: impl Fn(&Received) -> Result<&'a Queue, Error>,
) -> Result<BTreeMap<String, u32>, Error> {
    let mut moved = BTreeMap::new();
    let mut room = limit;
    while room > 0 {
        let at_once = usize::try_from(room).unwrap_or(BATCH_MAX).min(BATCH_MAX);
        let messages = sqs.receive_up_to(from, at_once, HIDDEN).await?;
        if messages.is_empty() {
            break;
        }
        for message in &messages {
            let to = home(message)?;
            sqs.send(to, &[outgoing(message)]).await?;
            *moved.entry(queues::name(to).to_owned()).or_default() += 1;
        }
        sqs.delete(from, &messages).await?;
        room = room.saturating_sub(u32::try_from(messages.len()).unwrap_or(room));
    }
    Ok(moved)
}

/// The body and its trace; what explains why it was put aside does not travel back.
fn outgoing(message: &Received) -> Outgoing {
    let traceparent = message.attributes.get("traceparent").cloned().unwrap_or_default();
    Outgoing { body: message.body.clone(), traceparent }
}

fn described(message: &Received, body: bool) -> Value {
    let mut fields = json!({
        "messageId": message.message_id, "receiveCount": message.receive_count, "sentMs": message.sent_ms,
        "bytes": message.body.len(), "attributes": message.attributes,
    });
    if let (true, Some(fields)) = (body, fields.as_object_mut()) {
        fields.insert("body".to_owned(), json!(message.body));
    }
    fields
}

/// One message for people: its id, then one field a line.
fn lines(message: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let field = |name: &str| message.get(name).map(text).unwrap_or_default();
    let mut lines =
        format!("{}  receives: {}, bytes: {}", field("messageId"), field("receiveCount"), field("bytes"));
    for (name, value) in message.get("attributes").and_then(Value::as_object).into_iter().flatten() {
        lines += &format!("\n    {name}: {}", text(value));
    }
    if message.get("body").is_some() {
        lines += &format!("\n    {}", field("body"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{described, home, lines, outgoing};
    use crate::queues::Received;

    fn message() -> Received {
        let attributes = [("reason", "not_json"), ("traceparent", "00-a-b-01")];
        Received {
            message_id: "m-1".into(),
            body: "{broken".into(),
            attributes: attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            receive_count: 2,
            ..Received::default()
        }
    }

    #[test]
    fn a_body_is_shown_only_on_request() {
        assert!(!lines(&described(&message(), false)).contains("broken"));
        let expected =
            "m-1  receives: 2, bytes: 7\n    reason: not_json\n    traceparent: 00-a-b-01\n    {broken";
        assert_eq!(lines(&described(&message(), true)), expected);
    }

    #[test]
    fn a_redriven_message_keeps_its_trace_and_loses_its_reason() {
        let sent = outgoing(&message());
        assert_eq!((sent.body.as_str(), sent.traceparent.as_str()), ("{broken", "00-a-b-01"));
    }
    #[test]
    fn a_message_goes_back_to_the_queue_that_it_names() {
        assert_eq!(home(&message(), "orders"), "orders");
        let mut change = message();
        change.attributes.insert("originalQueue".to_owned(), "products".to_owned());
        assert_eq!(home(&change, "orders"), "products");
    }
}
