// Resolves the `${…}` placeholders of a function's environment in infra/settings.json to what the stacks created.
//
// local-cloud resolves the same names to what it started. A name that nobody knows stops the synthesis.

import { SecretValue } from 'aws-cdk-lib';
import type { Stateful } from './stateful-stack.ts';
import { providerInstancesMax, type Section } from './settings.ts';

/** The environment of the function, every placeholder replaced. */
export function environment(stateful: Stateful, settings: Section, name: string): Record<string, string> {
  const own = settings.section('functions').section(name);
  const templates = own.section('environment');
  const resolved = templates.keys().map((variable) => {
    const value = templates.text(variable).replaceAll(/\$\{([^}]*)\}/g, (_whole, reference: string) => {
      const found = lookUp(stateful, settings, own, reference);
      if (found === undefined) {
        throw new Error(`infra/settings.json: ${templates.path}.${variable}: nothing is named ${reference}`);
      }
      return found;
    });
    return [variable, value] as const;
  });
  return Object.fromEntries(resolved);
}

function lookUp(stateful: Stateful, settings: Section, own: Section, reference: string): string | undefined {
  const [kind = '', name = '', what = ''] = reference.split('.');
  const provider = settings.section('provider');
  switch (kind) {
    case 'stage':
      return settings.stage;
    case 'function':
      return name === 'timeout_ms' ? String(own.number('timeout_s') * 1000) : undefined;
    case 'queues':
      return what === 'url' ? stateful.queues.get(name)?.queueUrl : undefined;
    case 'secrets':
      return what === 'arn' ? stateful.userSecrets.get(name)?.secretArn : undefined;
    case 'database':
      if (name === 'name') return settings.section('database').text('name');
      return name === 'cluster_arn' ? stateful.clusterArn : undefined;
    case 'redis':
      return name === 'url' ? redisUrl(stateful) : undefined;
    case 'cdn':
      return String(settings.section('cdn').number(name));
    case 'reconcile':
      return String(settings.section('reconcile').number(name));
    case 'provider':
      if (name === 'url') return provider.text('url');
      if (name === 'key') return dynamicReference(stateful.providerKey.secretArn, 'key');
      if (name === 'instances_max') return String(providerInstancesMax(settings, own));
      return String(provider.number(name));
    default:
      return undefined;
  }
}

/** With TLS, and the token as the password of the default user. */
function redisUrl(stateful: Stateful): string {
  const token = dynamicReference(stateful.cacheToken.secretArn, 'token');
  return `rediss://:${token}@${stateful.cacheAddress}:${stateful.cachePort}`;
}

/**
 * CloudFormation puts the secret's value in its place when it deploys; no template contains it. Whoever may read the
 * function's configuration and use the key can see it: `infra/cdk/README.md` says so.
 */
function dynamicReference(secretArn: string, jsonField: string): string {
  return SecretValue.secretsManager(secretArn, { jsonField }).unsafeUnwrap();
}
