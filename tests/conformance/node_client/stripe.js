// The payment sandbox, checked with Stripe's own client for Node.js; run by test_stripe.py.

const assert = require("node:assert/strict");
const { randomUUID } = require("node:crypto");
const { test } = require("node:test");
const loaded = require("stripe");

const Stripe = loaded.default ?? loaded;
const { hostname, port } = new URL(process.env.SANDBOX_URL);

// A client that tries once: a retry would hide a wrong answer.
const client = (more = {}) =>
  new Stripe("sk_test_conformance", {
    host: hostname,
    port: Number(port),
    protocol: "http",
    maxNetworkRetries: 0,
    telemetry: false,
    ...more,
  });

const hold = (orderId, more = {}) => ({
  amount: 1250,
  currency: "eur",
  confirm: true,
  capture_method: "manual",
  customer: `cus_${orderId}`,
  payment_method: "pm_card_visa",
  metadata: { order_id: orderId, attempt_no: "1" },
  ...more,
});

const order = () => `node-${randomUUID()}`;

test("money is held, captured and given back", async () => {
  const stripe = client();
  const held = await stripe.paymentIntents.create(hold(order()));
  assert.equal(held.status, "requires_capture");
  assert.match(held.lastResponse.requestId, /^req_/);
  const captured = await stripe.paymentIntents.capture(held.id);
  assert.deepEqual([captured.status, captured.amount_received], ["succeeded", 1250]);
  const refund = await stripe.refunds.create({ payment_intent: held.id });
  assert.deepEqual([refund.status, refund.amount], ["succeeded", 1250]);
  await assert.rejects(stripe.refunds.create({ payment_intent: held.id }), { code: "charge_already_refunded" });
});

test("a hold is canceled", async () => {
  const stripe = client();
  const held = await stripe.paymentIntents.create(hold(order()));
  assert.equal((await stripe.paymentIntents.cancel(held.id)).status, "canceled");
  await assert.rejects(stripe.paymentIntents.capture(held.id), { code: "payment_intent_unexpected_state" });
});

test("a decline is a card error", async () => {
  const declined = client().paymentIntents.create(hold(order(), { payment_method: "pm_card_chargeDeclinedExpiredCard" }));
  await assert.rejects(declined, { type: "StripeCardError", code: "expired_card", statusCode: 402 });
});

test("a list is paged by the client", async () => {
  const stripe = client();
  const orderId = order();
  const ids = [];
  for (let number = 0; number < 5; number += 1) {
    ids.unshift((await stripe.paymentIntents.create(hold(orderId))).id);
  }
  const listed = [];
  for await (const payment of stripe.paymentIntents.list({ customer: `cus_${orderId}`, limit: 2, created: { gte: 1 } })) {
    listed.push(payment.id);
  }
  assert.deepEqual(listed, ids);
});

test("a key is executed once", async () => {
  const stripe = client();
  const orderId = order();
  const options = { idempotencyKey: randomUUID() };
  const first = await stripe.paymentIntents.create(hold(orderId), options);
  const again = await stripe.paymentIntents.create(hold(orderId), options);
  assert.equal(again.id, first.id);
  assert.equal(again.lastResponse.headers["idempotent-replayed"], "true");
  const other = stripe.paymentIntents.create(hold(orderId, { amount: 1300 }), options);
  await assert.rejects(other, { type: "StripeIdempotencyError" });
});

test("a wrong key is an authentication error", async () => {
  const stripe = new Stripe("sk_live_x", { host: hostname, port: Number(port), protocol: "http", maxNetworkRetries: 0 });
  await assert.rejects(stripe.paymentIntents.retrieve("pi_none"), { type: "StripeAuthenticationError" });
});
