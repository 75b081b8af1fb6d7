// What a change deploys, as a page to read. `npm run snapshot` writes it anew.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { DEPLOYED_STAGES } from '../lib/settings.ts';
import { summary } from '../lib/summary.ts';
import { stage } from './support.ts';

for (const name of DEPLOYED_STAGES) {
  test(`what ${name} deploys is as committed`, () => {
    const file = fileURLToPath(new URL(`snapshots/${name}.txt`, import.meta.url));
    const page = `What ${name} deploys, made from the templates by \`npm run snapshot\`: read it in a review, do not edit it.\n\n${summary(stage(name).templates)}`;
    if (process.env['UPDATE_SNAPSHOT']) writeFileSync(file, page);
    assert.equal(readFileSync(file, 'utf8'), page, 'the templates changed; look at it, then run `npm run snapshot`');
  });
}
