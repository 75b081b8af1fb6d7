// Planted mistakes: each is made in a copy of the good templates, and must be found with a sentence that names the
// setting. A rule without a planted mistake here is no rule.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { findings, repository, type Repository } from '../lib/rules/index.ts';
import type { Templates } from '../lib/rules/model.ts';
import { stage } from './support.ts';

const ours = repository();

/** The properties of the one resource of this type whose text contains the words. */
function properties(templates: Templates, type: string, words: string): any {
  const all = Object.values(templates).flatMap((template) => Object.entries(template.Resources));
  const found = all.filter(([id, { Type, Properties }]) => Type === type && (id + JSON.stringify(Properties)).includes(words));
  assert.equal(found.length, 1, `${found.length} resources of type ${type} contain ${words}`);
  return found[0]![1].Properties;
}

const source = (templates: Templates, name: string) => properties(templates, 'AWS::Lambda::EventSourceMapping', name);
const lambda = (templates: Templates, name: string) => properties(templates, 'AWS::Lambda::Function', `"FunctionName":"orderflow-dev-${name}"`);
const alarm = (templates: Templates, name: string) => properties(templates, 'AWS::CloudWatch::Alarm', `"AlarmName":"orderflow-dev-${name}"`);
const policy = (templates: Templates, name: string) => properties(templates, 'AWS::IAM::Policy', name).PolicyDocument.Statement;

const bucketPolicy = (templates: Templates) => properties(templates, 'AWS::S3::BucketPolicy', 'Images').PolicyDocument.Statement;

function queueNamed(templates: Templates, name: string): any {
  const all = Object.values(templates).flatMap((template) => Object.values(template.Resources));
  return all.find(({ Properties }) => Properties?.QueueName === `orderflow-dev-${name}`)!.Properties;
}

/** Plants a mistake and expects it to be the only thing that is found, in these words. */
function planted(mistake: string, plant: (templates: Templates) => void, sentence: string, repo: Repository = ours): void {
  test(`${mistake} is found`, () => {
    const templates = structuredClone(stage('dev').templates);
    plant(templates);
    const found = findings(templates, repo);
    assert.deepEqual(found.filter((finding) => !finding.startsWith(sentence)), []);
    assert.notDeepEqual(found, []);
  });
}

