"""The Lambda host, checked with the AWS command line, boto3, and a Python function under awslambdaric."""

import base64
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import uuid

from botocore.exceptions import ClientError

from stack import CREDENTIALS, INFO, client, control, wait_until

HERE = pathlib.Path(__file__).parent
EMPTY_BATCH = {"Records": []}
LAMBDA = client("lambda")


def register(timeout_ms=3_000, **more):
    """Hosts the Python function under a name of its own and returns the name."""
    name = f"python-{uuid.uuid4().hex[:8]}"
    control(
        "POST",
        "/functions",
        {
            "name": name,
            "command": [sys.executable, "-m", "awslambdaric", "app.handler"],
            "timeout_ms": timeout_ms,
            "environment": {"PYTHONPATH": str(HERE / "python_function")},
            **more,
        },
    )
    return name


def invoke(name, event, **more):
    answer = LAMBDA.invoke(FunctionName=name, Payload=json.dumps(event), **more)
    return answer, json.loads(answer["Payload"].read() or b"null")


class AwsCommandLine(unittest.TestCase):
    def aws(self, *arguments):
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": CREDENTIALS["aws_access_key_id"],
            "AWS_SECRET_ACCESS_KEY": CREDENTIALS["aws_secret_access_key"],
            "AWS_DEFAULT_REGION": INFO["region"],
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        command = [sys.executable, "-m", "awscli", *arguments, "--endpoint-url", INFO["lambda_url"]]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    def test_lambda_invoke_runs_a_function_of_ours(self):
        with tempfile.TemporaryDirectory() as folder:
            event, answer = pathlib.Path(folder, "event.json"), pathlib.Path(folder, "answer.json")
            event.write_text(json.dumps(EMPTY_BATCH), encoding="utf-8")
            done = self.aws(
                "lambda", "invoke", "--function-name", "process-orders", "--payload", f"fileb://{event}", str(answer)
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(json.loads(done.stdout)["StatusCode"], 200)
            self.assertNotIn("FunctionError", json.loads(done.stdout))
            self.assertEqual(json.loads(answer.read_text(encoding="utf-8")), {"batchItemFailures": []})

    def test_an_unknown_function_is_not_found(self):
        done = self.aws("lambda", "invoke", "--function-name", "nobody", os.devnull)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("ResourceNotFoundException", done.stderr)


class Boto3(unittest.TestCase):
    def test_a_batch_gets_the_functions_answer(self):
        answer, payload = invoke("process-orders", EMPTY_BATCH)
        self.assertEqual((answer["StatusCode"], answer["ExecutedVersion"]), (200, "$LATEST"))
        self.assertEqual(payload, {"batchItemFailures": []})

    def test_a_message_without_an_order_is_quarantined_not_failed(self):
        record = {
            "messageId": str(uuid.uuid4()),
            "receiptHandle": "none",
            "body": "no json",
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1795000000000"},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": INFO["queues"]["orders"]["arn"],
            "awsRegion": INFO["region"],
        }
        _, payload = invoke("process-orders", {"Records": [record]})
        self.assertEqual(payload, {"batchItemFailures": []})

    def test_an_unknown_function_is_a_modelled_error(self):
        with self.assertRaises(LAMBDA.exceptions.ResourceNotFoundException):
            invoke("nobody", {})

    def test_a_throttled_function_is_a_modelled_error(self):
        name = register()
        control("PUT", f"/functions/{name}", {"throttle": True})
        with self.assertRaises(LAMBDA.exceptions.TooManyRequestsException):
            invoke(name, {})

    def test_a_body_that_is_no_json_is_refused(self):
        with self.assertRaises(ClientError) as caught:
            LAMBDA.invoke(FunctionName="process-orders", Payload=b"{")
        self.assertEqual(caught.exception.response["Error"]["Code"], "InvalidRequestContentException")

    def test_events_and_dry_runs_are_answered_at_once(self):
        name = register()
        dry, _ = invoke(name, {}, InvocationType="DryRun")
        self.assertEqual(dry["StatusCode"], 204)
        event, _ = invoke(name, {}, InvocationType="Event")
        self.assertEqual(event["StatusCode"], 202)
        handled = lambda: control("GET", "/status")["functions"][name]["invocations"] == 1
        wait_until("the event was handled", handled)


class PythonFunction(unittest.TestCase):
    def test_it_is_hosted_unchanged_and_stays_warm(self):
        name = register()
        answer, first = invoke(name, {"hello": "Grüße"})
        self.assertNotIn("FunctionError", answer)
        self.assertEqual((first["echo"], first["function"]), ({"hello": "Grüße"}, name))
        self.assertEqual(first["region"], INFO["region"])
        self.assertTrue(first["arn"].endswith(f":function:{name}"))
        self.assertTrue(0 < first["remaining_ms"] <= 3_000, first["remaining_ms"])
        _, second = invoke(name, {})
        self.assertEqual(second["pid"], first["pid"])

    def test_an_exception_is_a_function_error(self):
        name = register()
        answer, payload = invoke(name, {"do": "raise"})
        self.assertEqual((answer["StatusCode"], answer["FunctionError"]), (200, "Unhandled"))
        self.assertEqual((payload["errorType"], payload["errorMessage"]), ("ValueError", "told to fail"))

    def test_a_timeout_is_a_function_error_and_the_next_invocation_works(self):
        name = register(timeout_ms=500)
        _, first = invoke(name, {})
        answer, payload = invoke(name, {"do": "sleep", "seconds": 60})
        self.assertEqual(answer["FunctionError"], "Unhandled")
        self.assertIn("Task timed out after 0.50 seconds", payload["errorMessage"])
        _, second = invoke(name, {})
        self.assertNotEqual(second["pid"], first["pid"])
        self.assertEqual(control("GET", "/status")["functions"][name]["timeouts"], 1)

    def test_a_process_that_ends_is_a_function_error_and_is_replaced(self):
        name = register()
        answer, payload = invoke(name, {"do": "exit"})
        self.assertEqual((answer["FunctionError"], payload["errorType"]), ("Unhandled", "Runtime.ExitError"))
        answer, _ = invoke(name, {})
        self.assertNotIn("FunctionError", answer)

    def test_what_it_prints_is_in_its_log_and_in_the_tail(self):
        name = register()
        answer, _ = invoke(name, {})
        request_id = answer["ResponseMetadata"]["RequestId"]
        log = pathlib.Path(INFO["log_dir"], f"{name}.log")
        wait_until("the log line", lambda: request_id in log.read_text(encoding="utf-8"))
        answer, _ = invoke(name, {}, LogType="Tail")
        self.assertIn(request_id, base64.b64decode(answer["LogResult"]).decode())


if __name__ == "__main__":
    unittest.main()
