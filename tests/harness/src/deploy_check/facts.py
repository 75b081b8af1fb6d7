"""What is live in the emulator, as JSON on standard output: `facts.py URL REGION COMMAND [ARGUMENTS]`.

    refused BUCKET TEMPLATE…  asks for a change set of each template, and prints the answers
    show PREFIX               queues, event sources, functions, roles, secrets, schedules, whose names begin so
    put-secret NAME FIELD     replaces a secret by {FIELD: the first line of standard input}
    logs GROUP                the messages of a log group, a line each
    left PREFIX               what of all that is still there

Everything is asked of the service's own API, through botocore, as an operator would.
"""

import json
import sys

import botocore.exceptions
import botocore.session

URL, REGION, COMMAND, *ARGUMENTS = sys.argv[1:]
session = botocore.session.get_session()


def client(service):
    return session.create_client(
        service,
        endpoint_url=URL,
        region_name=REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def pages(service, operation, key, **arguments):
    return [item for page in client(service).get_paginator(operation).paginate(**arguments) for item in page[key]]


def refused(bucket, *templates):
    answers = []
    for template in templates:
        with open(template, "rb") as body:
            client("s3").put_object(Bucket=bucket, Key="unchanged.json", Body=body.read())
        try:
            client("cloudformation").create_change_set(
                StackName="unchanged",
                ChangeSetName="unchanged",
                ChangeSetType="CREATE",
                Capabilities=["CAPABILITY_NAMED_IAM"],
                TemplateURL=f"{URL}/{bucket}/unchanged.json",
            )
            answers.append("")
        except botocore.exceptions.ClientError as error:
            answers.append(error.response["Error"]["Message"])
    return answers


def queues(prefix):
    sqs = client("sqs")
    found = {}
    for url in sqs.list_queues(QueueNamePrefix=prefix).get("QueueUrls", []):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        found[url.rsplit("/", 1)[1]] = {"url": url, **attributes}
    return found


def functions(prefix):
    found = pages("lambda", "list_functions", "Functions")
    return {each["FunctionName"]: each for each in found if each["FunctionName"].startswith(prefix)}


def event_sources(prefix):
    found = pages("lambda", "list_event_source_mappings", "EventSourceMappings")
    return {name(each["FunctionArn"]): each for each in found if name(each["FunctionArn"]).startswith(prefix)}


def name(arn):
    return arn.rsplit(":", 1)[1]


def roles(prefix):
    """The statements of every role by its ARN; roles are named after their stack."""
    iam = client("iam")
    found = {}
    for role in pages("iam", "list_roles", "Roles"):
        role_name = role["RoleName"]
        if role_name.startswith(prefix):
            statements = []
            for policy in iam.list_role_policies(RoleName=role_name)["PolicyNames"]:
                document = iam.get_role_policy(RoleName=role_name, PolicyName=policy)["PolicyDocument"]
                statements += document["Statement"]
            trusted = role["AssumeRolePolicyDocument"]["Statement"]
            found[role["Arn"]] = {"statements": statements, "trusted": trusted}
    return found


def secrets(prefix):
    """ARNs by name. No value leaves the emulator."""
    found = pages("secretsmanager", "list_secrets", "SecretList")
    return {each["Name"]: each["ARN"] for each in found if each["Name"].startswith(prefix)}


def schedules(prefix):
    found = pages("scheduler", "list_schedules", "Schedules", NamePrefix=prefix)
    get = client("scheduler").get_schedule
    return {each["Name"]: get(Name=each["Name"]) for each in found}


def stacks(prefix):
    found = pages("cloudformation", "describe_stacks", "Stacks")
    return {each["StackName"]: each["StackStatus"] for each in found if each["StackName"].startswith(prefix)}


KINDS = [stacks, queues, event_sources, functions, roles, secrets, schedules]


def show(prefix):
    return {kind.__name__: kind(prefix) for kind in KINDS}


def left(prefix):
    return [f"{kind.__name__}: {each}" for kind in KINDS for each in kind(prefix)]


def put_secret(secret, field):
    value = json.dumps({field: sys.stdin.readline().strip()})
    client("secretsmanager").put_secret_value(SecretId=secret, SecretString=value)


def logs(group):
    events = pages("logs", "filter_log_events", "events", logGroupName=group)
    return [line for event in events for line in event["message"].splitlines()]


COMMANDS = {"refused": refused, "show": show, "put-secret": put_secret, "logs": logs, "left": left}
json.dump(COMMANDS[COMMAND](*ARGUMENTS), sys.stdout, default=str)
