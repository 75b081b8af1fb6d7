// Alertmanager's routes: what wakes somebody, what is read in the morning, and what another alert has said already.
//
// No address stands here, as none stands in the stacks: whoever runs it adds to each receiver how it is told. Until then
// alerts are seen in Alertmanager and nobody is told.

import { BURNS, OBJECTIVES } from './slo.ts';
import { yaml } from './yaml.ts';

/** How soon a group is told, told again when it grows, and repeated. */
const PAGE = { group_wait: '10s', group_interval: '1m', repeat_interval: '1h' };
const TICKET = { group_wait: '5m', group_interval: '1h', repeat_interval: '24h' };

export function alertmanager(): string {
  return yaml('Alertmanager: pages wake somebody, tickets wait for the morning. Add to each receiver how it is told.', {
    route: {
      receiver: 'ticket',
      group_by: ['alertname'],
      ...TICKET,
      routes: [{ receiver: 'page', matchers: ['severity="page"'], ...PAGE }],
    },
    inhibit_rules: [
      // Without figures nothing else is known.
      { source_matchers: ['alertname="nothing-scraped"'], target_matchers: ['alertname!="nothing-scraped"'] },
      ...OBJECTIVES.map(({ name }) => inhibited(name)),
    ],
    receivers: [{ name: 'page' }, { name: 'ticket' }],
  });
}

/** Whoever was woken because a budget burns fast knows that it burns. */
function inhibited(objective: string): object {
  const [fast, ...slower] = BURNS.map(({ name }) => `orders-${objective}-${name}`);
  return { source_matchers: [`alertname="${fast}"`], target_matchers: [`alertname=~"${slower.join('|')}"`] };
}

/** Labels of an alert, and who must be told; amtool is asked. */
export const ROUTES: readonly { readonly labels: Readonly<Record<string, string>>; readonly receiver: string }[] = [
  { labels: { alertname: 'captured-not-confirmed', severity: 'page' }, receiver: 'page' },
  { labels: { alertname: 'quarantine-grows', severity: 'ticket' }, receiver: 'ticket' },
  // An alert that forgot how serious it is waits, and is not lost.
  { labels: { alertname: 'anything' }, receiver: 'ticket' },
];
