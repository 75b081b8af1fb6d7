// Provider down: the baseline, and in its middle the payment provider fails (`cargo xtask load provider-down` sees to
// that). Does anybody who places an order notice?
import { arrival, optionsFor, setup, summarize } from './lib/run.js';

export const options = optionsFor('provider-down');
export { setup };
export default arrival;
export const handleSummary = summarize('provider-down');
