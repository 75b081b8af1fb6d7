//! The provider, called as in the first example of a tutorial: a timeout, three tries, a fixed pause.

use backoff::{Clock as _, SystemClock};
use bytes::Bytes;
use futures_util::future::{Either, select};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lambda_runtime::Error;
use order::ProviderRef;
use order_store::Frozen;
use payments::Payment;
use serde_json::Value;
use settings::Secret;
use std::pin::pin;
use std::time::Duration;

/// How often a call is tried.
const TRIES: u32 = 3;

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a try may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What the bank said.
pub(crate) enum Answer {
    /// The money is held.
    Held(ProviderRef),
    /// No, in the provider's word.
    Declined(String),
}

pub(crate) struct Provider {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    secret: Secret,
    stage: String,
}

impl Provider {
    pub(crate) fn new(url: String, secret: Secret, stage: String) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, url: url.trim_end_matches('/').to_owned(), secret, stage }
    }

    pub(crate) async fn authorize(&self, payment: &Payment, frozen: &Frozen) -> Result<Answer, Error> {
        let Payment { order_id, attempt_no } = payment;
        // Every value is an identifier or a number: nothing to escape.
        let form = format!(
            "amount={}&currency={}&customer={}&payment_method={}&confirm=true&capture_method=manual&off_session=true&metadata%5Border_id%5D={order_id}&metadata%5Battempt_no%5D={attempt_no}",
            frozen.amount_minor,
            frozen.currency.as_str().to_lowercase(),
            frozen.customer_ref,
            frozen.method_ref,
        );
        let (status, answer) = self.post("/v1/payment_intents", form, &self.key("auth", payment)).await?;
        let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        if status == 402 {
            let code = text("/error/decline_code").or_else(|| text("/error/code"));
            return Ok(Answer::Declined(code.unwrap_or_else(|| "declined".to_owned())));
        }
        let id = text("/id").ok_or("an answer without a charge")?;
        Ok(Answer::Held(id.parse()?))
    }

    pub(crate) async fn capture(&self, payment: &Payment, payment_id: &ProviderRef) -> Result<(), Error> {
        let path = format!("/v1/payment_intents/{payment_id}/capture");
        self.post(&path, String::new(), &self.key("cap", payment)).await.map(drop)
    }

    fn key(&self, operation: &str, payment: &Payment) -> String {
        format!("of:{}:{}:{operation}:{}", self.stage, payment.order_id, payment.attempt_no)
    }

    /// Tries until there is an answer that is no failure, or no try is left. A decline is an answer.
    async fn post(&self, path: &str, form: String, key: &str) -> Result<(u16, Value), Error> {
        let mut last: Error = "no try was made".into();
        for attempt in 0..TRIES {
            if attempt > 0 {
                SystemClock.sleep(PAUSE).await;
            }
            match self.once(path, form.clone(), key).await {
                Ok((status, answer)) if status < 300 || status == 402 => return Ok((status, answer)),
                Ok((status, _)) => last = format!("the provider answered {status}").into(),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn once(&self, path: &str, form: String, key: &str) -> Result<(u16, Value), Error> {
        let request = Request::post(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {}", self.secret.expose()))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("idempotency-key", key)
            .body(Full::new(Bytes::from(form)))?;
        let exchange = async {
            let answer = self.client.request(request).await?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await?.to_bytes();
            Ok((status, serde_json::from_slice(&body)?))
        };
        match select(pin!(exchange), pin!(SystemClock.sleep(TIMEOUT))).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => Err("the provider did not answer in time".into()),
        }
    }
}
