// Aurora PostgreSQL Serverless v2, reached through the Data API by two users, each with a secret of its own.
//
// The master user's password is made, kept and rotated by RDS; only `database-users` may read it. The product's two
// users get theirs from secrets of ours, whose passwords have letters and digits only: roles.sql demands it.

import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as rds from 'aws-cdk-lib/aws-rds';
import * as scheduler from 'aws-cdk-lib/aws-scheduler';
import * as targets from 'aws-cdk-lib/aws-scheduler-targets';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { DATABASE_USERS, named } from '../names.ts';
import type { Section } from '../settings.ts';
import type { Network } from './network.ts';

/** PostgreSQL 17: what the migrations use exists since 15, and Aurora supports it for years. */
const ENGINE = rds.DatabaseClusterEngine.auroraPostgres({ version: rds.AuroraPostgresEngineVersion.VER_17_7 });
const MASTER_USER = 'orderflow_admin';

/** What the database needs to know. */
export interface DatabaseProps {
  readonly settings: Section;
  readonly key: kms.IKey;
  readonly network: Network;
}

/** The cluster and the secrets of its users. */
export class Database extends Construct {
  readonly cluster: rds.DatabaseCluster;
  /** The secrets of the product's users, by the names that infra/settings.json uses. */
  readonly userSecrets: Map<string, secretsmanager.Secret>;

  constructor(scope: Construct, id: string, props: DatabaseProps) {
    super(scope, id);
    const { settings, key } = props;
    this.cluster = this.createCluster(props);
    this.userSecrets = new Map(
      Object.entries(DATABASE_USERS).map(([name, username]) => [
        name,
        new secretsmanager.Secret(this, `${username}Secret`, {
          secretName: named(settings.stage, `database-${name}`),
          description: `The database user ${username}, for the Data API`,
          encryptionKey: key,
          removalPolicy: RemovalPolicy.DESTROY,
          generateSecretString: {
            secretStringTemplate: JSON.stringify({ username }),
            generateStringKey: 'password',
            excludePunctuation: true,
            passwordLength: 40,
          },
        }),
      ]),
    );
    for (const surge of settings.section('aurora').list('surges')) {
      this.announce(surge, settings, key);
    }
  }

  /** The secret that RDS keeps for the master user. */
  get masterSecretArn(): string {
    const cluster = this.cluster.node.defaultChild as rds.CfnDBCluster;
    return cluster.attrMasterUserSecretSecretArn;
  }

  private createCluster({ settings, key, network }: DatabaseProps): rds.DatabaseCluster {
    const aurora = settings.section('aurora');
    const prod = settings.stage === 'prod';
    const pause = aurora.number('auto_pause_s');
    const readers = Array.from({ length: aurora.number('instances') - 1 }, (_, at) =>
      rds.ClusterInstance.serverlessV2(`Reader${at + 1}`, { scaleWithWriter: true }),
    );
    return new rds.DatabaseCluster(this, 'Cluster', {
      clusterIdentifier: named(settings.stage, 'orders'),
      engine: ENGINE,
      credentials: rds.Credentials.fromUsername(MASTER_USER, { encryptionKey: key }),
      manageMasterUserPassword: true,
      defaultDatabaseName: settings.section('database').text('name'),
      enableDataApi: true,
      writer: rds.ClusterInstance.serverlessV2('Writer'),
      readers,
      serverlessV2MinCapacity: aurora.number('minimum_acu'),
      serverlessV2MaxCapacity: aurora.number('maximum_acu'),
      ...(pause > 0 && { serverlessV2AutoPauseDuration: Duration.seconds(pause) }),
      vpc: network.vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
      securityGroups: [network.database],
      storageEncryptionKey: key,
      iamAuthentication: true,
      backup: { retention: Duration.days(aurora.number('backup_days')) },
      copyTagsToSnapshot: true,
      deletionProtection: aurora.stagedFlag('deletion_protection'),
      removalPolicy: prod ? RemovalPolicy.SNAPSHOT : RemovalPolicy.DESTROY,
    });
  }

  /**
   * An announced surge: the minimum is raised before it and restored after it, because how fast Aurora grows depends on
   * how big it is. A deploy in between leaves it alone: CloudFormation changes only what differs between two templates.
   */
  private announce(surge: Section, settings: Section, key: kms.IKey): void {
    const aurora = settings.section('aurora');
    const steps = [
      { id: 'Raise', at: surge.text('raise'), minimum: surge.number('minimum_acu') },
      { id: 'Restore', at: surge.text('restore'), minimum: aurora.number('minimum_acu') },
    ];
    for (const step of steps) {
      new scheduler.Schedule(this, `${surge.text('name')}${step.id}`, {
        description: `orderflow: minimum of ${step.minimum} ACU`,
        schedule: scheduler.ScheduleExpression.expression(step.at),
        key,
        target: new targets.Universal({
          service: 'rds',
          action: 'modifyDBCluster',
          input: scheduler.ScheduleTargetInput.fromObject({
            DbClusterIdentifier: this.cluster.clusterIdentifier,
            ServerlessV2ScalingConfiguration: {
              MinCapacity: step.minimum,
              MaxCapacity: aurora.number('maximum_acu'),
            },
            ApplyImmediately: true,
          }),
          policyStatements: [
            new iam.PolicyStatement({ actions: ['rds:ModifyDBCluster'], resources: [this.cluster.clusterArn] }),
          ],
        }),
      });
    }
  }
}
