//! Secrets that another server keeps, as where a stack stands beside an AWS emulator.

use axum::{Json, Router, http::HeaderMap, routing::post};
use local_cloud::data_api::SecretsManager;
use tokio::net::TcpListener;

use super::*;

/// A Secrets Manager with one secret for each user, named by the end of its ARN, with this password.
async fn secrets_manager(password: &'static str) -> String {
    let answer = async move |headers: HeaderMap, body: String| {
        assert_eq!(headers["x-amz-target"], "secretsmanager.GetSecretValue");
        let request: Value = serde_json::from_str(&body).unwrap();
        let username = request["SecretId"].as_str().unwrap().rsplit(':').next().unwrap();
        let content = match username {
            "empty" => "{}".to_owned(),
            username => json!({"username": username, "password": password}).to_string(),
        };
        Json(json!({"SecretString": content}))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let service = Router::new().route("/", post(answer));
    tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    url
}

/// Who a request is in the database when it names this secret.
async fn user(secret: &str) -> Result<Value, Failure> {
    let (server, database) = shared::database().await;
    let options = DataApiOptions {
        port: 0,
        server,
        cluster_arn: CLUSTER.to_owned(),
        secrets: BTreeMap::new(),
        secrets_manager: Some(SecretsManager {
            url: secrets_manager("wrong").await,
            master_user: "master".to_owned(),
        }),
        rtt: Duration::ZERO,
        limits: Limits::default(),
    };
    let api = data_api::start(options).await.unwrap();
    let request = json!({
        "resourceArn": CLUSTER, "secretArn": secret, "database": database, "sql": "SELECT CAST(current_user AS text)",
    });
    let answer = Client::new(&api.url()).post("/Execute", &request).await?;
    Ok(answer["records"][0][0]["stringValue"].clone())
}

#[tokio::test]
async fn the_master_users_secret_opens_the_database_as_the_superuser() {
    assert_eq!(user("arn:aws:secretsmanager:r:0:secret:master").await.unwrap(), "postgres");
}

#[tokio::test]
async fn anybody_else_needs_the_password_that_the_database_knows() {
    let failure = user("arn:aws:secretsmanager:r:0:secret:somebody").await.unwrap_err();
    assert_eq!(failure.name, "DatabaseErrorException");
    assert!(failure.message.contains("28P01"), "{}", failure.message);
}

#[tokio::test]
async fn a_secret_without_a_user_is_refused() {
    let failure = user("arn:aws:secretsmanager:r:0:secret:empty").await.unwrap_err();
    assert_eq!((failure.status, failure.name.as_str()), (400, "SecretsErrorException"));
}
