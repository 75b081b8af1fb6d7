// A template as a page to read: per resource its type, its name, and the properties that decide how it behaves.
//
// The committed pages, test/snapshots/dev.txt and prod.txt, show in a review what a change deploys. Ids with hashes are shortened, so that
// it changes only when the stack does.

import { settingName, target, type Resource, type Templates, resources } from './rules/model.ts';

/** Per type, what matters; types that are not here are counted only. */
const SHOWN: Record<string, readonly string[]> = {
  'AWS::Lambda::EventSourceMapping': ['BatchSize', 'MaximumBatchingWindowInSeconds', 'FunctionResponseTypes', 'ScalingConfig', 'ProvisionedPollerConfig', 'MetricsConfig'],
  'AWS::Lambda::Function': ['Architectures', 'Runtime', 'MemorySize', 'Timeout', 'ReservedConcurrentExecutions', 'TracingConfig', 'VpcConfig', 'Environment'],
  'AWS::Lambda::Url': ['AuthType', 'InvokeMode'],
  'AWS::Lambda::Permission': ['Action', 'Principal', 'SourceArn', 'InvokedViaFunctionUrl'],
  'AWS::S3::Bucket': ['PublicAccessBlockConfiguration', 'OwnershipControls', 'VersioningConfiguration', 'LifecycleConfiguration'],
  'AWS::S3::BucketPolicy': ['PolicyDocument'],
  'AWS::CloudFront::Distribution': ['DistributionConfig'],
  'AWS::CloudFront::CachePolicy': ['CachePolicyConfig'],
  'AWS::SQS::Queue': ['VisibilityTimeout', 'MessageRetentionPeriod', 'RedrivePolicy', 'RedriveAllowPolicy', 'KmsMasterKeyId'],
  'AWS::Scheduler::Schedule': ['ScheduleExpression', 'Target'],
  'Custom::Trigger': ['HandlerArn', 'InvocationType', 'Timeout'],
  'AWS::RDS::DBCluster': ['EngineVersion', 'ServerlessV2ScalingConfiguration', 'EnableHttpEndpoint', 'BackupRetentionPeriod', 'DeletionProtection', 'StorageEncrypted', 'ManageMasterUserPassword'],
  'AWS::RDS::DBInstance': ['DBInstanceClass', 'PubliclyAccessible'],
  'AWS::ElastiCache::ReplicationGroup': ['Engine', 'EngineVersion', 'CacheNodeType', 'NumCacheClusters', 'TransitEncryptionMode', 'AtRestEncryptionEnabled', 'MultiAZEnabled'],
  'AWS::IAM::Policy': ['PolicyDocument'],
  'AWS::IAM::ManagedPolicy': ['PolicyDocument'],
  'AWS::EC2::NatGateway': [],
  'AWS::SecretsManager::Secret': ['Name'],
  'AWS::Logs::LogGroup': ['LogGroupName', 'RetentionInDays'],
  'AWS::Logs::MetricFilter': ['FilterPattern'],
  'AWS::CloudWatch::Alarm': ['Namespace', 'MetricName', 'Statistic', 'ComparisonOperator', 'Threshold', 'Period', 'EvaluationPeriods', 'TreatMissingData', 'Metrics', 'AlarmDescription'],
  'AWS::Budgets::Budget': ['Budget'],
};

/** The page of one stage. */
export function summary(templates: Templates): string {
  return Object.keys(templates)
    .map((stack) => {
      const own = resources(templates).filter((resource) => resource.stack === stack);
      const shown = own.filter(({ type }) => type in SHOWN).map((resource) => entry(templates, resource));
      return `== ${stack}: ${own.length} resources\n\n${shown.sort().join('\n')}\nbesides: ${besides(own)}\n`;
    })
    .join('\n');
}

function besides(own: Resource[]): string {
  const counts = new Map<string, number>();
  for (const { type } of own.filter((resource) => !(resource.type in SHOWN))) counts.set(type, (counts.get(type) ?? 0) + 1);
  return [...counts].sort().map(([type, count]) => `${count} ${type}`).join(', ');
}

function entry(templates: Templates, resource: Resource): string {
  const { type, properties } = resource;
  const shown = SHOWN[type]!.filter((name) => properties[name] !== undefined);
  const lines = shown.map((name) => `  ${name}: ${value(templates, resource, properties[name])}\n`);
  return `${type} ${nameOf(templates, resource)}\n${lines.join('')}`;
}

function nameOf(templates: Templates, resource: Resource): string {
  const { stack, type, properties } = resource;
  if (type === 'AWS::Lambda::EventSourceMapping') {
    return `${word(templates, stack, properties.EventSourceArn)} → ${word(templates, stack, properties.FunctionName)}`;
  }
  return short(String(properties.AlarmName ?? settingName(resource)));
}

/** A value on one line; a policy on one line per statement. */
function value(templates: Templates, { stack }: Resource, property: any): string {
  if (property.Statement !== undefined) {
    return property.Statement.map((statement: any) => {
      const targets = [statement.Resource].flat().map((each) => word(templates, stack, each));
      const condition = statement.Condition ? ` if ${word(templates, stack, statement.Condition)}` : '';
      return `\n    ${statement.Effect} ${[statement.Action].flat().join(' ')} on ${targets.join(', ')}${condition}`;
    }).join('');
  }
  return word(templates, stack, property);
}

/** A value with its references replaced by what they refer to. */
function word(templates: Templates, stack: string, property: any): string {
  if (Array.isArray(property)) return `[${property.map((each) => word(templates, stack, each)).join(', ')}]`;
  if (typeof property !== 'object' || property === null) return short(String(property));
  if ('Fn::Join' in property) {
    const [separator, parts] = property['Fn::Join'];
    return parts.map((part: any) => word(templates, stack, part)).join(separator);
  }
  if ('Ref' in property || 'Fn::GetAtt' in property || 'Fn::ImportValue' in property) {
    const found = target(templates, stack, property);
    return found ? `<${short(settingName(found))}>` : `<${property.Ref ?? JSON.stringify(property)}>`;
  }
  return `{${Object.entries(property).map(([name, each]) => `${name}: ${word(templates, stack, each)}`).join(', ')}}`;
}

/** Without the hash that CDK appends to an id, or to a version's. */
function short(text: string): string {
  return text.replace(/([A-Za-z])[0-9A-F]{8}(?:[0-9a-f]{32})?\b/g, '$1');
}
