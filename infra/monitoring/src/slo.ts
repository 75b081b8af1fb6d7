// The two objectives, and the speeds at which their budget must not burn.
//
// Success: of the messages that process-orders was handed, the share that ended: accepted, known, rejected with a reason,
// or quarantined with a reason. A message that is handed back has not ended; when it comes again and ends, it has, and no
// longer counts. So a short window shows who waits, and a long one only what never ended: dead letters.
//
// Latency: of the orders accepted, the share that was accepted in time, counted from sending.
//
// The speeds, windows and shares of the budget are those of Google's SRE workbook, chapter 5.

import { selector } from './catalogue.ts';
import { LIMITS } from './settings.ts';

/** One objective. */
export interface Objective {
  readonly name: 'success' | 'latency';
  /** The share that may miss it. */
  readonly budget: number;
  /** What it promises, in words. */
  readonly says: string;
  /** The share that misses it, over a window. */
  errors(window: string): string;
}

const ours = { faas_name: 'process-orders' };
const rate = (name: string, window: string) => `sum(rate(${selector(name, ours)}[${window}]))`;

/** Messages that came for the first time, a second. */
export function messages(window: string): string {
  return `(${rate('messaging.client.consumed.messages', window)} - ${rate('messaging.redelivered.messages', window)})`;
}

const latencyS = LIMITS.number('slo_latency_s');

/** A percentage that is missed, as a share, without what floating point adds. */
const missed = (percent: number) => Number((1 - percent / 100).toFixed(6));

export const OBJECTIVES: readonly Objective[] = [
  {
    name: 'success',
    budget: missed(LIMITS.number('slo_success_percent')),
    says: `${LIMITS.number('slo_success_percent')} % of messages end: accepted, rejected or quarantined, with a reason`,
    errors: (window) =>
      `clamp_min((${rate('messaging.retried.messages', window)} - ${rate('messaging.redelivered.messages', window)}) / ${messages(window)}, 0)`,
  },
  {
    name: 'latency',
    budget: missed(LIMITS.number('slo_latency_percent')),
    says: `${LIMITS.number('slo_latency_percent')} % of orders are accepted within ${latencyS * 1000} ms of being sent`,
    errors: (window) => {
      const [inTime, all] = [
        selector('orders.accepted.duration', { ...ours, le: String(latencyS) }, '_bucket'),
        selector('orders.accepted.duration', ours, '_count'),
      ];
      return `1 - sum(rate(${inTime}[${window}])) / sum(rate(${all}[${window}]))`;
    },
  },
];

/** How fast a budget may burn before somebody is told. */
export interface Burn {
  readonly name: string;
  /** Times the speed that uses the budget up exactly at its end. */
  readonly times: number;
  /** Both windows must agree: the long one is sure, the short one ends the alert soon after the trouble. */
  readonly long: string;
  readonly short: string;
  /** What of the budget the long window uses at this speed, percent. */
  readonly usedPercent: number;
  readonly severity: 'page' | 'ticket';
}

export const BURNS: readonly Burn[] = [
  { name: 'burns-fast', times: 14.4, long: '1h', short: '5m', usedPercent: 2, severity: 'page' },
  { name: 'burns', times: 6, long: '6h', short: '30m', usedPercent: 5, severity: 'page' },
  { name: 'burns-slowly', times: 1, long: '3d', short: '6h', usedPercent: 10, severity: 'ticket' },
];

/** Every window, the shortest first. */
export const WINDOWS = ['5m', '30m', '1h', '6h', '3d'] as const;

/** The recorded share of errors. */
export const errorsRule = (objective: string, window: string) => `orders:slo_${objective}_errors:ratio_rate${window}`;
/** The recorded traffic. */
export const messagesRule = (window: string) => `orders:messages:rate${window}`;
/** The share of errors at which a burn begins; rounded, or floating point would be read. */
export const threshold = ({ budget }: Objective, { times }: Burn) => Number((times * budget).toPrecision(6));
/** Messages a second below which nobody is told. */
export const LEAST_PER_S = Number((LIMITS.number('slo_messages_per_hour') / 3600).toPrecision(4));
