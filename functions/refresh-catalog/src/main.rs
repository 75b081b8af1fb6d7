//! The Lambda `refresh-catalog`: settings, clients, run.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use refresh_catalog::{Handler, Settings};
use settings::Variables;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    telemetry::init("refresh-catalog");
    let settings = Settings::parse(Variables::from_environment())?;
    let handler = Handler::connect(settings).await?;
    run(service_fn(move |event: LambdaEvent<_>| {
        let handler = handler.clone();
        async move { handler.handle(event.payload, event.context.deadline).await }
    }))
    .await
}
