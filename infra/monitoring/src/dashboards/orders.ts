// The dashboard of orders: are they accepted, how soon, and what waits. In the order of an order's way.

import { COST, COST_PER_ORDER, DRAIN } from '../recording.ts';
import { DEAD_LETTERS, LIMITS, PRICED, QUEUE_FUNCTIONS, WORK_QUEUES } from '../settings.ts';
import { BURNS, errorsRule, OBJECTIVES } from '../slo.ts';
import type { Panel } from './panel.ts';
import { gauges, quantiles, query, rates, ratio, streams, type Line } from './series.ts';
import { metric } from '../catalogue.ts';

const ours = { about: ['process-orders'] };
const [fastest] = BURNS;

export const orders: readonly { readonly row: string; readonly panels: readonly Panel[] }[] = [
  { row: 'Objectives', panels: [...objectives(), ...speeds()] },
  { row: 'Orders', panels: [...flow(), ...reasons(), ...batches()] },
  { row: 'What waits, and what comes back', panels: waiting() },
];

/** Milliseconds that CloudWatch ranks by: the share of orders below. */
function inTimeLine(): Line {
  const statistic = `PR(:${LIMITS.number('slo_latency_s')})`;
  return {
    legend: 'in time',
    statistic,
    streams: streams(metric('orders.accepted.duration'), ours),
    math: ([id]) => `${id} / 100`,
  };
}

/** As the recording rule: what ended of what came. */
function endedLine(): Line {
  const of = (name: string) => streams(metric(name), ours);
  const [consumed, redelivered, retried] = [
    of('messaging.client.consumed.messages'),
    of('messaging.redelivered.messages'),
    of('messaging.retried.messages'),
  ];
  const math = (ids: readonly string[]) => {
    const [all, again] = ids;
    return `1 - (SUM([${ids.slice(2)}]) - ${again}) / (${all} - ${again})`;
  };
  return { legend: 'ended', statistic: 'Sum', streams: [...consumed, ...redelivered, ...retried], math };
}

function objectives(): Panel[] {
  const [success, latency] = OBJECTIVES;
  const share = (name: string) => `1 - ${errorsRule(name, '5m')}`;
  const cost: Panel = {
    title: 'Cost of an order',
    description: `By use: requests, Lambda time and Data API calls as counted, at the prices of infra/prices.json (${PRICED}). Time is that of the machine it runs on; what stands there without an order is in the command cost.`,
    unit: 'usd',
    decimals: 7,
    stat: true,
    series: [query('an order', COST_PER_ORDER)],
  };
  return [
    {
      title: 'Messages that ended',
      description: `Of the messages that came in five minutes, what ended. Objective: ${success!.says}.`,
      unit: 'share',
      decimals: 2,
      stat: true,
      below: true,
      limit: 1 - success!.budget,
      series: [query('ended', share('success'), [endedLine()])],
    },
    {
      title: 'Accepted in time',
      description: `Of the orders of five minutes. Objective: ${latency!.says}.`,
      unit: 'share',
      decimals: 2,
      stat: true,
      below: true,
      limit: 1 - latency!.budget,
      series: [query('in time', share('latency'), [inTimeLine()])],
    },
    {
      title: 'Orders',
      description: 'Orders accepted.',
      unit: 'rate',
      stat: true,
      series: [rates('orders.accepted', { legend: 'accepted' })],
    },
    {
      title: 'Oldest order',
      description: 'How long the oldest message of the queue of orders has waited.',
      unit: 'seconds',
      decimals: 1,
      stat: true,
      limit: LIMITS.number('queue_age_s'),
      series: [gauges('messaging.queue.oldest_age', { about: ['orders'], legend: 'oldest' })],
    },
    {
      title: 'Time to drain',
      description: 'How long the backlog of orders lasts at the speed of the last five minutes.',
      unit: 'seconds',
      decimals: 1,
      stat: true,
      limit: LIMITS.number('queue_age_s'),
      series: [query('orders', `max(${DRAIN}{messaging_destination_name="orders"})`, [drainLine('orders')])],
    },
    cost,
  ];
}

/** How fast the budget burns, and how fast money is spent. */
function speeds(): Panel[] {
  return [
    {
      title: 'Speed at which the error budget burns',
      description: `1 uses the budget of ${LIMITS.number('slo_days')} days up at their end; the line is where somebody is woken (${fastest!.times} in ${fastest!.long} and ${fastest!.short}).`,
      unit: 'times',
      width: 12,
      limit: fastest!.times,
      series: OBJECTIVES.flatMap(({ name, budget }) =>
        ['5m', '1h'].map((window) => query(`${name}, ${window}`, `${errorsRule(name, window)} / ${budget}`)),
      ),
    },
    {
      title: 'Cost of a second, by item',
      description: 'What the orders of a second cost, by use.',
      unit: 'usd',
      width: 12,
      stacked: true,
      decimals: 7,
      series: [query('{{item}}', `sum by (item) (${COST})`)],
    },
  ];
}

