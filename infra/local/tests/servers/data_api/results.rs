//! Values of every supported type, in both formats, compared with PostgreSQL's own text.

use super::*;

/// Selects an expression and compares the field of the API's union.
async fn check(stack: &Stack, expression: &str, expected: Value) {
    let field = stack.value(&format!("SELECT {expression}")).await;
    assert_eq!(field, expected, "{expression}");
}

#[tokio::test]
async fn numbers_texts_and_bytes_keep_their_kind() {
    let stack = Stack::new().await;
    for (expression, expected) in [
        ("NULL::int", json!({"isNull": true})),
        ("true", json!({"booleanValue": true})),
        ("(-7)::int2", json!({"longValue": -7})),
        ("9223372036854775807", json!({"longValue": i64::MAX})),
        ("1.1::float4", json!({"doubleValue": 1.1})),
        ("1e308::float8", json!({"doubleValue": 1e308})),
        ("'NaN'::float8", json!({"doubleValue": "NaN"})),
        ("'a\"ä'::text", json!({"stringValue": "a\"ä"})),
        ("'ab'::char(4)", json!({"stringValue": "ab  "})),
        ("'\\x00ff'::bytea", json!({"blobValue": "AP8="})),
        ("'{\"a\": [1, \"b c\"]}'::jsonb", json!({"stringValue": "{\"a\":[1,\"b c\"]}"})),
        ("'{\"a\": 1}'::json", json!({"stringValue": "{\"a\": 1}"})),
        ("pg_sleep(0)", json!({"stringValue": ""})),
    ] {
        check(&stack, expression, expected).await;
    }
}

/// The field must be the text that PostgreSQL itself has for the value.
async fn check_as_text(stack: &Stack, expression: &str) {
    let text = stack.value(&format!("SELECT format('%s', {expression})")).await;
    check(stack, expression, text).await;
}

#[tokio::test]
async fn what_has_no_kind_is_the_text_of_postgres() {
    let stack = Stack::new().await;
    for number in ["0", "1", "-1.50", "0.0001", "10000", "123456789.000010", "1e20", "-0.00000012", "1e-20"] {
        check_as_text(&stack, &format!("{number}::numeric")).await;
    }
    for special in ["NaN", "0.00", "100000000.0", "99990000.1234"] {
        check_as_text(&stack, &format!("'{special}'::numeric")).await;
    }
    for day in ["2024-02-29", "0001-01-01", "1999-12-31", "9999-12-31", "infinity", "-infinity"] {
        check_as_text(&stack, &format!("'{day}'::date")).await;
        check_as_text(&stack, &format!("'{day}'::timestamp")).await;
    }
    for time in ["00:00", "23:59:59.999999", "10:30:00.5", "24:00"] {
        check_as_text(&stack, &format!("'{time}'::time")).await;
        check_as_text(&stack, &format!("'1969-07-20 {time}'::timestamp")).await;
    }
    for interval in ["0", "1 year 2 mons", "-3 days", "1 day 04:05:06.7", "-1 year", "-00:00:01", "100 hours"]
    {
        check_as_text(&stack, &format!("'{interval}'::interval")).await;
    }
    for address in ["10.0.0.1", "10.0.0.0/8", "::1", "fe80::/10"] {
        check_as_text(&stack, &format!("'{address}'::inet")).await;
    }
    check_as_text(&stack, "'0194e0a1-0000-7000-8000-000000000000'::uuid").await;
}

#[tokio::test]
async fn a_time_with_zone_is_told_in_utc_without_it() {
    let stack = Stack::new().await;
    let expected = json!({"stringValue": "2024-01-15 10:30:00.123"});
    check(&stack, "'2024-01-15 12:30:00.123+02'::timestamptz", expected).await;
}

#[tokio::test]
async fn arrays_of_one_dimension_have_members_of_one_kind() {
    let stack = Stack::new().await;
    for (expression, expected) in [
        ("ARRAY[1, NULL, 3]", json!({"longValues": [1, null, 3]})),
        ("ARRAY['a', 'b,c']", json!({"stringValues": ["a", "b,c"]})),
        ("ARRAY[0.5::float8]", json!({"doubleValues": [0.5]})),
        ("ARRAY[true, false]", json!({"booleanValues": [true, false]})),
        ("'{}'::int[]", json!({"longValues": []})),
        ("ARRAY[1.50]", json!({"stringValues": ["1.50"]})),
    ] {
        check(&stack, expression, json!({"arrayValue": expected})).await;
    }
}

