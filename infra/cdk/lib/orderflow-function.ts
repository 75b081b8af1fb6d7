// What all functions have in common, once: code, role, logs, tracing, environment, network.
//
// A file in lib/functions/ adds one function's trigger and its permissions, in words of this construct. Every
// permission names its resource; `lib/rules/` refuses a wildcard.

import { ArnFormat, Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as ec2 from 'aws-cdk-lib/aws-ec2';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as sources from 'aws-cdk-lib/aws-lambda-event-sources';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as scheduler from 'aws-cdk-lib/aws-scheduler';
import { Construct } from 'constructs';
import type { Assets } from './assets.ts';
import { environment } from './environment.ts';
import { named } from './names.ts';
import type { Section } from './settings.ts';
import type { Stateful } from './stateful-stack.ts';

/** Where functions run, and what they are built from. */
export interface Surroundings {
  readonly settings: Section;
  readonly stateful: Stateful;
  readonly assets: Assets;
}

/** Whether a function needs Redis, which only the VPC has. */
export interface FunctionOptions {
  readonly inVpc: boolean;
}

/** One function of ours. */
export class OrderflowFunction extends Construct {
  readonly lambda: lambda.Function;
  readonly logGroup: logs.LogGroup;
  protected readonly stateful: Stateful;
  /** The function's own settings. */
  protected readonly own: Section;
  private readonly role: iam.Role;

  constructor(
    scope: Construct,
    readonly name: string,
    { settings, stateful, assets }: Surroundings,
    options: FunctionOptions,
  ) {
    super(scope, name);
    this.stateful = stateful;
    this.own = settings.section('functions').section(name);
    this.role = new iam.Role(this, 'Role', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') });
    this.logGroup = new logs.LogGroup(this, 'Logs', {
      logGroupName: `/orderflow/${settings.stage}/${name}`,
      retention: settings.section('logs').number('retention_days'),
      encryptionKey: stateful.key,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    this.logGroup.grantWrite(this.role);
    if (options.inVpc) this.allowNetworkInterfaces();
    this.allow(['kms:Decrypt'], [stateful.key.keyArn]);
    const reserved = this.own.optionalNumber('reserved_concurrency');
    this.lambda = new lambda.Function(this, 'Function', {
      functionName: named(settings.stage, name),
      // A changed description is what makes CloudFormation read the secrets again.
      description: `${this.own.text('purpose')}; secrets generation ${settings.section('secrets').number('generation')}`,
      runtime: lambda.Runtime.PROVIDED_AL2023,
      architecture: assets.architecture,
      handler: 'bootstrap',
      code: assets.code(name),
      timeout: Duration.seconds(this.own.number('timeout_s')),
      memorySize: this.own.number('memory_mb'),
      role: this.role,
      logGroup: this.logGroup,
      loggingFormat: lambda.LoggingFormat.JSON,
      tracing: lambda.Tracing.ACTIVE,
      environment: environment(stateful, settings, name),
      environmentEncryption: stateful.key,
      ...(reserved !== undefined && { reservedConcurrentExecutions: reserved }),
      ...(options.inVpc && {
        vpc: stateful.vpc,
        vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS },
        securityGroups: [stateful.functionsGroup],
      }),
    });
    // Everything that the role may do must be there before the function runs for the first time.
    this.lambda.node.addDependency(this.role);
  }

  /** Messages of the queue that its settings name invoke it. */
  protected invokedByQueue(): void {
    const source = this.own.section('event_source');
    // A 0 turns one of the two modes off in a stage.
    const section = source.has('provisioned_pollers') ? source.section('provisioned_pollers') : undefined;
    const pollers = section && section.number('maximum') > 0 ? section : undefined;
    this.lambda.addEventSource(
      new sources.SqsEventSource(this.queue(source.text('queue')), {
        batchSize: source.number('batch_size'),
        maxBatchingWindow: Duration.seconds(source.number('maximum_batching_window_s')),
        reportBatchItemFailures: source.flag('report_batch_item_failures'),
        maxConcurrency: source.optionalNumber('maximum_concurrency') || undefined,
        ...(pollers && {
          provisionedPollerConfig: {
            minimumPollers: pollers.number('minimum'),
            maximumPollers: pollers.number('maximum'),
          },
        }),
        metricsConfig: { metrics: [lambda.MetricType.EVENT_COUNT] },
      }),
    );
  }

  /** The clock invokes it. A run that is missed is not made up for: the next one does its work. */
  protected invokedByClock(): void {
    const every = Duration.seconds(this.own.section('schedule').number('every_s'));
    const clock = new iam.Role(this, 'Clock', { assumedBy: new iam.ServicePrincipal('scheduler.amazonaws.com') });
    const allow = (actions: string[], resources: string[]) =>
      clock.addToPolicy(new iam.PolicyStatement({ actions, resources }));
    allow(['lambda:InvokeFunction'], [this.lambda.functionArn]);
    allow(['kms:Decrypt'], [this.stateful.key.keyArn]);
    const schedule = new scheduler.CfnSchedule(this, 'Schedule', {
      name: this.lambda.functionName,
      description: `Invokes ${this.name}`,
      scheduleExpression: scheduler.ScheduleExpression.rate(every).expressionString,
      flexibleTimeWindow: { mode: 'OFF' },
      kmsKeyArn: this.stateful.key.keyArn,
      target: {
        arn: this.lambda.functionArn,
        roleArn: clock.roleArn,
        input: '{}',
        retryPolicy: { maximumRetryAttempts: 0, maximumEventAgeInSeconds: every.toSeconds() },
      },
    });
    schedule.node.addDependency(clock);
  }

  /** It may send statements, as the given database user. */
  protected usesDatabase(user: 'app' | 'migrator', actions: string[]): void {
    this.allow(actions.map((action) => `rds-data:${action}`), [this.stateful.clusterArn]);
    this.allow(['secretsmanager:GetSecretValue'], [this.stateful.userSecrets.get(user)!.secretArn]);
  }

  /** It may send messages to these queues, and asks each whether it is there when it starts. */
  protected sendsTo(...names: string[]): void {
    this.allow(['sqs:SendMessage', 'sqs:GetQueueAttributes'], names.map((name) => this.queue(name).queueArn));
    this.allow(['kms:GenerateDataKey'], [this.stateful.key.keyArn]);
  }

  private queue(name: string) {
    const found = this.stateful.queues.get(name);
    if (found === undefined) throw new Error(`infra/settings.json: ${this.own.path} names ${name}, which is no queue`);
    return found;
  }

  private allow(actions: string[], resources: string[]): void {
    this.role.addToPolicy(new iam.PolicyStatement({ actions, resources }));
  }

  /**
   * Lambda makes and removes the network interfaces with the function's role. A new interface has no name yet and lists
   * cannot be narrowed, so those stay open; the code itself may do none of it.
   */
  private allowNetworkInterfaces(): void {
    const stack = Stack.of(this);
    const arn = (resource: string, resourceName: string) => stack.formatArn({ service: 'ec2', resource, resourceName });
    const { subnetIds } = this.stateful.vpc.selectSubnets({ subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS });
    const group = arn('security-group', this.stateful.functionsGroup.securityGroupId);
    const subnets = subnetIds.map((id) => arn('subnet', id));
    const interfaces = arn('network-interface', '*');
    const onInterfaces = [
      'ec2:DeleteNetworkInterface',
      'ec2:AssignPrivateIpAddresses',
      'ec2:UnassignPrivateIpAddresses',
    ];
    this.allow(['ec2:CreateNetworkInterface'], [interfaces, group, ...subnets]);
    this.allow(onInterfaces, [interfaces]);
    this.allow(['ec2:DescribeNetworkInterfaces', 'ec2:DescribeSubnets'], ['*']);
    this.role.addToPolicy(
      new iam.PolicyStatement({
        effect: iam.Effect.DENY,
        actions: ['ec2:CreateNetworkInterface', ...onInterfaces],
        resources: ['*'],
        conditions: { ArnEquals: { 'lambda:SourceFunctionArn': this.functionArn() } },
      }),
    );
  }

  /** By its name: the role's policy is there before the function. */
  private functionArn(): string {
    return Stack.of(this).formatArn({
      service: 'lambda',
      resource: 'function',
      resourceName: named(this.own.stage, this.name),
      arnFormat: ArnFormat.COLON_RESOURCE_NAME,
    });
  }
}
