// Names, both ways: whatever a rule or a panel asks for is said by the code, and whatever the code says is asked for.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CATALOGUE, emfName, metric } from '../src/catalogue.ts';
import { allAlerts } from '../src/alerts.ts';
import { DASHBOARDS } from '../src/dashboards/files.ts';
import { metricsOf, withoutSuffix } from '../src/promql.ts';
import { recordings } from '../src/recording.ts';
import { SIGNALS } from '../src/signals.ts';

/** What Prometheus says by itself. */
const OWN = ['up'];

const rules = recordings().flatMap(({ rules }) => rules);
const recorded = rules.map(({ record }) => record);
const panels = Object.values(DASHBOARDS).flatMap((rows) => rows.flatMap(({ panels }) => panels));
const expressions = [...rules, ...allAlerts(), ...panels.flatMap(({ series }) => series)].map(({ expr }) => expr);
const asked = new Set(expressions.flatMap(metricsOf));

describe('Prometheus', () => {
  test('every name of a rule or a panel is in the catalogue, or recorded', () => {
    const said = [...CATALOGUE.metrics.map(({ prometheus }) => prometheus), ...recorded, ...OWN];
    const histograms = CATALOGUE.metrics.filter(({ kind }) => kind === 'histogram').map(({ prometheus }) => prometheus);
    const unknown = [...asked].filter((name) => !said.includes(name) && !histograms.includes(withoutSuffix(name)));
    assert.deepEqual(unknown, []);
  });

  test('a histogram is asked by its parts, and nothing else is', () => {
    const histograms = CATALOGUE.metrics.filter(({ kind }) => kind === 'histogram').map(({ prometheus }) => prometheus);
    assert.deepEqual(
      [...asked].filter((name) => histograms.includes(name)),
      [],
    );
  });

  test('every metric of the catalogue is in a rule or a panel', () => {
    const names = new Set([...asked].flatMap((name) => [name, withoutSuffix(name)]));
    assert.deepEqual(
      CATALOGUE.metrics.map(({ prometheus }) => prometheus).filter((name) => !names.has(name)),
      [],
    );
  });

  test('every recorded series is asked for', () => {
    assert.deepEqual(
      recorded.filter((name) => !asked.has(name)),
      [],
    );
  });

  test('an invented name and a broken expression would be found', () => {
    assert.deepEqual(metricsOf('sum(rate(invented_total{a="b"}[$__rate_interval])) / on (c) other'), ['invented_total', 'other']);
    assert.throws(() => metricsOf('sum(rate(x[5m])'), /not PromQL/);
  });
});

describe('CloudWatch', () => {
  const streams = panels.flatMap(({ series }) => series.flatMap(({ lines }) => lines.flatMap(({ streams }) => streams)));

  test('every stream is one that a function or AWS says', () => {
    const said = new Set(
      CATALOGUE.metrics.flatMap((found) => {
        if (found.platform)
          return found.platform.cloudwatch ? [`${found.platform.cloudwatch.namespace} ${found.platform.cloudwatch.name}`] : [];
        const values = found.attribute ? found.attribute.values : [undefined];
        return values.map((value) => `${CATALOGUE.namespace} ${emfName(found, value)}`);
      }),
    );
    assert.deepEqual(
      streams.map(({ namespace, metricName }) => `${namespace} ${metricName}`).filter((name) => !said.has(name)),
      [],
    );
  });

  test('every metric that CloudWatch has is in a panel', () => {
    const shown = new Set(streams.map(({ namespace, metricName }) => `${namespace} ${metricName}`));
    const missing = CATALOGUE.metrics.filter(({ name, platform, attribute }) => {
      if (platform)
        return platform.cloudwatch !== null && !shown.has(`${platform.cloudwatch.namespace} ${platform.cloudwatch.name}`);
      return !(attribute ? attribute.values : [undefined]).every((value) =>
        shown.has(`${CATALOGUE.namespace} ${value === undefined ? name : `${name}.${value}`}`),
      );
    });
    assert.deepEqual(
      missing.map(({ name }) => name),
      [],
    );
  });
});

test('every word for an attempt at the provider is in exactly one class', () => {
  const words = Object.values(SIGNALS).flat().sort();
  assert.deepEqual(words, [...metric('payments.attempts').attribute!.values].sort());
});
