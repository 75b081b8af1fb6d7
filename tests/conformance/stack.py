"""Where the running stack is: what every conformance test reads from the file named by ORDERFLOW_STACK."""

import json
import os
import sys
import time
import urllib.request

import boto3
from botocore.config import Config


def _info():
    path = os.environ.get("ORDERFLOW_STACK")
    if not path:
        sys.exit("ORDERFLOW_STACK must name the stack.json of a running stack: start one with `cargo xtask up`")
    with open(path, encoding="utf-8") as file:
        return json.load(file)


INFO = _info()

# No real credentials: the stack takes any key, and counts calls under the name behind the prefix.
CREDENTIALS = {"aws_access_key_id": "AKIACONFORMANCE", "aws_secret_access_key": "none"}

ENDPOINTS = {"sqs": INFO["sqs_url"], "lambda": INFO["lambda_url"], "rds-data": INFO["data_api_url"]}


def client(service):
    """A boto3 client of the stack that tries once: a retry would hide a wrong answer."""
    config = Config(retries={"total_max_attempts": 1}, read_timeout=60, connect_timeout=5)
    return boto3.client(
        service, endpoint_url=ENDPOINTS[service], region_name=INFO["region"], config=config, **CREDENTIALS
    )


def control(method, path, body=None):
    """One call of the stack's control API."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        INFO["control_url"] + path, data=data, method=method, headers={"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def wait_until(what, condition, limit_s=10):
    """Polls until the condition holds and returns what it returned."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {limit_s} s: {what}")
