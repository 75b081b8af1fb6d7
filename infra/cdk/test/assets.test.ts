// The functions' code: what is missing or built for another machine is told with the command that helps.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Assets, type Architecture } from '../lib/assets.ts';
import { scratchFolder } from '../lib/scratch.ts';
import { dummyFunctions } from './support.ts';

describe('the code of a function', () => {
  test('that is not built names the command', () => {
    const empty = scratchFolder('empty');
    assert.throws(
      () => new Assets('arm64', empty).code('process-orders'),
      /process-orders\/bootstrap is missing; run `cargo lambda build --release --arm64` in the root/,
    );
    assert.throws(() => new Assets('x86_64', empty).code('process-orders'), /run `cargo lambda build --release` in/);
  });

  test('that is built for another machine is refused', () => {
    const folder = dummyFunctions(0x3e);
    assert.throws(() => new Assets('arm64', folder).code('process-orders'), /is not built for arm64/);
    assert.doesNotThrow(() => new Assets('x86_64', folder).code('process-orders'));
  });

  test('is for a machine that Lambda has', () => {
    assert.throws(() => new Assets('riscv' as Architecture), /write arm64 or x86_64/);
  });
});
