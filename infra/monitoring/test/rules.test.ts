// The rules, judged by the programs that will read them, and held against runbooks and alarms.

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { load } from 'js-yaml';
import { ROUTES } from '../src/alertmanager.ts';
import { allAlerts } from '../src/alerts.ts';
import { FOLDER, run } from './support.ts';

const alerts = allAlerts();
const RUNBOOKS = join(FOLDER, '../runbooks');
const listed = (folder: string) => readdirSync(join(FOLDER, folder)).map((name) => `${folder}/${name}`);

/** What only AWS can ring for: these parts have no metric of ours, and no likeness on one machine. */
const ONLY_ON_AWS = [/^database-at-its-limit$/, /^cache-\d+-(cpu|memory)$/];
/** What only Prometheus can ring for, with the reason. */
const ONLY_IN_PROMETHEUS: Readonly<Record<string, string>> = {
  'nothing-scraped': 'nobody scrapes on AWS',
  'orders-success-burns-fast':
    'an alarm adds up ten metrics, and there are more reasons to hand a message back; late queues and dead letters ring there',
  'orders-success-burns': 'as the fast one',
  'orders-success-burns-slowly': 'as the fast one; dead letters ring there',
  'orders-latency-burns': 'an alarm has one window; the fast one and late queues ring there',
  'orders-latency-burns-slowly': 'an alarm looks back a day at most',
};

describe('rules', () => {
  test('promtool reads the configuration', () => {
    assert.match(run('promtool', 'check', 'config', 'prometheus/prometheus.yml'), /SUCCESS: 2 rule files found/);
  });

  test('promtool finds nothing to say about the rules', () => {
    run('promtool', 'check', 'rules', '--lint=all', '--lint-fatal', ...listed('prometheus/rules'));
  });

  test('every alert fires in its case, and is silent in the other', () => {
    run('promtool', 'test', 'rules', ...listed('prometheus/tests'));
  });

  test('every alert has one case of each kind', () => {
    const cases = listed('prometheus/tests').flatMap((file) => (load(readFileSync(join(FOLDER, file), 'utf8')) as any).tests);
    const named = cases.map(({ name }: { name: string }) => name);
    assert.deepEqual(
      alerts.flatMap(({ name }) => [`${name} fires`, `${name} is silent`]).filter((name) => !named.includes(name)),
      [],
    );
  });

  test('every alert has a name of its own', () => {
    assert.equal(new Set(alerts.map(({ name }) => name)).size, alerts.length);
  });
});

describe('runbooks', () => {
  test('every alert names a page that is there and names it back', () => {
    const missing = alerts.filter(({ name, runbook }) => {
      const page = join(RUNBOOKS, `${runbook}.md`);
      return !existsSync(page) || !mentions(readFileSync(page, 'utf8'), name);
    });
    assert.deepEqual(
      missing.map(({ name, runbook }) => `${runbook}.md: does not name ${name}`),
      [],
    );
  });

  test('every alert stands in the list of runbooks', () => {
    const page = readFileSync(join(RUNBOOKS, 'README.md'), 'utf8');
    assert.deepEqual(
      alerts.map(({ name }) => name).filter((name) => !mentions(page, name)),
      [],
    );
  });

  test('every page about an alert is named by one, here or on AWS', () => {
    const pages = new Set([...alerts.map(({ runbook }) => runbook), ...alarms().map(({ runbook }) => runbook)]);
    const about = readdirSync(RUNBOOKS).filter(
      (file) => file !== 'README.md' && /\bAlarms? `/i.test(readFileSync(join(RUNBOOKS, file), 'utf8')),
    );
    assert.deepEqual(
      about.filter((file) => !pages.has(file.replace('.md', ''))),
      [],
    );
  });
});

/** Pages write `…-errors` for every name that ends so. */
function mentions(page: string, name: string): boolean {
  const written = [...page.matchAll(/`([a-z0-9…-]+)`/g)].map((found) => found[1]!);
  return written.some((word) => (word.includes('…') ? matches(word, name) : word === name));
}

function matches(pattern: string, name: string): boolean {
  return new RegExp(`^${pattern.split('…').join('[a-z0-9-]+')}$`).test(name);
}

/** The alarms that infra/cdk creates in prod, by its committed snapshot. */
function alarms(): { name: string; runbook: string }[] {
  const page = readFileSync(join(FOLDER, '../cdk/test/snapshots/prod.txt'), 'utf8');
  const entries = page
    .split('\n\n')
    .flatMap((part) => part.split(/^(?=AWS::)/m))
    .filter((entry) => entry.startsWith('AWS::CloudWatch::Alarm '));
  return entries.map((entry) => ({
    name: /^AWS::CloudWatch::Alarm orderflow-prod-(\S+)/.exec(entry)![1]!,
    runbook: /infra\/runbooks\/([\w-]+)\.md/.exec(entry)![1]!,
  }));
}

describe('alarms of infra/cdk', () => {
  const onAws = alarms();

  test('there are some', () => assert.ok(onAws.length > 20, `${onAws.length}`));

  test('each rings here too, under the same name and with the same page', () => {
    const here = new Map(alerts.map(({ name, runbook }) => [name, runbook]));
    const alone = onAws.filter(
      ({ name, runbook }) => here.get(name) !== runbook && !ONLY_ON_AWS.some((pattern) => pattern.test(name)),
    );
    assert.deepEqual(alone, []);
  });

  test('each alert rings there too, or has a reason not to', () => {
    const there = onAws.map(({ name }) => name);
    assert.deepEqual(
      alerts.map(({ name }) => name).filter((name) => !there.includes(name) && !(name in ONLY_IN_PROMETHEUS)),
      [],
    );
    assert.deepEqual(
      Object.keys(ONLY_IN_PROMETHEUS).filter((name) => there.includes(name)),
      [],
      'these do ring there',
    );
  });
});

describe('Alertmanager', () => {
  const file = 'alertmanager/alertmanager.yml';

  test('amtool reads the configuration', () => {
    assert.match(run('amtool', 'check-config', file), /SUCCESS/);
  });

  for (const { labels, receiver } of ROUTES) {
    const words = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
    test(`${words.join(' ')} goes to ${receiver}`, () => {
      assert.match(
        run('amtool', 'config', 'routes', 'test', `--config.file=${file}`, ...words),
        new RegExp(`^${receiver}$`, 'm'),
      );
    });
  }
});
