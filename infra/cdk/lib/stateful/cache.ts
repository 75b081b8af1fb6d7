// Valkey for the catalog cache and the payments' gate: node-based, cluster mode off, TLS and a token.
//
// Node-based because a serverless cache speaks the cluster protocol, which our client does not. It holds no truth:
// there are no snapshots, and losing it loses nothing.

import { RemovalPolicy } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as elasticache from 'aws-cdk-lib/aws-elasticache';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { named } from '../names.ts';
import type { Section } from '../settings.ts';
import type { Network } from './network.ts';

/** What the cache needs to know. */
export interface CacheProps {
  readonly settings: Section;
  readonly key: kms.IKey;
  readonly network: Network;
}

/** The replication group and the token that opens it. */
export class Cache extends Construct {
  readonly group: elasticache.CfnReplicationGroup;
  readonly token: secretsmanager.Secret;

  constructor(scope: Construct, id: string, { settings, key, network }: CacheProps) {
    super(scope, id);
    const cache = settings.section('cache');
    const nodes = cache.number('nodes');
    // Letters and digits: the token becomes a part of a URL.
    this.token = new secretsmanager.Secret(this, 'Token', {
      secretName: named(settings.stage, 'cache'),
      description: 'The token of the cache',
      encryptionKey: key,
      removalPolicy: RemovalPolicy.DESTROY,
      generateSecretString: {
        secretStringTemplate: '{}',
        generateStringKey: 'token',
        excludePunctuation: true,
        passwordLength: 64,
      },
    });
    const subnets = new elasticache.CfnSubnetGroup(this, 'Subnets', {
      description: 'Where the cache is',
      subnetIds: network.vpc.selectSubnets({ subnetType: ec2.SubnetType.PRIVATE_ISOLATED }).subnetIds,
    });
    this.group = new elasticache.CfnReplicationGroup(this, 'Group', {
      replicationGroupId: named(settings.stage, 'cache'),
      replicationGroupDescription: 'orderflow: catalog cache and payment gate',
      engine: 'valkey',
      engineVersion: '8.0',
      clusterMode: 'disabled',
      cacheParameterGroupName: 'default.valkey8',
      cacheNodeType: cache.stagedText('node_type'),
      numCacheClusters: nodes,
      automaticFailoverEnabled: nodes > 1,
      multiAzEnabled: nodes > 1,
      port: cache.number('port'),
      cacheSubnetGroupName: subnets.ref,
      securityGroupIds: [network.cache.securityGroupId],
      transitEncryptionEnabled: true,
      transitEncryptionMode: 'required',
      authToken: this.token.secretValueFromJson('token').unsafeUnwrap(),
      atRestEncryptionEnabled: true,
      kmsKeyId: key.keyArn,
      autoMinorVersionUpgrade: true,
    });
  }
}

/** The names of the nodes, which metrics are told apart by. */
export function cacheNodes(settings: Section): string[] {
  const nodes = settings.section('cache').number('nodes');
  return Array.from({ length: nodes }, (_, at) => `${named(settings.stage, 'cache')}-${String(at + 1).padStart(3, '0')}`);
}
