// One dashboard: from the alarms down through queues, functions, database and cache, in the order of an order's way; then
// what the functions say of orders and payments, by the panels of infra/monitoring, which Grafana shows too.

import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { orders } from '../../../monitoring/src/dashboards/orders.ts';
import type { Panel } from '../../../monitoring/src/dashboards/panel.ts';
import { payments } from '../../../monitoring/src/dashboards/payments.ts';
import { named } from '../names.ts';
import { cacheNodes } from '../stateful/cache.ts';
import type { Stage } from '../settings.ts';
import type { Alarms, AlarmsProps } from './alarms.ts';
import { lineMetric } from './emf.ts';

const WIDTH = 24;
const MINUTE = Duration.minutes(1);

/** The dashboard of a stage. */
export class Dashboard extends Construct {
  constructor(scope: Construct, id: string, props: AlarmsProps, alarms: Alarms) {
    super(scope, id);
    const dashboard = new cloudwatch.Dashboard(this, 'Dashboard', {
      dashboardName: named(props.settings.stage, 'overview'),
      defaultInterval: Duration.hours(3),
    });
    dashboard.addWidgets(new cloudwatch.AlarmStatusWidget({ title: 'Alarms', width: WIDTH, height: 4, alarms: alarms.all }));
    dashboard.addWidgets(...queueWidgets(props));
    dashboard.addWidgets(...functionWidgets(props));
    dashboard.addWidgets(...dataWidgets(props));
    for (const [title, rows] of [
      ['Orders', orders],
      ['Payments', payments],
    ] as const) {
      dashboard.addWidgets(new cloudwatch.TextWidget({ markdown: `# ${title}`, width: WIDTH, height: 1 }));
      dashboard.addWidgets(
        ...panelWidgets(
          rows.flatMap(({ panels }) => panels),
          props.settings.stage,
        ),
      );
    }
  }
}

/** Panels that CloudWatch has something to show in. */
function panelWidgets(panels: readonly Panel[], stage: Stage): cloudwatch.IWidget[] {
  return panels.flatMap((panel): cloudwatch.IWidget[] => {
    const lines = panel.series.flatMap((series) => series.lines);
    const metrics = lines.map((line, at) => lineMetric(stage, line, at, MINUTE));
    if (metrics.length === 0) return [];
    if (panel.stat) return [new cloudwatch.SingleValueWidget({ title: panel.title, metrics, width: WIDTH / 6, height: 4 })];
    const limits = panel.limit === undefined ? [] : [{ value: panel.limit, label: 'limit', color: cloudwatch.Color.RED }];
    return [
      new cloudwatch.GraphWidget({
        title: panel.title,
        left: metrics,
        leftAnnotations: limits,
        stacked: panel.stacked ?? false,
        width: WIDTH / 3,
      }),
    ];
  });
}

function graph(title: string, left: cloudwatch.IMetric[], right: cloudwatch.IMetric[] = []): cloudwatch.GraphWidget {
  return new cloudwatch.GraphWidget({ title, left, right, width: WIDTH / 2 });
}

function queueWidgets({ stateful }: AlarmsProps): cloudwatch.GraphWidget[] {
  const queues = [...stateful.queues];
  const at = { period: MINUTE, statistic: 'Maximum' };
  const waiting = queues.map(([label, queue]) => queue.metricApproximateNumberOfMessagesVisible({ ...at, label }));
  const age = queues
    .filter(([name]) => ['orders', 'products', 'payments'].includes(name))
    .map(([label, queue]) => queue.metricApproximateAgeOfOldestMessage({ ...at, label }));
  return [graph('Messages that wait', waiting), graph('Age of the oldest message, seconds', age)];
}

function functionWidgets({ functions }: AlarmsProps): cloudwatch.GraphWidget[] {
  const each = (metric: (from: AlarmsProps['functions'][number]) => cloudwatch.IMetric) => functions.map(metric);
  const duration = each(({ name, lambda }) => lambda.metricDuration({ period: MINUTE, statistic: 'p99', label: name }));
  const running = each(({ name, lambda }) =>
    lambda.metric('ConcurrentExecutions', { period: MINUTE, statistic: 'Maximum', label: name }),
  );
  const errors = each(({ name, lambda }) => lambda.metricErrors({ period: MINUTE, label: name }));
  return [graph('Duration, p99, ms', duration), graph('Instances at work, and errors', running, errors)];
}

function dataWidgets({ settings, stateful }: AlarmsProps): cloudwatch.GraphWidget[] {
  const database = (metricName: string) =>
    new cloudwatch.Metric({
      namespace: 'AWS/RDS',
      metricName,
      dimensionsMap: { DBClusterIdentifier: stateful.clusterIdentifier },
      period: MINUTE,
    });
  const cache = cacheNodes(settings).map(
    (node) =>
      new cloudwatch.Metric({
        namespace: 'AWS/ElastiCache',
        metricName: 'CPUUtilization',
        dimensionsMap: { CacheClusterId: node },
        period: MINUTE,
      }),
  );
  return [
    graph('Database: ACU, and percent of what it may', [database('ServerlessDatabaseCapacity')], [database('ACUUtilization')]),
    graph('Cache: CPU, percent', cache),
  ];
}
