// The scaling triggers, one test each: what is deployed is what infra/settings.json says, stage by stage.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { DEPLOYED_STAGES, readSettings } from '../lib/settings.ts';
import { changedSettings, stage, synthesize } from './support.ts';

for (const name of DEPLOYED_STAGES) {
  describe(`triggers of ${name}`, () => {
    const { built, templates } = stage(name);
    const processing = Template.fromStack(built.processing);
    const settings = readSettings(name).section('functions');

    const invoked = [['process-orders', 'Orders'], ['settle-payments', 'Payments'], ['refresh-catalog', 'Products']] as const;
    for (const [lambda, queue] of invoked) {
      test(`the queue invokes ${lambda}`, () => {
        const source = settings.section(lambda).section('event_source');
        processing.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
          FunctionName: { Ref: Match.stringLikeRegexp(`^${lambda.replace('-', '')}Function`) },
          EventSourceArn: { 'Fn::ImportValue': Match.stringLikeRegexp(`GetAtt${queue}[0-9A-F]{8}Arn`) },
          BatchSize: source.number('batch_size'),
          MaximumBatchingWindowInSeconds: source.number('maximum_batching_window_s'),
          FunctionResponseTypes: ['ReportBatchItemFailures'],
          ScalingConfig: { MaximumConcurrency: source.number('maximum_concurrency') },
          MetricsConfig: { Metrics: ['EventCount'] },
          ProvisionedPollerConfig: Match.absent(),
        });
      });
    }

    test('the clock invokes reconcile-orders, and makes up for nothing', () => {
      const seconds = { dev: 1800, prod: 60 }[name];
      processing.hasResourceProperties('AWS::Scheduler::Schedule', {
        ScheduleExpression: { dev: 'rate(30 minutes)', prod: 'rate(1 minute)' }[name],
        FlexibleTimeWindow: { Mode: 'OFF' },
        State: Match.absent(),
        Target: { RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: seconds } },
      });
      processing.resourceCountIs('AWS::Scheduler::Schedule', 1);
      assert.equal(functionOf(templates, 'reconcile-orders').Properties.ReservedConcurrentExecutions, 2);
    });

    test('the deploy invokes migrate-schema, and everything else waits for it', () => {
      const migration = Object.entries(templates['processing']!.Resources).filter(([, { Type }]) => Type === 'Custom::Trigger');
      assert.equal(migration.length, 1);
      const [id, trigger] = migration[0]!;
      assert.equal(trigger.Properties.InvocationType, 'RequestResponse');
      for (const other of ['process-orders', 'settle-payments', 'reconcile-orders', 'refresh-catalog', 'serve-catalog']) {
        assert.ok(functionOf(templates, other).DependsOn.includes(id), `${other} waits for ${id}`);
      }
    });
  });
}

describe('the other scaling mode', () => {
  for (const off of ['left out', 'zero'] as const) {
    test(`provisioned pollers stand in for the maximum concurrency, ${off}`, () => {
      const settings = changedSettings((file) => {
        const source = file.functions['process-orders'].event_source;
        source.maximum_concurrency = off === 'zero' ? { value: 0, reason: 'a test' } : undefined;
        source.provisioned_pollers = {
          minimum: { value: 10, reason: 'a test' },
          maximum: { value: 40, reason: 'a test' },
        };
      });
      Template.fromStack(synthesize('prod', settings).built.processing).hasResourceProperties(
        'AWS::Lambda::EventSourceMapping',
        { ProvisionedPollerConfig: { MinimumPollers: 10, MaximumPollers: 40 }, ScalingConfig: Match.absent() },
      );
    });
  }

  test('pollers of zero are none', () => {
    const settings = changedSettings((file) => {
      const off = { value: 0, reason: 'a test' };
      file.functions['process-orders'].event_source.provisioned_pollers = { minimum: off, maximum: off };
    });
    const sources = Template.fromStack(synthesize('prod', settings).built.processing);
    assert.deepEqual(
      sources.findResources('AWS::Lambda::EventSourceMapping', { Properties: { ProvisionedPollerConfig: Match.anyValue() } }),
      {},
    );
  });

  test('both at once are refused by the synthesis itself', () => {
    const settings = changedSettings((file) => {
      const pollers = { minimum: { value: 2, reason: 'a test' }, maximum: { value: 4, reason: 'a test' } };
      file.functions['process-orders'].event_source.provisioned_pollers = pollers;
    });
    assert.throws(() => synthesize('prod', settings), /provisionedPollerConfig and maxConcurrency are mutually exclusive/);
  });
});

function functionOf(templates: any, name: string): any {
  const all = Object.values(templates.processing.Resources) as any[];
  return all.find(({ Type, Properties }) => Type === 'AWS::Lambda::Function' && Properties.FunctionName?.endsWith(`-${name}`));
}
