// All rules of our own, over the templates of one stage. A finding is a sentence that names the setting to change.
//
// They exist for what cfn-lint, cdk-nag and checkov let pass; each has a planted mistake in test/planted.test.ts.

import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../names.ts';
import { type Json, settingsJson } from '../settings.ts';
import {
  alarmsHaveRunbooks,
  environmentsAgree,
  filtersMatchWhatIsLogged,
  functionsAreDeployed,
  functionsAreObserved,
  namesReadBy,
} from './agreement.ts';
import { bucketsArePrivate, catalogIsCachedAsTold, originsAreSigned, urlsDemandSignatures } from './cdn.ts';
import type { Templates } from './model.ts';
import { noWildcards } from './permissions.ts';
import {
  deadLettersOutliveTheirSource,
  queuesAreEncrypted,
  queuesDemandTls,
  redriveIsAllowedByName,
  sourcesHaveDeadLetters,
} from './queues.ts';
import {
  eventCountMeasured,
  oneScalingMode,
  partialResponses,
  reservedCoversConcurrency,
  scalingWithinLimits,
  visibilityOutlastsTimeout,
  windowForLargeBatches,
} from './triggers.ts';

/** What the rules compare the templates with. */
export interface Repository {
  /** The variables that each function's settings.rs reads. */
  readonly read: ReadonlyMap<string, ReadonlySet<string>>;
  readonly exists: (path: string) => boolean;
  /** Whether the Rust source of the functions, or of what they are made of, has the text. */
  readonly says: (text: string) => boolean;
}

/** This repository. */
export function repository(): Repository {
  const functions = Object.keys(settingsJson()['functions'] as Json);
  const sources = rustSources();
  const source = (name: string) => readFileSync(join(ROOT, 'functions', name, 'src/settings.rs'), 'utf8');
  return {
    read: new Map(functions.map((name) => [name, namesReadBy(source(name))])),
    exists: (path) => existsSync(join(ROOT, path)),
    says: (text) => sources.some((source) => source.includes(text)),
  };
}

/** Every Rust file of the functions and the shared crates, tests apart. */
function rustSources(): string[] {
  return ['functions', 'shared'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => /^[^/]+\/src\/.*\.rs$/.test(path))
      .map((path) => readFileSync(join(ROOT, folder, path), 'utf8')),
  );
}

/** Every finding of every rule. */
export function findings(templates: Templates, { read, exists, says }: Repository): string[] {
  return [
    ...oneScalingMode(templates),
    ...scalingWithinLimits(templates),
    ...windowForLargeBatches(templates),
    ...visibilityOutlastsTimeout(templates),
    ...partialResponses(templates),
    ...reservedCoversConcurrency(templates),
    ...eventCountMeasured(templates),
    ...sourcesHaveDeadLetters(templates),
    ...deadLettersOutliveTheirSource(templates),
    ...redriveIsAllowedByName(templates),
    ...queuesDemandTls(templates),
    ...queuesAreEncrypted(templates),
    ...urlsDemandSignatures(templates),
    ...originsAreSigned(templates),
    ...bucketsArePrivate(templates),
    ...catalogIsCachedAsTold(templates),
    ...noWildcards(templates),
    ...environmentsAgree(templates, read),
    ...functionsAreDeployed(templates, [...read.keys()]),
    ...alarmsHaveRunbooks(templates, exists),
    ...filtersMatchWhatIsLogged(templates, says),
    ...functionsAreObserved(templates),
  ];
}
