// Alerts on the speed at which the error budget of an objective burns.

import type { Alert, Input } from './alert.ts';
import { selector } from './catalogue.ts';
import { BURNS, errorsRule, LEAST_PER_S, messagesRule, OBJECTIVES, threshold, type Burn, type Objective } from './slo.ts';
import { LIMITS } from './settings.ts';

/** One alert per objective and speed. */
export function burnAlerts(): Alert[] {
  return OBJECTIVES.flatMap((objective) => BURNS.map((burn) => burnAlert(objective, burn)));
}

function burnAlert(objective: Objective, burn: Burn): Alert {
  const limit = threshold(objective, burn);
  const [long, short] = [errorsRule(objective.name, burn.long), errorsRule(objective.name, burn.short)];
  const missed = Math.min(0.5, 2 * limit);
  return {
    name: `orders-${objective.name}-${burn.name}`,
    severity: burn.severity,
    says: `${burn.usedPercent} % of the error budget of ${LIMITS.number('slo_days')} days went within ${burn.long}; objective: ${objective.says}`,
    runbook: `orders-${objective.name}`,
    expr: `${long} > ${limit} and ${short} > ${limit} and ${messagesRule(burn.long)} > ${LEAST_PER_S}`,
    at: '7h',
    // So many a minute that even three days, of which seven hours have passed, have the traffic that is needed.
    fires: series(objective, 100, missed),
    // As bad, with too few to tell; and a sound shop is silent as well, which `soundShop` looks at.
    silent: series(objective, 0.1, missed),
  };
}

/** Seven hours of a shop with so many messages a minute, of which a share misses the objective. */
export function series(objective: Objective, perMinute: number, missed: number): Input {
  const ours = { faas_name: 'process-orders' };
  const grows = (n: number) => `0+${Number((n * perMinute).toFixed(6))}x420`;
  const latency = objective.name === 'latency' ? missed : 0;
  const lost = objective.name === 'success' ? missed : 0;
  return {
    [selector('messaging.client.consumed.messages', ours)]: grows(1),
    [selector('messaging.redelivered.messages', ours)]: grows(0),
    [selector('messaging.retried.messages', { ...ours, reason: 'no_answer' })]: grows(lost),
    [selector('orders.accepted.duration', { ...ours, le: String(LIMITS.number('slo_latency_s')) }, '_bucket')]: grows(
      1 - latency,
    ),
    [selector('orders.accepted.duration', ours, '_count')]: grows(1),
  };
}
