// The processing stack: the functions, what invokes them, and what watches them. It holds nothing and may be deleted.

import { Stack, type StackProps } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as sns from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { MigrateSchema } from './functions/migrate-schema.ts';
import { ProcessOrders } from './functions/process-orders.ts';
import { ReconcileOrders } from './functions/reconcile-orders.ts';
import { RefreshCatalog } from './functions/refresh-catalog.ts';
import { ServeCatalog } from './functions/serve-catalog.ts';
import { SettlePayments } from './functions/settle-payments.ts';
import { named } from './names.ts';
import type { Surroundings } from './orderflow-function.ts';
import { Alarms } from './processing/alarms.ts';
import { budget } from './processing/budget.ts';
import { Cdn } from './processing/cdn.ts';
import { Dashboard } from './processing/dashboard.ts';

/** Functions, triggers, the CDN, alarms. */
export class ProcessingStack extends Stack {
  constructor(scope: Construct, id: string, surroundings: Surroundings, props: StackProps) {
    super(scope, id, props);
    const { settings, stateful } = surroundings;
    const migrate = new MigrateSchema(this, surroundings);
    const serveCatalog = new ServeCatalog(this, surroundings);
    const others = [
      new ProcessOrders(this, surroundings),
      new SettlePayments(this, surroundings),
      new ReconcileOrders(this, surroundings),
      new RefreshCatalog(this, surroundings),
      serveCatalog,
    ];
    migrate.before(...others);

    const topic = this.alarmTopic(surroundings);
    const watched = { settings, stateful, functions: [...others, migrate], topic };
    const alarms = new Alarms(this, 'Alarms', watched);
    new Dashboard(this, 'Overview', watched, alarms);
    budget(this, settings, topic);
    new Cdn(this, 'Cdn', { settings, images: stateful.images, catalog: serveCatalog.url });
  }

  /** Where alarms and the budget are heard; people subscribe by hand, so that no address stands in the code. */
  private alarmTopic({ settings, stateful }: Surroundings): sns.Topic {
    const topic = new sns.Topic(this, 'AlarmTopic', {
      topicName: named(settings.stage, 'alarms'),
      displayName: `orderflow ${settings.stage}`,
      masterKey: stateful.key,
      enforceSSL: true,
    });
    topic.addToResourcePolicy(
      new iam.PolicyStatement({
        sid: 'AlarmsAndBudget',
        principals: [
          new iam.ServicePrincipal('cloudwatch.amazonaws.com'),
          new iam.ServicePrincipal('budgets.amazonaws.com'),
        ],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
      }),
    );
    return topic;
  }
}
