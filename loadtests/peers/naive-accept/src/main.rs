//! A peer to compare with: accepting orders as most people would write it in Rust, as a Lambda in the place of
//! `process-orders`. `cargo xtask peers` runs it beside the Python and the TypeScript one; nothing deploys it.
//!
//! It shows what of the difference is the language and what is the design: it makes the same calls as they do, one
//! record after the other, and for each order one transaction of single statements. Its clients are those of the
//! functions here, so a call costs it no more than it costs them. A repeated order meets its own row.

mod catalog;
mod order;
mod settings;
mod statements;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use backoff::{Clock as _, Deadline, Random, SystemClock};
use catalog::Catalog;
use data_api::DataApi;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use order::{Event, Order};
use queue::{Outgoing, Queue as _, QueueUrl, Sqs};
use serde_json::json;
use settings::Settings;
use statements::{Database, Ended};
use std::time::Duration;

/// The database, the cache and the queue that an order touches.
struct Peer {
    database: Database,
    catalog: Catalog,
    queue: Sqs<SystemClock>,
    payments: QueueUrl,
    timeout: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init("naive-accept", |_| None);
    let settings = Settings::from_environment()?;
    let shared = data_api::sdk_config().await?;
    let random = Random::from_entropy();
    let api = DataApi::new(data_api::client(&shared), settings.database, SystemClock, random.clone());
    let peer = &Peer {
        catalog: Catalog::new(settings.redis_url.expose(), api.clone())?,
        database: Database(api),
        queue: Sqs::new(queue::client(&shared), SystemClock, random),
        payments: QueueUrl(settings.payments),
        timeout: settings.timeout,
    };
    run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        peer.handle(event.payload, event.context.deadline).await
    }))
    .await
}

impl Peer {
    /// Accepts one record after the other and names those that failed.
    async fn handle(&self, event: SqsEvent, deadline_ms: u64) -> Result<SqsBatchResponse, Error> {
        let deadline = Deadline::from_lambda(&SystemClock, deadline_ms, self.timeout);
        let (mut response, size) = (SqsBatchResponse::default(), event.records.len());
        for record in event.records {
            // Boxed: its state is large, and would be copied with every future that holds it.
            if let Err(error) = Box::pin(self.record(&record, deadline)).await {
                telemetry::emit_line(&json!({ "message": "record failed", "error": error.to_string() }));
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = record.message_id.unwrap_or_default();
                response.batch_item_failures.push(failure);
            }
        }
        let failed = response.batch_item_failures.len();
        telemetry::emit_line(&json!({ "message": "batch answered", "size": size, "failed": failed }));
        Ok(response)
    }

    async fn record(&self, record: &SqsMessage, deadline: Deadline) -> Result<(), Error> {
        let event: Event = serde_json::from_str(record.body.as_deref().unwrap_or_default())?;
        if event.kind != "order.placed.v1" {
            return Err(format!("cannot handle {}", event.kind).into());
        }
        let order = event.data;
        if let Some(reason) = order.fault(&self.catalog.products(&order, deadline).await?) {
            return Ok(self.database.reject(&order, reason, deadline).await?);
        }
        match self.database.accept(&order, deadline).await? {
            // Also for one that was known: whoever committed it may have ended before the request.
            Ended::Accepted | Ended::Known => self.request_payment(&order, deadline).await,
            Ended::OutOfStock => Ok(self.database.reject(&order, "out_of_stock", deadline).await?),
        }
    }

    async fn request_payment(&self, order: &Order, deadline: Deadline) -> Result<(), Error> {
        let order_id = &order.order_id;
        let event = json!({
            "specversion": "1.0", "id": format!("{order_id}:payment.requested.v1:1"), "source": "orderflow/naive-accept",
            "type": "payment.requested.v1", "time": telemetry::rfc3339(SystemClock.now_ms()),
            "datacontenttype": "application/json", "data": { "orderId": order_id, "attemptNo": 1 },
        });
        let message = Outgoing { body: event.to_string(), attributes: Vec::new() };
        let sent = self.queue.publish(&self.payments, vec![message], deadline).await;
        sent.into_iter().next().unwrap_or(Ok(())).map_err(Error::from)
    }
}
