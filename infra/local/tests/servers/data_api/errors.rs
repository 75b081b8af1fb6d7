//! Errors in Aurora's names and words.

use super::*;

/// Executes a request and compares name, status and a part of the message of the failure.
async fn check(stack: &Stack, request: Value, expected: (&str, u16, &str)) {
    let failure = stack.execute(request.clone()).await.unwrap_err();
    assert_eq!((failure.name.as_str(), failure.status), (expected.0, expected.1), "{request}: {failure:?}");
    assert!(failure.message.contains(expected.2), "{failure:?} lacks {}", expected.2);
}

async fn check_sql(stack: &Stack, sql: &str, message: &str) {
    let failure = stack.sql(sql).await.unwrap_err();
    assert_eq!((failure.name.as_str(), failure.status), ("DatabaseErrorException", 400), "{failure:?}");
    assert_eq!(failure.message, message);
}

#[tokio::test]
async fn sql_errors_are_told_with_position_and_sqlstate_but_without_values() {
    let stack = Stack::new().await;
    stack.sql("CREATE TABLE meals (sku text PRIMARY KEY, price int CHECK (price > 0))").await.unwrap();
    stack.sql("INSERT INTO meals VALUES ('soup', 1)").await.unwrap();
    check_sql(
        &stack,
        "INSERT INTO meals VALUES ('soup', 1)",
        r#"ERROR: duplicate key value violates unique constraint "meals_pkey"; SQLState: 23505"#,
    )
    .await;
    check_sql(
        &stack,
        "UPDATE meals SET price = 0",
        r#"ERROR: new row for relation "meals" violates check constraint "meals_price_check"; SQLState: 23514"#,
    )
    .await;
    check_sql(
        &stack,
        "SELECT * FROM missing",
        r#"ERROR: relation "missing" does not exist; Position: 15; SQLState: 42P01"#,
    )
    .await;
    check_sql(&stack, "selec 1", r#"ERROR: syntax error at or near "selec"; Position: 1; SQLState: 42601"#)
        .await;
}

#[tokio::test]
async fn a_text_without_a_hint_is_a_varchar() {
    let stack = Stack::new().await;
    stack.sql("CREATE TABLE carts (id uuid, doc jsonb)").await.unwrap();
    let id = "0194e0a1-0000-7000-8000-000000000000";
    let with = |sql: &str, hint: Option<&str>| json!({"sql": sql, "parameters": [{"name": "p", "value": {"stringValue": id}, "typeHint": hint}]});
    let insert = "INSERT INTO carts (id) VALUES (:p)";
    let message = "is of type uuid but expression is of type character varying";
    check(&stack, with(insert, None), ("DatabaseErrorException", 400, message)).await;
    let select = with("SELECT 1 FROM carts WHERE id = :p", None);
    let message = "operator does not exist: uuid = character varying";
    check(&stack, select, ("DatabaseErrorException", 400, message)).await;
    assert_eq!(stack.execute(with(insert, Some("UUID"))).await.unwrap()["numberOfRecordsUpdated"], 1);
    let cast = with("SELECT 1 FROM carts WHERE id = CAST(:p AS uuid)", None);
    assert_eq!(stack.execute(cast).await.unwrap()["records"], json!([[{"longValue": 1}]]));
}

#[tokio::test]
async fn what_the_api_does_not_do_is_refused() {
    let stack = Stack::new().await;
    let several = json!({"sql": "SELECT 1; SELECT 2"});
    check(&stack, several, ("ValidationException", 400, "Multistatements aren't supported")).await;
    let schema = json!({"sql": "SELECT 1", "schema": "public"});
    check(&stack, schema, ("ValidationException", 400, "schema parameter isn't supported")).await;
    let array = json!([{"name": "p", "value": {"arrayValue": {"longValues": [1]}}}]);
    let array = json!({"sql": "SELECT :p", "parameters": array});
    check(&stack, array, ("BadRequestException", 400, "Array parameters are not supported")).await;
    check(&stack, json!({"sql": "SELECT :p"}), ("BadRequestException", 400, "Cannot find parameter: p"))
        .await;
    check(&stack, json!({}), ("ValidationException", 400, "'sql'")).await;
    assert_eq!(stack.sql("SELECT 1;").await.unwrap()["records"], json!([[{"longValue": 1}]]));
}

#[tokio::test]
async fn unknown_names_are_told_apart() {
    let stack = Stack::new().await;
    let with = |name: &str, value: &str| json!({"sql": "SELECT 1", name: value});
    let cluster = with("resourceArn", &format!("{CLUSTER}-other"));
    check(&stack, cluster, ("HttpEndpointNotEnabledException", 400, "HttpEndpoint is not enabled")).await;
    check(&stack, with("secretArn", "arn:other"), ("SecretsErrorException", 400, "secret")).await;
    let message = r#"ERROR: database "nowhere" does not exist; SQLState: 3D000"#;
    check(&stack, with("database", "nowhere"), ("DatabaseErrorException", 400, message)).await;
    check(&stack, with("database", ""), ("ValidationException", 400, "'database'")).await;
    let unknown = stack.client.post("/ExecuteSql", &json!({})).await.unwrap_err();
    assert_eq!((unknown.status, unknown.name.as_str()), (404, "UnknownOperationException"));
}

#[tokio::test]
async fn a_body_that_is_not_the_requests_json_is_not_repeated() {
    let stack = Stack::new().await;
    for body in [r#"{"sql": "secret" "#, r#"{"sql": {"secret": 1}}"#, "secret", ""] {
        let failure = stack.client.post_text("/Execute", body.to_owned()).await.unwrap_err();
        assert_eq!((failure.status, failure.name.as_str()), (400, "SerializationException"), "{body}");
        assert!(!failure.message.contains("secret"), "{failure:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_unavailable() {
    let mut options = DataApiOptions {
        port: 0,
        server: tokio_postgres::Config::new(),
        cluster_arn: CLUSTER.to_owned(),
        secrets: BTreeMap::from([(
            SECRET.to_owned(),
            Credentials { user: "u".into(), password: "p".into() },
        )]),
        secrets_manager: None,
        rtt: Duration::ZERO,
        limits: Limits::default(),
    };
    options.server.host("127.0.0.1").port(1);
    let api = data_api::start(options).await.unwrap();
    let request = json!({"resourceArn": CLUSTER, "secretArn": SECRET, "database": "d", "sql": "SELECT 1"});
    let failure = Client::new(&api.url()).post("/Execute", &request).await.unwrap_err();
    assert_eq!((failure.status, failure.name.as_str()), (504, "DatabaseUnavailableException"));
}
