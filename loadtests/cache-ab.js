// Cache A/B: one steady rate, run twice by `cargo xtask load cache-ab`: without Redis, and with it.
import { arrival, optionsFor, setup, summarize } from './lib/run.js';

export const options = optionsFor('cache-ab');
export { setup };
export default arrival;
export const handleSummary = summarize('cache-ab');
