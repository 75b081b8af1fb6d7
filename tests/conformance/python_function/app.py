"""A Lambda function that knows nothing of orderflow or of the local stack: hosted unchanged under awslambdaric."""

import json
import os
import time


def handler(event, context):
    """Does what the event says and tells what the runtime told it."""
    action = event.get("do")
    if action == "raise":
        raise ValueError("told to fail")
    if action == "sleep":
        time.sleep(event["seconds"])
    if action == "exit":
        os._exit(7)
    print(json.dumps({"message": "handled", "request_id": context.aws_request_id}))
    return {
        "echo": event,
        "pid": os.getpid(),
        "function": context.function_name,
        "arn": context.invoked_function_arn,
        "remaining_ms": context.get_remaining_time_in_millis(),
        "region": os.environ["AWS_REGION"],
    }
