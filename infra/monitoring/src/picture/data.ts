// What a running Prometheus has for the queries of a dashboard.

/** One line of a panel: Unix seconds and values; what is no number is missing. */
export interface Points {
  readonly legend: string;
  readonly points: readonly (readonly [number, number])[];
}

/** A time, in Unix seconds. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly step: number;
}

interface Target {
  readonly expr: string;
  readonly legendFormat: string;
}

/** Every line of a panel's queries. */
export async function lines(address: string, targets: readonly Target[], span: Span): Promise<Points[]> {
  const answers = await Promise.all(targets.map((target) => line(address, target, span)));
  return answers.flat();
}

async function line(address: string, { expr, legendFormat }: Target, { from, to, step }: Span): Promise<Points[]> {
  const query = expr.replaceAll('$__rate_interval', `${4 * step}s`);
  const parameters = new URLSearchParams({ query, start: `${from}`, end: `${to}`, step: `${step}` });
  const answer = await fetch(`${address}/api/v1/query_range?${parameters}`);
  if (!answer.ok) throw new Error(`Prometheus refused ${query}: ${answer.status} ${await answer.text()}`);
  const { data } = (await answer.json()) as {
    data: { result: { metric: Record<string, string>; values: [number, string][] }[] };
  };
  return data.result.map(({ metric, values }) => ({
    legend: legendFormat.replace(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? ''),
    points: values.map(([at, value]) => [at, Number(value)] as const).filter(([, value]) => Number.isFinite(value)),
  }));
}
