// What cdk-nag finds and we keep, each with the reason. A finding that is not here makes every synthesis fail.

import { CfnResource, Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';
import type { ProcessingStack } from './processing-stack.ts';
import { settingsJson } from './settings.ts';
import type { StatefulStack } from './stateful-stack.ts';

/** Where the stacks are deployed; a finding about an ARN names it. */
const REGION = String(settingsJson()["region"]);

/** One finding on some constructs. */
interface Kept {
  readonly ids: readonly string[];
  /** Which constructs, by their path in the stack. */
  readonly where: RegExp;
  readonly reason: string;
}

export const KEPT: readonly Kept[] = [
  {
    ids: ['AwsSolutions-SQS3', 'Serverless-SQSRedrivePolicy'],
    where: /\/(\w+Dlq|Quarantine)$/,
    reason: 'It is itself where messages end up: people read it, nothing consumes it',
  },
  {
    ids: ['AwsSolutions-SMG4'],
    where: /\/orderflow_\w+Secret$/,
    reason: 'Its password must change in the database in the same moment: database-users does both, see the runbook',
  },
  {
    ids: ['AwsSolutions-SMG4'],
    where: /\/Cache\/Token$/,
    reason: 'The cache and the functions must learn a new token together: see the runbook rotate-a-secret',
  },
  {
    ids: ['AwsSolutions-SMG4'],
    where: /\/ProviderKey$/,
    reason: 'Only the payment provider issues keys; a person rotates it, see the runbook rotate-a-secret',
  },
  {
    ids: ['AwsSolutions-IAM5[Resource::*]'],
    where: /\/Role\/DefaultPolicy$/,
    reason:
      'X-Ray, and listing network interfaces and subnets, take no resource; the denial of network actions is for all. ' +
      'The rule noWildcards allows exactly these',
  },
  {
    ids: [`AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ec2:${REGION}:<AWS::AccountId>:network-interface/*]`],
    where: /\/Role\/DefaultPolicy$/,
    reason: 'A network interface has no name before Lambda creates it; the function code itself is denied all of it',
  },
  {
    ids: ['Serverless-LambdaDLQ'],
    where: /\/Function$/,
    reason:
      'Nobody invokes it asynchronously with something to lose: dead letters belong to the queues, a missed run of the ' +
      'schedule is made up for by the next, and a deploy sees its own failure',
  },
  {
    ids: ['Serverless-LambdaEventSourceMappingDestination'],
    where: /\/SqsEventSource:[^/]+$/,
    reason: 'A destination on failure is for streams; a queue has a redrive policy instead',
  },
  {
    ids: ['AwsSolutions-S1'],
    where: /-stateful\/Images$/,
    reason: 'Only the CDN reads it, and what it reads is public; who changes an image shows in CloudTrail',
  },
  {
    ids: ['AwsSolutions-CFR1'],
    where: /\/Cdn\/Distribution$/,
    reason: 'A menu may be looked at from anywhere; where the shop delivers, it decides when it takes an order',
  },
  {
    ids: ['AwsSolutions-CFR2'],
    where: /\/Cdn\/Distribution$/,
    reason: 'Only GET and HEAD of public pages; the function behind it is bounded by reserved_concurrency, and reads one value',
  },
  {
    ids: ['AwsSolutions-CFR3'],
    where: /\/Cdn\/Distribution$/,
    reason: 'A log would hold the address of everybody who looks at a meal; requests and errors are counted by CloudWatch',
  },
  {
    ids: ['AwsSolutions-CFR4'],
    where: /\/Cdn\/Distribution$/,
    reason: "The CDN's own host name has AWS's certificate and its choice of TLS; with a domain of one's own, 1.2 is the least",
  },
];

/** What only dev does without. */
export const KEPT_IN_DEV: readonly Kept[] = [
  {
    ids: ['AwsSolutions-RDS10'],
    where: /\/Database\/Cluster$/,
    reason: 'dev is torn down at will; prod has deletion protection',
  },
  {
    ids: ['AwsSolutions-AEC4'],
    where: /\/Cache\/Group$/,
    reason: 'dev has one node: Redis holds no truth, and everything works without it',
  },
];

/** Acknowledges what stays as it is. */
export function acknowledge(stateful: StatefulStack, processing: ProcessingStack): void {
  const kept = stateful.stackName.includes('-dev-') ? [...KEPT, ...KEPT_IN_DEV] : KEPT;
  for (const construct of [...stateful.node.findAll(), ...processing.node.findAll()]) {
    for (const { ids, where, reason } of kept) {
      if (where.test(pathOf(construct))) {
        Validations.of(construct).acknowledge(...ids.map((id) => ({ id, reason })));
      }
    }
  }
}

/** The path in the app; for the resource inside a construct, that of the construct. */
export function pathOf(construct: IConstruct): string {
  const path = `/${construct.node.path}`;
  return CfnResource.isCfnResource(construct) ? path.replace(/\/Resource$/, '') : path;
}
