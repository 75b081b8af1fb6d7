// What a panel shows, said once for both data sources: the query for Prometheus, and the metrics of CloudWatch.
//
// Prometheus splits by labels; in CloudWatch each function, queue and value is a metric of its own, so that one query there
// becomes one for each of them.

import { attributeLabel, CATALOGUE, emfName, metric, selector, type Metric } from '../catalogue.ts';
import { FUNCTIONS, QUEUES } from '../settings.ts';

/** One metric of CloudWatch. `$stage` is Grafana's variable. */
export interface Stream {
  readonly namespace: string;
  readonly metricName: string;
  readonly dimensions: Readonly<Record<string, string>>;
  /** How AWS's own metrics are read, whatever the line says. */
  readonly statistic?: string;
}

/** One line of a CloudWatch panel: streams, how each is read, and how they become one. */
export interface Line {
  readonly legend: string;
  readonly statistic: string;
  readonly streams: readonly Stream[];
  /** A metric math expression over the streams' ids; their sum where it is missing. */
  readonly math?: (ids: readonly string[]) => string;
}

/** What one Prometheus query shows, and the lines that show the same in CloudWatch. */
export interface Series {
  readonly expr: string;
  /** With Grafana's `{{label}}`. */
  readonly legend: string;
  readonly lines: readonly Line[];
}

/** What narrows and splits a series. */
export interface Options {
  /** Only these functions or queues. */
  readonly about?: readonly string[];
  /** Only these values of the attribute. */
  readonly values?: readonly string[];
  /** A line for each function or queue, or for each value. */
  readonly by?: 'about' | 'attribute';
  /** The name of the line, where it is one. */
  readonly legend?: string;
}

/** How often it happens: a second in Prometheus, a minute in CloudWatch. */
export function rates(name: string, options: Options = {}): Series {
  return split(name, options, 'Sum', (labels) => (by) => `sum${by} (rate(${selector(name, labels)}[$__rate_interval]))`);
}

/** How much there is, at most. */
export function gauges(name: string, options: Options = {}): Series {
  return split(name, options, 'Maximum', (labels) => (by) => `max${by} (${selector(name, labels)})`);
}

/** What so many of a hundred stay below. */
export function quantiles(name: string, percents: readonly number[], options: Options = {}): Series[] {
  return percents.map((percent) => {
    const legend = options.by ? undefined : `p${percent}`;
    const series = split(name, { legend: legend ?? '', ...options }, `p${percent}`, (labels) => (by) => {
      const kept = by === '' ? ' by (le)' : by.replace('(', '(le, ');
      return `histogram_quantile(${percent / 100}, sum${kept} (rate(${selector(name, labels, '_bucket')}[$__rate_interval])))`;
    });
    // A quantile of several functions together is none that CloudWatch can give; each has its own there.
    const lines = series.lines.flatMap((line) =>
      line.streams.map((stream) => ({
        ...line,
        legend: line.streams.length > 1 ? `${line.legend} ${aboutOf(stream)}` : line.legend,
        streams: [stream],
      })),
    );
    return { ...series, lines };
  });
}

/** One part of another, or per another. */
export function ratio(legend: string, part: readonly [string, Options?], whole: readonly [string, Options?]): Series {
  const sum = ([name, options = {}]: readonly [string, Options?]) =>
    `sum(rate(${selector(name, labelsOf(metric(name), options))}[$__rate_interval]))`;
  const [parts, wholes] = [streams(metric(part[0]), part[1] ?? {}), streams(metric(whole[0]), whole[1] ?? {})];
  const math = (ids: readonly string[]) => `SUM([${ids.slice(0, parts.length)}]) / SUM([${ids.slice(parts.length)}])`;
  return {
    expr: `${sum(part)} / ${sum(whole)}`,
    legend,
    lines: [{ legend, statistic: 'Sum', streams: [...parts, ...wholes], math }],
  };
}

/** A query of its own; without lines it has no counterpart in CloudWatch. */
export function query(legend: string, expr: string, lines: readonly Line[] = []): Series {
  return { expr, legend, lines };
}

/** The streams of a metric in CloudWatch; none where AWS says it elsewhere. */
export function streams(found: Metric, { about, values }: Options): Stream[] {
  const { platform } = found;
  if (platform?.cloudwatch === null) return [];
  const names = about ?? aboutWhom(found);
  return names.flatMap((who) =>
    (found.attribute ? (values ?? found.attribute.values) : [undefined]).map((value) =>
      platform?.cloudwatch
        ? {
            namespace: platform.cloudwatch.namespace,
            metricName: platform.cloudwatch.name,
            dimensions: { [platform.dimension]: onAws(who) },
            statistic: platform.cloudwatch.statistic,
          }
        : {
            namespace: CATALOGUE.namespace,
            metricName: emfName(found, value),
            dimensions: { [CATALOGUE.dimension]: onAws(who) },
          },
    ),
  );
}

const onAws = (name: string) => `orderflow-$stage-${name}`;
const aboutOf = (stream: Stream) => Object.values(stream.dimensions)[0]!.replace('orderflow-$stage-', '');

function aboutWhom(found: Metric): readonly string[] {
  if (found.functions) return found.functions;
  return found.platform?.dimension === 'QueueName' ? QUEUES : FUNCTIONS;
}

function labelsOf(found: Metric, { about, values }: Options): Record<string, string> {
  const any = (words: readonly string[]) => (words.length === 1 ? words[0]! : `~${words.join('|')}`);
  return {
    ...(about && { [found.labels[0]!]: any(about) }),
    ...(values && { [attributeLabel(found)!]: any(values) }),
  };
}

type Expression = (labels: Record<string, string>) => (by: string) => string;

function split(name: string, options: Options, statistic: string, expression: Expression): Series {
  const found = metric(name);
  const label = options.by === 'about' ? found.labels[0]! : options.by === 'attribute' ? attributeLabel(found)! : undefined;
  const expr = expression(labelsOf(found, options))(label ? ` by (${label})` : '');
  return { expr, legend: label ? `{{${label}}}` : (options.legend ?? name), lines: linesOf(found, options, statistic) };
}

function linesOf(found: Metric, options: Options, statistic: string): Line[] {
  const line = (legend: string, narrowed: Options): Line => ({ legend, statistic, streams: streams(found, narrowed) });
  const all = {
    about: () => (options.about ?? aboutWhom(found)).map((who) => line(who, { ...options, about: [who] })),
    attribute: () => (options.values ?? found.attribute!.values).map((value) => line(value, { ...options, values: [value] })),
    none: () => [line(options.legend ?? found.name, options)],
  }[options.by ?? 'none']();
  return all.filter(({ streams }) => streams.length > 0);
}
