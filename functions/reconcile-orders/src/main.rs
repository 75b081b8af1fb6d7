//! The Lambda `reconcile-orders`: settings, clients, run.

use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use reconcile_orders::{Handler, Settings};
use serde_json::Value;
use settings::Variables;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let variables = Variables::from_environment();
    telemetry::init("reconcile-orders", |name| variables.optional(name));
    let settings = Settings::parse(variables)?;
    let handler = Handler::connect(settings).await?;
    run(service_fn(move |event: LambdaEvent<Value>| {
        let handler = handler.clone();
        async move { Ok::<_, Error>(handler.handle(event.context.deadline).await) }
    }))
    .await
}