function flow(): Panel[] {
  return [
    {
      title: 'Orders by outcome',
      description: 'What became of the messages of the queue of orders.',
      unit: 'rate',
      stacked: true,
      series: [
        rates('orders.accepted', { legend: 'accepted' }),
        rates('orders.known', { legend: 'known' }),
        rates('orders.rejected', { legend: 'rejected' }),
        rates('messaging.quarantined.messages', { ...ours, legend: 'quarantined' }),
      ],
    },
    {
      title: 'From sending to acceptance',
      description: 'Of accepted orders: from sending to the answer of the call that accepted them. The line is the objective.',
      unit: 'seconds',
      powers: true,
      limit: LIMITS.number('slo_latency_s'),
      series: quantiles('orders.accepted.duration', [50, 95, 99]),
    },
    {
      title: 'Where the time goes, p95',
      description:
        "The parts of an order's way: waiting in the queue, looking the catalog up, one call of the Data API, the whole batch.",
      unit: 'seconds',
      powers: true,
      series: [
        ...quantiles('messaging.wait.duration', [95], { ...ours, legend: 'waits in the queue' }),
        ...quantiles('catalog.lookup.duration', [95], { legend: 'looks the catalog up' }),
        ...quantiles('db.client.operation.duration', [95], { ...ours, legend: 'a call of the Data API' }),
        ...quantiles('faas.invoke_duration', [95], { ...ours, legend: 'the whole batch' }),
      ],
    },
  ];
}

/** Why orders are rejected, and whether the cache spares the database. */
function reasons(): Panel[] {
  return [
    {
      title: 'Rejected, by reason',
      description: 'Orders rejected before anything was paid.',
      unit: 'rate',
      stacked: true,
      series: [rates('orders.rejected', { by: 'attribute' })],
    },
    {
      title: 'Catalog look-ups, by layer',
      description:
        'Products looked up, by the layer that answered: the instance, Redis, another look-up under way, the database.',
      unit: 'rate',
      stacked: true,
      series: [rates('catalog.lookups', { by: 'attribute' })],
    },
    {
      title: 'Cache hits',
      description: 'Of the products looked up, what did not need the database.',
      unit: 'share',
      series: [
        ratio('instance', ['catalog.lookups', { values: ['snapshot'] }], ['catalog.lookups']),
        ratio('instance or Redis', ['catalog.lookups', { values: ['snapshot', 'redis', 'joined'] }], ['catalog.lookups']),
      ],
    },
  ];
}

/** What batches do to time and to calls. */
function batches(): Panel[] {
  return [
    {
      title: 'From sending to the start, p99',
      description: 'How long messages waited before a function first had them, by function.',
      unit: 'seconds',
      powers: true,
      series: quantiles('messaging.wait.duration', [99], { by: 'about' }),
    },
    {
      title: 'Messages of an invocation',
      description: 'How many messages a batch has: few when idle, ten in a surge.',
      unit: 'count',
      series: [ratio('process-orders', ['messaging.client.consumed.messages', ours], ['faas.invocations', ours])],
    },
    {
      title: 'Data API calls of an order',
      description: 'Calls of process-orders for one accepted order, below 1 where batches fill.',
      unit: 'count',
      series: [ratio('calls', ['data_api.calls', ours], ['orders.accepted'])],
    },
    {
      title: 'Duration of a batch, p99',
      description: "From an event's arrival at an instance of process-orders to its answer.",
      unit: 'seconds',
      powers: true,
      series: quantiles('faas.invoke_duration', [99], { ...ours, by: 'about' }),
    },
  ];
}

function waiting(): Panel[] {
  const work = { about: WORK_QUEUES, by: 'about' } as const;
  return [
    {
      title: 'Backlog',
      description: 'Messages that nobody has received.',
      unit: 'count',
      series: [gauges('messaging.queue.visible', work)],
    },
    {
      title: 'Messages under way',
      description: 'Received, and neither deleted nor handed back.',
      unit: 'count',
      series: [gauges('messaging.queue.in_flight', work)],
    },
    {
      title: 'Age of the oldest message',
      description: 'The line is where the alert for orders and products begins.',
      unit: 'seconds',
      limit: LIMITS.number('queue_age_s'),
      series: [gauges('messaging.queue.oldest_age', work)],
    },
    {
      title: 'Time to drain',
      description: 'How long each backlog lasts at the speed of the last five minutes; infinite where nothing is finished.',
      unit: 'seconds',
      series: [query('{{messaging_destination_name}}', DRAIN, WORK_QUEUES.map(drainLine))],
    },
    {
      title: 'Messages finished',
      description: 'Deleted because they were done, by queue.',
      unit: 'rate',
      series: [rates('messaging.queue.deleted', work)],
    },
    {
      title: 'Handed back, by reason',
      description: 'Item failures of all functions: the message comes again.',
      unit: 'rate',
      stacked: true,
      series: [rates('messaging.retried.messages', { by: 'attribute' })],
    },
    {
      title: 'Received more than once',
      description: 'Of the messages that a function had, those that it or another had before.',
      unit: 'share',
      series: QUEUE_FUNCTIONS.map((name) =>
        ratio(
          name,
          ['messaging.redelivered.messages', { about: [name] }],
          ['messaging.client.consumed.messages', { about: [name] }],
        ),
      ),
    },
    {
      title: 'Quarantined, by reason',
      description: 'Messages put aside because they can never be processed.',
      unit: 'rate',
      stacked: true,
      series: [rates('messaging.quarantined.messages', { by: 'attribute' })],
    },
    {
      title: 'Dead letters and quarantine',
      description: 'Messages that lie there. Each dead letter rings.',
      unit: 'count',
      series: [gauges('messaging.queue.visible', { about: [...DEAD_LETTERS, 'quarantine'], by: 'about' })],
    },
  ];
}

/** Backlog by what is deleted in a second; CloudWatch divides by nothing where nothing is. */
function drainLine(name: string): Line {
  const of = (metricName: string) => streams(metric(metricName), { about: [name] });
  const [visible, deleted] = [of('messaging.queue.visible'), of('messaging.queue.deleted')];
  return {
    legend: name,
    statistic: 'Sum',
    streams: [...visible, ...deleted],
    math: ([waiting, done]) => `${waiting} / (${done} / PERIOD(${done}))`,
  };
}
