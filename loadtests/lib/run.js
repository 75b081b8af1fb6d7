// What every scenario does with its shape: refuse a dead queue, send one message an arrival, sum up.
import exec from 'k6/execution';
import { Counter, Gauge } from 'k6/metrics';
import { KINDS, message } from './orders.js';
import { scenarios, shape } from './shapes.js';
import { send, trouble } from './sqs.js';
import { decides, thresholds } from './thresholds.js';

const sent = Object.fromEntries(KINDS.map((kind) => [kind, new Counter(`sent_${kind}`)]));
const payableMinor = new Counter('payable_minor');
const startedAtMs = new Gauge('started_at_ms');

// k6's options for a shape.
export function optionsFor(name) {
  const steps = shape(name);
  return {
    scenarios: scenarios(steps),
    thresholds: thresholds(steps),
    summaryTrendStats: ['p(50)', 'p(95)', 'p(99)', 'max'],
    setupTimeout: '20s',
  };
}

// A queue that is not there ends the run before it begins.
export function setup() {
  const why = trouble();
  if (why) exec.test.abort(why);
}

// One arrival, one message. Only what the queue has taken counts as sent.
export function arrival() {
  const { iterationInTest, startTime } = exec.scenario;
  if (iterationInTest === 0) startedAtMs.add(startTime);
  const { kind, body, traceparent, totalMinor } = message(__ENV.STEP, iterationInTest);
  if (!send(body, traceparent)) return;
  sent[kind].add(1);
  if (kind === 'plain' || kind === 'declined') payableMinor.add(totalMinor);
}

// The summary as one JSON object: into the file SUMMARY, else onto the screen.
export function summarize(name) {
  return ({ metrics }) => {
    const value = (metric, field) => (metrics[metric] ? metrics[metric].values[field] : 0);
    const steps = shape(name).map((step) => ({
      ...step,
      startedAtMs: value(`started_at_ms{scenario:${step.name}}`, 'value'),
      messages: value(`iterations{scenario:${step.name}}`, 'count'),
      dropped: value(`dropped_iterations{scenario:${step.name}}`, 'count'),
    }));
    const verdicts = Object.entries(metrics).filter(([metric, { thresholds }]) => thresholds && decides(metric));
    const judged = verdicts.flatMap(([metric, { thresholds }]) =>
      Object.entries(thresholds).map(([rule, { ok }]) => ({ rule: `${metric} ${rule}`, met: ok })));
    const enqueue = (field) => value('http_req_duration', field);
    const summary = {
      shape: name,
      steps,
      sent: Object.fromEntries(KINDS.map((kind) => [kind, value(`sent_${kind}`, 'count')])),
      payableMinor: value('payable_minor', 'count'),
      dropped: value('dropped_iterations', 'count'),
      refused: value('http_req_failed', 'passes'),
      enqueueMs: { p50: enqueue('p(50)'), p95: enqueue('p(95)'), p99: enqueue('p(99)') },
      thresholds: judged,
    };
    return { [__ENV.SUMMARY || 'stdout']: `${JSON.stringify(summary, null, 2)}\n` };
  };
}
