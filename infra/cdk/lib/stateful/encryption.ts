// One key per stage, for everything at rest: queues, secrets, database, cache, logs. It costs little (infra/prices.json); a key per
// thing would cost as much again for each, and the same people would be allowed to use them.
//
// Roles are named by their own policies, in the processing stack: a key policy that named them would tie the two
// stacks together in a circle. The services that encrypt by themselves are named here.

import { ArnFormat, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as kms from 'aws-cdk-lib/aws-kms';
import type { Construct } from 'constructs';
import { named } from '../names.ts';
import type { Section } from '../settings.ts';

/** Creates the key of the stage. */
export function encryptionKey(scope: Construct, settings: Section): kms.Key {
  const stack = Stack.of(scope);
  const key = new kms.Key(scope, 'Key', {
    alias: named(settings.stage, 'data'),
    description: `orderflow ${settings.stage}: queues, secrets, database, cache, logs`,
    enableKeyRotation: true,
    pendingWindow: Duration.days(settings.section('encryption').number('recovery_days')),
    removalPolicy: settings.stage === 'prod' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
  });
  // CloudWatch Logs names the group it works for; only groups of this stack's account and region may use the key.
  const logGroups = stack.formatArn({
    service: 'logs',
    resource: 'log-group',
    resourceName: '*',
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  key.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: 'Logs',
      principals: [new iam.ServicePrincipal(`logs.${stack.region}.amazonaws.com`)],
      actions: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncryptFrom', 'kms:ReEncryptTo', 'kms:GenerateDataKey', 'kms:DescribeKey'],
      resources: ['*'],
      conditions: { ArnLike: { 'kms:EncryptionContext:aws:logs:arn': logGroups } },
    }),
  );
  // Alarms and the budget publish to a topic that is encrypted with this key.
  key.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: 'Alarms',
      principals: [
        new iam.ServicePrincipal('cloudwatch.amazonaws.com'),
        new iam.ServicePrincipal('budgets.amazonaws.com'),
      ],
      actions: ['kms:Decrypt', 'kms:GenerateDataKey'],
      resources: ['*'],
      conditions: { StringEquals: { 'aws:SourceAccount': stack.account } },
    }),
  );
  return key;
}
