// Metrics that the functions say themselves, in the Embedded Metric Format, by their names in the catalogue
// (infra/monitoring/metrics.json): a name that no function says stops the synthesis.

import { type Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { CATALOGUE, emfName, metric } from '../../../monitoring/src/catalogue.ts';
import type { Line, Stream } from '../../../monitoring/src/dashboards/series.ts';
import { named } from '../names.ts';
import type { Stage } from '../settings.ts';

/** How a metric is read. */
export interface Reading {
  readonly period: Duration;
  readonly statistic: string;
}

/** A metric of one function; with a value, only that of its attribute. */
export function emfMetric(stage: Stage, name: string, from: string, reading: Reading, value?: string): cloudwatch.Metric {
  const found = metric(name);
  if (!found.functions?.includes(from))
    throw new Error(`${from} does not say ${name}; ${found.functions?.join(', ') ?? 'AWS'} does`);
  return new cloudwatch.Metric({
    namespace: CATALOGUE.namespace,
    metricName: emfName(found, value),
    dimensionsMap: { [CATALOGUE.dimension]: named(stage, from) },
    ...reading,
  });
}

/** All values of a metric's attribute, added up. An alarm adds up ten metrics at most. */
export function emfSum(stage: Stage, name: string, from: string, period: Duration): cloudwatch.IMetric {
  const values = metric(name).attribute?.values ?? [];
  const parts = values.map((value, at) => [`m${at}`, emfMetric(stage, name, from, { period, statistic: 'Sum' }, value)] as const);
  return new cloudwatch.MathExpression({
    expression: `SUM([${parts.map(([id]) => id).join(', ')}])`,
    usingMetrics: Object.fromEntries(parts),
    period,
    label: name,
  });
}

/** A line of a dashboard, as infra/monitoring describes it for Grafana too. */
export function lineMetric(
  stage: Stage,
  { legend, statistic, streams, math }: Line,
  at: number,
  period: Duration,
): cloudwatch.IMetric {
  const parts = streams.map((stream, nth) => [`m${at}_${nth}`, streamMetric(stage, stream, statistic, period)] as const);
  const [[, alone] = []] = parts;
  if (parts.length === 1 && math === undefined && alone !== undefined) return alone.with({ label: legend });
  const ids = parts.map(([id]) => id);
  const expression = math?.(ids) ?? `SUM([${ids.join(', ')}])`;
  return new cloudwatch.MathExpression({ expression, usingMetrics: Object.fromEntries(parts), period, label: legend });
}

function streamMetric(stage: Stage, stream: Stream, statistic: string, period: Duration): cloudwatch.Metric {
  const dimensions = Object.entries(stream.dimensions).map(([name, value]) => [name, value.replace('$stage', stage)]);
  return new cloudwatch.Metric({
    namespace: stream.namespace,
    metricName: stream.metricName,
    dimensionsMap: Object.fromEntries(dimensions),
    statistic: stream.statistic ?? statistic,
    period,
  });
}
