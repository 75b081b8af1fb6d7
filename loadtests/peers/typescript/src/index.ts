// Accepts orders as most TypeScript teams would: Powertools batch and idempotency, AWS SDK v3, a current Redis client.
//
// All records of a batch at once, which is what Powertools does by default, and for each order one transaction of single
// statements. Nothing deploys this: `cargo xtask peers` hosts it beside process-orders and compares.

import { BatchProcessor, EventType, processPartialResponse } from '@aws-lambda-powertools/batch';
import { IdempotencyConfig, makeIdempotent } from '@aws-lambda-powertools/idempotency';
import { CachePersistenceLayer } from '@aws-lambda-powertools/idempotency/cache';
import { Logger } from '@aws-lambda-powertools/logger';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { createClient } from '@redis/client';
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { createHash } from 'node:crypto';
import { accept, OutOfStock, product, reject } from './statements.js';
import type { Order, Product } from './types.js';

const PRODUCT_TTL_S = 3600;
const QUANTITY_MAX = 99;

const logger = new Logger({ serviceName: 'accept-orders-typescript' });
const sqs = new SQSClient({});
const cache = await createClient({ url: process.env.ORDERFLOW_REDIS_URL }).connect();
const paymentsQueueUrl = process.env.ORDERFLOW_PAYMENTS_QUEUE_URL;
const processor = new BatchProcessor(EventType.SQS);
const persistenceStore = new CachePersistenceLayer({ client: cache });
const config = new IdempotencyConfig({ eventKeyJmesPath: 'orderId', expiresAfterSeconds: 86_400 });

/** The order can never be accepted; the message is the reason. */
class Rejected extends Error {}

type Result = { orderId: string; status: 'accepted' | 'rejected'; reason?: string };

const productKey = (sku: string) => `accept-orders-typescript:product:${sku}`;

/** Cache-aside: Redis first, the database for what it does not have. */
async function products(skus: string[]): Promise<Map<string, Product>> {
  const cached = await cache.mGet(skus.map(productKey));
  const entries = skus.map(async (sku, at) => {
    const text = cached[at];
    if (text) return [sku, JSON.parse(text)] as const;
    const found = await product(sku);
    if (found) await cache.set(productKey(sku), JSON.stringify(found), { EX: PRODUCT_TTL_S });
    return [sku, found] as const;
  });
  return new Map((await Promise.all(entries)).filter(([, found]) => found));
}

/** Throws Rejected unless the catalog agrees with every line and the sum is right. */
async function validate(order: Order): Promise<void> {
  const known = await products(order.items.map((item) => item.sku));
  for (const item of order.items) {
    const found = known.get(item.sku);
    if (!found) throw new Rejected('unknown_sku');
    if (!found.active) throw new Rejected('inactive_sku');
    if (found.currency !== order.currency) throw new Rejected('currency_mismatch');
    if (found.price_minor !== item.unitPriceMinor) throw new Rejected('price_changed');
    if (item.quantity < 1 || item.quantity > QUANTITY_MAX) throw new Rejected('quantity_limit');
  }
  const items = order.items.reduce((sum, item) => sum + item.quantity * item.unitPriceMinor, 0);
  const total = (order.adjustments ?? []).reduce((sum, adjustment) => sum + adjustment.amountMinor, items);
  if (total !== order.totalMinor || total <= 0) throw new Rejected('total_mismatch');
}

const fingerprint = (order: Order) => createHash('sha256').update(JSON.stringify(order)).digest('hex');

async function requestPayment(orderId: string): Promise<void> {
  const event = {
    specversion: '1.0',
    id: `${orderId}:payment.requested.v1:1`,
    source: 'orderflow/accept-orders-typescript',
    type: 'payment.requested.v1',
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    data: { orderId, attemptNo: 1 },
  };
  await sqs.send(new SendMessageCommand({ QueueUrl: paymentsQueueUrl, MessageBody: JSON.stringify(event) }));
}

/** Accepts or rejects one order; a repeat within a day answers what the first answered. */
const acceptOnce = makeIdempotent(
  async (order: Order): Promise<Result> => {
    const { orderId } = order;
    try {
      await validate(order);
      await accept(order, fingerprint(order));
    } catch (error) {
      if (!(error instanceof Rejected || error instanceof OutOfStock)) throw error;
      await reject(order, fingerprint(order), error.message);
      return { orderId, status: 'rejected', reason: error.message };
    }
    await requestPayment(orderId);
    return { orderId, status: 'accepted' };
  },
  { persistenceStore, config },
);

async function recordHandler(record: SQSRecord): Promise<Result> {
  const event = JSON.parse(record.body);
  if (event.type !== 'order.placed.v1') throw new Error(`cannot handle ${event.type}`);
  return acceptOnce(event.data);
}

/** The Lambda handler. */
export async function handler(event: SQSEvent, context: Context): Promise<SQSBatchResponse> {
  config.registerLambdaContext(context);
  const response = await processPartialResponse(event, recordHandler, processor, { context });
  logger.info('batch answered', { size: event.Records.length, failed: response.batchItemFailures.length });
  return response;
}
