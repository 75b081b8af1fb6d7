// Every alert, in groups. Thresholds and their reasons are in infra/settings.json, section `alarms`, which the alarms of
// infra/cdk read too.

import { above, goesOn, grew, type Alert } from './alert.ts';
import { selector } from './catalogue.ts';
import { DEAD_LETTERS, FUNCTIONS, LIMITS, RECONCILE_EVERY_S } from './settings.ts';
import { burnAlerts } from './burn-alerts.ts';

/** Alerts that are evaluated together. */
export interface AlertGroup {
  readonly name: string;
  readonly rules: readonly Alert[];
}

/** The name of the scrape job: whoever says nothing is missed by it. */
export const JOB = 'orderflow';

const queue = (metric: string, name: string) => selector(metric, { messaging_destination_name: name });
const settle = { faas_name: 'settle-payments' };
const reconcile = { faas_name: 'reconcile-orders' };
const limit = (name: string) => LIMITS.number(name);

/** Minutes within which a run of the reconciler must have said something. */
const RUNS_MINUTES = (RECONCILE_EVERY_S * limit('silent_runs')) / 60;

export function alerts(): AlertGroup[] {
  return [
    { name: 'objectives', rules: burnAlerts() },
    { name: 'queues', rules: queueAlerts() },
    { name: 'functions', rules: functionAlerts() },
    { name: 'provider', rules: providerAlerts() },
    { name: 'money', rules: moneyAlerts() },
    { name: 'platform', rules: platformAlerts() },
  ];
}

/** Every alert. */
export const allAlerts = (): Alert[] => alerts().flatMap(({ rules }) => rules);

function queueAlerts(): Alert[] {
  const dead = DEAD_LETTERS.map((name) =>
    above(
      { name: `${name}-not-empty`, severity: 'page', runbook: 'redrive', says: `there are dead letters in ${name}` },
      queue('messaging.queue.visible', name),
      0,
      0,
    ),
  );
  const late = (
    [
      ['orders', 'queue_age_s'],
      ['products', 'queue_age_s'],
      ['payments', 'payment_age_s'],
    ] as const
  ).map(([name, setting]) =>
    above(
      {
        name: `${name}-late`,
        severity: 'page',
        runbook: 'queue-is-late',
        says: `the oldest message of ${name} has waited too long`,
      },
      queue('messaging.queue.oldest_age', name),
      limit(setting),
      limit('late_minutes'),
    ),
  );
  const quarantined = grew(
    {
      name: 'quarantine-grows',
      severity: 'ticket',
      runbook: 'quarantine-grows',
      says: 'many messages can never be orders or changes',
    },
    selector('messaging.quarantined.messages'),
    limit('quarantined_per_hour'),
    60,
    selector('messaging.quarantined.messages', { faas_name: 'process-orders', reason: 'bad_schema' }),
  );
  return [...dead, ...late, quarantined];
}

function functionAlerts(): Alert[] {
  const allowed = limit('errors_per_5_minutes');
  const each = FUNCTIONS.flatMap((name) => [
    grew(
      { name: `${name}-errors`, severity: 'page', runbook: 'function-errors', says: `${name} crashes or times out` },
      selector('faas.errors', { faas_name: name }),
      allowed,
      5,
    ),
    grew(
      { name: `${name}-throttled`, severity: 'page', runbook: 'function-errors', says: `${name} is throttled` },
      selector('faas.throttles', { faas_name: name }),
      allowed,
      5,
    ),
  ]);
  const runs = selector('faas.invocations', reconcile);
  const silent: Alert = {
    name: 'reconcile-orders-silent',
    severity: 'page',
    runbook: 'function-errors',
    says: 'the schedule of reconcile-orders does not invoke it',
    expr: `sum(increase(${runs}[${RUNS_MINUTES}m])) < 1`,
    at: `${RUNS_MINUTES + 10}m`,
    fires: { [runs]: `7x${RUNS_MINUTES + 20}` },
    silent: { [runs]: `7+1x${RUNS_MINUTES + 20}` },
  };
  const stopped = goesOn(
    {
      name: 'reconcile-orders-stops-early',
      severity: 'ticket',
      runbook: 'reconcile-stops-early',
      says: 'runs of reconcile-orders stop before their work is done',
    },
    selector('reconcile.duties.stopped'),
    limit('stopped_minutes'),
    selector('reconcile.duties.stopped', { ...reconcile, duty: 'compare' }),
  );
  return [...each, silent, stopped];
}

