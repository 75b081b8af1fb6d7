// What is committed is what src/ makes, and nothing else. `npm run generate` writes it anew.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { files } from '../src/files.ts';
import { committed, FOLDER } from './support.ts';

const made = files();
const UPDATE = process.env['UPDATE_SNAPSHOT'] !== undefined;

for (const [path, text] of Object.entries(made)) {
  test(`${path} is as src/ makes it`, () => {
    const file = join(FOLDER, path);
    if (UPDATE) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
    const found = existsSync(file) ? readFileSync(file, 'utf8') : '';
    assert.ok(found === text, 'src/ has changed; look at what it makes with `npm run generate`');
  });
}

test('there is no file that nothing makes any more', () => {
  const left = ['prometheus', 'alertmanager', 'grafana'].flatMap(committed).filter((path) => !(path in made));
  if (UPDATE) left.forEach((path) => rmSync(join(FOLDER, path)));
  assert.deepEqual(UPDATE ? [] : left, []);
});
