// Thresholds, objectives, sizes and prices, from the files where each stands once, with its reason.
//
// The rules are those of prod; the alarms of infra/cdk come from the same settings, stage by stage.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { readSettings, type Section } from '../../cdk/lib/settings.ts';

/** The settings of prod. */
export const SETTINGS: Section = readSettings('prod');
/** Its thresholds. */
export const LIMITS: Section = SETTINGS.section('alarms');
/** Every function. */
export const FUNCTIONS: readonly string[] = SETTINGS.section('functions').keys();
/** Every queue. */
export const QUEUES: readonly string[] = SETTINGS.section('queues').keys();
/** Queues that functions work off. */
export const WORK_QUEUES: readonly string[] = ['orders', 'payments', 'products'];
/** Dead-letter queues. */
export const DEAD_LETTERS: readonly string[] = QUEUES.filter((name) => name.endsWith('-dlq'));

/** The functions that queues invoke. */
export const QUEUE_FUNCTIONS: readonly string[] = FUNCTIONS.filter((name) => ownSettings(name).has('event_source'));

/** How often the reconciler runs, in seconds. */
export const RECONCILE_EVERY_S: number = ownSettings('reconcile-orders').section('schedule').number('every_s');

/** Memory of a function, GB. */
export function memoryGb(name: string): number {
  return ownSettings(name).number('memory_mb') / 1024;
}

function ownSettings(name: string): Section {
  return SETTINGS.section('functions').section(name);
}

interface Prices {
  readonly as_of: string;
  readonly region: string;
  readonly prices: Readonly<Record<string, { readonly price: number; readonly per: number }>>;
}

const PRICES = JSON.parse(readFileSync(fileURLToPath(new URL('../../prices.json', import.meta.url)), 'utf8')) as Prices;

/** What so many units cost, in USD. */
export function price(name: string): { readonly usd: number; readonly per: number } {
  const found = PRICES.prices[name];
  if (found === undefined) throw new Error(`infra/prices.json has no ${name}`);
  return { usd: found.price, per: found.per };
}

/** Of which day and region the prices are. */
export const PRICED = `${PRICES.region}, ${PRICES.as_of}`;
