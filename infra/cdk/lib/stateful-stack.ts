// The stateful stack: everything that holds something. It changes seldom, and outlives every change of the functions.

import { CfnOutput, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import type * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import type * as s3 from 'aws-cdk-lib/aws-s3';
import type * as sqs from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { named } from './names.ts';
import type { Section } from './settings.ts';
import { Cache } from './stateful/cache.ts';
import { DatabaseUsers } from './stateful/database-users.ts';
import { Database } from './stateful/database.ts';
import { encryptionKey } from './stateful/encryption.ts';
import { images } from './stateful/images.ts';
import { Network } from './stateful/network.ts';
import { deadLetterReaders, queues } from './stateful/queues.ts';

/** What the processing stack uses of this one. */
export interface Stateful {
  readonly key: kms.IKey;
  readonly vpc: ec2.IVpc;
  readonly functionsGroup: ec2.ISecurityGroup;
  readonly queues: ReadonlyMap<string, sqs.IQueue>;
  readonly clusterArn: string;
  readonly clusterIdentifier: string;
  readonly userSecrets: ReadonlyMap<string, secretsmanager.ISecret>;
  readonly cacheToken: secretsmanager.ISecret;
  readonly cacheAddress: string;
  readonly cachePort: string;
  readonly providerKey: secretsmanager.ISecret;
  readonly images: s3.IBucket;
}

/** Network, queues, database, cache, images, secrets. */
export class StatefulStack extends Stack implements Stateful {
  readonly key;
  readonly vpc;
  readonly functionsGroup;
  readonly queues;
  readonly clusterArn;
  readonly clusterIdentifier;
  readonly userSecrets;
  readonly cacheToken;
  readonly cacheAddress;
  readonly cachePort;
  readonly providerKey;
  readonly images;

  constructor(scope: Construct, id: string, settings: Section, props: StackProps) {
    super(scope, id, props);
    const key = encryptionKey(this, settings);
    const network = new Network(this, 'Network', { settings, key });
    const created = queues(this, settings, key);
    const database = new Database(this, 'Database', { settings, key, network });
    new DatabaseUsers(this, 'DatabaseUsers', { settings, key, database });
    const cache = new Cache(this, 'Cache', { settings, key, network });
    deadLetterReaders(this, settings, created, key);

    this.key = key;
    this.vpc = network.vpc;
    this.functionsGroup = network.functions;
    this.queues = created;
    this.clusterArn = database.cluster.clusterArn;
    this.clusterIdentifier = database.cluster.clusterIdentifier;
    this.userSecrets = database.userSecrets;
    this.cacheToken = cache.token;
    this.cacheAddress = cache.group.attrPrimaryEndPointAddress;
    this.cachePort = cache.group.attrPrimaryEndPointPort;
    this.providerKey = this.createProviderKey(settings, key);
    this.images = images(this, settings);
    // The shop sends its orders and its product changes there.
    new CfnOutput(this, 'OrdersQueueUrl', { value: created.get('orders')!.queueUrl });
    new CfnOutput(this, 'ImagesBucket', { value: this.images.bucketName });
    new CfnOutput(this, 'ProductsQueueUrl', { value: created.get('products')!.queueUrl });
  }

  /**
   * The provider's key comes from a person, never from code: the generated value is a place holder, with which the
   * functions that pay do not start. `infra/runbooks/first-deploy.md` says when to put the real one.
   */
  private createProviderKey(settings: Section, key: kms.IKey): secretsmanager.Secret {
    return new secretsmanager.Secret(this, 'ProviderKey', {
      secretName: named(settings.stage, 'provider'),
      description: 'The key of the payment provider, put by a person',
      encryptionKey: key,
      removalPolicy: RemovalPolicy.DESTROY,
      generateSecretString: { secretStringTemplate: '{}', generateStringKey: 'key', excludePunctuation: true },
    });
  }
}
