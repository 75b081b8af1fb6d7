"""Accepts orders as most Python teams would: Powertools batch and idempotency, boto3, redis-py.

One record after the other, and for each order one transaction of single statements, as the documentation of the RDS
Data API shows it. Nothing deploys this: `cargo xtask peers` hosts it beside process-orders and compares.
"""

import hashlib
import json
import os
from datetime import datetime, timezone

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
from aws_lambda_powertools.utilities.idempotency.persistence.cache import CachePersistenceLayer
from aws_lambda_powertools.utilities.typing import LambdaContext
from redis import Redis

import statements
from statements import OutOfStock

PRODUCT_TTL_S = 3600
QUANTITY_MAX = 99

logger = Logger(service="accept-orders-python")
rds = boto3.client("rds-data")
sqs = boto3.client("sqs")
cache = Redis.from_url(os.environ["ORDERFLOW_REDIS_URL"], decode_responses=True)
payments_queue_url = os.environ["ORDERFLOW_PAYMENTS_QUEUE_URL"]
processor = BatchProcessor(event_type=EventType.SQS)
persistence = CachePersistenceLayer(client=cache)
idempotency = IdempotencyConfig(event_key_jmespath="orderId", expires_after_seconds=86_400)


class Rejected(Exception):
    """The order can never be accepted; the text is the reason."""


def product_key(sku: str) -> str:
    return f"accept-orders-python:product:{sku}"


def products(skus: list[str]) -> dict[str, dict]:
    """Cache-aside: Redis first, the database for what it does not have."""
    found = {}
    for sku, cached in zip(skus, cache.mget([product_key(sku) for sku in skus])):
        product = json.loads(cached) if cached else statements.product(rds, sku)
        if product and not cached:
            cache.set(product_key(sku), json.dumps(product), ex=PRODUCT_TTL_S)
        if product:
            found[sku] = product
    return found


def validate(order: dict) -> None:
    """Raises Rejected unless the catalog agrees with every line and the sum is right."""
    known = products([item["sku"] for item in order["items"]])
    for item in order["items"]:
        product = known.get(item["sku"])
        if product is None:
            raise Rejected("unknown_sku")
        if not product["active"]:
            raise Rejected("inactive_sku")
        if product["currency"] != order["currency"]:
            raise Rejected("currency_mismatch")
        if product["price_minor"] != item["unitPriceMinor"]:
            raise Rejected("price_changed")
        if not 1 <= item["quantity"] <= QUANTITY_MAX:
            raise Rejected("quantity_limit")
    total_minor = sum(item["quantity"] * item["unitPriceMinor"] for item in order["items"])
    total_minor += sum(adjustment["amountMinor"] for adjustment in order.get("adjustments", []))
    if total_minor != order["totalMinor"] or total_minor <= 0:
        raise Rejected("total_mismatch")


def fingerprint(order: dict) -> str:
    return hashlib.sha256(json.dumps(order, sort_keys=True).encode()).hexdigest()


def request_payment(order_id: str) -> None:
    event = {
        "specversion": "1.0",
        "id": f"{order_id}:payment.requested.v1:1",
        "source": "orderflow/accept-orders-python",
        "type": "payment.requested.v1",
        "time": datetime.now(timezone.utc).isoformat(),
        "datacontenttype": "application/json",
        "data": {"orderId": order_id, "attemptNo": 1},
    }
    sqs.send_message(QueueUrl=payments_queue_url, MessageBody=json.dumps(event))


@idempotent_function(data_keyword_argument="order", config=idempotency, persistence_store=persistence)
def accept(order: dict) -> dict:
    """Accepts or rejects one order; a repeat within a day answers what the first answered."""
    try:
        validate(order)
        statements.accept(rds, order, fingerprint(order))
    except (Rejected, OutOfStock) as rejection:
        statements.reject(rds, order, fingerprint(order), str(rejection))
        return {"orderId": order["orderId"], "status": "rejected", "reason": str(rejection)}
    request_payment(order["orderId"])
    return {"orderId": order["orderId"], "status": "accepted"}


def record_handler(record: SQSRecord) -> dict:
    event = record.json_body
    if event["type"] != "order.placed.v1":
        raise ValueError(f"cannot handle {event['type']}")
    return accept(order=event["data"])


def handler(event: dict, context: LambdaContext) -> dict:
    idempotency.register_lambda_context(context)
    response = process_partial_response(
        event=event, record_handler=record_handler, processor=processor, context=context
    )
    failed = len(response["batchItemFailures"])
    logger.info("batch answered", extra={"size": len(event["Records"]), "failed": failed})
    return response