describe('a planted mistake is found, and named by its setting', () => {
  planted('a second concurrency mode', (t) => (source(t, 'processorders').ProvisionedPollerConfig = { MinimumPollers: 2 }), 'functions.process-orders.event_source: maximum_concurrency and provisioned_pollers exclude each other; remove one');
  planted('no limit at all', (t) => delete source(t, 'settlepayments').ScalingConfig, 'functions.settle-payments.event_source.maximum_concurrency: missing');
  planted('a concurrency of 1', (t) => (source(t, 'settlepayments').ScalingConfig.MaximumConcurrency = 1), 'functions.settle-payments.event_source.maximum_concurrency: 1 is not within 2 to 1000');
  planted('a single poller', (t) => Object.assign(source(t, 'settlepayments'), { ScalingConfig: undefined, ProvisionedPollerConfig: { MinimumPollers: 1 } }), 'functions.settle-payments.event_source.provisioned_pollers.minimum: 1 is not within 2 to 200');
  planted('a batch of 11 without a window', (t) => (source(t, 'processorders').BatchSize = 11), 'functions.process-orders.event_source.batch_size: 11 needs a maximum_batching_window_s of at least 1');
  planted('a visibility of five timeouts', (t) => (queueNamed(t, 'orders').VisibilityTimeout = 50), 'queues.orders.visibility_timeout_s: 50 is less than 60');
  planted('a timeout that its queue does not outlast', (t) => (lambda(t, 'settle-payments').Timeout = 31), 'queues.payments.visibility_timeout_s: 180 is less than 186');
  planted('an event source without partial responses', (t) => delete source(t, 'settlepayments').FunctionResponseTypes, 'functions.settle-payments.event_source.report_batch_item_failures: must be true');
  planted('reserved concurrency below the poller\'s', (t) => (lambda(t, 'process-orders').ReservedConcurrentExecutions = 49), 'functions.process-orders.reserved_concurrency: 49 is less than its maximum_concurrency, 50');
  planted('an event source that is not measured', (t) => delete source(t, 'processorders').MetricsConfig, 'functions.process-orders.event_source: turn the metric EventCount on');
  planted('dead letters that are kept no longer than their source', (t) => (queueNamed(t, 'orders-dlq').MessageRetentionPeriod = 345_600), 'queues.orders-dlq.message_retention_s: 345600 is not longer than that of orders, 345600');
  planted('a source without dead letters', (t) => delete queueNamed(t, 'payments').RedrivePolicy, 'queues.payments.dead_letter_queue: missing');
  planted('dead letters from anywhere', (t) => delete queueNamed(t, 'orders-dlq').RedriveAllowPolicy, 'queues.orders-dlq: its redrive-allow policy does not name orders');
  planted('a queue that takes plain text', (t) => (properties(t, 'AWS::SQS::QueuePolicy', 'QuarantinePolicy').PolicyDocument.Statement[0].Condition.Bool['aws:SecureTransport'] = 'true'), 'queues.quarantine: no policy refuses requests without TLS');
  planted('a queue that is not encrypted', (t) => delete queueNamed(t, 'orders').KmsMasterKeyId, 'queues.orders: is not encrypted');
  planted('a wildcard of actions', (t) => policy(t, 'settlepaymentsRole').push({ Effect: 'Allow', Action: 'rds-data:*', Resource: 'arn:aws:rds:eu-central-1:1:cluster:x' }), 'processing stack, settlepaymentsRoleDefaultPolicy');
  planted('a wildcard of resources', (t) => policy(t, 'processordersRole').push({ Effect: 'Allow', Action: ['sqs:SendMessage'], Resource: '*' }), 'processing stack, processordersRoleDefaultPolicy');
  planted('a variable that is missing', (t) => delete lambda(t, 'settle-payments').Environment.Variables.ORDERFLOW_STAGE, 'functions.settle-payments.environment.ORDERFLOW_STAGE: missing; settings.rs reads it');
  planted('a variable that nobody reads', (t) => (lambda(t, 'migrate-schema').Environment.Variables.ORDERFLOW_REGION = 'x'), 'functions.migrate-schema.environment.ORDERFLOW_REGION: settings.rs does not read it');
  planted('a function that is not deployed', () => undefined, 'functions.refund-orders: no stack deploys it', { ...ours, read: new Map([...ours.read, ['refund-orders', new Set<string>()]]) });
  planted('an alarm with a runbook that does not exist', (t) => (alarm(t, 'orders-late').AlarmDescription = 'Runbook: infra/runbooks/none.md'), 'alarm orderflow-dev-orders-late: infra/runbooks/none.md does not exist');
  planted('an alarm without a runbook', (t) => (alarm(t, 'orders-late').AlarmDescription = 'late'), 'alarm orderflow-dev-orders-late: its description names no runbook');
  planted('an alarm on words that nobody logs', (t) => (properties(t, 'AWS::Logs::MetricFilter', 'PaymentsDiffer').FilterPattern = '"provider and rows agree"'), 'metric filter PaymentsDiffer: no function logs "provider and rows agree"');
  planted('an alarm that nobody hears', (t) => delete alarm(t, 'orders-late').AlarmActions, 'alarm orderflow-dev-orders-late: nobody hears it');
  planted('a function that anybody may call', (t) => (properties(t, 'AWS::Lambda::Url', 'servecatalog').AuthType = 'NONE'), 'functions.serve-catalog.function_url: takes unsigned requests');
  planted('a permission for everybody', (t) => (properties(t, 'AWS::Lambda::Permission', 'InvokeFunctionFromCloudFront').Principal = '*'), 'functions.serve-catalog.function_url: ');
  planted('an origin that is asked without a signature', (t) => delete properties(t, 'AWS::CloudFront::Distribution', 'Cdn').DistributionConfig.Origins[0].OriginAccessControlId, 'cdn: CdnDistribution');
  planted('an origin whose signature is left out', (t) => (properties(t, 'AWS::CloudFront::OriginAccessControl', 'ImagesAccess').OriginAccessControlConfig.SigningBehavior = 'never'), 'cdn: CdnDistribution');
  planted('a bucket that may be made public', (t) => delete properties(t, 'AWS::S3::Bucket', 'Images').PublicAccessBlockConfiguration, 'the bucket Images');
  planted('a bucket that takes plain text', (t) => bucketPolicy(t).shift(), 'the bucket Images');
  planted("another account's distribution", (t) => delete bucketPolicy(t).find(({ Sid }: any) => Sid === 'Cdn').Condition, 'the bucket Images');
  planted('a CDN that keeps what must not be kept', (t) => (properties(t, 'AWS::CloudFront::CachePolicy', 'Catalog').CachePolicyConfig.MinTTL = 1), 'cdn: CdnCatalogCache');
  planted('a CDN that forgets before it may', (t) => (properties(t, 'AWS::CloudFront::CachePolicy', 'Catalog').CachePolicyConfig.MaxTTL = 60), 'cdn: CdnCatalogCache');
  planted('a log without an end', (t) => delete properties(t, 'AWS::Logs::LogGroup', 'process-orders').RetentionInDays, 'logs.retention_days: the log group processordersLogs');
  planted('a function that is not traced', (t) => delete lambda(t, 'process-orders').TracingConfig, 'functions.process-orders: is not traced');
});
