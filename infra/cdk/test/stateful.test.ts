// What holds something: queues, database, cache, and who may reach them.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { resources } from '../lib/rules/model.ts';
import { readSettings } from '../lib/settings.ts';
import { changedSettings, stage, synthesize } from './support.ts';

const dev = Template.fromStack(stage('dev').built.stateful);
const prod = Template.fromStack(stage('prod').built.stateful);

describe('the database', () => {
  test('dev pauses, prod never does', () => {
    dev.hasResourceProperties('AWS::RDS::DBCluster', {
      EnableHttpEndpoint: true,
      ServerlessV2ScalingConfiguration: { MinCapacity: 0, MaxCapacity: 4, SecondsUntilAutoPause: 300 },
      DeletionProtection: false,
    });
    prod.hasResourceProperties('AWS::RDS::DBCluster', {
      EnableHttpEndpoint: true,
      ServerlessV2ScalingConfiguration: { MinCapacity: 1, MaxCapacity: 32, SecondsUntilAutoPause: Match.absent() },
    });
  });

  test('prod is protected, backed up, and has a second instance', () => {
    prod.hasResource('AWS::RDS::DBCluster', {
      Properties: { DeletionProtection: true, BackupRetentionPeriod: 14, StorageEncrypted: true },
      DeletionPolicy: 'Snapshot',
    });
    prod.resourceCountIs('AWS::RDS::DBInstance', 2);
    dev.resourceCountIs('AWS::RDS::DBInstance', 1);
  });

  test('its two users have secrets of their own, and RDS keeps the master\'s', () => {
    for (const username of ['orderflow_app', 'orderflow_migrator']) {
      dev.hasResourceProperties('AWS::SecretsManager::Secret', {
        GenerateSecretString: { SecretStringTemplate: JSON.stringify({ username }), ExcludePunctuation: true },
      });
    }
    dev.hasResourceProperties('AWS::RDS::DBCluster', { ManageMasterUserPassword: true, MasterUserPassword: Match.absent() });
  });

  test('nobody may connect to it', () => {
    const group = Object.entries(dev.findResources('AWS::EC2::SecurityGroup')).find(([id]) => id.includes('NetworkDatabase'))!;
    assert.equal(group[1]['Properties'].SecurityGroupIngress, undefined);
    const rules = resources(stage('dev').templates, 'AWS::EC2::SecurityGroupIngress');
    assert.ok(rules.every(({ properties }) => !JSON.stringify(properties.GroupId).includes(group[0])));
  });

  test('an announced surge raises its minimum, and restores it', () => {
    const surge = {
      name: 'BlackFriday',
      raise: 'at(2026-11-27T05:00:00)',
      restore: 'at(2026-11-28T05:00:00)',
      minimum_acu: { value: 8, reason: 'a test' },
    };
    const settings = changedSettings((file) => (file.aurora.surges = [surge]));
    const template = Template.fromStack(synthesize('prod', settings).built.stateful);
    for (const [at, minimum] of [[surge.raise, 8], [surge.restore, 1]] as const) {
      template.hasResourceProperties('AWS::Scheduler::Schedule', {
        ScheduleExpression: at,
        Target: {
          Arn: { 'Fn::Join': ['', Match.arrayWith([':scheduler:::aws-sdk:rds:modifyDBCluster'])] },
          Input: { 'Fn::Join': ['', Match.arrayWith([Match.stringLikeRegexp(`"MinCapacity":${minimum},"MaxCapacity":32`)])] },
        },
      });
    }
  });
});

describe('the cache', () => {
  test('demands TLS and a token', () => {
    prod.hasResourceProperties('AWS::ElastiCache::ReplicationGroup', {
      Engine: 'valkey',
      TransitEncryptionEnabled: true,
      TransitEncryptionMode: 'required',
      AtRestEncryptionEnabled: true,
      AuthToken: Match.objectLike({ 'Fn::Join': Match.anyValue() }),
      NumCacheClusters: 2,
      AutomaticFailoverEnabled: true,
      MultiAZEnabled: true,
    });
  });

  test('no template contains a secret', () => {
    const text = JSON.stringify(stage('prod').templates);
    assert.match(text, /rediss:\/\/:\{\{resolve:secretsmanager:/);
    assert.match(text, /\{\{resolve:secretsmanager:/);
    assert.doesNotMatch(text, /sk_(test|live)_/);
  });
});

describe('the network', () => {
  test('dev pays for one NAT gateway, prod for one in each zone, and nobody for endpoints', () => {
    dev.resourceCountIs('AWS::EC2::NatGateway', 1);
    prod.resourceCountIs('AWS::EC2::NatGateway', 2);
    prod.resourceCountIs('AWS::EC2::VPCEndpoint', 0);
  });

  test('exactly the functions that use Redis are in the VPC', () => {
    const functions = resources(stage('prod').templates, 'AWS::Lambda::Function');
    const inVpc = functions.filter(({ properties }) => properties.VpcConfig !== undefined);
    const withRedis = functions.filter(({ properties }) => properties.Environment?.Variables.ORDERFLOW_REDIS_URL);
    assert.deepEqual(inVpc, withRedis);
    assert.equal(inVpc.length, 5);
  });
});

describe('the queues', () => {
  test('prod keeps them when the stack is deleted', () => {
    const policies = Object.values(prod.findResources('AWS::SQS::Queue')).map((queue) => queue['DeletionPolicy']);
    assert.deepEqual(new Set(policies), new Set(['Retain']));
  });

  test('all of the settings are there', () => {
    dev.resourceCountIs('AWS::SQS::Queue', readSettings('dev').section('queues').keys().length);
  });
});
