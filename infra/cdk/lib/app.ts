// The app of one stage: its two stacks, their tags, and the checks that run whenever it is synthesized.

import { App, type AppProps, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks, ServerlessChecks } from 'cdk-nag';
import { acknowledge } from './acknowledgements.ts';
import { Assets, type Architecture } from './assets.ts';
import { named, PROJECT } from './names.ts';
import { ProcessingStack } from './processing-stack.ts';
import { type Json, readSettings } from './settings.ts';
import { StatefulStack } from './stateful-stack.ts';

/** Feature flags, here and not in cdk.json: tests and deploys must build the same. */
const FLAGS = {
  '@aws-cdk/aws-iam:minimizePolicies': true,
  '@aws-cdk/aws-lambda:recognizeLayerVersion': true,
  '@aws-cdk/core:checkSecretUsage': true,
  // The stateful stack refuses to remove what the processing stack uses.
  '@aws-cdk/core:defaultCrossStackReferences': 'strong',
  '@aws-cdk/core:target-partitions': ['aws'],
};

/** What may be given by `-c name=value`, or by a test. */
export interface Options {
  readonly stage: string;
  readonly architecture?: Architecture;
  /** Where the built functions are, if not in target/lambda. */
  readonly functions?: string;
  /** Other settings than those of the file. */
  readonly settings?: Json;
  readonly app?: AppProps;
}

/** Both stacks of a stage. */
export interface Built {
  readonly app: App;
  readonly stateful: StatefulStack;
  readonly processing: ProcessingStack;
}

/** Builds the app. The account is whichever deploys it; the region is that of the settings. */
export function build(options: Options): Built {
  const settings = readSettings(options.stage, options.settings);
  const assets = new Assets(options.architecture ?? 'arm64', options.functions);
  const app = new App({ ...options.app, context: { ...FLAGS, ...options.app?.context } });
  const env = { region: settings.text('region') };
  const common = { env, terminationProtection: settings.stage === 'prod' };
  const stateful = new StatefulStack(app, named(settings.stage, 'stateful'), settings, common);
  const processing = new ProcessingStack(app, named(settings.stage, 'processing'), { settings, stateful, assets }, common);
  for (const [stack, part] of [[stateful, 'stateful'], [processing, 'processing']] as const) {
    Tags.of(stack).add('project', PROJECT);
    Tags.of(stack).add('stage', settings.stage);
    Tags.of(stack).add('part', part);
  }
  acknowledge(stateful, processing);
  return { app, stateful, processing };
}

/** Adds the checks of cdk-nag, which make a synthesis with an unacknowledged finding fail. */
export function withChecks(built: Built): Built {
  Validations.of(built.app).addPlugins(new AwsSolutionsChecks(built.app), new ServerlessChecks(built.app));
  return built;
}
