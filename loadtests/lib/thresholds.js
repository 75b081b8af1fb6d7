// What k6 decides by itself: whether the load was offered as planned and the queue took all of it. How fast and how
// rightly orders were accepted, only the other side of the queue knows: `cargo xtask load` decides that.

// One message that the queue refused, or one that could not be sent at its time, spoils the run.
const OFFERED = { http_req_failed: ['rate==0'], dropped_iterations: ['count==0'], iterations: ['count>0'] };

// A ladder goes on until something gives: a step with dropped iterations does not count, and the run goes on.
const CLIMBING = { http_req_failed: ['rate==0'], iterations: ['count>0'] };

// Figures of each step: k6 keeps those of a tag only where a threshold names it. These cannot fail.
function kept(steps) {
  const names = steps.flatMap(({ name }) => [
    [`dropped_iterations{scenario:${name}}`, ['count>=0']],
    [`iterations{scenario:${name}}`, ['count>=0']],
    [`started_at_ms{scenario:${name}}`, ['value>=0']],
  ]);
  return Object.fromEntries(names);
}

export const thresholds = (steps) => ({ ...(steps.length > 1 ? CLIMBING : OFFERED), ...kept(steps) });

// Thresholds that only keep figures are nobody's business.
export const decides = (metric) => !metric.includes('{');
