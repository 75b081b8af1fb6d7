// The VPC: there because of Redis, with the fewest parts that cost money.
//
// - ElastiCache lives in a VPC, so whoever uses Redis is in it: every function but migrate-schema.
// - settle-payments and reconcile-orders also call the payment provider, whose API has IPv4 addresses: a NAT gateway.
//   Egress-only IPv6 would be free and would not reach it.
// - Where there is NAT, interface endpoints for SQS and the Data API (2 services × 2 zones) cost more than they spare until
//   hundreds of GB a month pass them. So there are none; `cargo xtask cost` compares, by infra/prices.json.
// - Aurora is reached through the Data API only. Nothing may connect to it: its security group lets nobody in.
// - migrate-schema and database-users need no Redis and stay outside.

import { RemovalPolicy } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import type * as kms from 'aws-cdk-lib/aws-kms';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { named } from '../names.ts';
import type { Section } from '../settings.ts';

/** What the VPC needs to know. */
export interface NetworkProps {
  readonly settings: Section;
  readonly key: kms.IKey;
}

/** The VPC, and who may speak to whom in it. */
export class Network extends Construct {
  readonly vpc: ec2.Vpc;
  /** For functions: out to AWS and the provider by TLS, and to the cache. */
  readonly functions: ec2.SecurityGroup;
  /** For the cache: in from the functions. */
  readonly cache: ec2.SecurityGroup;
  /** For the database: in from nobody. */
  readonly database: ec2.SecurityGroup;

  constructor(scope: Construct, id: string, { settings, key }: NetworkProps) {
    super(scope, id);
    const network = settings.section('network');
    this.vpc = new ec2.Vpc(this, 'Vpc', {
      vpcName: named(settings.stage, 'vpc'),
      maxAzs: network.number('availability_zones'),
      natGateways: network.number('nat_gateways'),
      subnetConfiguration: [
        { name: 'public', subnetType: ec2.SubnetType.PUBLIC, mapPublicIpOnLaunch: false },
        { name: 'functions', subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS },
        { name: 'data', subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
      ],
    });
    this.logRejected(settings, key);

    const port = ec2.Port.tcp(settings.section('cache').number('port'));
    this.functions = this.group('Functions', 'functions that use Redis');
    this.cache = this.group('Cache', 'the cache: in from the functions');
    this.database = this.group('Database', 'the database: in from nobody, it is reached through the Data API');
    this.functions.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(443), 'AWS and the payment provider, by TLS');
    this.functions.addEgressRule(this.cache, port, 'Redis');
    this.cache.addIngressRule(this.functions, port, 'Redis');
  }

  private group(id: string, description: string): ec2.SecurityGroup {
    return new ec2.SecurityGroup(this, id, { vpc: this.vpc, description, allowAllOutbound: false });
  }

  /** Only what was refused: it shows a function that tries what it must not, and costs next to nothing. */
  private logRejected(settings: Section, key: kms.IKey): void {
    const logGroup = new logs.LogGroup(this, 'Rejected', {
      logGroupName: `/orderflow/${settings.stage}/vpc-rejected`,
      retention: settings.section('logs').number('retention_days'),
      encryptionKey: key,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.vpc.addFlowLog('FlowLog', {
      destination: ec2.FlowLogDestination.toCloudWatchLogs(logGroup),
      trafficType: ec2.FlowLogTrafficType.REJECT,
    });
  }
}
