// The named shapes: how many orders arrive a second, and for how long. Always arrivals, never users in a loop: a shop's
// customers do not wait for each other, and a slow system must not be asked less.
//
// Every constant can be replaced by `-e NAME=VALUE`, for a short run; what was replaced is part of the result.

const number = (name, usual) => Number(__ENV[name] || usual);

const BASELINE_PER_S = number('BASELINE_PER_S', 100);
const BASELINE_S = number('BASELINE_S', 60);

const SMOKE_PER_S = number('SMOKE_PER_S', 20);
const SMOKE_S = number('SMOKE_S', 10);

// "Sign-ups rise by 300 %" is read as + 300 %: four times the baseline, not three.
const SURGE_FACTOR = number('SURGE_FACTOR', 4);
const SURGE_BEFORE_S = number('SURGE_BEFORE_S', 20);
const SURGE_RAMP_S = number('SURGE_RAMP_S', 20);
const SURGE_TOP_S = number('SURGE_TOP_S', 60);

const SPIKE_PER_S = number('SPIKE_PER_S', 800);
const SPIKE_S = number('SPIKE_S', 5);
const SPIKE_AROUND_S = number('SPIKE_AROUND_S', 20);

const LADDER_PER_S = (__ENV.LADDER_PER_S || '100,200,300,400,500,600,700,800,1000,1200,1400,1600,2000,2400').split(',').map(Number);
// Instances start in the warm-up, which is not measured: a ladder asks for steady rates, the surge has cold starts in it.
const LADDER_WARM_UP_S = number('LADDER_WARM_UP_S', 10);
const LADDER_STEP_S = number('LADDER_STEP_S', 15);
// Time for a step's backlog to go, so that the next one is measured by itself.
const LADDER_GAP_S = number('LADDER_GAP_S', 6);

const SOAK_PER_S = number('SOAK_PER_S', 100);
const SOAK_S = number('SOAK_S', 3600);

const CACHE_PER_S = number('CACHE_PER_S', 200);
const CACHE_S = number('CACHE_S', 120);

// A shape is a list of steps; a step is { name, letter, startS, stages: [{ fromPerS, toPerS, seconds }] }.
const step = (stages, startS = 0, name = 'load', letter = 'a') => ({ name, letter, startS, stages });
const flat = (perS, seconds) => ({ fromPerS: perS, toPerS: perS, seconds });

const SHAPES = {
  smoke: () => [step([flat(SMOKE_PER_S, SMOKE_S)])],
  baseline: () => [step([flat(BASELINE_PER_S, BASELINE_S)])],
  surge: () => {
    const topPerS = BASELINE_PER_S * SURGE_FACTOR;
    const ramp = { fromPerS: BASELINE_PER_S, toPerS: topPerS, seconds: SURGE_RAMP_S };
    return [step([flat(BASELINE_PER_S, SURGE_BEFORE_S), ramp, flat(topPerS, SURGE_TOP_S)])];
  },
  spike: () => {
    const around = flat(BASELINE_PER_S, SPIKE_AROUND_S);
    return [step([around, flat(SPIKE_PER_S, SPIKE_S), around])];
  },
  ladder: () => {
    const warmUp = step([flat(LADDER_PER_S[0], LADDER_WARM_UP_S)], 0, 'warm_up', 'z');
    const steps = LADDER_PER_S.map((perS, at) => {
      const startS = LADDER_WARM_UP_S + LADDER_GAP_S + at * (LADDER_STEP_S + LADDER_GAP_S);
      return step([flat(perS, LADDER_STEP_S)], startS, `step_${perS}`, String.fromCharCode(97 + at));
    });
    return [warmUp, ...steps];
  },
  soak: () => [step([flat(SOAK_PER_S, SOAK_S)])],
  'cache-ab': () => [step([flat(CACHE_PER_S, CACHE_S)])],
  'provider-down': () => [step([flat(BASELINE_PER_S, BASELINE_S)])],
};

export const shape = (name) => SHAPES[name]();

// A sender waits for the queue's answer. Enough of them are made beforehand to keep the rate through an answer that takes
// a quarter of a second, and up to a second's worth later; a slower queue means dropped iterations, and a failed run.
const SENDERS_LEAST = 10;
const senders = (stages, share) => {
  const topPerS = Math.max(...stages.flatMap(({ fromPerS, toPerS }) => [fromPerS, toPerS]));
  return Math.max(SENDERS_LEAST, Math.ceil(topPerS * share));
};

// The steps as k6's scenarios. A jump between two stages is a ramp of no time.
export function scenarios(steps) {
  const executor = ({ startS, stages, letter }) => ({
    executor: 'ramping-arrival-rate',
    startTime: `${startS}s`,
    startRate: stages[0].fromPerS,
    timeUnit: '1s',
    preAllocatedVUs: senders(stages, 0.25),
    maxVUs: senders(stages, 1),
    gracefulStop: '10s',
    env: { STEP: letter },
    stages: stages.flatMap(({ fromPerS, toPerS, seconds }) => [
      { target: fromPerS, duration: '0s' },
      { target: toPerS, duration: `${seconds}s` },
    ]),
  });
  return Object.fromEntries(steps.map((one) => [one.name, executor(one)]));
}
