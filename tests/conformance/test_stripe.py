"""The payment sandbox, checked with Stripe's own clients for Python and Node.js."""

import json
import os
import pathlib
import shutil
import subprocess
import unittest
import urllib.request
import uuid

import stripe

from stack import INFO

HERE = pathlib.Path(__file__).parent
# Where the Node.js client is installed: the private folder of the checkout, never committed.
NODE_HOME = HERE.parents[1] / ".orderflow" / "node"
URL = INFO["sandbox_url"]


def sandbox(method, path, body=None):
    """One call of the sandbox's levers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{URL}/_sandbox/{path}", data=data, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def client(key="sk_test_conformance", retries=0):
    """A client that tries as often as it is told."""
    return stripe.StripeClient(key, base_addresses={"api": URL}, max_network_retries=retries)


def hold(order_id, **more):
    return {
        "amount": 1_250,
        "currency": "eur",
        "confirm": True,
        "capture_method": "manual",
        "customer": f"cus_{order_id}",
        "payment_method": "pm_card_visa",
        "metadata": {"order_id": order_id, "attempt_no": "1"},
        **more,
    }


def order():
    return f"python-{uuid.uuid4().hex}"


class StripePython(unittest.TestCase):
    def setUp(self):
        self.payments = client().v1.payment_intents

    def test_money_is_held_captured_and_given_back(self):
        order_id = order()
        held = self.payments.create(hold(order_id))
        self.assertEqual((held.status, held.amount_capturable), ("requires_capture", 1_250))
        self.assertEqual(held.metadata["order_id"], order_id)
        self.assertTrue(held.last_response.headers["request-id"].startswith("req_"))
        captured = self.payments.capture(held.id)
        self.assertEqual((captured.status, captured.amount_received), ("succeeded", 1_250))
        self.assertEqual(self.payments.retrieve(held.id).status, "succeeded")
        refund = client().v1.refunds.create({"payment_intent": held.id, "amount": 250})
        self.assertEqual((refund.status, refund.amount), ("succeeded", 250))
        self.assertEqual(client().v1.refunds.retrieve(refund.id).payment_intent, held.id)
        found = sandbox("GET", "ledger")["orders"][order_id]
        self.assertEqual((found["captured_minor"], found["refunded_minor"], found["captures"]), (1_250, 250, 1))

    def test_a_hold_is_canceled_and_stays_so(self):
        held = self.payments.create(hold(order()))
        self.assertEqual(self.payments.cancel(held.id).status, "canceled")
        with self.assertRaises(stripe.InvalidRequestError) as caught:
            self.payments.capture(held.id)
        self.assertEqual(caught.exception.code, "payment_intent_unexpected_state")
        self.assertEqual(caught.exception.error.payment_intent.status, "canceled")

    def test_a_payment_is_confirmed_in_a_second_call(self):
        created = self.payments.create(hold(order(), confirm=False))
        self.assertEqual(created.status, "requires_confirmation")
        self.assertEqual(self.payments.confirm(created.id).status, "requires_capture")

    def test_a_decline_is_a_card_error(self):
        with self.assertRaises(stripe.CardError) as caught:
            self.payments.create(hold(order(), payment_method="pm_card_visa_chargeDeclinedInsufficientFunds"))
        error = caught.exception
        self.assertEqual((error.http_status, error.code), (402, "card_declined"))
        self.assertEqual(error.error.decline_code, "insufficient_funds")
        self.assertEqual(error.error.payment_intent.status, "requires_payment_method")

    def test_lists_are_paged_by_the_client(self):
        order_id = order()
        ids = [self.payments.create(hold(order_id)).id for _ in range(5)]
        first = self.payments.list({"customer": f"cus_{order_id}", "limit": 2, "created": {"gte": 1}})
        self.assertTrue(first.has_more)
        self.assertEqual([payment.id for payment in first.auto_paging_iter()], ids[::-1])

    def test_a_key_is_executed_once(self):
        order_id, options = order(), {"idempotency_key": uuid.uuid4().hex}
        first = self.payments.create(hold(order_id), options)
        again = self.payments.create(hold(order_id), options)
        self.assertEqual((again.id, again.last_response.headers["Idempotent-Replayed"]), (first.id, "true"))
        with self.assertRaises(stripe.IdempotencyError):
            self.payments.create(hold(order_id, amount=1_300), options)
        self.assertEqual(sandbox("GET", "ledger")["orders"][order_id]["holds"], 1)

    def test_other_errors_are_modelled(self):
        with self.assertRaises(stripe.AuthenticationError):
            client("sk_live_x").v1.payment_intents.retrieve("pi_none")
        with self.assertRaises(stripe.InvalidRequestError) as caught:
            self.payments.retrieve("pi_none")
        self.assertEqual((caught.exception.http_status, caught.exception.code), (404, "resource_missing"))
        self.addCleanup(sandbox, "PUT", "faults", {"faults": []})
        for kind, error in [("error_429", stripe.RateLimitError), ("error_500", stripe.APIError)]:
            sandbox("PUT", "faults", {"faults": [{"kind": kind, "endpoint": "refund"}]})
            with self.assertRaises(error):
                client().v1.refunds.create({"payment_intent": "pi_none"})

    def test_a_lost_answer_is_repaired_by_the_clients_own_retry(self):
        order_id = order()
        self.addCleanup(sandbox, "PUT", "faults", {"faults": []})
        sandbox("PUT", "faults", {"faults": [{"kind": "reset_after", "endpoint": "authorize", "times": 1}]})
        held = client(retries=2).v1.payment_intents.create(hold(order_id))
        self.assertEqual(held.status, "requires_capture")
        self.assertEqual(sandbox("GET", "ledger")["orders"][order_id]["holds"], 1)

    def test_customers_are_created(self):
        created = client().v1.customers.create({"description": "kits", "metadata": {"a": "b"}})
        self.assertEqual(client().v1.customers.retrieve(created.id).metadata["a"], "b")


class StripeNode(unittest.TestCase):
    def test_the_client_for_node_agrees(self):
        programs = [name for name in ("node", "npm") if shutil.which(name) is None]
        if programs:
            self.skipTest(f"not on this machine: {' and '.join(programs)}; stripe-node was not run")
        environment = {"PATH": os.environ["PATH"], "HOME": str(NODE_HOME), "SANDBOX_URL": URL, "NODE_PATH": install()}
        done = subprocess.run(
            ["node", "--test", "--test-reporter=tap", str(HERE / "node_client" / "stripe.js")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("# pass 6", done.stdout)


def install():
    """Installs what the lock file says, once for each lock file, and answers where."""
    wanted = (HERE / "node_client" / "package-lock.json").read_text(encoding="utf-8")
    stamp = NODE_HOME / "installed.json"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
        NODE_HOME.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / "node_client" / name, NODE_HOME / name)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=NODE_HOME, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            raise AssertionError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        stamp.write_text(wanted, encoding="utf-8")
    return str(NODE_HOME / "node_modules")


if __name__ == "__main__":
    unittest.main()