function providerAlerts(): Alert[] {
  return [
    goesOn(
      {
        name: 'provider-away',
        severity: 'page',
        runbook: 'provider-outage',
        says: 'payments are parked because the breaker is open',
      },
      selector('payments.parked', { ...settle, reason: 'breaker_open' }),
      limit('provider_down_minutes'),
    ),
    grew(
      { name: 'provider-refuses-key', severity: 'page', runbook: 'rotate-a-secret', says: 'the provider refuses our key' },
      selector('payments.attempts', { ...settle, error_type: 'unauthorized' }),
      0,
      5,
    ),
    grew(
      {
        name: 'payments-stopped',
        severity: 'ticket',
        runbook: 'payments-stopped',
        says: 'somebody has switched payments off, and orders wait for them',
      },
      selector('payments.parked', { ...settle, reason: 'payments_stopped' }),
      0,
      5,
    ),
    above(
      {
        name: 'payments-parked-long',
        severity: 'page',
        runbook: 'provider-outage',
        says: 'a payment has been parked for half of the time after which its order is rejected',
      },
      selector('payments.parked.age', reconcile),
      limit('parked_hours') * 3600,
      0,
    ),
    grew(
      {
        name: 'orders-unpaid',
        severity: 'page',
        runbook: 'provider-outage',
        says: 'orders were rejected because nobody could take their payment for 23 hours',
      },
      selector('orders.unpaid', reconcile),
      0,
      5,
    ),
  ];
}

function moneyAlerts(): Alert[] {
  return [
    above(
      {
        name: 'captured-not-confirmed',
        severity: 'page',
        runbook: 'captured-not-confirmed',
        says: 'money was taken for an order that is not confirmed',
      },
      selector('payments.captured_not_confirmed', reconcile),
      0,
      0,
    ),
    grew(
      {
        name: 'payments-differ',
        severity: 'page',
        runbook: 'payments-differ',
        says: 'the provider and the rows disagree, or a hold could not be released',
      },
      selector('payments.differences', reconcile),
      0,
      5,
    ),
    above(
      {
        name: 'payments-compared-late',
        severity: 'ticket',
        runbook: 'reconcile-stops-early',
        says: 'charges are not compared with the rows in time',
      },
      selector('payments.compare.behind', reconcile),
      limit('compare_behind_s'),
      0,
    ),
    above(
      {
        name: 'payments-in-doubt',
        severity: 'page',
        runbook: 'payments-in-doubt',
        says: 'the outcome of a payment has been unknown for too long',
      },
      selector('payments.unknown.age', reconcile),
      limit('unknown_age_s'),
      0,
    ),
    above(
      {
        name: 'payments-to-review',
        severity: 'ticket',
        runbook: 'payments-in-doubt',
        says: 'there are payments that a person has to look at',
      },
      selector('payments.review.waiting', reconcile),
      0,
      0,
    ),
    above(
      { name: 'events-unsent', severity: 'ticket', runbook: 'events-unsent', says: 'events of orders are not published' },
      selector('orders.events.unsent', reconcile),
      0,
      limit('unsent_minutes'),
    ),
  ];
}

function platformAlerts(): Alert[] {
  const up = `up{job="${JOB}"}`;
  return [
    goesOn(
      {
        name: 'redis-away',
        severity: 'page',
        runbook: 'redis-away',
        says: 'settle-payments goes on without Redis, each instance with its share of the rate',
      },
      selector('payments.gate.degraded', settle),
      limit('cache_minutes'),
    ),
    grew(
      {
        name: 'data-api-fails',
        severity: 'ticket',
        runbook: 'data-api-fails',
        says: 'calls to the Data API fail or are throttled',
      },
      selector('data_api.failures'),
      limit('data_api_failures_per_5_minutes'),
      5,
      selector('data_api.failures', { faas_name: 'process-orders', error_type: 'throttled' }),
    ),
    {
      name: 'nothing-scraped',
      severity: 'page',
      runbook: 'nothing-scraped',
      says: 'Prometheus gets no metrics: no other alert can ring',
      expr: `absent(${up}) or max(${up}) == 0`,
      for: '5m',
      at: '10m',
      fires: { [`up{job="${JOB}", instance="a"}`]: '0x20' },
      silent: { [`up{job="${JOB}", instance="a"}`]: '1x20' },
    },
  ];
}
