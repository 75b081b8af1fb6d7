"""The statements of one order: each a call of the RDS Data API, together a transaction."""

import hashlib
import json
import os

DATABASE = {
    "resourceArn": os.environ["ORDERFLOW_CLUSTER_ARN"],
    "secretArn": os.environ["ORDERFLOW_SECRET_ARN"],
    "database": os.environ["ORDERFLOW_DATABASE"],
}
TRANSACTION = {name: DATABASE[name] for name in ("resourceArn", "secretArn")}

PRODUCT = "SELECT sku, price_minor, currency, active FROM products WHERE sku = :sku"
ORDER = """
INSERT INTO orders (order_id, customer_id, status, reason, currency, total_minor, fingerprint, placed_at, accepted_at)
VALUES (:order_id, :customer_id, :status, :reason, :currency, :total_minor, :fingerprint,
        CAST(:placed_at AS timestamptz), CASE WHEN :status = 'accepted' THEN clock_timestamp() END)
ON CONFLICT (order_id) DO NOTHING"""
ITEM = """
INSERT INTO order_items (order_id, line_no, sku, quantity, unit_price_minor)
VALUES (:order_id, :line_no, :sku, :quantity, :unit_price_minor)"""
PAYMENT = """
INSERT INTO payments (order_id, attempt_no, status, amount_minor, params, params_hash)
VALUES (:order_id, 1, 'requested', :amount_minor, CAST(:params AS jsonb), :params_hash)"""
OUTBOX = """
INSERT INTO outbox (id, order_id, seq, type, payload)
VALUES (:id, :order_id, 1, :type, CAST(:payload AS jsonb))"""
STOCK = """
UPDATE stock SET available = available - :quantity, version = version + 1
WHERE sku = :sku AND available >= :quantity"""


class OutOfStock(Exception):
    """One of the kits is not there in the quantity that was asked for; the text is the reason."""


def parameters(**values) -> list[dict]:
    """Values as the Data API takes them."""

    def field(value):
        if value is None:
            return {"isNull": True}
        return {"longValue": value} if isinstance(value, int) else {"stringValue": value}

    return [{"name": name, "value": field(value)} for name, value in values.items()]


def product(rds, sku: str) -> dict | None:
    answer = rds.execute_statement(
        **DATABASE, sql=PRODUCT, parameters=parameters(sku=sku), formatRecordsAs="JSON"
    )
    rows = json.loads(answer["formattedRecords"])
    return rows[0] if rows else None


class Transaction:
    """Commits at the end of its block, and rolls back where that raises."""

    def __init__(self, rds):
        self.rds = rds

    def __enter__(self):
        self.id = self.rds.begin_transaction(**DATABASE)["transactionId"]
        return self

    def __exit__(self, kind, *_):
        end = self.rds.rollback_transaction if kind else self.rds.commit_transaction
        end(**TRANSACTION, transactionId=self.id)

    def execute(self, sql: str, **values) -> int:
        answer = self.rds.execute_statement(
            **DATABASE, sql=sql, parameters=parameters(**values), transactionId=self.id
        )
        return answer["numberOfRecordsUpdated"]

    def execute_many(self, sql: str, rows: list[dict]) -> None:
        sets = [parameters(**row) for row in rows]
        self.rds.batch_execute_statement(**DATABASE, sql=sql, parameterSets=sets, transactionId=self.id)


def insert_order(transaction: Transaction, order: dict, fingerprint: str, reason: str | None) -> bool:
    """Whether the order is new."""
    inserted = transaction.execute(
        ORDER,
        order_id=order["orderId"],
        customer_id=order["customerId"],
        status="rejected" if reason else "accepted",
        reason=reason,
        currency=order["currency"],
        total_minor=order["totalMinor"],
        fingerprint=fingerprint,
        placed_at=order["placedAt"],
    )
    return inserted == 1


def insert_event(transaction: Transaction, order: dict, kind: str, **more) -> None:
    payload = {"orderId": order["orderId"], "customerId": order["customerId"], **more}
    transaction.execute(
        OUTBOX,
        id=f"{order['orderId']}:{kind}:1",
        order_id=order["orderId"],
        type=kind,
        payload=json.dumps(payload),
    )


def insert_payment(transaction: Transaction, order: dict) -> None:
    refs = order["payment"]
    params = {
        "amountMinor": order["totalMinor"],
        "currency": order["currency"],
        "customerRef": refs["customerRef"],
        "methodRef": refs["methodRef"],
    }
    hashed = "|".join(["v1", order["orderId"], "1", *(str(value) for value in params.values())])
    transaction.execute(
        PAYMENT,
        order_id=order["orderId"],
        amount_minor=order["totalMinor"],
        params=json.dumps(params),
        params_hash=hashlib.sha256(hashed.encode()).hexdigest(),
    )


def accept(rds, order: dict, fingerprint: str) -> None:
    """One transaction. Stock comes last and in SKU order, so that hot rows are locked shortly and without deadlock."""
    with Transaction(rds) as transaction:
        if not insert_order(transaction, order, fingerprint, None):
            return
        lines = [
            {
                "order_id": order["orderId"],
                "line_no": line_no,
                "sku": item["sku"],
                "quantity": item["quantity"],
                "unit_price_minor": item["unitPriceMinor"],
            }
            for line_no, item in enumerate(order["items"], start=1)
        ]
        transaction.execute_many(ITEM, lines)
        insert_payment(transaction, order)
        insert_event(transaction, order, "order.accepted.v1")
        for item in sorted(order["items"], key=lambda item: item["sku"]):
            if transaction.execute(STOCK, sku=item["sku"], quantity=item["quantity"]) == 0:
                raise OutOfStock("out_of_stock")


def reject(rds, order: dict, fingerprint: str, reason: str) -> None:
    with Transaction(rds) as transaction:
        if insert_order(transaction, order, fingerprint, reason):
            insert_event(transaction, order, "order.rejected.v1", reason=reason)
