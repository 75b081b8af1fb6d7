// Prometheus's configuration, its rules, and promtool's tests of them.

import { allAlerts, alerts, JOB } from './alerts.ts';
import type { Alert, Input } from './alert.ts';
import { series } from './burn-alerts.ts';
import { selector } from './catalogue.ts';
import { COST_PER_ORDER, DRAIN, recordings } from './recording.ts';
import { memoryGb, price } from './settings.ts';
import { OBJECTIVES } from './slo.ts';
import { yaml } from './yaml.ts';

/** Between two looks at a target; Grafana's rate interval is four of them. */
export const SCRAPE_S = 5;

/** The configuration. Whom to scrape and whom to tell are in files beside it, which whoever starts Prometheus writes. */
export function configuration(): string {
  return yaml(
    'Prometheus: what it scrapes, which rules it follows, whom it tells. Targets are files beside it, targets/*.json.',
    {
      global: { scrape_interval: `${SCRAPE_S}s`, scrape_timeout: '4s', evaluation_interval: `${SCRAPE_S}s` },
      rule_files: ['rules/*.yml'],
      alerting: { alertmanagers: [{ file_sd_configs: [{ files: ['targets/alertmanager.json'] }] }] },
      scrape_configs: [{ job_name: JOB, metrics_path: '/metrics', file_sd_configs: [{ files: ['targets/orderflow.json'] }] }],
    },
  );
}

/** What alerts and panels ask for again and again. */
export function recordingRules(): string {
  return yaml('Recording rules: queues, cost, objectives.', { groups: recordings() });
}

/** Every alert. */
export function alertRules(): string {
  const groups = alerts().map(({ name, rules }) => ({
    name,
    rules: rules.map((alert) => ({
      alert: alert.name,
      expr: alert.expr,
      ...(alert.for && { for: alert.for }),
      labels: { severity: alert.severity },
      annotations: annotations(alert),
    })),
  }));
  return yaml('Alerts. Thresholds are those of infra/settings.json, section alarms, for prod.', { groups });
}

const annotations = ({ says, runbook }: Alert) => ({ summary: says, runbook: `infra/runbooks/${runbook}.md` });

/** promtool's tests by the name of their file: for every alert one case in which it fires and one in which it is silent. */
export function ruleTests(): Record<string, string> {
  const cases = alerts().map(({ name, rules }): [string, string] => [
    name,
    tests(
      `Tests of the alerts on ${name}: each fires in its case, and is silent in one near by.`,
      rules.flatMap(bothCases),
      name === 'objectives' ? '5m' : '1m',
    ),
  ]);
  return {
    ...Object.fromEntries(cases),
    recording: tests('Tests of the recording rules, with figures that can be computed by hand.', recordingCases()),
    'sound-shop': tests('A day on which nothing happens: no alert at all.', [soundShop()], '5m'),
  };
}

/** Rules are evaluated so often; seldom where hours have to pass. */
function tests(purpose: string, cases: readonly object[], interval = '1m'): string {
  return yaml(purpose, {
    rule_files: ['../rules/recording.yml', '../rules/alerts.yml'],
    evaluation_interval: interval,
    tests: cases,
  });
}

const inputs = (input: Input) => Object.entries(input).map(([series, values]) => ({ series, values }));

function bothCases(alert: Alert): object[] {
  const fired = [{ exp_labels: { severity: alert.severity }, exp_annotations: annotations(alert) }];
  const test = (name: string, input: Input, exp_alerts: object[]) => ({
    name: `${alert.name} ${name}`,
    interval: '1m',
    input_series: inputs(input),
    alert_rule_test: [{ eval_time: alert.at, alertname: alert.name, exp_alerts }],
  });
  return [test('fires', alert.fires, fired), test('is silent', alert.silent, [])];
}

/** Nothing missing, nothing late, nothing failing. */
function soundShop(): object {
  const quiet: Input = Object.fromEntries(
    allAlerts().flatMap(({ silent }) => Object.keys(silent).map((name) => [name, '0x420'])),
  );
  const busy: Input = {
    ...OBJECTIVES.reduce((all, objective) => ({ ...all, ...series(objective, 100, 0) }), {}),
    [selector('faas.invocations', { faas_name: 'reconcile-orders' })]: '0+1x420',
    [`up{job="${JOB}", instance="a"}`]: '1x420',
  };
  return {
    name: 'nothing rings',
    interval: '1m',
    input_series: inputs({ ...quiet, ...busy }),
    alert_rule_test: allAlerts().map(({ name }) => ({ eval_time: '7h', alertname: name, exp_alerts: [] })),
  };
}

/** As it comes from a target. */
const scraped = (series: string) => series.replace('}', `, job="${JOB}", instance="a"}`);

function recordingCases(): object[] {
  const orders = { messaging_destination_name: 'orders' };
  const process = { faas_name: 'process-orders' };
  // A minute: 60 orders in 6 batches of 0.1 s, one Data API call each.
  const one = (name: string) => price(name).usd / price(name).per;
  const perOrder =
    one('sqs_requests') * (1 + 0.2) +
    one('lambda_requests') * 0.1 +
    one('lambda_gb_s') * 0.01 * memoryGb('process-orders') +
    one('data_api_calls') * 0.1;
  const timed = ['settle-payments', 'reconcile-orders', 'refresh-catalog', 'serve-catalog'];
  return [
    {
      name: 'a backlog of 600 lasts ten minutes at one a second, an empty queue no time',
      interval: '1m',
      input_series: inputs({
        [scraped(selector('messaging.queue.visible', orders))]: '600x10',
        [scraped(selector('messaging.queue.deleted', orders))]: '0+60x10',
        [scraped(selector('messaging.queue.visible', { messaging_destination_name: 'payments' }))]: '0x10',
        [scraped(selector('messaging.queue.deleted', { messaging_destination_name: 'payments' }))]: '0x10',
      }),
      promql_expr_test: [
        {
          expr: DRAIN,
          eval_time: '10m',
          exp_samples: [
            { labels: `${DRAIN}{messaging_destination_name="orders"}`, value: 600 },
            { labels: `${DRAIN}{messaging_destination_name="payments"}`, value: 0 },
          ],
        },
      ],
    },
    {
      name: 'an order costs its share of requests, time and calls',
      interval: '1m',
      input_series: inputs({
        [selector('messaging.client.consumed.messages', process)]: '0+60x10',
        [selector('orders.accepted', process)]: '0+60x10',
        [selector('faas.invocations', process)]: '0+6x10',
        [selector('faas.invoke_duration', process, '_sum')]: '0+0.6x10',
        ...Object.fromEntries(timed.map((name) => [selector('faas.invoke_duration', { faas_name: name }, '_sum'), '0x10'])),
        [selector('data_api.calls', process)]: '0+6x10',
      }),
      promql_expr_test: [
        {
          expr: `round(${COST_PER_ORDER} * 1e12)`,
          eval_time: '10m',
          exp_samples: [{ labels: '{}', value: Math.round(perOrder * 1e12) }],
        },
      ],
    },
  ];
}
