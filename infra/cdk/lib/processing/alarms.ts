// The alarms: each says in its description which runbook to open, and goes to one topic.
//
// Thresholds and their reasons are in infra/settings.json. A rule checks that every runbook named here exists.

import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import * as actions from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as logs from 'aws-cdk-lib/aws-logs';
import type * as sns from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { METRIC_NAMESPACE, named } from '../names.ts';
import type { OrderflowFunction } from '../orderflow-function.ts';
import type { Section } from '../settings.ts';
import type { Stateful } from '../stateful-stack.ts';
import { cacheNodes } from '../stateful/cache.ts';

const MINUTE = Duration.minutes(1);
const FIVE_MINUTES = Duration.minutes(5);

/** What is watched. */
export interface AlarmsProps {
  readonly settings: Section;
  readonly stateful: Stateful;
  readonly functions: readonly OrderflowFunction[];
  readonly topic: sns.ITopic;
}

/** One alarm. */
interface Watch {
  readonly name: string;
  readonly runbook: string;
  readonly says: string;
  readonly metric: cloudwatch.IMetric;
  /** It rings above this. */
  readonly above?: number;
  /** It rings below this, and where nothing is measured. */
  readonly below?: number;
  /** In so many periods in a row. */
  readonly periods?: number;
}

/** Every alarm of a stage. */
export class Alarms extends Construct {
  readonly all: cloudwatch.Alarm[] = [];

  constructor(
    scope: Construct,
    id: string,
    private readonly props: AlarmsProps,
  ) {
    super(scope, id);
    this.watchQueues();
    this.watchFunctions();
    this.watchPayments();
    this.watchDatabase();
    this.watchCache();
  }

  private watchQueues(): void {
    const { queues } = this.props.stateful;
    const limits = this.props.settings.section('alarms');
    for (const [name, queue] of queues) {
      if (!name.endsWith('-dlq')) continue;
      this.watch({
        name: `${name}-not-empty`,
        runbook: 'redrive',
        says: `there are dead letters in ${name}`,
        metric: queue.metricApproximateNumberOfMessagesVisible({ period: MINUTE, statistic: 'Maximum' }),
        above: 0,
      });
    }
    for (const [name, setting] of [['orders', 'queue_age_s'], ['products', 'queue_age_s'], ['payments', 'payment_age_s']] as const) {
      this.watch({
        name: `${name}-late`,
        runbook: 'queue-is-late',
        says: `the oldest message of ${name} has waited too long`,
        metric: queues.get(name)!.metricApproximateAgeOfOldestMessage({ period: MINUTE, statistic: 'Maximum' }),
        above: limits.number(setting),
        periods: limits.number('late_minutes'),
      });
    }
    this.watch({
      name: 'quarantine-grows',
      runbook: 'quarantine-grows',
      says: 'many messages can never be orders or changes',
      metric: queues.get('quarantine')!.metricNumberOfMessagesSent({ period: Duration.hours(1), statistic: 'Sum' }),
      above: limits.number('quarantined_per_hour'),
    });
  }

  private watchFunctions(): void {
    const limits = this.props.settings.section('alarms');
    const above = limits.number('errors_per_5_minutes');
    for (const { name, lambda } of this.props.functions) {
      const errors = lambda.metricErrors({ period: FIVE_MINUTES, statistic: 'Sum' });
      const throttles = lambda.metricThrottles({ period: FIVE_MINUTES, statistic: 'Sum' });
      const runbook = 'function-errors';
      this.watch({ name: `${name}-errors`, runbook, says: `${name} crashes or times out`, metric: errors, above });
      this.watch({ name: `${name}-throttled`, runbook, says: `${name} is throttled`, metric: throttles, above });
    }
    const reconciler = this.named('reconcile-orders');
    const schedule = this.props.settings.section('functions').section('reconcile-orders').section('schedule');
    const every = Duration.seconds(schedule.number('every_s'));
    this.watch({
      name: 'reconcile-orders-silent',
      runbook: 'function-errors',
      says: 'the schedule of reconcile-orders does not invoke it',
      metric: reconciler.lambda.metricInvocations({ period: every, statistic: 'Sum' }),
      below: 1,
      periods: limits.number('silent_runs'),
    });
  }

