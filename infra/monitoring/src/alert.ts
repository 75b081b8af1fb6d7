// What an alert is, and the two cases that each brings along: one in which it rings, and one, near by, in which it does not.

/** Series as promtool writes them: how values go on, minute by minute. */
export type Input = Readonly<Record<string, string>>;

/** One alert. Its name is that of the CloudWatch alarm that rings for the same trouble, where there is one. */
export interface Alert {
  readonly name: string;
  /** A page wakes somebody; a ticket is read in the morning. */
  readonly severity: 'page' | 'ticket';
  /** What has happened, in a sentence without a full stop. */
  readonly says: string;
  /** The page of infra/runbooks. */
  readonly runbook: string;
  readonly expr: string;
  /** For so long. */
  readonly for?: string;
  /** It rings at this time of these series. */
  readonly at: string;
  readonly fires: Input;
  readonly silent: Input;
}

/** What an alert says beside its condition. */
type Words = Pick<Alert, 'name' | 'severity' | 'says' | 'runbook'>;

/** It rings while a gauge is above a value, for so many minutes. */
export function above(words: Words, series: string, value: number, minutes: number): Alert {
  const wait = minutes > 0 ? { for: `${minutes}m` } : {};
  return {
    ...words,
    expr: `max(${series}) > ${value}`,
    ...wait,
    at: `${minutes + 5}m`,
    fires: { [series]: `${value + 1}x${minutes + 10}` },
    // As long, and not more than what is allowed.
    silent: { [series]: `${value}x${minutes + 10}` },
  };
}

/** It rings when a counter has grown by more than a value within so many minutes. */
export function grew(words: Words, series: string, value: number, minutes: number, example = series): Alert {
  return {
    ...words,
    expr: `sum(increase(${series}[${minutes}m])) > ${value}`,
    at: `${minutes + 10}m`,
    // All at once, twice as much as allowed and a little: what is between two samples at the edges is estimated.
    fires: { [example]: `0x12 ${2 * value + 3}x${minutes}` },
    // Enough, but earlier than the time looked at.
    silent: { [example]: `0x2 ${2 * value + 3}x${2 * minutes + 20}` },
  };
}

/** It rings when a counter has grown in every one of so many minutes. */
export function goesOn(words: Words, series: string, minutes: number, example = series): Alert {
  return {
    ...words,
    expr: `sum(increase(${series}[2m])) > 0`,
    for: `${minutes}m`,
    at: `${minutes + 6}m`,
    fires: { [example]: `0+1x${minutes + 10}` },
    // A hiccup at the start.
    silent: { [example]: `0x2 3x${minutes + 10}` },
  };
}
