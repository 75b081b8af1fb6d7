"""The RDS Data API, checked with boto3: what its model promises and what Aurora PostgreSQL v2 is known to do."""

import json
import threading
import unittest
import uuid

from botocore.exceptions import ClientError

from stack import INFO, client, wait_until

DATA = client("rds-data")
MIGRATOR = {
    "resourceArn": INFO["cluster_arn"],
    "secretArn": INFO["secrets"]["migrator"],
    "database": INFO["database"],
}
APP = {**MIGRATOR, "secretArn": INFO["secrets"]["app"]}


def execute(sql, parameters=(), **more):
    return DATA.execute_statement(**{**MIGRATOR, "sql": sql, "parameters": list(parameters), **more})


def value(expression, *parameters):
    """The one field that an expression is returned as."""
    return execute(f"SELECT {expression}", parameters)["records"][0][0]


def text(name, content, hint=None):
    parameter = {"name": name, "value": {"stringValue": content}}
    return {**parameter, "typeHint": hint} if hint else parameter


class RdsData(unittest.TestCase):
    def setUp(self):
        self.table = f"conformance_{uuid.uuid4().hex}"
        execute(f"CREATE TABLE {self.table} (id bigint PRIMARY KEY, name text, key uuid, doc jsonb)")
        self.addCleanup(execute, f"DROP TABLE {self.table}")

    def count(self):
        return value(f"(SELECT count(*) FROM {self.table})")["longValue"]

    def assert_fails(self, exception, message, call, *arguments, **more):
        with self.assertRaises(exception) as caught:
            call(*arguments, **more)
        self.assertRegex(caught.exception.response["Error"]["Message"], message)

    def assert_sql_fails(self, sql_state, sql, *parameters, **more):
        ending = rf"^ERROR: .*; SQLState: {sql_state}$"
        self.assert_fails(DATA.exceptions.DatabaseErrorException, ending, execute, sql, parameters, **more)


class Statements(RdsData):
    def test_every_kind_of_field_comes_back_as_it_went(self):
        for field in (
            {"stringValue": "a 'quoted' :name"},
            {"longValue": -(2**63)},
            {"doubleValue": 0.1},
            {"booleanValue": True},
            {"blobValue": bytes(range(256))},
        ):
            with self.subTest(field=field):
                self.assertEqual(value(":p", {"name": "p", "value": field}), field)
        self.assertEqual(value("CAST(:p AS text)", {"name": "p", "value": {"isNull": True}}), {"isNull": True})

    def test_names_are_only_found_where_sql_has_parameters(self):
        sql = """':a' || "x".":b" || $tag$ :c $$ $tag$ || E'\\':d' || :real || :real::text -- :e
                 /* :f /* :g */ :h */ FROM (SELECT 'x' AS ":b") AS "x" """
        self.assertEqual(value(sql, text("real", "!"))["stringValue"], ":ax :c $$ ':d!!")

    def test_changed_rows_are_counted_and_nothing_is_generated(self):
        insert = f"INSERT INTO {self.table} (id) VALUES (1), (2)"
        answer = execute(insert)
        self.assertEqual((answer["numberOfRecordsUpdated"], answer["generatedFields"]), (2, []))
        answer = execute(f"DELETE FROM {self.table} WHERE id = 1 RETURNING id")
        self.assertEqual((answer["numberOfRecordsUpdated"], answer["records"]), (1, [[{"longValue": 1}]]))
        self.assertEqual(execute(f"SELECT * FROM {self.table}")["numberOfRecordsUpdated"], 0)

    def test_records_can_be_one_json_text(self):
        sql = "SELECT 1 AS one, 2.50::numeric AS amount, NULL AS nothing, '{\"a\": [1, 2]}'::jsonb AS doc"
        answer = execute(sql, formatRecordsAs="JSON")
        expected = '[{"one":1,"amount":"2.50","nothing":null,"doc":"{\\"a\\":[1,2]}"}]'
        self.assertEqual(answer["formattedRecords"], expected)
        self.assertEqual(json.loads(answer["formattedRecords"])[0]["doc"], '{"a":[1,2]}')
        self.assertNotIn("records", answer)

    def test_columns_are_described(self):
        answer = execute(f"SELECT id AS number, name FROM {self.table}", includeResultMetadata=True)
        number, name = answer["columnMetadata"]
        self.assertEqual((number["label"], number["typeName"], number["nullable"]), ("number", "int8", 0))
        self.assertEqual((name["label"], name["typeName"], name["nullable"]), ("name", "text", 1))
        self.assertEqual(name["tableName"], self.table)

    def test_a_batch_runs_once_for_every_set(self):
        sets = [[{"name": "id", "value": {"longValue": number}}] for number in range(100)]
        insert = f"INSERT INTO {self.table} (id) VALUES (:id)"
        answer = DATA.batch_execute_statement(**MIGRATOR, sql=insert, parameterSets=sets)
        self.assertEqual((len(answer["updateResults"]), self.count()), (100, 100))

    def test_times_are_told_in_utc(self):
        field = value("timestamptz '2024-01-15 12:30:00.123+02'")
        self.assertEqual(field, {"stringValue": "2024-01-15 10:30:00.123"})


