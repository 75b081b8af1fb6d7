// Baseline: an ordinary evening, one steady rate. What the other shapes are compared with.
import { arrival, optionsFor, setup, summarize } from './lib/run.js';

export const options = optionsFor('baseline');
export { setup };
export default arrival;
export const handleSummary = summarize('baseline');
