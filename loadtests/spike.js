// Spike: a push message. Twice the surge's top from one second to the next, for a few seconds.
import { arrival, optionsFor, setup, summarize } from './lib/run.js';

export const options = optionsFor('spike');
export { setup };
export default arrival;
export const handleSummary = summarize('spike');
