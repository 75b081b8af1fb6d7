// YAML as it is committed: with a comment that says where it comes from.

import { dump } from 'js-yaml';

/** A document, with what it is for in its first line. */
export function yaml(purpose: string, document: unknown): string {
  return `# ${purpose}\n# Made by \`npm run generate\` in infra/monitoring: change src/ there.\n${dump(document, { lineWidth: 120, noRefs: true })}`;
}
