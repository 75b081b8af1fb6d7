//! The queue's twin: keeps what it took, with the time, and refuses when told, or when there is no time left.

use std::sync::{Arc, Mutex};

use backoff::{Clock, Deadline, ManualClock};
use queue::{NotPublished, Outgoing, Queue, QueueUrl, VisibilityChange};
use serde_json::Value;

/// One message that the queue took.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) queue: String,
    pub(crate) at_ms: u64,
    pub(crate) body: String,
    pub(crate) attributes: Vec<(&'static str, String)>,
}

impl Taken {
    fn data(&self) -> Value {
        serde_json::from_str::<Value>(&self.body).unwrap()["data"].clone()
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Post {
    pub(crate) clock: ManualClock,
    pub(crate) taken: Arc<Mutex<Vec<Taken>>>,
    /// How many messages, in all, are still to be refused.
    pub(crate) refuses: Arc<Mutex<usize>>,
}

impl Post {
    /// `order/attempt` of every payment request, in order.
    pub(crate) fn requests(&self) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        let requests = taken.iter().filter(|taken| taken.queue == "payments").map(Taken::data);
        requests.map(|data| format!("{}/{}", data["orderId"].as_str().unwrap(), data["attemptNo"])).collect()
    }

    /// The ids of every event, in order.
    pub(crate) fn events(&self) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        let events = taken.iter().filter(|taken| taken.queue == "order-events");
        let id = |taken: &Taken| serde_json::from_str::<Value>(&taken.body).unwrap()["id"].clone();
        events.map(|taken| id(taken).as_str().unwrap().to_owned()).collect()
    }

    /// The trace of each message, and that of its event.
    pub(crate) fn traces(&self) -> Vec<(Option<String>, Option<String>)> {
        let of_event = |taken: &Taken| {
            let event: Value = serde_json::from_str(&taken.body).unwrap();
            event.get("traceparent").map(|trace| trace.as_str().unwrap().to_owned())
        };
        let of_message = |taken: &Taken| {
            let attribute = taken.attributes.iter().find(|(name, _)| *name == "traceparent");
            attribute.map(|(_, trace)| trace.clone())
        };
        self.taken.lock().unwrap().iter().map(|taken| (of_message(taken), of_event(taken))).collect()
    }

    /// When each payment request was taken.
    pub(crate) fn request_times_ms(&self) -> Vec<u64> {
        let taken = self.taken.lock().unwrap();
        taken.iter().filter(|taken| taken.queue == "payments").map(|taken| taken.at_ms).collect()
    }
}

impl Queue for Post {
    async fn publish(
        &self,
        to: &QueueUrl,
        messages: Vec<Outgoing>,
        deadline: Deadline,
    ) -> Vec<Result<(), NotPublished>> {
        tokio::task::yield_now().await;
        if deadline.remaining(&self.clock).is_zero() {
            return vec![
                Err(NotPublished { code: "TimedOut".to_owned(), sender_fault: false });
                messages.len()
            ];
        }
        let mut results = Vec::new();
        for Outgoing { body, attributes } in messages {
            let mut refuses = self.refuses.lock().unwrap();
            if *refuses > 0 {
                *refuses -= 1;
                results.push(Err(NotPublished { code: "Test".to_owned(), sender_fault: false }));
                continue;
            }
            let taken = Taken { queue: to.0.clone(), at_ms: self.clock.now_ms(), body, attributes };
            self.taken.lock().unwrap().push(taken);
            results.push(Ok(()));
        }
        results
    }

    async fn change_visibility(&self, _: &QueueUrl, _: Vec<VisibilityChange>, _: Deadline) -> usize {
        0
    }
}
