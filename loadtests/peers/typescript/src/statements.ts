// The statements of one order: each a call of the RDS Data API, together a transaction.

import {
  BatchExecuteStatementCommand,
  BeginTransactionCommand,
  CommitTransactionCommand,
  ExecuteStatementCommand,
  RDSDataClient,
  RollbackTransactionCommand,
} from '@aws-sdk/client-rds-data';
import type { SqlParameter } from '@aws-sdk/client-rds-data';
import { createHash } from 'node:crypto';
import type { Order, Product } from './types.js';

const rds = new RDSDataClient({});
const account = {
  resourceArn: process.env.ORDERFLOW_CLUSTER_ARN,
  secretArn: process.env.ORDERFLOW_SECRET_ARN,
};
const database = { ...account, database: process.env.ORDERFLOW_DATABASE };

const PRODUCT = 'SELECT sku, price_minor, currency, active FROM products WHERE sku = :sku';
const ORDER = `
INSERT INTO orders (order_id, customer_id, status, reason, currency, total_minor, fingerprint, placed_at, accepted_at)
VALUES (:order_id, :customer_id, :status, :reason, :currency, :total_minor, :fingerprint,
        CAST(:placed_at AS timestamptz), CASE WHEN :status = 'accepted' THEN clock_timestamp() END)
ON CONFLICT (order_id) DO NOTHING`;
const ITEM = `
INSERT INTO order_items (order_id, line_no, sku, quantity, unit_price_minor)
VALUES (:order_id, :line_no, :sku, :quantity, :unit_price_minor)`;
const PAYMENT = `
INSERT INTO payments (order_id, attempt_no, status, amount_minor, params, params_hash)
VALUES (:order_id, 1, 'requested', :amount_minor, CAST(:params AS jsonb), :params_hash)`;
const OUTBOX = `
INSERT INTO outbox (id, order_id, seq, type, payload)
VALUES (:id, :order_id, 1, :type, CAST(:payload AS jsonb))`;
const STOCK = `
UPDATE stock SET available = available - :quantity, version = version + 1
WHERE sku = :sku AND available >= :quantity`;

/** One of the kits is not there in the quantity that was asked for; the message is the reason. */
export class OutOfStock extends Error {}

type Values = Record<string, string | number | null>;

/** Values as the Data API takes them. */
function parameters(values: Values): SqlParameter[] {
  return Object.entries(values).map(([name, value]) => {
    if (value === null) return { name, value: { isNull: true } };
    return { name, value: typeof value === 'number' ? { longValue: value } : { stringValue: value } };
  });
}

/** The product's row, if there is one. */
export async function product(sku: string): Promise<Product | undefined> {
  const statement = { ...database, sql: PRODUCT, parameters: parameters({ sku }), formatRecordsAs: 'JSON' as const };
  const answer = await rds.send(new ExecuteStatementCommand(statement));
  return JSON.parse(answer.formattedRecords ?? '[]')[0];
}

class Transaction {
  private constructor(private readonly id: string | undefined) {}

  /** Commits what `work` did, or rolls it back where that throws. */
  static async run(work: (transaction: Transaction) => Promise<void>): Promise<void> {
    const { transactionId } = await rds.send(new BeginTransactionCommand(database));
    try {
      await work(new Transaction(transactionId));
    } catch (error) {
      await rds.send(new RollbackTransactionCommand({ ...account, transactionId }));
      throw error;
    }
    await rds.send(new CommitTransactionCommand({ ...account, transactionId }));
  }

  async execute(sql: string, values: Values): Promise<number> {
    const statement = { ...database, transactionId: this.id, sql, parameters: parameters(values) };
    const answer = await rds.send(new ExecuteStatementCommand(statement));
    return answer.numberOfRecordsUpdated ?? 0;
  }

  async executeMany(sql: string, rows: Values[]): Promise<void> {
    const statement = { ...database, transactionId: this.id, sql, parameterSets: rows.map(parameters) };
    await rds.send(new BatchExecuteStatementCommand(statement));
  }
}

/** Whether the order is new. */
async function insertOrder(on: Transaction, order: Order, fingerprint: string, reason: string | null): Promise<boolean> {
  const inserted = await on.execute(ORDER, {
    order_id: order.orderId,
    customer_id: order.customerId,
    status: reason ? 'rejected' : 'accepted',
    reason,
    currency: order.currency,
    total_minor: order.totalMinor,
    fingerprint,
    placed_at: order.placedAt,
  });
  return inserted === 1;
}

async function insertEvent(on: Transaction, order: Order, type: string, more: Values = {}): Promise<void> {
  const { orderId, customerId } = order;
  const payload = JSON.stringify({ orderId, customerId, ...more });
  await on.execute(OUTBOX, { id: `${orderId}:${type}:1`, order_id: orderId, type, payload });
}

async function insertPayment(on: Transaction, order: Order): Promise<void> {
  const { orderId, totalMinor: amountMinor, currency } = order;
  const { customerRef, methodRef } = order.payment;
  const hashed = ['v1', orderId, 1, amountMinor, currency, customerRef, methodRef].join('|');
  await on.execute(PAYMENT, {
    order_id: orderId,
    amount_minor: amountMinor,
    params: JSON.stringify({ amountMinor, currency, customerRef, methodRef }),
    params_hash: createHash('sha256').update(hashed).digest('hex'),
  });
}

/** One transaction. Stock comes last and in SKU order, so that hot rows are locked shortly and without deadlock. */
export async function accept(order: Order, fingerprint: string): Promise<void> {
  await Transaction.run(async (on) => {
    if (!(await insertOrder(on, order, fingerprint, null))) return;
    const lines = order.items.map((item, at) => ({
      order_id: order.orderId,
      line_no: at + 1,
      sku: item.sku,
      quantity: item.quantity,
      unit_price_minor: item.unitPriceMinor,
    }));
    await on.executeMany(ITEM, lines);
    await insertPayment(on, order);
    await insertEvent(on, order, 'order.accepted.v1');
    const bySku = [...order.items].sort((one, other) => (one.sku < other.sku ? -1 : 1));
    for (const { sku, quantity } of bySku) {
      if ((await on.execute(STOCK, { sku, quantity })) === 0) throw new OutOfStock('out_of_stock');
    }
  });
}

/** Keeps the order as rejected, with its event. */
export async function reject(order: Order, fingerprint: string, reason: string): Promise<void> {
  await Transaction.run(async (on) => {
    if (await insertOrder(on, order, fingerprint, reason)) {
      await insertEvent(on, order, 'order.rejected.v1', { reason });
    }
  });
}