  private watchPayments(): void {
    const [settle, reconcile] = [this.named('settle-payments'), this.named('reconcile-orders')];
    this.watch({
      name: 'provider-away',
      runbook: 'provider-outage',
      says: 'payments are parked because the breaker is open',
      metric: this.lines(settle, 'ProviderAway', logs.FilterPattern.allTerms('batch answered', 'breaker_open'), MINUTE),
      above: 0,
      periods: this.props.settings.section('alarms').number('provider_down_minutes'),
    });
    this.watch({
      name: 'provider-refuses-key',
      runbook: 'rotate-a-secret',
      says: 'the provider refuses our key',
      metric: this.lines(settle, 'KeyRefused', logs.FilterPattern.allTerms('batch answered', 'unauthorized'), FIVE_MINUTES),
      above: 0,
    });
    this.watch({
      name: 'payments-stopped',
      runbook: 'payments-stopped',
      says: 'somebody has switched payments off, and orders wait for them',
      metric: this.lines(settle, 'PaymentsStopped', logs.FilterPattern.allTerms('batch answered', 'payments_stopped'), FIVE_MINUTES),
      above: 0,
    });
    this.watch({
      name: 'orders-unpaid',
      runbook: 'provider-outage',
      says: 'orders were rejected because nobody could take their payment for 23 hours',
      metric: this.lines(reconcile, 'OrdersUnpaid', logs.FilterPattern.allTerms('orders ended unpaid'), FIVE_MINUTES),
      above: 0,
    });
    this.watch({
      name: 'payments-differ',
      runbook: 'payments-differ',
      says: 'the provider and the rows disagree, or a hold could not be released',
      metric: this.lines(
        reconcile,
        'PaymentsDiffer',
        logs.FilterPattern.anyTerm('provider and rows disagree', 'hold could not be canceled'),
        FIVE_MINUTES,
      ),
      above: 0,
    });
  }

  private watchDatabase(): void {
    const limits = this.props.settings.section('alarms');
    this.watch({
      name: 'database-at-its-limit',
      runbook: 'database-at-its-acu-limit',
      says: 'Aurora is as large as it may get',
      metric: new cloudwatch.Metric({
        namespace: 'AWS/RDS',
        metricName: 'ACUUtilization',
        dimensionsMap: { DBClusterIdentifier: this.props.stateful.clusterIdentifier },
        period: MINUTE,
        statistic: 'Average',
      }),
      above: limits.number('acu_percent'),
      periods: limits.number('acu_minutes'),
    });
  }

  private watchCache(): void {
    const limits = this.props.settings.section('alarms');
    for (const [at, node] of cacheNodes(this.props.settings).entries()) {
      for (const [what, metricName, setting] of [
        ['cpu', 'CPUUtilization', 'cache_cpu_percent'],
        ['memory', 'DatabaseMemoryUsagePercentage', 'cache_memory_percent'],
      ] as const) {
        this.watch({
          name: `cache-${at + 1}-${what}`,
          runbook: 'redis-away',
          says: `the ${what} of the cache node ${node} is nearly used up`,
          metric: new cloudwatch.Metric({
            namespace: 'AWS/ElastiCache',
            metricName,
            dimensionsMap: { CacheClusterId: node },
            period: MINUTE,
            statistic: 'Average',
          }),
          above: limits.number(setting),
          periods: limits.number('cache_minutes'),
        });
      }
    }
    const lost = logs.FilterPattern.anyTerm('connection to Redis failed', 'Redis took too long', 'Redis refused');
    this.watch({
      name: 'redis-away',
      runbook: 'redis-away',
      says: 'settle-payments goes on without Redis, each instance with its share of the rate',
      metric: this.lines(this.named('settle-payments'), 'RedisAway', lost, MINUTE),
      above: 0,
      periods: limits.number('cache_minutes'),
    });
  }

  /** Counts log lines of a function that match. */
  private lines(
    from: OrderflowFunction,
    metricName: string,
    filterPattern: logs.IFilterPattern,
    period: Duration,
  ): cloudwatch.Metric {
    const { stage } = this.props.settings;
    const filter = new logs.MetricFilter(this, metricName, {
      logGroup: from.logGroup,
      filterPattern,
      metricNamespace: `${METRIC_NAMESPACE}/${stage}`,
      metricName,
      metricValue: '1',
    });
    return filter.metric({ period, statistic: 'Sum' });
  }

  private named(name: string): OrderflowFunction {
    return this.props.functions.find((each) => each.name === name)!;
  }

  private watch(watch: Watch): void {
    const { stage } = this.props.settings;
    const below = watch.below !== undefined;
    const alarm = new cloudwatch.Alarm(this, watch.name, {
      alarmName: named(stage, watch.name),
      alarmDescription: `${watch.says}. Runbook: infra/runbooks/${watch.runbook}.md`,
      metric: watch.metric,
      threshold: watch.below ?? watch.above ?? 0,
      comparisonOperator: below
        ? cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
        : cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: watch.periods ?? 1,
      treatMissingData: below ? cloudwatch.TreatMissingData.BREACHING : cloudwatch.TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new actions.SnsAction(this.props.topic));
    alarm.addOkAction(new actions.SnsAction(this.props.topic));
    this.all.push(alarm);
  }
}
