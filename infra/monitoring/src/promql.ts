// What a PromQL expression names, by Prometheus's own grammar.

import { parser } from '@prometheus-io/lezer-promql';

/** The metrics of an expression; it must be one that Prometheus can read. */
export function metricsOf(expr: string): string[] {
  const names: string[] = [];
  // Grafana replaces its variables before Prometheus sees them.
  const text = expr.replaceAll('$__rate_interval', '1m');
  parser.parse(text).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) throw new Error(`not PromQL near ${from}: ${text}`);
      if (type.name === 'Identifier') names.push(text.slice(from, to));
    },
  });
  return names;
}

/** The metric of the catalogue that a name of Prometheus's belongs to: a histogram has three. */
export const withoutSuffix = (name: string) => name.replace(/_(bucket|sum|count)$/, '');
