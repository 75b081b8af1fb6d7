//! A peer to compare with: the payment code that most people would write, as a Lambda in the place of
//! `settle-payments`. `cargo xtask outage --naive` runs it; nothing deploys it.
//!
//! It is no straw man: its idempotency keys are stable, it authorizes before it captures, and it commits in between.
//! What it lacks is what this repository adds. Each call is tried three times with fixed pauses, whatever the others
//! have just learnt; nothing limits the calls of all instances together; a record that fails goes back to the queue
//! and comes again when its visibility timeout ends. Events are left to the reconciler.

mod provider;
mod settings;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use backoff::{Clock as _, Deadline, Random, SystemClock};
use data_api::DataApi;
use futures_util::future::join_all;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use order::ProviderRef;
use order_store::{Aurora, BeginPayment, Begun, Move, Next, PaymentStore as _, Step};
use payments::Payment;
use provider::{Answer, Provider};
use serde_json::Value;
use settings::Settings;
use std::time::Duration;
use telemetry::{Emf, catalogue};

/// What is asked of the rows and of the provider.
struct Peer {
    store: Aurora<SystemClock>,
    provider: Provider,
    timeout: Duration,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init("settle-payments", |_| None);
    let settings = Settings::from_environment()?;
    let shared = data_api::sdk_config().await?;
    let client = data_api::client(&shared);
    let api = DataApi::new(client, settings.database, SystemClock, Random::from_entropy());
    let provider = Provider::new(settings.provider_url, settings.provider_key, settings.stage);
    let peer = &Peer { store: Aurora::new(api), provider, timeout: settings.timeout };
    run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        peer.handle(event.payload, event.context.deadline).await
    }))
    .await
}

impl Peer {
    /// Settles every record by itself, all at once, and names those that failed.
    async fn handle(&self, event: SqsEvent, deadline_ms: u64) -> Result<SqsBatchResponse, Error> {
        let began = SystemClock.monotonic();
        let deadline = Deadline::from_lambda(&SystemClock, deadline_ms, self.timeout);
        let ends = join_all(event.records.iter().map(|record| self.settle(record, deadline))).await;
        let (mut response, mut confirmed_after) = (SqsBatchResponse::default(), Vec::new());
        for (record, end) in event.records.into_iter().zip(ends) {
            match end {
                Ok(confirmed) => confirmed_after.extend(confirmed),
                Err(_) => {
                    let mut failure = BatchItemFailure::default();
                    failure.item_identifier = record.message_id.unwrap_or_default();
                    response.batch_item_failures.push(failure);
                }
            }
        }
        let mut emf = Emf::new("batch answered", SystemClock.now_ms());
        emf.invocation(SystemClock.monotonic().saturating_sub(began), false);
        emf.observe(&catalogue::PAYMENTS_CONFIRMED_DURATION, confirmed_after);
        emf.emit();
        Ok(response)
    }

    /// Takes one payment as far as it goes; says how long it took since it was requested if it was confirmed.
    async fn settle(&self, record: &SqsMessage, deadline: Deadline) -> Result<Option<Duration>, Error> {
        let payment = requested(record)?;
        let begin =
            BeginPayment { record_no: 0, order_id: payment.order_id.clone(), attempt_no: payment.attempt_no };
        let begun = self.store.begin(&[begin], &[], deadline).await?;
        let begun = begun.into_iter().next().ok_or("the database did not answer for the payment")?;
        let held = match begun.next.clone() {
            Next::Authorize => self.authorize(&payment, &begun, deadline).await?,
            Next::Capture(payment_id) => Some(payment_id),
            Next::Cancel(_) | Next::Nothing | Next::Stopped | Next::Missing => None,
        };
        let Some(payment_id) = held else { return Ok(None) };
        self.provider.capture(&payment, &payment_id).await?;
        self.record(&payment, Step::Captured { payment_id }, deadline).await?;
        let sent_ms = record.attributes.get("SentTimestamp").and_then(|sent_ms| sent_ms.parse().ok());
        Ok(Some(Duration::from_millis(SystemClock.now_ms().saturating_sub(sent_ms.unwrap_or_default()))))
    }

    /// The hold, committed; none where the bank said no.
    async fn authorize(
        &self,
        payment: &Payment,
        begun: &Begun,
        deadline: Deadline,
    ) -> Result<Option<ProviderRef>, Error> {
        let frozen = begun.frozen.as_ref().ok_or("a payment without its request")?;
        let (step, held) = match self.provider.authorize(payment, frozen).await? {
            Answer::Held(payment_id) => {
                (Step::Authorized { payment_id: payment_id.clone() }, Some(payment_id))
            }
            Answer::Declined(code) => (Step::Declined { code, soft: false }, None),
        };
        self.record(payment, step, deadline).await?;
        Ok(held)
    }

    async fn record(&self, payment: &Payment, step: Step, deadline: Deadline) -> Result<(), Error> {
        let Payment { order_id, attempt_no } = payment.clone();
        let step = Move { record_no: 0, order_id, attempt_no, step };
        self.store.record(&[step], &[], deadline).await?;
        Ok(())
    }
}

/// The payment that a record asks for.
fn requested(record: &SqsMessage) -> Result<Payment, Error> {
    let event: Value = serde_json::from_str(record.body.as_deref().unwrap_or_default())?;
    let field = |name: &str| event.get("data").and_then(|data| data.get(name));
    let order_id = field("orderId").and_then(Value::as_str).ok_or("no order")?.parse()?;
    let attempt_no = field("attemptNo").and_then(Value::as_i64).ok_or("no attempt")?;
    Ok(Payment { order_id, attempt_no: i32::try_from(attempt_no)? })
}
