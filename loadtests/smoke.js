// Smoke: a few orders for ten seconds. Does everything work at all? The test suite runs it.
import { arrival, optionsFor, setup, summarize } from './lib/run.js';

export const options = optionsFor('smoke');
export { setup };
export default arrival;
export const handleSummary = summarize('smoke');
