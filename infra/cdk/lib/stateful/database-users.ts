// The function that creates the database users, and the deploy step that runs it before any migration.

import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as triggers from 'aws-cdk-lib/triggers';
import { Construct } from 'constructs';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { named, ROOT } from '../names.ts';
import { scratchFolder } from '../scratch.ts';
import type { Section } from '../settings.ts';
import type { Database } from './database.ts';

/** What the deploy step needs to know. */
export interface DatabaseUsersProps {
  readonly settings: Section;
  readonly key: kms.IKey;
  readonly database: Database;
}

/** `database-users`: runs on every deploy that changes it, roles.sql or `secrets.generation`. */
export class DatabaseUsers extends Construct {
  constructor(scope: Construct, id: string, { settings, key, database }: DatabaseUsersProps) {
    super(scope, id);
    const deploy = settings.section('deploy');
    const name = named(settings.stage, 'database-users');
    const timeout = Duration.seconds(deploy.number('users_timeout_s'));
    const secrets = {
      MASTER_SECRET_ARN: database.masterSecretArn,
      APP_SECRET_ARN: database.userSecrets.get('app')!.secretArn,
      MIGRATOR_SECRET_ARN: database.userSecrets.get('migrator')!.secretArn,
    };
    const role = new iam.Role(this, 'Role', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
    const logGroup = new logs.LogGroup(this, 'Logs', {
      logGroupName: `/orderflow/${settings.stage}/database-users`,
      retention: settings.section('logs').number('retention_days'),
      encryptionKey: key,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    logGroup.grantWrite(role);
    const allow = (actions: string[], resources: string[]) =>
      role.addToPolicy(new iam.PolicyStatement({ actions, resources }));
    allow(['secretsmanager:GetSecretValue'], Object.values(secrets));
    allow(['kms:Decrypt'], [key.keyArn]);
    allow(['rds-data:ExecuteStatement'], [database.cluster.clusterArn]);
    const handler = new lambda.Function(this, 'Function', {
      functionName: name,
      description: `Creates the database users; secrets generation ${settings.section('secrets').number('generation')}`,
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      handler: 'index.handler',
      code: lambda.Code.fromAsset(folder()),
      timeout,
      memorySize: deploy.number('users_memory_mb'),
      role,
      logGroup,
      loggingFormat: lambda.LoggingFormat.JSON,
      tracing: lambda.Tracing.ACTIVE,
      environmentEncryption: key,
      environment: {
        ...secrets,
        CLUSTER_ARN: database.cluster.clusterArn,
        DATABASE: settings.section('database').text('name'),
      },
    });
    new triggers.Trigger(this, 'OnDeploy', { handler, timeout, executeAfter: [database, role] });
  }
}

/** The handler and roles.sql in one folder: what Lambda unpacks. */
function folder(): string {
  const assembled = scratchFolder('database-users');
  copyFileSync(fileURLToPath(new URL('database-users/index.mjs', import.meta.url)), join(assembled, 'index.mjs'));
  copyFileSync(join(ROOT, 'shared/order-store/roles.sql'), join(assembled, 'roles.sql'));
  return assembled;
}
