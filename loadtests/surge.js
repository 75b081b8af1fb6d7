// Surge: the shop goes viral. From the baseline to four times as much (+ 300 %), a minute at the top, and then nothing:
// how long does the queue take to empty?
import { arrival, optionsFor, setup, summarize } from './lib/run.js';

export const options = optionsFor('surge');
export { setup };
export default arrival;
export const handleSummary = summarize('surge');