#[tokio::test]
async fn types_of_our_own_are_texts() {
    let stack = Stack::new().await;
    stack.sql("CREATE TYPE mood AS ENUM ('fine', 'hungry')").await.unwrap();
    stack.sql("CREATE DOMAIN price AS bigint CHECK (VALUE > 0)").await.unwrap();
    check(&stack, "'hungry'::mood", json!({"stringValue": "hungry"})).await;
    check(&stack, "5::price", json!({"longValue": 5})).await;
}

#[tokio::test]
async fn what_aurora_cannot_return_is_refused() {
    let stack = Stack::new().await;
    for expression in ["'1'::money", "point(1, 2)", "ROW(1, 2)", "ARRAY[[1], [2]]", "int4range(1, 2)"] {
        let failure = stack.sql(&format!("SELECT {expression}")).await.unwrap_err();
        assert_eq!(
            (failure.status, failure.name.as_str()),
            (400, "UnsupportedResultException"),
            "{expression}"
        );
    }
}

#[tokio::test]
async fn rows_can_be_one_json_text() {
    let stack = Stack::new().await;
    let sql =
        "SELECT 17 AS b, 10.0::float8 AS a, 'x\"y' AS text, 1.50::numeric AS amount, true AS yes, NULL AS no,
                      '{\"k\": 1}'::jsonb AS doc, 'hello'::bytea AS bytes, ARRAY[1, 2] AS list";
    let json = |sql: &str| json!({"sql": sql, "formatRecordsAs": "JSON", "includeResultMetadata": true});
    let answer = stack.execute(json(sql)).await.unwrap();
    let formatted = answer["formattedRecords"].as_str().unwrap();
    let expected = r#"[{"b":17,"a":10.0,"text":"x\"y","amount":"1.50","yes":true,"no":null,"doc":"{\"k\":1}","bytes":"aGVsbG8=","list":[1,2]}]"#;
    assert_eq!(formatted, expected);
    assert!(answer.get("records").is_none() && answer.get("columnMetadata").is_none(), "{answer}");
    let none = stack.execute(json("SELECT 1 AS a WHERE false")).await.unwrap();
    assert_eq!(none["formattedRecords"], "[]");

    let twice = stack.execute(json("SELECT 1 AS a, 2 AS a")).await.unwrap_err();
    assert_eq!(twice.name, "BadRequestException");
    stack.sql("CREATE TABLE meals (sku text)").await.unwrap();
    let returning = stack.execute(json("INSERT INTO meals VALUES ('soup') RETURNING sku")).await.unwrap();
    assert_eq!(
        (returning["records"].clone(), returning["numberOfRecordsUpdated"].clone()),
        (json!([[{"stringValue": "soup"}]]), json!(1))
    );
}

#[tokio::test]
async fn numbers_are_returned_as_asked() {
    let stack = Stack::new().await;
    let options = json!({"decimalReturnType": "DOUBLE_OR_LONG", "longReturnType": "STRING"});
    let request = json!({"sql": "SELECT 1.5::numeric, 15::numeric, 7", "resultSetOptions": options});
    let row = stack.execute(request).await.unwrap()["records"][0].clone();
    assert_eq!(row, json!([{"doubleValue": 1.5}, {"longValue": 15}, {"stringValue": "7"}]));
}

#[tokio::test]
async fn columns_are_described() {
    let stack = Stack::new().await;
    stack
        .sql("CREATE TABLE meals (id bigserial, name varchar(40) NOT NULL, price numeric(10, 2))")
        .await
        .unwrap();
    let sql = "SELECT id, name AS label, price, count(*) OVER () FROM meals";
    let answer = stack.execute(json!({"sql": sql, "includeResultMetadata": true})).await.unwrap();
    let column = |index: usize, keys: &[&str]| -> Vec<Value> {
        keys.iter().map(|key| answer["columnMetadata"][index][key].clone()).collect()
    };
    let keys =
        ["label", "typeName", "type", "nullable", "precision", "scale", "tableName", "isAutoIncrement"];
    assert_eq!(json!(column(0, &keys)), json!(["id", "int8", -5, 0, 19, 0, "meals", true]));
    assert_eq!(json!(column(1, &keys)), json!(["label", "varchar", 12, 0, 40, 0, "meals", false]));
    assert_eq!(json!(column(2, &keys)), json!(["price", "numeric", 2, 1, 10, 2, "meals", false]));
    assert_eq!(json!(column(3, &keys)), json!(["count", "int8", -5, 2, 19, 0, "", false]));
    assert_eq!(answer["records"], json!([]));
}
