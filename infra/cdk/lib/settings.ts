// Reads infra/settings.json for one stage: the only place where the CDK app gets a number from.
//
// A number is written `{"value": 10, "prod": 20, "reason": "…"}`: `value` holds wherever the stage names no other, and
// the reason is not optional. What is missing or has no reason stops the synthesis with the path of the setting.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The stages that are deployed to AWS; `local` and `test` belong to the stack on one machine. */
export const DEPLOYED_STAGES = ['dev', 'prod'] as const;
export type Stage = (typeof DEPLOYED_STAGES)[number];

/** Where the settings are, from this file. */
export const SETTINGS_FILE = fileURLToPath(new URL('../../settings.json', import.meta.url));

/** Any JSON object. */
export type Json = Record<string, unknown>;

/** An object of the settings file that knows its path and its stage. */
export class Section {
  constructor(
    private readonly object: Json,
    readonly path: string,
    readonly stage: Stage,
  ) {}

  /** Whether there is a field of this name. */
  has(name: string): boolean {
    return this.object[name] !== undefined;
  }

  /** The names of its fields. */
  keys(): string[] {
    return Object.keys(this.object);
  }

  /** An object below this one. */
  section(name: string): Section {
    const value = this.object[name];
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw this.problem(name, 'expected an object');
    }
    return new Section(value as Json, this.pathOf(name), this.stage);
  }

  /** A list of objects below this one. */
  list(name: string): Section[] {
    const value = this.object[name];
    if (!Array.isArray(value)) throw this.problem(name, 'expected a list');
    return value.map((item, at) => new Section(item as Json, `${this.pathOf(name)}.${at}`, this.stage));
  }

  /** A text without stages. */
  text(name: string): string {
    const value = this.object[name];
    if (typeof value !== 'string' || value === '') throw this.problem(name, 'expected a text');
    return value;
  }

  /** `true` or `false` without stages. */
  flag(name: string): boolean {
    const value = this.object[name];
    if (typeof value !== 'boolean') throw this.problem(name, 'expected true or false');
    return value;
  }

  /** The number that holds for the stage. */
  number(name: string): number {
    const value = this.staged(name);
    if (typeof value !== 'number') throw this.problem(name, 'expected a number');
    return value;
  }

  /** As `number`, where the setting may be absent. */
  optionalNumber(name: string): number | undefined {
    return this.has(name) ? this.number(name) : undefined;
  }

  /** A text that may differ by stage. */
  stagedText(name: string): string {
    const value = this.staged(name);
    if (typeof value !== 'string') throw this.problem(name, 'expected a text');
    return value;
  }

  /** `true` or `false`, by stage. */
  stagedFlag(name: string): boolean {
    const value = this.staged(name);
    if (typeof value !== 'boolean') throw this.problem(name, 'expected true or false');
    return value;
  }

  private staged(name: string): unknown {
    const setting = this.section(name);
    if (!setting.has('reason')) throw setting.problem('reason', 'say why the value is what it is');
    return setting.object[this.stage] ?? setting.object['value'];
  }

  private problem(name: string, what: string): Error {
    return new Error(`infra/settings.json: ${this.pathOf(name)}: ${what}`);
  }

  private pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }
}

/** The whole file as it is, for tests that change it; or another file of its form. */
export function settingsJson(file: string = SETTINGS_FILE): Json {
  return JSON.parse(readFileSync(file, 'utf8')) as Json;
}

/** The settings of one stage. */
export function readSettings(stage: string, json: Json = settingsJson()): Section {
  const known = DEPLOYED_STAGES.find((deployed) => deployed === stage);
  if (known === undefined) {
    throw new Error(`stage ${stage} is not deployed; write -c stage=${DEPLOYED_STAGES.join(' or -c stage=')}`);
  }
  return new Section(json, '', known);
}

/**
 * Into how many parts the provider's quota is divided for this function: each of its instances may use one without asking
 * the others. Those that queues invoke have a part each; all that the clock invokes have one together. local-cloud
 * computes it too.
 */
export function providerInstancesMax(settings: Section, own: Section): number {
  const functions = settings.section('functions');
  const callers = functions.keys().map((name) => functions.section(name)).filter(callsProvider);
  const sum = (queued: boolean) =>
    callers.filter((caller) => caller.has('event_source') === queued).reduce((total, caller) => total + concurrency(caller), 0);
  const parts = sum(true) + Math.min(sum(false), 1);
  return own.has('event_source') ? parts : parts * Math.max(sum(false), 1);
}

/** The most instances of a function at a time, by its event source or as reserved. */
export function concurrency(settings: Section): number {
  const source = settings.has('event_source') ? settings.section('event_source') : undefined;
  const limit = (source?.optionalNumber('maximum_concurrency') || undefined) ?? settings.optionalNumber('reserved_concurrency');
  if (limit === undefined) {
    throw new Error(
      `infra/settings.json: ${settings.path}.reserved_concurrency: missing; a caller of the provider needs a limit`,
    );
  }
  return limit;
}

function callsProvider(settings: Section): boolean {
  const environment = settings.section('environment');
  return environment.keys().some((name) => environment.text(name).includes('${provider.url}'));
}