class Types(RdsData):
    KEY = "0194e0a1-0000-7000-8000-000000000000"

    def test_a_text_is_no_uuid_without_a_hint_or_a_cast(self):
        insert = f"INSERT INTO {self.table} (id, key) VALUES (1, :key)"
        self.assert_sql_fails("42804", insert, text("key", self.KEY))
        self.assert_sql_fails("42883", f"SELECT 1 FROM {self.table} WHERE key = :key", text("key", self.KEY))
        execute(insert, [text("key", self.KEY, "UUID")])
        found = execute(f"SELECT id FROM {self.table} WHERE key = CAST(:key AS uuid)", [text("key", self.KEY)])
        self.assertEqual(found["records"], [[{"longValue": 1}]])

    def test_a_text_is_no_jsonb_without_a_hint_or_a_cast(self):
        insert = f"INSERT INTO {self.table} (id, doc) VALUES (:id, :doc)"
        number = lambda id: {"name": "id", "value": {"longValue": id}}
        self.assert_sql_fails("42804", insert, number(1), text("doc", "{}"))
        execute(insert, [number(1), text("doc", '{"a":  1}', "JSON")])
        execute(insert.replace(":doc", "CAST(:doc AS jsonb)"), [number(2), text("doc", "{}")])
        self.assertEqual(value(f"doc FROM {self.table} WHERE id = 1"), {"stringValue": '{"a":1}'})

    def test_a_timestamp_has_one_form(self):
        self.assertEqual(
            value(":t", text("t", "2024-01-15 10:30:00.123", "TIMESTAMP")), {"stringValue": "2024-01-15 10:30:00.123"}
        )
        iso = text("t", "2024-01-15T10:30:00Z", "TIMESTAMP")
        self.assert_fails(ClientError, "Parse Error for TimeStamp", value, ":t", iso)

    def test_a_type_without_a_form_is_refused(self):
        unsupported = DATA.exceptions.UnsupportedResultException
        self.assert_fails(unsupported, "cast it to text", execute, "SELECT point(1, 2)")
        self.assert_fails(unsupported, "multidimensional", execute, "SELECT ARRAY[[1], [2]]")


