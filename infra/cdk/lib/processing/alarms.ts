// The alarms: each says in its description which runbook to open, and goes to one topic.
//
// Thresholds and their reasons are in infra/settings.json. A rule checks that every runbook named here exists. The same
// troubles ring in Prometheus under the same names (infra/monitoring); a test there compares both lists.
//
// What functions say is read from their own metrics, by the catalogue's names. Log lines are counted only where no metric
// says it.

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
import { emfMetric, emfSum } from './emf.ts';

const MINUTE = Duration.minutes(1);
const FIVE_MINUTES = Duration.minutes(5);
const HOUR = Duration.hours(1);

/** Times the speed at which an error budget just lasts: it uses 2 % of a month's within an hour (SRE workbook, chapter 5). */
const BURNS_FAST = 14.4;

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
    this.watchObjectives();
    this.watchPayments();
    this.watchReconciler();
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
    for (const [name, setting] of [
      ['orders', 'queue_age_s'],
      ['products', 'queue_age_s'],
      ['payments', 'payment_age_s'],
    ] as const) {
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

  /** How fast the error budget of the latency objective burns; infra/monitoring/src/slo.ts has the whole of it. */
  private watchObjectives(): void {
    const limits = this.props.settings.section('alarms');
    const { stage } = this.props.settings;
    const of = (statistic: string) => emfMetric(stage, 'orders.accepted.duration', 'process-orders', { period: HOUR, statistic });
    this.watch({
      name: 'orders-latency-burns-fast',
      runbook: 'orders-latency',
      says: "orders are accepted too late, so often that 2 % of the month's error budget went within an hour",
      metric: new cloudwatch.MathExpression({
        expression: `IF(orders >= ${limits.number('slo_messages_per_hour')}, 100 - intime, 0)`,
        usingMetrics: { orders: of('SampleCount'), intime: of(`PR(:${limits.number('slo_latency_s')})`) },
        period: HOUR,
        label: 'orders accepted too late, percent',
      }),
      above: Number((BURNS_FAST * (100 - limits.number('slo_latency_percent'))).toFixed(4)),
    });
  }

  private watchPayments(): void {
    const { stage } = this.props.settings;
    const limits = this.props.settings.section('alarms');
    const settled = (metric: string, value?: string, period = FIVE_MINUTES) =>
      emfMetric(stage, metric, 'settle-payments', { period, statistic: 'Sum' }, value);
    this.watch({
      name: 'provider-away',
      runbook: 'provider-outage',
      says: 'payments are parked because the breaker is open',
      metric: settled('payments.parked', 'breaker_open', MINUTE),
      above: 0,
      periods: limits.number('provider_down_minutes'),
    });
    this.watch({
      name: 'provider-refuses-key',
      runbook: 'rotate-a-secret',
      says: 'the provider refuses our key',
      metric: settled('payments.attempts', 'unauthorized'),
      above: 0,
    });
    this.watch({
      name: 'payments-stopped',
      runbook: 'payments-stopped',
      says: 'somebody has switched payments off, and orders wait for them',
      metric: settled('payments.parked', 'payments_stopped'),
      above: 0,
    });
    this.watch({
      name: 'orders-unpaid',
      runbook: 'provider-outage',
      says: 'orders were rejected because nobody could take their payment for 23 hours',
      metric: emfMetric(stage, 'orders.unpaid', 'reconcile-orders', { period: FIVE_MINUTES, statistic: 'Sum' }),
      above: 0,
    });
    this.watch({
      name: 'payments-differ',
      runbook: 'payments-differ',
      says: 'the provider and the rows disagree, or a hold could not be released',
      // The metric counts what the comparison finds; only the lines have what sweeps and cancellations meet.
      metric: this.lines(
        this.named('reconcile-orders'),
        'PaymentsDiffer',
        logs.FilterPattern.anyTerm('provider and rows disagree', 'hold could not be canceled'),
        FIVE_MINUTES,
      ),
      above: 0,
    });
  }

  /** What each run of the reconciler counts. Its period is the time between two runs: that is how often there is a value. */
  private watchReconciler(): void {
    const { stage } = this.props.settings;
    const limits = this.props.settings.section('alarms');
    const every = this.props.settings.section('functions').section('reconcile-orders').section('schedule').number('every_s');
    const period = Duration.seconds(every);
    const runsOf = (setting: string) => Math.max(1, Math.ceil((limits.number(setting) * 60) / every));
    const gauge = (watch: Omit<Watch, 'metric'>, metric: string) =>
      this.watch({ ...watch, metric: emfMetric(stage, metric, 'reconcile-orders', { period, statistic: 'Maximum' }) });
    gauge(
      {
        name: 'captured-not-confirmed',
        runbook: 'captured-not-confirmed',
        says: 'money was taken for an order that is not confirmed',
        above: 0,
      },
      'payments.captured_not_confirmed',
    );
    gauge(
      {
        name: 'payments-in-doubt',
        runbook: 'payments-in-doubt',
        says: 'the outcome of a payment has been unknown for too long',
        above: limits.number('unknown_age_s'),
      },
      'payments.unknown.age',
    );
    gauge(
      {
        name: 'payments-to-review',
        runbook: 'payments-in-doubt',
        says: 'there are payments that a person has to look at',
        above: 0,
      },
      'payments.review.waiting',
    );
    gauge(
      {
        name: 'payments-parked-long',
        runbook: 'provider-outage',
        says: 'a payment has been parked for half of the time after which its order is rejected',
        above: limits.number('parked_hours') * 3600,
      },
      'payments.parked.age',
    );
    gauge(
      {
        name: 'payments-compared-late',
        runbook: 'reconcile-stops-early',
        says: 'charges are not compared with the rows in time',
        above: limits.number('compare_behind_s'),
      },
      'payments.compare.behind',
    );
    gauge(
      {
        name: 'events-unsent',
        runbook: 'events-unsent',
        says: 'events of orders are not published',
        above: 0,
        periods: runsOf('unsent_minutes'),
      },
      'orders.events.unsent',
    );
    this.watch({
      name: 'reconcile-orders-stops-early',
      runbook: 'reconcile-stops-early',
      says: 'runs of reconcile-orders stop before their work is done',
      metric: emfSum(stage, 'reconcile.duties.stopped', 'reconcile-orders', period),
      above: 0,
      periods: runsOf('stopped_minutes'),
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
    this.watch({
      name: 'data-api-fails',
      runbook: 'data-api-fails',
      says: 'calls to the Data API fail or are throttled',
      // Of the function that calls it most: one alarm cannot add up those of all.
      metric: emfSum(this.props.settings.stage, 'data_api.failures', 'process-orders', FIVE_MINUTES),
      above: limits.number('data_api_failures_per_5_minutes'),
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
    this.watch({
      name: 'redis-away',
      runbook: 'redis-away',
      says: 'settle-payments goes on without Redis, each instance with its share of the rate',
      metric: emfMetric(this.props.settings.stage, 'payments.gate.degraded', 'settle-payments', {
        period: MINUTE,
        statistic: 'Sum',
      }),
      above: 0,
      periods: limits.number('cache_minutes'),
    });
  }

  /** Counts log lines of a function that match, where no metric says the same. */
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
