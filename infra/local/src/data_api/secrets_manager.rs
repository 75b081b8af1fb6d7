//! Secrets that another server keeps: asked for by ARN when a call names one, as the service on AWS does.
//!
//! That server is an emulator on this machine, so requests carry no signature.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, StatusCode, header::CONTENT_TYPE};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde::Deserialize;

use super::{Credentials, exception::Exception};

/// How long the other server may take; it looks into a table.
const LIMIT: Duration = Duration::from_secs(5);
/// More than a secret may have (64 KiB), as JSON in JSON.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// A Secrets Manager, and whose secret it keeps there that opens PostgreSQL as the superuser.
#[derive(Debug, Clone)]
pub struct SecretsManager {
    /// Its endpoint.
    pub url: String,
    /// The cluster's master user. On AWS the database is made with it; here it is the superuser there is.
    pub master_user: String,
}

/// The part of an answer that counts.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    secret_string: String,
}

/// What a secret of a database user holds.
#[derive(Deserialize)]
struct Content {
    username: String,
    password: String,
}

impl SecretsManager {
    /// Reads a secret: whom it opens the database for, or none for the master user.
    pub(super) async fn look_up(&self, secret_arn: &str) -> Result<Option<Credentials>, Exception> {
        let answer = tokio::time::timeout(LIMIT, self.ask(secret_arn)).await;
        let answer = answer.map_err(|_late| refused("Secrets Manager does not answer"))??;
        let answer: Answer = serde_json::from_slice(&answer).map_err(unreadable)?;
        let content: Content = serde_json::from_str(&answer.secret_string).map_err(unreadable)?;
        let master = content.username == self.master_user;
        Ok((!master).then_some(Credentials { user: content.username, password: content.password }))
    }

    async fn ask(&self, secret_arn: &str) -> Result<Bytes, Exception> {
        let body = serde_json::json!({ "SecretId": secret_arn }).to_string();
        let request = Request::post(&self.url)
            .header(CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", "secretsmanager.GetSecretValue")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| refused(error.to_string()))?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = client.request(request).await.map_err(|error| refused(error.to_string()))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        match body {
            Ok(body) if status == StatusCode::OK => Ok(body.to_bytes()),
            Ok(_) => Err(refused("Secrets Manager can't find the specified secret. Check the secretArn")),
            Err(error) => Err(refused(error.to_string())),
        }
    }
}

fn refused(message: impl Into<String>) -> Exception {
    Exception::secrets_error(message)
}

/// Without the cause's words: they may repeat the secret.
fn unreadable(_error: serde_json::Error) -> Exception {
    refused("The secret has no username and password in the form that the Data API reads")
}
