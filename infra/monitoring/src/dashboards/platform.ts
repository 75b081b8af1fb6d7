// The dashboard of what carries everything: functions, database, Redis, and the catalog that browsers see.

import type { Panel } from './panel.ts';
import { gauges, quantiles, rates, ratio } from './series.ts';

export const platform: readonly { readonly row: string; readonly panels: readonly Panel[] }[] = [
  { row: 'Functions', panels: functions() },
  { row: 'Database and Redis', panels: data() },
  { row: 'The catalog', panels: catalog() },
];

function functions(): Panel[] {
  const each = { by: 'about' } as const;
  return [
    {
      title: 'Instances at work',
      description: 'Instances that work now.',
      unit: 'count',
      series: [gauges('faas.instances', each)],
    },
    {
      title: 'Invocations',
      description: 'Events handed to each function.',
      unit: 'rate',
      series: [rates('faas.invocations', each)],
    },
    {
      title: 'Duration, p99',
      description: "From an event's arrival at an instance to its answer.",
      unit: 'seconds',
      powers: true,
      series: quantiles('faas.invoke_duration', [99], each),
    },
    {
      title: 'Crashes, timeouts and failures',
      description: 'Invocations that failed as a whole. Any one of them rings.',
      unit: 'rate',
      series: [rates('faas.errors', each)],
    },
    {
      title: 'Timeouts',
      description: 'Invocations ended at their timeout; on AWS they are among the failures.',
      unit: 'rate',
      series: [rates('faas.timeouts', each)],
    },
    {
      title: 'Throttled',
      description: 'Invocations refused because the function was at its limit.',
      unit: 'rate',
      series: [rates('faas.throttles', each)],
    },
    {
      title: 'Cold starts',
      description: 'Instances that answered their first event.',
      unit: 'rate',
      series: [rates('faas.coldstarts', each)],
    },
    {
      title: 'Memory',
      description: 'The most that any instance has had; on AWS it stands in the REPORT line.',
      unit: 'bytes',
      series: [gauges('faas.mem_usage', each)],
    },
  ];
}

function data(): Panel[] {
  const each = { by: 'about' } as const;
  return [
    {
      title: 'Calls of the Data API',
      description: 'By function, second attempts included.',
      unit: 'rate',
      stacked: true,
      series: [rates('data_api.calls', each)],
    },
    {
      title: 'Failed calls, by what failed',
      description: 'Calls of the Data API that failed, throttled ones among them.',
      unit: 'rate',
      stacked: true,
      series: [rates('data_api.failures', { by: 'attribute' })],
    },
    {
      title: 'Second attempts',
      description: 'Of the calls of the Data API, those that repeated another.',
      unit: 'share',
      series: [ratio('repeated', ['data_api.retries'], ['data_api.calls'])],
    },
    {
      title: 'Duration of a call, p99',
      description: 'How long each call of the Data API took.',
      unit: 'seconds',
      powers: true,
      series: quantiles('db.client.operation.duration', [99], each),
    },
    {
      title: 'Commands to Redis',
      description: 'By function.',
      unit: 'rate',
      stacked: true,
      series: [rates('redis.calls', each)],
    },
  ];
}

function catalog(): Panel[] {
  return [
    {
      title: 'Changes by result',
      description: 'Product changes and stock adjustments: applied, known, or older than what stands.',
      unit: 'rate',
      stacked: true,
      series: [rates('catalog.changes', { by: 'attribute' })],
    },
    {
      title: 'From sending a change to its row',
      description: 'How soon a new price holds.',
      unit: 'seconds',
      powers: true,
      series: quantiles('catalog.change.duration', [50, 99]),
    },
    {
      title: 'Changes that Redis took',
      description: 'Of the products that changed; what it missed expires by itself.',
      unit: 'rate',
      stacked: true,
      series: [rates('catalog.cache.writes', { by: 'attribute' })],
    },
    {
      title: 'Shelves that owe',
      description: 'Adjustments that took more from a shelf than was on it.',
      unit: 'rate',
      series: [rates('stock.owing', { legend: 'adjustments' })],
    },
    {
      title: 'Answers to browsers and the CDN',
      description: 'By class of status.',
      unit: 'rate',
      stacked: true,
      series: [rates('http.server.responses', { by: 'attribute' })],
    },
    {
      title: 'Duration of an answer',
      description: "From a request's arrival at an instance to its answer.",
      unit: 'seconds',
      powers: true,
      series: quantiles('http.server.request.duration', [50, 99]),
    },
    {
      title: 'Listings, by where they came from',
      description: 'What serve-catalog showed: from memory, Redis or the database; from nowhere is an error.',
      unit: 'rate',
      stacked: true,
      series: [rates('catalog.listings', { by: 'attribute' })],
    },
    {
      title: 'Age of the listing',
      description: 'How long ago the listing last shown was read from the database.',
      unit: 'seconds',
      series: [gauges('catalog.listing.age', { legend: 'age' })],
    },
  ];
}
