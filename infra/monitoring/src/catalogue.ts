// The catalogue of metrics, as shared/telemetry writes it: the only place where this package gets a name from.
//
// A name that is not in it stops the generation, so no rule and no panel can ask for something that nobody says.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** One metric of metrics.json. */
export interface Metric {
  readonly name: string;
  readonly prometheus: string;
  readonly kind: 'counter' | 'gauge' | 'histogram';
  readonly unit: 'Count' | 'Seconds' | 'Bytes';
  readonly meaning: string;
  /** In Prometheus; the first one says whom it is about. */
  readonly labels: readonly string[];
  /** What splits it. */
  readonly attribute?: { readonly key: string; readonly values: readonly string[] };
  /** Who emits it in EMF; absent for what the platform says. */
  readonly functions?: readonly string[];
  readonly platform?: {
    readonly dimension: 'QueueName' | 'FunctionName';
    readonly cloudwatch: { readonly namespace: string; readonly name: string; readonly statistic: string } | null;
  };
  readonly buckets?: readonly number[];
}

interface Catalogue {
  readonly namespace: string;
  readonly dimension: string;
  readonly metrics: readonly Metric[];
}

const file = fileURLToPath(new URL('../metrics.json', import.meta.url));

/** The whole catalogue. */
export const CATALOGUE = JSON.parse(readFileSync(file, 'utf8')) as Catalogue;

/** The metric of this name. */
export function metric(name: string): Metric {
  const found = CATALOGUE.metrics.find((each) => each.name === name);
  if (found === undefined) throw new Error(`${name} is not in metrics.json; shared/telemetry/src/catalogue.rs has every name`);
  return found;
}

/** A metric in Prometheus, with what it is narrowed to: `{faas_name: 'process-orders'}`, `{reason: '~a|b'}` for a pattern. */
export function selector(name: string, labels: Readonly<Record<string, string>> = {}, suffix = ''): string {
  const found = metric(name);
  const known = suffix === '_bucket' ? [...found.labels, 'le'] : found.labels;
  for (const [label, value] of Object.entries(labels)) {
    if (!known.includes(label)) throw new Error(`${name} has no label ${label}; it has ${known.join(', ')}`);
    if (label === attributeLabel(found))
      value
        .replace(/^~/, '')
        .split('|')
        .forEach((word) => value_(found, word));
    if (label === 'le') bound(found, value);
  }
  const matchers = Object.entries(labels).map(([label, value]) =>
    value.startsWith('~') ? `${label}=~"${value.slice(1)}"` : `${label}="${value}"`,
  );
  return `${found.prometheus}${suffix}${matchers.length > 0 ? `{${matchers.join(', ')}}` : ''}`;
}

/** The label in Prometheus of what splits a metric. */
export function attributeLabel({ attribute }: Metric): string | undefined {
  return attribute?.key.replaceAll('.', '_');
}

/** The name in CloudWatch, where a value of the attribute stands in the name. */
export function emfName(found: Metric, value?: string): string {
  return value === undefined ? found.name : `${found.name}.${value_(found, value)}`;
}

function value_(found: Metric, word: string): string {
  const known = found.attribute?.values ?? [];
  if (!known.includes(word)) throw new Error(`${found.name} is never split by ${word}; it has ${known.join(', ')}`);
  return word;
}

/** An objective can only be read off a histogram that has it as a bound. */
function bound(found: Metric, value: string): void {
  if (!found.buckets?.includes(Number(value))) throw new Error(`${found.name} has no bucket at ${value}`);
}
