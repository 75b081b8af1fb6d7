//! The Lambda `settle-payments`: settings, clients, run.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde_json::value::RawValue;
use settings::Variables;
use settle_payments::{Handler, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let variables = Variables::from_environment();
    telemetry::init("settle-payments", |name| variables.optional(name));
    let settings = Settings::parse(variables)?;
    let handler = Handler::connect(settings).await?;
    run(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let handler = handler.clone();
        async move { handler.handle(event.payload.get(), event.context.deadline).await }
    }))
    .await
}
