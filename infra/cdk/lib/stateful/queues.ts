// The queues, as infra/settings.json lists them: encrypted, TLS only, with their dead-letter queues on both sides.

import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { named } from '../names.ts';
import type { Section } from '../settings.ts';

/** Creates every queue of the settings, by its name there. */
export function queues(scope: Construct, settings: Section, key: kms.IKey): Map<string, sqs.Queue> {
  const all = settings.section('queues');
  const created = new Map<string, sqs.Queue>();
  const sources = all.keys().filter((name) => all.section(name).has('dead_letter_queue'));
  const others = all.keys().filter((name) => !sources.includes(name));
  // Dead-letter queues name their sources by ARN, which is known before the sources exist.
  for (const name of [...others, ...sources]) {
    created.set(name, queue(scope, settings, name, key, created));
  }
  for (const name of sources) {
    allowRedrive(created, settings, name);
  }
  return created;
}

function queue(
  scope: Construct,
  settings: Section,
  name: string,
  key: kms.IKey,
  created: Map<string, sqs.Queue>,
): sqs.Queue {
  const own = settings.section('queues').section(name);
  const prod = settings.stage === 'prod';
  return new sqs.Queue(scope, pascal(name), {
    queueName: named(settings.stage, name),
    visibilityTimeout: Duration.seconds(own.number('visibility_timeout_s')),
    retentionPeriod: Duration.seconds(own.number('message_retention_s')),
    encryption: sqs.QueueEncryption.KMS,
    encryptionMasterKey: key,
    dataKeyReuse: Duration.seconds(settings.section('encryption').number('data_key_reuse_s')),
    enforceSSL: true,
    removalPolicy: prod ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
    ...(own.has('dead_letter_queue') && {
      deadLetterQueue: {
        queue: deadLetterQueue(created, own),
        maxReceiveCount: own.number('max_receive_count'),
      },
    }),
  });
}

function deadLetterQueue(created: Map<string, sqs.Queue>, own: Section): sqs.Queue {
  const name = own.text('dead_letter_queue');
  const found = created.get(name);
  if (found === undefined) {
    throw new Error(`infra/settings.json: ${own.path}.dead_letter_queue: there is no queue ${name}`);
  }
  return found;
}

/** Nobody else's queue may dead-letter into ours. By its name, because each of the two queues names the other. */
function allowRedrive(created: Map<string, sqs.Queue>, settings: Section, source: string): void {
  const deadLetters = created.get(settings.section('queues').section(source).text('dead_letter_queue'));
  const cfn = deadLetters?.node.defaultChild;
  if (deadLetters === undefined || !(cfn instanceof sqs.CfnQueue)) return;
  const arn = deadLetters.stack.formatArn({ service: 'sqs', resource: named(settings.stage, source) });
  cfn.redriveAllowPolicy = { redrivePermission: 'byQueue', sourceQueueArns: [arn] };
}

/**
 * Who may read dead letters and quarantined messages, and send dead letters back: nobody, until this policy is attached
 * to a named person's role. The bodies are what the shop sent.
 */
export function deadLetterReaders(
  scope: Construct,
  settings: Section,
  created: Map<string, sqs.Queue>,
  key: kms.IKey,
): iam.ManagedPolicy {
  const isDeadLetters = (name: string) => name.endsWith('-dlq') || name === 'quarantine';
  const arns = (wanted: (name: string) => boolean) =>
    [...created].filter(([name]) => wanted(name)).map(([, queue]) => queue.queueArn);
  return new iam.ManagedPolicy(scope, 'DeadLetterReaders', {
    managedPolicyName: named(settings.stage, 'dead-letter-readers'),
    description: 'Reads dead letters and quarantine, and sends dead letters back to where they came from',
    statements: [
      new iam.PolicyStatement({
        actions: [
          'sqs:ReceiveMessage',
          'sqs:DeleteMessage',
          'sqs:ChangeMessageVisibility',
          'sqs:GetQueueAttributes',
          'sqs:GetQueueUrl',
          'sqs:StartMessageMoveTask',
          'sqs:ListMessageMoveTasks',
          'sqs:CancelMessageMoveTask',
        ],
        resources: arns(isDeadLetters),
      }),
      new iam.PolicyStatement({ actions: ['sqs:SendMessage'], resources: arns((name) => !isDeadLetters(name)) }),
      new iam.PolicyStatement({ actions: ['kms:Decrypt', 'kms:GenerateDataKey'], resources: [key.keyArn] }),
    ],
  });
}

function pascal(name: string): string {
  return name.replaceAll(/(?:^|-)(\w)/g, (_whole, letter: string) => letter.toUpperCase());
}
