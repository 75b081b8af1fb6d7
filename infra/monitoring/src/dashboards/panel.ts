// A panel, and how it becomes one of Grafana's for either data source.

import { MetricEditorMode, MetricQueryType, MetricsQueryBuilder, QueryMode } from '@grafana/grafana-foundation-sdk/cloudwatch';
import {
  BigValueColorMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  ScaleDistribution,
  ScaleDistributionConfigBuilder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import { ThresholdsConfigBuilder, ThresholdsMode } from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import type { Line, Series } from './series.ts';

export type Source = 'prometheus' | 'cloudwatch';

/** Units, in words; what a rate is counted by depends on the source. */
const UNITS = { count: 'short', seconds: 's', share: 'percentunit', bytes: 'bytes', usd: 'currencyUSD', times: 'short' } as const;

/** One panel, for both sources. */
export interface Panel {
  readonly title: string;
  readonly description: string;
  readonly unit: keyof typeof UNITS | 'rate';
  readonly series: readonly Series[];
  /** One large figure instead of lines. */
  readonly stat?: boolean;
  /** Lines on top of each other, which add up. */
  readonly stacked?: boolean;
  /** By powers of ten: for times, of which the longest are a thousand times the shortest. */
  readonly powers?: boolean;
  /** Where an alert rings: a dashed line. `below` where less is bad. */
  readonly limit?: number;
  readonly below?: boolean;
  readonly decimals?: number;
  /** Of 24; 8 without it, 4 for a figure. */
  readonly width?: number;
}

/** The variable by which Grafana chooses the data source. */
export const SOURCE_VARIABLE: Record<Source, string> = {
  prometheus: 'prometheus_datasource',
  cloudwatch: 'cloudwatch_datasource',
};

const sourceRef = (source: Source) => ({ type: source, uid: `\${${SOURCE_VARIABLE[source]}}` });

/** The panel in Grafana; none where the source has nothing to show in it. */
export function build(panel: Panel, source: Source): TimeseriesBuilder | StatBuilder | undefined {
  const targets =
    source === 'prometheus' ? prometheusTargets(panel) : cloudwatchTargets(panel.series.flatMap(({ lines }) => lines));
  if (targets.length === 0) return undefined;
  const unit = panel.unit === 'rate' ? (source === 'prometheus' ? 'cps' : 'cpm') : UNITS[panel.unit];
  const builder = panel.stat ? stat(panel) : timeseries(panel);
  builder.title(panel.title).description(panel.description).datasource(sourceRef(source)).unit(unit).targets(targets);
  if (panel.decimals !== undefined) builder.decimals(panel.decimals);
  return builder;
}

function stat(panel: Panel): StatBuilder {
  const builder = new StatBuilder()
    .span(panel.width ?? 4)
    .height(4)
    .colorMode(BigValueColorMode.Value);
  builder.reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']));
  return builder.thresholds(thresholds(panel, 'green'));
}

function timeseries(panel: Panel): TimeseriesBuilder {
  const builder = new TimeseriesBuilder()
    .span(panel.width ?? 8)
    .height(8)
    .lineWidth(2)
    .fillOpacity(panel.stacked ? 40 : 8);
  builder.legend(
    new VizLegendOptionsBuilder().displayMode(LegendDisplayMode.List).placement(LegendPlacement.Bottom).showLegend(true),
  );
  builder.tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi));
  if (panel.powers) builder.scaleDistribution(new ScaleDistributionConfigBuilder().type(ScaleDistribution.Log).log(10));
  else builder.min(0);
  if (panel.stacked) builder.stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
  if (panel.limit !== undefined) {
    builder.thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
    builder.thresholds(thresholds(panel, 'transparent'));
  }
  return builder;
}

function thresholds({ limit, below }: Panel, good: string): ThresholdsConfigBuilder {
  const [first, second] = below ? ['red', good] : [good, 'red'];
  const steps =
    limit === undefined
      ? [{ value: null, color: good }]
      : [
          { value: null, color: first! },
          { value: limit, color: second! },
        ];
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
}

/** A, B, … Z, AA, … */
const refId = (at: number): string => (at < 26 ? '' : refId(Math.floor(at / 26) - 1)) + String.fromCharCode(65 + (at % 26));

function prometheusTargets({ series }: Panel): Builder<Dataquery>[] {
  return series.map(({ expr, legend }, at) =>
    new DataqueryBuilder().refId(refId(at)).datasource(sourceRef('prometheus')).expr(expr).legendFormat(legend).range(),
  );
}

/** A line of one stream is that stream; others are hidden, and a metric math expression of them is shown. */
function cloudwatchTargets(lines: readonly Line[]): Builder<Dataquery>[] {
  const targets: Builder<Dataquery>[] = [];
  const add = (id: string) =>
    new MetricsQueryBuilder()
      .refId(refId(targets.length))
      .id(id)
      .datasource(sourceRef('cloudwatch'))
      .queryMode(QueryMode.Metrics)
      .metricQueryType(MetricQueryType.Search)
      .region('default');
  for (const [at, { legend, statistic, streams, math }] of lines.entries()) {
    const alone = streams.length === 1 && math === undefined;
    const ids = streams.map((_, nth) => `m${at}_${nth}`);
    for (const [nth, { namespace, metricName, dimensions, statistic: own }] of streams.entries()) {
      const target = add(ids[nth]!).metricEditorMode(MetricEditorMode.Builder).namespace(namespace).metricName(metricName);
      target
        .dimensions(dimensions)
        .matchExact(true)
        .statistic(own ?? statistic)
        .period('60')
        .hide(!alone);
      targets.push(alone ? target.label(legend) : target);
    }
    if (!alone) {
      const expression = (math ?? ((all) => `SUM([${all}])`))(ids);
      targets.push(add(`e${at}`).metricEditorMode(MetricEditorMode.Code).expression(expression).label(legend).period('60'));
    }
  }
  return targets;
}
