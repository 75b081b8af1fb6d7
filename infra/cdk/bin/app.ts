// Synthesizes the two stacks of one stage; `cdk` runs it, and README.md has the commands.
//
// Context: stage (dev unless given), architecture (arm64 unless given), functions (the folder of the built functions,
// target/lambda unless given), settings (another file than infra/settings.json: `cargo xtask deploy-check` changes some).

import { App } from 'aws-cdk-lib';
import { build, withChecks } from '../lib/app.ts';
import type { Architecture } from '../lib/assets.ts';
import { settingsJson } from '../lib/settings.ts';

// Context arrives in the environment of the process; an App is what reads it.
const { node } = new App({ autoSynth: false });
const context = (name: string): string | undefined => node.tryGetContext(name) as string | undefined;

const architecture = context('architecture') as Architecture | undefined;
const functions = context('functions');
const settings = context('settings');
withChecks(
  build({
    stage: context('stage') ?? 'dev',
    ...(architecture && { architecture }),
    ...(functions && { functions }),
    ...(settings && { settings: settingsJson(settings) }),
  }),
).app.synth();
