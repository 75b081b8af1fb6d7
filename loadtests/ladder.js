// Ladder: one steady rate after the other, until something gives. Which rate is the knee?
import { arrival, optionsFor, setup, summarize } from './lib/run.js';

export const options = optionsFor('ladder');
export { setup };
export default arrival;
export const handleSummary = summarize('ladder');
