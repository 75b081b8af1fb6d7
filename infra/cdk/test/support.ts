// What the tests share: both stages synthesized once, over dummy functions.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { build, type Built } from '../lib/app.ts';
import type { Templates } from '../lib/rules/model.ts';
import { scratchFolder } from '../lib/scratch.ts';
import { type Json, settingsJson, type Stage } from '../lib/settings.ts';

/** A folder with a program for each function that has nothing but the header of an arm64 binary. */
export function dummyFunctions(machine = 0xb7): string {
  const folder = scratchFolder('functions');
  const header = Buffer.alloc(64);
  header.write('\x7fELF', 'latin1');
  header.writeUInt16LE(machine, 18);
  for (const name of Object.keys(settingsJson()['functions'] as Json)) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'bootstrap'), header);
  }
  return folder;
}

const functions = dummyFunctions();
const synthesized = new Map<Stage, { built: Built; templates: Templates }>();

/** The app of a stage over dummy functions, and its templates by stack. */
export function stage(name: Stage): { built: Built; templates: Templates } {
  const found = synthesized.get(name);
  if (found !== undefined) return found;
  const fresh = synthesize(name);
  synthesized.set(name, fresh);
  return fresh;
}

/** As `stage`, from changed settings. */
export function synthesize(name: Stage, settings?: Json): { built: Built; templates: Templates } {
  const built = build({ stage: name, functions, ...(settings && { settings }) });
  const json = (stack: Built['stateful'] | Built['processing']) => Template.fromStack(stack).toJSON();
  const templates = { stateful: json(built.stateful), processing: json(built.processing) } as unknown as Templates;
  return { built, templates };
}

/** A copy of the settings, changed. */
export function changedSettings(change: (settings: any) => void): Json {
  const settings = structuredClone(settingsJson());
  change(settings);
  return settings;
}
