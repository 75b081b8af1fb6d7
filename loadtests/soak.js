// Soak: the baseline for an hour. Does anything grow, slow down or run out?
import { arrival, optionsFor, setup, summarize } from './lib/run.js';

export const options = optionsFor('soak');
export { setup };
export default arrival;
export const handleSummary = summarize('soak');
