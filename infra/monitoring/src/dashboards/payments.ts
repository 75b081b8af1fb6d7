// The dashboard of payments: what became of them, how the provider is, what waits, and what must be nothing.

import { metric, selector } from '../catalogue.ts';
import { LIMITS } from '../settings.ts';
import { SIGNALS } from '../signals.ts';
import type { Panel } from './panel.ts';
import { gauges, quantiles, query, rates, ratio, streams, type Series } from './series.ts';

export const payments: readonly { readonly row: string; readonly panels: readonly Panel[] }[] = [
  { row: 'What must be nothing', panels: nothing() },
  { row: 'Payments', panels: flow() },
  { row: 'The provider', panels: provider() },
  { row: 'What waits', panels: waiting() },
];

function nothing(): Panel[] {
  const none = { stat: true, limit: 1 } as const;
  return [
    {
      title: 'Taken, not confirmed',
      description: 'Orders whose money was taken and that are not confirmed. Any one of them rings.',
      unit: 'count',
      ...none,
      series: [gauges('payments.captured_not_confirmed', { legend: 'orders' })],
    },
    {
      title: 'In doubt',
      description: 'Payments whose outcome nobody knows; the reconciler asks.',
      unit: 'count',
      ...none,
      series: [gauges('payments.unknown.waiting', { legend: 'payments' })],
    },
    {
      title: 'For a person',
      description: 'Payments that a person has to look at.',
      unit: 'count',
      ...none,
      series: [gauges('payments.review.waiting', { legend: 'payments' })],
    },
    {
      title: 'Parked',
      description: 'Payments that wait in their rows until they can proceed.',
      unit: 'count',
      stat: true,
      series: [gauges('payments.parked.waiting', { legend: 'payments' })],
    },
    {
      title: 'Events unsent',
      description: 'Events of orders that are not marked as published, a minute after they were written.',
      unit: 'count',
      ...none,
      series: [gauges('orders.events.unsent', { legend: 'events' })],
    },
    {
      title: 'Confirmed',
      description: 'Payments that ended with the order confirmed.',
      unit: 'rate',
      stat: true,
      series: [rates('payments.moved', { values: ['confirmed'], legend: 'confirmed' })],
    },
  ];
}

function flow(): Panel[] {
  return [
    {
      title: 'Payments by outcome',
      description: 'The states that payments reached.',
      unit: 'rate',
      stacked: true,
      series: [rates('payments.moved', { by: 'attribute' })],
    },
    {
      title: 'From request to capture',
      description: 'From publishing a payment request to the commit of its capture.',
      unit: 'seconds',
      powers: true,
      series: quantiles('payments.confirmed.duration', [50, 95, 99]),
    },
    {
      title: 'Parked, by reason',
      description: 'Payments put aside in their rows until they can proceed. The breaker and the switch have alerts.',
      unit: 'rate',
      stacked: true,
      series: [rates('payments.parked', { by: 'attribute' })],
    },
  ];
}

function provider(): Panel[] {
  const held = ['breaker_open', 'rate_limited'];
  const both = { about: ['settle-payments'] };
  return [
    {
      title: 'Requests by outcome',
      description: 'Requests of settle-payments to the provider by what became of them.',
      unit: 'rate',
      stacked: true,
      series: [rates('payments.requests', { ...both, by: 'attribute' })],
    },
    {
      title: 'Held back by breaker and limiter',
      description: "Requests that were never sent: the breaker was open, or the fleet's rate was used up.",
      unit: 'rate',
      stacked: true,
      series: [rates('payments.requests', { values: held, by: 'attribute' })],
    },
    {
      title: 'Attempts by class',
      description:
        'What came of each attempt: an answer about the charge, a declined card, a limit, nothing that can be trusted, a refusal.',
      unit: 'rate',
      stacked: true,
      series: attempts(),
    },
    {
      title: 'Duration of an attempt',
      description: 'How long each attempt at the provider took.',
      unit: 'seconds',
      powers: true,
      series: quantiles('http.client.request.duration', [50, 99], { about: ['settle-payments'] }),
    },
    {
      title: 'Attempts of a request',
      description:
        'Of all attempts, those that were not the first of their request, and answers that the provider had saved for an earlier one.',
      unit: 'share',
      series: [
        ratio('repeated', ['payments.retries'], ['payments.attempts']),
        ratio('replayed', ['payments.replays'], ['payments.attempts']),
      ],
    },
    {
      title: 'Gate without Redis',
      description: "Invocations in which the gate went on without Redis, on the instance's share of the rate.",
      unit: 'rate',
      series: [rates('payments.gate.degraded', { by: 'about' })],
    },
  ];
}

/** Forty words are too many for one picture: five classes, in which every word is once. */
function attempts(): Series[] {
  return Object.entries(SIGNALS).map(([legend, values]) => rates('payments.attempts', { values, legend }));
}

function waiting(): Panel[] {
  const age = (name: string, legend: string) => gauges(name, { legend });
  return [
    {
      title: 'Payments that wait',
      description: 'Parked, in doubt, or for a person, as the last run of the reconciler counted them.',
      unit: 'count',
      series: [
        age('payments.parked.waiting', 'parked'),
        age('payments.unknown.waiting', 'in doubt'),
        age('payments.review.waiting', 'for a person'),
      ],
    },
    {
      title: 'How long the oldest waits',
      description:
        'The line is where the alert for a payment in doubt begins; a parked one rings at half of the time after which its order is rejected.',
      unit: 'seconds',
      limit: LIMITS.number('unknown_age_s'),
      series: [age('payments.parked.age', 'parked'), age('payments.unknown.age', 'in doubt')],
    },
    {
      title: 'Charges that differ',
      description: 'Charges about which the provider and the rows disagree, in the last hour.',
      unit: 'count',
      series: [hourly('differ', 'payments.differences'), hourly('orders unpaid', 'orders.unpaid')],
    },
    {
      title: 'Behind with comparing',
      description: "How much of the provider's time is still to be compared with the rows.",
      unit: 'seconds',
      limit: LIMITS.number('compare_behind_s'),
      series: [age('payments.compare.behind', 'behind')],
    },
    {
      title: 'Duties that stopped early',
      description: 'Duties of the reconciler that stopped before their work was done, by duty. One in a busy run is nothing.',
      unit: 'rate',
      stacked: true,
      series: [rates('reconcile.duties.stopped', { by: 'attribute' })],
    },
    {
      title: 'Events unsent',
      description: 'Events of orders that are not marked as published, a minute after they were written.',
      unit: 'count',
      series: [age('orders.events.unsent', 'events')],
    },
  ];
}

/** How many in an hour. */
function hourly(legend: string, name: string): Series {
  const line = {
    legend,
    statistic: 'Sum',
    streams: streams(metric(name), {}),
    math: ([id]: readonly string[]) => `RUNNING_SUM(${id})`,
  };
  return query(legend, `sum(increase(${selector(name)}[1h]))`, [line]);
}
