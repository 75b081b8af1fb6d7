// The recording rules: what alerts and panels ask for again and again, under names of the form level:metric:operation.

import { selector } from './catalogue.ts';
import { FUNCTIONS, memoryGb, price, QUEUE_FUNCTIONS, WORK_QUEUES } from './settings.ts';
import { BURNS, errorsRule, messages, messagesRule, OBJECTIVES, WINDOWS } from './slo.ts';

/** One rule. */
export interface Recording {
  readonly record: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Rules that are evaluated together. */
export interface Group {
  readonly name: string;
  readonly interval?: string;
  readonly rules: readonly Recording[];
}

/** How fast messages are finished, per queue. */
export const DELETED = 'messaging_destination_name:messaging_queue_deleted:rate5m';
/** How long the backlog lasts at that speed, seconds; 0 for an empty queue, infinite where nothing is finished. */
export const DRAIN = 'messaging_destination_name:messaging_queue_drain_seconds:rate5m';
/** What a second costs, USD, by item. */
export const COST = 'orders:cost_usd:rate5m';
/** What an accepted order costs, USD. */
export const COST_PER_ORDER = 'orders:cost_per_order_usd:rate5m';

const WINDOW = '5m';

export function recordings(): Group[] {
  return [
    { name: 'queues', rules: queueRules() },
    { name: 'cost', rules: costRules() },
    { name: 'slo', rules: sloRules(WINDOWS.filter((window) => ['5m', '30m', '1h'].includes(window))) },
    // Long windows move slowly and cost the most to look at.
    { name: 'slo_slow', interval: '1m', rules: sloRules(WINDOWS.filter((window) => ['6h', '3d'].includes(window))) },
  ];
}

function queueRules(): Recording[] {
  const work = { messaging_destination_name: `~${WORK_QUEUES.join('|')}` };
  // Without the labels of the scrape: both sides of the `or` must be the same series.
  const waiting = `max by (messaging_destination_name) (${selector('messaging.queue.visible', work)})`;
  return [
    {
      record: DELETED,
      expr: `sum by (messaging_destination_name) (rate(${selector('messaging.queue.deleted', work)}[${WINDOW}]))`,
    },
    { record: DRAIN, expr: `(${waiting} > 0) / on (messaging_destination_name) ${DELETED} or ${waiting} * 0` },
  ];
}

/** By use only: what stands there without an order is in `cargo xtask cost`. */
function costRules(): Recording[] {
  const rate = (name: string, labels: Record<string, string> = {}, suffix = '') =>
    `sum(rate(${selector(name, labels, suffix)}[${WINDOW}]))`;
  const queued = { faas_name: `~${QUEUE_FUNCTIONS.join('|')}` };
  // Functions that nobody invokes all the time, and that say no duration themselves, are left out.
  const timed = FUNCTIONS.filter((name) => name !== 'migrate-schema');
  const gbS = timed.map((name) => `${rate('faas.invoke_duration', { faas_name: name }, '_sum')} * ${memoryGb(name)}`);
  const items: Record<string, string> = {
    // Sent once, and for each batch a receive and a delete.
    sqs_requests: `(${rate('messaging.client.consumed.messages')} + 2 * ${rate('faas.invocations', queued)})`,
    lambda_requests: rate('faas.invocations'),
    lambda_gb_s: `(${gbS.join(' + ')})`,
    data_api_calls: rate('data_api.calls'),
  };
  const costs = Object.entries(items).map(([item, count]) => ({
    record: COST,
    expr: `${count} * ${priced(item)}`,
    labels: { item },
  }));
  const accepted = rate('orders.accepted');
  return [...costs, { record: COST_PER_ORDER, expr: `sum(${COST}) / (${accepted} > 0)` }];
}

/** As the file has it: a million requests at so much, not one at a rounded fraction. */
function priced(item: string): string {
  const { usd, per } = price(item);
  return per === 1 ? `${usd}` : `${usd} / ${per}`;
}

function sloRules(windows: readonly string[]): Recording[] {
  const errors = OBJECTIVES.flatMap((objective) =>
    windows.map((window) => ({ record: errorsRule(objective.name, window), expr: objective.errors(window) })),
  );
  const gated = windows.filter((window) => BURNS.some(({ long }) => long === window));
  return [...errors, ...gated.map((window) => ({ record: messagesRule(window), expr: messages(window) }))];
}
