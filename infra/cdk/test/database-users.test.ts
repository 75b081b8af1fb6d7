// The deploy step that creates the database users: its statements, its patience, its discretion.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { patiently, statements } from '../lib/stateful/database-users/index.mjs';
import { ROOT } from '../lib/names.ts';

const sql = readFileSync(join(ROOT, 'shared/order-store/roles.sql'), 'utf8');
const passwords = { app_password: 'a'.repeat(40), migrator_password: 'b'.repeat(40) };

function resuming(): Error {
  return Object.assign(new Error('resuming'), { name: 'DatabaseResumingException' });
}

describe('roles.sql', () => {
  test('is taken apart, with both passwords in their places', () => {
    const all: string[] = statements(sql, passwords);
    assert.equal(all.length, 8);
    const text = all.join('\n');
    assert.match(text, /ROLE orderflow_app WITH LOGIN PASSWORD 'a{40}'/);
    assert.match(text, /ROLE orderflow_migrator WITH LOGIN PASSWORD 'b{40}'/);
  });

  test('takes no password that could end its quotes', () => {
    assert.throws(() => statements(sql, { ...passwords, app_password: `x'; DROP ROLE y; --` }), /letters and digits/);
    assert.throws(() => statements("'{{other}}'", passwords), /asks for other/);
  });
});

describe('a statement', () => {
  test('waits while the database resumes', async () => {
    let calls = 0;
    const answer = await patiently(
      async () => {
        calls += 1;
        if (calls < 3) throw resuming();
        return 'done';
      },
      async () => undefined,
    );
    assert.deepEqual([answer, calls], ['done', 3]);
  });

  test('gives up at last, and never repeats a password', async () => {
    await assert.rejects(patiently(async () => { throw resuming(); }, async () => undefined), /DatabaseResumingException/);
    const failed = Object.assign(new Error(`near 'secret'; SQLState: 42601`), { name: 'DatabaseErrorException' });
    await assert.rejects(patiently(async () => { throw failed; }), (error: Error) => {
      assert.equal(error.message, 'creating the database users failed: DatabaseErrorException, SQLSTATE 42601');
      return true;
    });
  });
});