class Failures(RdsData):
    def test_a_violation_is_told_by_its_sqlstate(self):
        execute(f"INSERT INTO {self.table} (id) VALUES (1)")
        self.assert_sql_fails("23505", f"INSERT INTO {self.table} (id) VALUES (1)")
        self.assert_sql_fails("23502", f"INSERT INTO {self.table} (id) VALUES (NULL)")
        self.assert_sql_fails("42601", "selec 1")
        self.assert_sql_fails("42P01", "SELECT * FROM nowhere")
        self.assert_sql_fails("3D000", "SELECT 1", database="nowhere")

    def test_the_app_user_changes_no_schema(self):
        self.assert_sql_fails("42501", f"CREATE TABLE {self.table}_2 ()", **APP)
        self.assert_sql_fails("42501", f"SELECT * FROM {self.table}", **APP)

    def test_what_v2_does_not_do_is_refused(self):
        def refused(code, **request):
            with self.assertRaises(ClientError) as caught:
                DATA.execute_statement(**{**MIGRATOR, **request})
            self.assertEqual(caught.exception.response["Error"]["Code"], code)

        refused("ValidationException", sql="SELECT 1; SELECT 2")
        refused("ValidationException", sql="SELECT 1", schema="public")
        array = {"name": "p", "value": {"arrayValue": {"longValues": [1]}}}
        refused("BadRequestException", sql="SELECT :p", parameters=[array])
        refused("BadRequestException", sql="SELECT :p")

    def test_unknown_arns_are_refused(self):
        not_enabled = DATA.exceptions.HttpEndpointNotEnabledException
        self.assert_fails(not_enabled, "not enabled", execute, "SELECT 1", resourceArn=INFO["cluster_arn"] + "x")
        secrets_error = DATA.exceptions.SecretsErrorException
        self.assert_fails(secrets_error, "secret", execute, "SELECT 1", secretArn=APP["secretArn"] + "x")

    def test_a_result_of_more_than_1_mib_is_refused(self):
        sql = "SELECT repeat('x', 60000) FROM generate_series(1, 20)"
        self.assert_fails(DATA.exceptions.BadRequestException, "Database response exceeded size limit", execute, sql)


class Transactions(RdsData):
    def begin(self):
        return DATA.begin_transaction(**MIGRATOR)["transactionId"]

    def end(self, call, transaction):
        arns = {name: MIGRATOR[name] for name in ("resourceArn", "secretArn")}
        return call(**arns, transactionId=transaction)["transactionStatus"]

    def test_a_transaction_is_seen_when_it_is_committed(self):
        insert = f"INSERT INTO {self.table} (id) VALUES (1)"
        transaction = self.begin()
        execute(insert, transactionId=transaction)
        self.assertEqual(self.count(), 0)
        self.assertEqual(self.end(DATA.commit_transaction, transaction), "Transaction Committed")
        self.assertEqual(self.count(), 1)
        transaction = self.begin()
        execute(f"DELETE FROM {self.table}", transactionId=transaction)
        self.end(DATA.rollback_transaction, transaction)
        self.assertEqual(self.count(), 1)

    def test_an_ended_transaction_is_not_found(self):
        transaction = self.begin()
        self.end(DATA.commit_transaction, transaction)
        not_found = DATA.exceptions.TransactionNotFoundException
        for call in (DATA.commit_transaction, DATA.rollback_transaction):
            self.assert_fails(not_found, "One previous call resulted in a termination", self.end, call, transaction)
        self.assert_fails(not_found, "is not found", execute, "SELECT 1", transactionId=transaction)

    def test_a_failed_statement_fails_the_transaction(self):
        transaction = self.begin()
        self.assert_sql_fails("22012", "SELECT 1 / 0", transactionId=transaction)
        self.assert_sql_fails("25P02", "SELECT 1", transactionId=transaction)
        self.end(DATA.rollback_transaction, transaction)

    def test_a_second_statement_at_a_time_is_refused(self):
        transaction = self.begin()
        sql = "SELECT pg_sleep(2)"
        slow = threading.Thread(target=execute, args=(sql,), kwargs={"transactionId": transaction})
        slow.start()
        running = "(SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = :sql)"
        wait_until("the first runs", lambda: value(running, text("sql", sql))["longValue"])
        refused = DATA.exceptions.DatabaseErrorException
        message = "^Transaction is still running a query$"
        self.assert_fails(refused, message, execute, "SELECT 1", transactionId=transaction)
        self.assert_fails(refused, message, self.end, DATA.commit_transaction, transaction)
        slow.join()
        self.end(DATA.rollback_transaction, transaction)


if __name__ == "__main__":
    unittest.main()
